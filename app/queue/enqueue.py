"""Wake the workers: put a job into a queue for what the ledger says is to be done.

Redis carries no state, so a job that is lost loses nothing: the next look at the ledger enqueues
another one.
"""

from __future__ import annotations

import logging
import threading
import time
from datetime import datetime
from typing import Any
from uuid import uuid4

from redis.exceptions import RedisError
from rq import Queue
from rq.exceptions import DuplicateJobError
from rq.job import JobStatus
from sqlalchemy import select

from app.config import get_settings
from app.db.duplicate_scans import scan_waits
from app.db.engine import get_sync_engine, get_sync_session
from app.db.liveness import alive_workers
from app.db.models import SessionStatus, TrainingSession
from app.db.types import utc_now
from app.errors import AppError, first_line
from app.queue.jobs import JobName, KnownJob
from app.queue.queues import (
    QUEUE_HIGH,
    QUEUE_LOW,
    QUEUE_NORMAL,
    get_queue,
    loop_names,
    started_jobs,
)

ANSWER_WITHIN_S = 10.0
TRY_AGAIN_S = 0.2
TAKEN_WITHIN_S = 2.0
"""A worker takes a job out of the queue a few milliseconds before it says that it has started it;
one that dies in between leaves nothing that tells, so it is believed for so long only."""
_enqueued: dict[str, float] = {}
"""When this process enqueued a session's job, by its id; the newest ones."""
_one_at_a_time = threading.Lock()
log = logging.getLogger(__name__)


def enqueue_session(session_id: int, within_s: float = ANSWER_WITHIN_S) -> str | None:
    """Make sure that a running session has a queue job for each live worker, at least one.

    Args:
        within_s: how long to go on trying; the queue may be starting at this moment.

    Returns:
        the id of one such job; None where the session is not running.

    Raises:
        AppError: the queue does not answer. The session stays as it is and goes on by itself
            once the queue is back, because workers look for running sessions too.
    """
    with get_sync_session() as db:
        status = db.scalar(select(TrainingSession.status).where(TrainingSession.id == session_id))
    if status != SessionStatus.RUNNING:
        return None
    deadline = time.monotonic() + within_s
    while True:
        try:
            return _enqueue_session(session_id)
        except (RedisError, AppError) as error:
            if time.monotonic() < deadline:
                time.sleep(TRY_AGAIN_S)
                continue
            raise AppError(
                f"The queue does not answer: {first_line(error)}.",
                "Nothing is lost: the session continues on its own once the queue is back.",
            ) from error


def _alive_workers() -> set[str]:
    with get_sync_engine().connect() as conn:
        return alive_workers(conn)


def alive_loops() -> set[str]:
    """What the loops of all workers that are alive are called in the queue server."""
    return {loop for worker in _alive_workers() for loop in loop_names(worker)}


def _enqueue_session(session_id: int) -> str:
    with _one_at_a_time:  # two clicks make one job
        ids, alive = _jobs_of(session_id)
        while len(ids) < max(len(alive), 1):
            ids.append(enqueue_successor(session_id))
        return ids[0]


def enqueue_session_if_possible(session_id: int) -> None:
    """The same with one try; where the queue does not answer, the next look at the ledger has
    another."""
    try:
        enqueue_session(session_id, within_s=0)
    except AppError as error:
        log.warning("session %d waits: %s", session_id, error)


def _jobs_of(session_id: int) -> tuple[list[str], set[str]]:
    """Ids of the session's jobs that a live worker has started, that one is about to start, or that
    wait; and the names of the live workers."""
    queue = get_queue(QUEUE_HIGH)
    waiting = queue.get_job_ids()
    recent = [job_id for job_id, at in _enqueued.items() if time.monotonic() < at + TAKEN_WITHIN_S]
    about_to_start = [
        job.id
        for job in KnownJob.fetch_many(recent, connection=queue.connection)
        if job is not None and job.get_status(refresh=False) == JobStatus.QUEUED
    ]
    jobs = started_jobs(queue)
    alive = _alive_workers()  # asked last: whoever has started a job is in the ledger before it
    started = [job.id for job in jobs if job.worker_name in alive]
    ids = dict.fromkeys([*started, *about_to_start, *waiting])
    return [job_id for job_id in ids if job_id.startswith(_prefix(session_id))], alive


def _prefix(session_id: int) -> str:
    return f"train-session-{session_id}-"


def enqueue_successor(session_id: int) -> str:
    """One more job for a session, whatever there is; its id."""
    job = get_queue(QUEUE_HIGH).enqueue(
        JobName.TRAIN_SESSION,
        session_id=session_id,
        job_id=_prefix(session_id) + uuid4().hex[:12],
        job_timeout=get_settings().job_timeout,
        result_ttl=3600,
        failure_ttl=24 * 3600,
    )
    now = time.monotonic()
    for job_id in [job_id for job_id, at in _enqueued.items() if at + TAKEN_WITHIN_S < now]:
        _enqueued.pop(job_id, None)
    _enqueued[job.id] = now
    return job.id


def enqueue_update(session_id: int) -> None:
    """Have a worker update a session that is due; where the queue answers."""
    name = f"update-session-{session_id}"
    _once(QUEUE_NORMAL, JobName.UPDATE_SESSION, name, session_id=session_id)


def enqueue_payload_refresh() -> None:
    """Have a worker write the payloads that are out of date; where the queue answers."""
    _once(QUEUE_LOW, JobName.REFRESH_PAYLOADS, "refresh-payloads")


def enqueue_forgetting_of_moved() -> None:
    """Have a worker remove the missing pictures that have only moved; where the queue answers."""
    _once(QUEUE_LOW, JobName.FORGET_MOVED, "forget-moved")


def enqueue_undo_of_broken_stores() -> None:
    """Have a worker forget vectors whose store broke off; where the queue answers."""
    _once(QUEUE_LOW, JobName.UNDO_BROKEN_STORES, "undo-broken-stores")


def enqueue_duplicate_scan() -> None:
    """Have a worker do the duplicate scans that wait, where any do; where the queue answers."""
    with get_sync_engine().connect() as conn:
        waits = scan_waits(conn)
    if waits:
        _once(QUEUE_LOW, JobName.FIND_NEAR_DUPLICATES, "duplicate-scan")


def enqueue_cleanup(after: int = 0, begun: datetime | None = None) -> None:
    """Have the thumbnails of missing files removed some time; once, however often it is asked.

    Args:
        after: the asset that the last job of this cleaning came to.
        begun: when its first job began; None: it is the first.
    """
    try:
        get_queue(QUEUE_LOW).enqueue(
            JobName.CLEAN_THUMBNAILS,
            after,
            (begun or utc_now()).isoformat(),
            job_id=f"clean-thumbnails-{after}",
            unique=True,
            result_ttl=0,
            failure_ttl=60,
        )
    except DuplicateJobError:
        pass
    except (RedisError, AppError) as error:  # the next one to be asked for looks at these too
        log.warning("thumbnails are not cleaned up: %s", first_line(error))


def _once(queue_name: str, job: JobName, job_id: str, **arguments: Any) -> None:
    """Add a job unless that very one waits or runs; where the queue does not answer, the next look
    at the ledger tries again.

    Args:
        job_id: the same for what must not be done twice at a time.
    """
    try:
        queue = get_queue(queue_name)
        with _one_at_a_time:
            if job_id in queue.get_job_ids() or _is_worked_on(queue, job_id):
                return
            queue.enqueue(
                job,
                kwargs=arguments,
                job_id=job_id,
                job_timeout=get_settings().job_timeout,
                result_ttl=3600,
                failure_ttl=24 * 3600,
            )
    except (RedisError, AppError) as error:
        log.warning("%s waits: %s", job_id, error)


def _is_worked_on(queue: Queue, job_id: str) -> bool:
    """Whether a live worker has started a job."""
    started = next((job for job in started_jobs(queue) if job.id == job_id), None)
    return started is not None and started.worker_name in alive_loops()
