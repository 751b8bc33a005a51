"""Questions to the worker process, which alone has the model and the vectors in memory."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from redis.exceptions import RedisError
from rq.exceptions import DeserializationError, InvalidJobOperation, NoSuchJobError
from rq.job import Job, JobStatus

from app.config import get_settings
from app.db.engine import get_sync_engine
from app.db.liveness import LOCK_NAME, alive_workers
from app.errors import AppError
from app.locks import is_held
from app.worker.loops import LATE_S, QUEUE_SEARCH, get_queue

ANSWER_WITHIN_S = 600
NEVER = -1
"""RQ's word for a job without a limit of time: a model takes as long to load as it takes."""
KEPT_LONGER_S = 60
"""A question outlives the wait for it, so that its state can be told at the end."""
_SEARCH = "app.worker.search."
_TRY_AGAIN = "It will be answered once the indexing process is running; see the System page."
_GONE = (RedisError, NoSuchJobError, InvalidJobOperation, DeserializationError, OSError)
"""What redis and RQ raise where the server, the job or its answer went away meanwhile."""


class WorkerAwayError(AppError):
    """No worker answered: it is starting, busy, loading, or gone. Ask again in a moment."""


def ask_worker(function: str, timeout_s: float = ANSWER_WITHIN_S, **arguments: Any) -> Any:
    """Call a function in the worker, on its thread for questions, and wait for the answer.

    Args:
        function: its full name.
        timeout_s: seconds after which nobody waits any more; a question that no worker has taken
            by then is dropped.

    Raises:
        WorkerAwayError: no worker answered in time; it says what that worker is doing.
        AppError: what the function raised, or that it has a bug, which the log explains.
    """
    try:
        queue = get_queue(QUEUE_SEARCH, within_s=ANSWER_WITHIN_S + LATE_S)
    except AppError as error:
        raise WorkerAwayError(error.message, _TRY_AGAIN) from error
    seconds = max(round(timeout_s), 1)
    try:
        job = queue.enqueue(
            "app.worker.answers.answer",
            args=(function, arguments),
            ttl=seconds + KEPT_LONGER_S,
            job_timeout=NEVER,
            result_ttl=KEPT_LONGER_S,
            failure_ttl=KEPT_LONGER_S,
        )
        result = job.latest_result(timeout=seconds)
        if result is None:
            raise _unanswered(job, function)
        failed = result.type is not result.Type.SUCCESSFUL
        answer = {} if failed else dict(result.return_value or {})
    except _GONE as error:
        raise WorkerAwayError("The queue does not answer.", _TRY_AGAIN) from error
    if failed:
        raise AppError("The indexing process could not answer.", "See its log.")
    if "error" in answer:
        raise AppError(*answer["error"])
    return answer["answer"]


def _unanswered(job: Job, function: str) -> WorkerAwayError:
    """Why nobody answered, from the question's state and the workers' signs of life."""
    if job.get_status() == JobStatus.STARTED:
        if function.startswith(_SEARCH):
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
