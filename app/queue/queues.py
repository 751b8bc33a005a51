"""The queues, in the order in which workers look at them."""

from __future__ import annotations

from rq import Queue
from rq.job import Job
from rq.registry import StartedJobRegistry
from rq.serializers import JSONSerializer

from app.queue.connection import ANSWER_WITHIN_S, get_redis
from app.queue.jobs import KnownJob

QUEUE_HIGH = "training-high"
"""Work that a person asked for."""
QUEUE_NORMAL = "training-normal"
"""Scheduled work."""
QUEUE_LOW = "training-low"
"""Thumbnails and cleaning up: short jobs, which a thread of their own serves too."""
QUEUE_DEFAULT = "default"
"""Long jobs that nobody waits for; they run where sessions do, when none runs."""
QUEUE_SEARCH = "search"
"""Questions that are answered at once, by a thread of their own beside the training queues."""

QUEUES = (QUEUE_HIGH, QUEUE_NORMAL, QUEUE_LOW, QUEUE_DEFAULT)
SIDE_QUEUES = (QUEUE_SEARCH, QUEUE_LOW)
"""What somebody waits for while a session runs: each has a loop of its own."""

LATE_S = 10
"""So much later than it was asked to, the server may answer such a wait; RQ wants as much."""


def get_queue(name: str = QUEUE_DEFAULT, within_s: float = ANSWER_WITHIN_S) -> Queue:
    """A queue by its name; cheap, nothing is sent.

    Args:
        within_s: the longest that one command may take, waiting for something included.

    Raises:
        AppError: no queue server is known.
    """
    return Queue(
        name, connection=get_redis(within_s), job_class=KnownJob, serializer=JSONSerializer
    )


def started_jobs(queue: Queue) -> list[Job]:
    """Jobs of a queue that some worker has started; what a killed one had stays started for long.

    Raises:
        RedisError: the server does not answer.
    """
    ids = StartedJobRegistry(queue=queue).get_job_ids(cleanup=False)
    found = KnownJob.fetch_many(ids, connection=queue.connection)
    return [job for job in found if job is not None]


def loop_names(worker: str) -> tuple[str, ...]:
    """What the loops of a worker are called in the queue server: the main one like itself."""
    return (worker, *(f"{worker}-{queue}" for queue in SIDE_QUEUES))
