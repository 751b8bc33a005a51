"""One job for a session and worker, whatever a worker does with it meanwhile; with a real queue."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from following import draw_pictures
from rq import Queue
from rq.job import Job, JobStatus
from rq.registry import StartedJobRegistry

from app.api.training_schemas import TrainingSessionCreate
from app.db.engine import get_sync_session, write_transaction
from app.db.models import SessionStatus, TrainingSession, WorkerRecord
from app.queue import enqueue
from app.queue.enqueue import enqueue_session
from app.queue.queues import QUEUE_HIGH, QUEUE_NORMAL, get_queue
from app.runtime.redis_server import ensure_redis, stop_redis
from app.services.backend import Backend
from app.worker.loops import LoopWorker


@pytest.fixture(autouse=True)
def queue_server(backend: Backend) -> Iterator[None]:
    ensure_redis()
    yield
    stop_redis()


@pytest.fixture
async def session_id(backend: Backend, tmp_path: Path) -> int:
    """A running session that no worker knows of yet."""
    draw_pictures(tmp_path / "pictures", 2, seed="one")
    async with backend.db() as db:
        session = await backend.training.create_session(
            db, TrainingSessionCreate(name="Photos", rootPath=str(tmp_path / "pictures"))
        )
    with get_sync_session() as db:
        row = db.get(TrainingSession, session.id)
        assert row is not None
        row.status = SessionStatus.RUNNING
        db.commit()
    return session.id


@pytest.fixture
def worker() -> LoopWorker:
    """Takes jobs by hand, as a worker process does; it is alive by the ledger."""
    with write_transaction() as conn:
        conn.execute(WorkerRecord.__table__.insert().values(name="by-hand", host="here", pid=1))
    return by_hand()


def by_hand() -> LoopWorker:
    worker = LoopWorker(
        [get_queue(QUEUE_HIGH), get_queue(QUEUE_NORMAL)], "by-hand", threading.Event()
    )
    worker.register_birth()
    return worker


def test_a_job_that_a_worker_is_about_to_start_is_not_enqueued_twice(
    session_id: int, worker: LoopWorker
) -> None:
    first = enqueue_session(session_id)
    assert enqueue_session(session_id) == first
    taken = worker.dequeue_job_and_maintain_ttl(timeout=None)
    assert taken is not None
    job, queue = taken
    assert job.id == first
    assert queue.get_job_ids() == []
    assert enqueue_session(session_id) == first
    worker.prepare_execution(job)
    assert enqueue_session(session_id) == first
    worker.prepare_job_execution(job)
    assert job.get_status() == JobStatus.STARTED
    assert enqueue_session(session_id) == first
    assert get_queue(QUEUE_HIGH).get_job_ids() == []


def test_a_worker_that_came_to_life_meanwhile_is_known(
    session_id: int, worker: LoopWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes the job, and is in the ledger, between two looks of the one who enqueues."""
    first = enqueue_session(session_id)
    look = enqueue.started_jobs
    with write_transaction() as conn:
        conn.execute(WorkerRecord.__table__.delete())
    taken = worker.dequeue_job_and_maintain_ttl(timeout=None)
    assert taken is not None
    worker.prepare_execution(taken[0])
    worker.prepare_job_execution(taken[0])

    def look_while_it_registers(queue: Queue) -> list[Job]:
        with write_transaction() as conn:
            conn.execute(WorkerRecord.__table__.insert().values(name="by-hand", host="a", pid=1))
        return look(queue)

    monkeypatch.setattr(enqueue, "started_jobs", look_while_it_registers)
    assert enqueue_session(session_id) == first


def test_a_job_whose_worker_died_before_it_started_is_replaced(
    session_id: int, worker: LoopWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = enqueue_session(session_id)
    assert worker.dequeue_job_and_maintain_ttl(timeout=None) is not None
    monkeypatch.setattr(enqueue, "TAKEN_WITHIN_S", 0.0)
    second = enqueue_session(session_id)
    assert second != first
    assert get_queue(QUEUE_HIGH).get_job_ids() == [second]


def test_a_job_that_has_just_ended_is_replaced(session_id: int, worker: LoopWorker) -> None:
    """A session that is paused and goes on at once has work again."""
    first = enqueue_session(session_id)
    taken = worker.dequeue_job_and_maintain_ttl(timeout=None)
    assert taken is not None
    job, queue = taken
    execution = worker.prepare_execution(job)
    worker.prepare_job_execution(job)
    assert enqueue_session(session_id) == first
    job.ended_at = job.started_at
    worker.handle_job_success(job, queue, StartedJobRegistry(queue=queue), execution)
    second = enqueue_session(session_id)
    assert second != first
    assert get_queue(QUEUE_HIGH).get_job_ids() == [second]


def test_a_job_whose_end_the_queue_never_heard_of_is_replaced(
    session_id: int, worker: LoopWorker
) -> None:
    """The server was away when the job ended, and came back with what it had on the disk."""
    first = enqueue_session(session_id)
    taken = worker.dequeue_job_and_maintain_ttl(timeout=None)
    assert taken is not None
    worker.prepare_execution(taken[0])
    worker.prepare_job_execution(taken[0])
    by_hand()  # the loop is back
    second = enqueue_session(session_id)
    assert second != first
    assert get_queue(QUEUE_HIGH).get_job_ids() == [second]
