"""Asking the worker for thumbnails, which are then found where all programs look for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

from redis.exceptions import RedisError
from rq.job import Job, JobStatus

from app.db.types import utc_now
from app.errors import AppError, first_line
from app.queue.jobs import JobName, KnownJob
from app.queue.queues import QUEUE_LOW, get_queue

ANSWER_WITHIN = timedelta(seconds=30)
"""Whoever asked has scrolled on by then, or asks again."""
JOB_TIMEOUT_S = 300


class ThumbnailRequests:
    """Requests for thumbnails; all calls wait for Redis, so make them in a thread."""

    def request(self, paths: Sequence[str], edge: int) -> str:
        """Ask for thumbnails, before everything that was asked for earlier; what to wait for.

        Args:
            paths: pictures, a few: nothing is seen of a request before all of it is done.
            edge: pixels of the longest side, see ``thumbnail_paths.made_edge``.

        Raises:
            AppError: the queue does not answer.
        """
        with _sentence():
            job = get_queue(QUEUE_LOW).enqueue(
                JobName.MAKE_THUMBNAILS,
                args=(list(paths), edge),
                description=f"{len(paths)} thumbnails",
                at_front=True,
                ttl=round(ANSWER_WITHIN.total_seconds()),
                job_timeout=JOB_TIMEOUT_S,
                result_ttl=60,
                failure_ttl=60,
            )
            return job.id

    def answered(self, requests: Sequence[str]) -> dict[str, bool]:
        """Which requests need not be waited for any more.

        Returns:
            for each such request whether a worker answered it; if not, it may be made again.

        Raises:
            AppError: the queue does not answer.
        """
        with _sentence():
            queue = get_queue(QUEUE_LOW)
            found = KnownJob.fetch_many(list(requests), connection=queue.connection)
            answers: dict[str, bool] = {}
            for request, job in zip(requests, found, strict=True):
                if job is not None and job.get_status(refresh=False) in _DONE:
                    answers[request] = True
                elif job is None or _too_late(job):
                    queue.remove(request)  # where no worker is, its id would stay
                    answers[request] = False
            return answers


_DONE = (JobStatus.FINISHED, JobStatus.FAILED)


def _too_late(job: Job) -> bool:
    return job.enqueued_at is None or utc_now() - job.enqueued_at > ANSWER_WITHIN


@contextmanager
def _sentence() -> Iterator[None]:
    try:
        yield
    except RedisError as error:
        raise AppError(f"The queue does not answer: {first_line(error)}.") from error
