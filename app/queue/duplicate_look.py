"""A look for pictures that look alike, as a job on ``training-low``: started, stopped, asked about.

The worker does it in slices, so that sessions and thumbnails never wait for it: each slice is a
queue job, and the next one takes its place at the end of the queue. What Redis loses is a look that
a person starts again; what the last whole one found is in the ledger.
"""

from __future__ import annotations

from datetime import UTC
from typing import Any
from uuid import uuid4

from rq import get_current_job
from rq.job import Job, JobStatus
from sqlalchemy import select

from app.api.library_schemas import Look
from app.config import get_settings
from app.db.engine import get_sync_session
from app.db.models import WorkerRecord
from app.queue.connection import get_redis
from app.queue.functions import KnownJob
from app.queue.liveness import is_alive
from app.queue.worker import QUEUE_LOW, QUEUES, get_queue

THRESHOLD = 0.95
_FUNCTION = "app.queue.near_duplicates.find_near_duplicates"
_JOB_IDS = ("near-duplicates-1", "near-duplicates-2")
"""Of two slices in a row; one id would be that of the running slice and of the next at once."""
_STOP = "afterimage:near-duplicates:stop"
REMEMBERED_S = 30 * 24 * 3600


def start(model_id: int, threshold: float = THRESHOLD) -> None:
    """Have a worker look for pictures that look alike, unless one does.

    Raises:
        AppError: no queue server is known.
        RedisError: it does not answer.
    """
    get_redis().delete(_STOP)  # a look that was to be stopped and still runs goes on
    if _live(_jobs()) is None:
        _enqueue(_JOB_IDS[0], 0.0, model_id=model_id, threshold=threshold, look_id=uuid4().hex)


def stop() -> None:
    """Have the look end between two of its steps, also if it is still waiting for its turn."""
    get_redis().set(_STOP, 1)


def status() -> Look:
    """How far the look is, or how and when the last one ended."""
    jobs = _jobs()
    job = _live(jobs)
    if job is not None and not get_redis().exists(_STOP):
        begun = job.meta["share"] > 0 or job.get_status(refresh=False) == JobStatus.STARTED
        return Look(state="running" if begun else "waiting", share=job.meta["share"])
    ended = {
        job.ended_at.replace(tzinfo=UTC): job
        for job in jobs
        if job.ended_at is not None and (job.meta["share"] == 1.0 or _failed(job))
    }
    if not ended:
        return Look(state="never")
    last = max(ended)
    return Look(state="failed" if _failed(ended[last]) else "done", share=1.0, endedAt=last)


def report(share: float) -> None:
    """From within a slice: say how much of the look is done, 0 to 1."""
    if (job := get_current_job()) is not None:
        job.meta["share"] = share
        job.save_meta()  # type: ignore[no-untyped-call]


def is_stopped() -> bool:
    """From within a slice: whether the look is to end."""
    return bool(get_redis().exists(_STOP))


def others_wait() -> bool:
    """From within a slice: whether anything else is to be done by a worker."""
    return any(get_queue(name).count for name in QUEUES)


def go_on_later(share: float, **arguments: Any) -> None:
    """From within a slice: have the look go on once everything else is done."""
    job = get_current_job()
    following = next(name for name in _JOB_IDS if job is None or name != job.id)
    _enqueue(following, share, **arguments)


def _enqueue(job_id: str, share: float, **arguments: Any) -> None:
    get_queue(QUEUE_LOW).enqueue(
        _FUNCTION,
        kwargs=arguments,
        job_id=job_id,
        meta={"share": share},
        job_timeout=get_settings().job_timeout,
        result_ttl=REMEMBERED_S,
        failure_ttl=REMEMBERED_S,
    )


def _jobs() -> list[Job]:
    found = KnownJob.fetch_many(list(_JOB_IDS), connection=get_redis())
    return [job for job in found if job is not None]


def _failed(job: Job) -> bool:
    return job.get_status(refresh=False) == JobStatus.FAILED


def _live(jobs: list[Job]) -> Job | None:
    """The one that waits, or that a live worker has started."""
    started = [job for job in jobs if job.get_status(refresh=False) == JobStatus.STARTED]
    waiting = [job for job in jobs if job.get_status(refresh=False) == JobStatus.QUEUED]
    if started:
        names = [job.worker_name for job in started]
        with get_sync_session() as db:
            query = select(WorkerRecord).where(WorkerRecord.name.in_(names))
            alive = {record.name for record in db.scalars(query) if is_alive(record)}
        started = [job for job in started if job.worker_name in alive]
    return next(iter(waiting + started), None)
