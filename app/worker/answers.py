"""The worker's side of a question: an answer, or the sentence of what a person can act on."""

from __future__ import annotations

from typing import Any

from app.errors import AppError
from app.queue.jobs import QUESTIONS, load


def answer(function: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """The queue function behind ``ask_worker``.

    Args:
        function: one of :data:`QUESTIONS`.

    Returns:
        ``{"answer": …}``, or ``{"error": [message, hint]}`` where the function raised an AppError.
    """
    try:
        return {"answer": load(function, QUESTIONS)(**arguments)}
    except AppError as error:
        return {"error": [error.message, error.hint]}
