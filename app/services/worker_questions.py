"""Questions to the worker process, which alone has the model and the vectors in memory."""

from __future__ import annotations

from typing import Any

from redis.exceptions import RedisError
from rq.job import Job, JobStatus

from app.errors import AppError
from app.queue.worker import LATE_S, QUEUE_SEARCH, get_queue

ANSWER_WITHIN_S = 600
_TRY_AGAIN = "It is answered as soon as the indexing process is there; see the System page."


class WorkerAwayError(AppError):
    """No worker took the question: it is starting, busy loading, or gone. Ask again in a moment."""


def ask_worker(function: str, timeout_s: float = ANSWER_WITHIN_S, **arguments: Any) -> Any:
    """Call a function in the worker, on its thread for questions, and wait for the answer.

    Args:
        function: its full name.
        timeout_s: seconds after which nobody waits any more; a question that no worker has taken
            by then is dropped.

    Raises:
        WorkerAwayError: no worker answered in time.
        AppError: what the function raised, or that it has a bug, which the log explains.
    """
    try:
        queue = get_queue(QUEUE_SEARCH, within_s=ANSWER_WITHIN_S + LATE_S)
    except AppError as error:
        raise WorkerAwayError(error.message, _TRY_AGAIN) from error
    try:
        job = queue.enqueue(
            "app.queue.questions.answer",
            args=(function, arguments),
            ttl=max(round(timeout_s), 1),
            # a model that takes long to load is there for the next question
            job_timeout=ANSWER_WITHIN_S,
            result_ttl=60,
            failure_ttl=60,
        )
        answer = _answer(job, timeout_s)
    except RedisError as error:
        raise WorkerAwayError("The queue does not answer.", _TRY_AGAIN) from error
    if "error" in answer:
        raise AppError(*answer["error"])
    return answer["answer"]


def _answer(job: Job, timeout_s: float) -> dict[str, Any]:
    result = job.latest_result(timeout=max(round(timeout_s), 1))
    if result is None:
        if job.get_status() == JobStatus.STARTED:
            raise WorkerAwayError("The model is being loaded.", "The answer comes after that.")
        raise WorkerAwayError("The indexing process does not answer.", _TRY_AGAIN)
    if result.type is not result.Type.SUCCESSFUL:
        raise AppError("The indexing process could not answer.", "Its log says why.")
    return dict(result.return_value or {})
