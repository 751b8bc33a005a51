"""The worker's side of a question: an answer, or the sentence of what a person can act on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from pydantic import BaseModel

from app.errors import AppError
from app.queue import questions as asked
from app.queue.ask import Question
from app.queue.jobs import UnknownFunctionError
from app.worker import models, search
from app.worker.maintenance import updates, verify

Q = TypeVar("Q", bound=BaseModel)
A = TypeVar("A")


def answer(question: str, request: dict[str, Any]) -> dict[str, Any]:
    """The job behind every question.

    Args:
        question: the name of one of :data:`app.queue.questions.QUESTIONS`.

    Returns:
        ``{"answer": …}``, or ``{"error": [message, hint]}`` where answering raised an AppError.

    Raises:
        UnknownFunctionError: there is no such question.
    """
    if question not in ANSWERS:
        raise UnknownFunctionError(f"workers cannot be asked {question!r}")
    try:
        return {"answer": ANSWERS[question](request)}
    except AppError as error:
        return {"error": [error.message, error.hint]}


def _by(
    question: Question[Q, A], function: Callable[[Q], A]
) -> tuple[str, Callable[[dict[str, Any]], Any]]:
    """A question's name, and what takes a request off the wire and puts an answer on it."""

    def run(request: dict[str, Any]) -> Any:
        return question.answer.dump_python(function(question.request.model_validate(request)))

    return question.name, run


ANSWERS: dict[str, Callable[[dict[str, Any]], Any]] = dict(
    [
        _by(asked.FIND, search.find),
        _by(asked.PREPARE, search.prepare),
        _by(asked.CHECK_LEDGER, verify.check_ledger),
        _by(asked.HUB_PATH, models.hub_path),
        _by(asked.MEASURE, models.measure),
        _by(asked.REMOVE_INDEX, models.remove_index),
        _by(asked.REMOVE_VECTORS, updates.remove_vectors),
    ]
)
