"""How a worker is asked: a question goes to its queue, the answer comes back, or why there is none.

What can be asked is in :mod:`app.queue.questions`.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import BaseModel, TypeAdapter
from redis.exceptions import RedisError
from rq.exceptions import DeserializationError, InvalidJobOperation, NoSuchJobError
from rq.job import Job, JobStatus

from app.config import get_settings
from app.db.engine import get_sync_engine
from app.db.liveness import LOCK_NAME, alive_workers
from app.errors import AppError
from app.locks import is_held
from app.queue.jobs import JobName
from app.queue.queues import LATE_S, QUEUE_SEARCH, get_queue

ANSWER_WITHIN_S = 600
NEVER = -1
"""RQ's word for a job without a limit of time: a model takes as long to load as it takes."""
KEPT_LONGER_S = 60
"""A question outlives the wait for it, so that its state can be told at the end."""
_TRY_AGAIN = "It will be answered once the indexing process is running; see the System page."
_GONE = (RedisError, NoSuchJobError, InvalidJobOperation, DeserializationError, OSError)
"""What redis and RQ raise where the server, the job or its answer went away meanwhile."""


Q = TypeVar("Q", bound=BaseModel)
A = TypeVar("A")


class WorkerAwayError(AppError):
    """No worker answered: it is starting, busy, loading, or gone. Ask again in a moment."""


@dataclass(frozen=True, slots=True)
class Question(Generic[Q, A]):
    """One thing that a worker can be asked, as both sides know it."""

    name: str
    """On the wire."""
    request: type[Q]
    answer: TypeAdapter[A]
    within_s: float = ANSWER_WITHIN_S
    """Seconds after which nobody waits any more; a question that no worker has taken by then is
    dropped."""
    loads_model: bool = False
    """The answer may have to wait for a model to be loaded."""


def ask(question: Question[Q, A], request: Q) -> A:
    """Have a worker answer, on its thread for questions, and wait for that.

    Raises:
        WorkerAwayError: no worker answered in time; it says what that worker is doing.
        AppError: what the worker raised, or that it has a bug, which its log explains.
    """
    try:
        queue = get_queue(QUEUE_SEARCH, within_s=ANSWER_WITHIN_S + LATE_S)
    except AppError as error:
        raise WorkerAwayError(error.message, _TRY_AGAIN) from error
    seconds = max(round(question.within_s), 1)
    try:
        job = queue.enqueue(
            JobName.ANSWER,
            args=(question.name, request.model_dump()),
            ttl=seconds + KEPT_LONGER_S,
            job_timeout=NEVER,
            result_ttl=KEPT_LONGER_S,
            failure_ttl=KEPT_LONGER_S,
        )
        result = job.latest_result(timeout=seconds)
        if result is None:
            raise _unanswered(job, question.loads_model)
        failed = result.type is not result.Type.SUCCESSFUL
        answer = {} if failed else dict(result.return_value or {})
    except _GONE as error:
        raise WorkerAwayError("The queue does not answer.", _TRY_AGAIN) from error
    if failed:
        raise AppError("The indexing process could not answer.", "See its log.")
    if "error" in answer:
        raise AppError(*answer["error"])
    return question.answer.validate_python(answer["answer"])


def _unanswered(job: Job, loads_model: bool) -> WorkerAwayError:
    """Why nobody answered, from the question's state and the workers' signs of life."""
    if job.get_status() == JobStatus.STARTED:
        if loads_model:
            return WorkerAwayError("The model is being loaded.", "The answer will follow.")
        return WorkerAwayError("The indexing process is still working on it.", "Ask again later.")
    with suppress(*_GONE):
        job.delete()  # nobody waits for it any more
    if _worker_lives():
        return WorkerAwayError(
            "The indexing process is busy, or is loading a model.", "The answer will follow."
        )
    if is_held(get_settings().run_dir / LOCK_NAME):
        return WorkerAwayError("The indexing process is starting.", _TRY_AGAIN)
    return WorkerAwayError("No indexing process is running.", _TRY_AGAIN)


def _worker_lives() -> bool:
    with get_sync_engine().connect() as conn:
        return bool(alive_workers(conn))
