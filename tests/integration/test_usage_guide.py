"""What ``docs/training-system.md`` promises, one promise a test, on the real parts."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.api.training_schemas import TrainingSessionCreate
from app.db.engine import get_sync_engine, get_sync_session
from app.db.models import JobStatus, SessionStatus, TrainingEvidence, TrainingJob, TrainingSession
from app.db.types import utc_now
from app.queue import (
    QUEUE_HIGH,
    QUEUE_LOW,
    QUEUE_NORMAL,
    ProgressTracker,
    get_queue,
    train_batch,
    train_session,
    train_single_asset,
)
from app.queue.queues import QUEUES
from app.runtime.redis_server import ensure_redis, stop_redis
from app.services.asset_discovery import AssetDiscoveryService
from app.services.backend import Backend
from app.services.training_service import TrainingService
from app.worker.context import context
from app.worker.loops import ThreadWorker

Work = Callable[[], Awaitable[None]]


@pytest.fixture(autouse=True)
def redis() -> Iterator[None]:
    ensure_redis()
    yield
    stop_redis()


@pytest.fixture
async def db(backend: Backend) -> AsyncIterator[AsyncSession]:
    async with backend.db() as session:
        yield session


@pytest.fixture
def work() -> Iterator[Work]:
    """Run a real RQ worker, in a thread of this process, until the queues are empty."""

    def serve() -> None:
        queues = [get_queue(name) for name in QUEUES]
        ThreadWorker(queues, "test-worker", threading.Event()).work(
            burst=True, logging_level="WARNING"
        )

    async def run() -> None:
        await asyncio.to_thread(serve)

    yield run
    context().close()
    context.cache_clear()


@pytest.fixture
async def session(db: AsyncSession, pictures: Path) -> TrainingSession:
    session_data = TrainingSessionCreate(
        name="My Training Session",
        rootPath=str(pictures),
        subdirectories=[str(pictures / "vacation"), str(pictures / "family")],
        config={"recursive": True, "extensions": ["jpg", "jpeg", "png"], "batch_size": 8},
    )
    return await TrainingService().create_session(db, session_data)


async def test_create_session(session: TrainingSession, pictures: Path) -> None:
    assert session.id > 0
    assert session.status == SessionStatus.PENDING.value
    assert session.subdirectories == [str(pictures / "family"), str(pictures / "vacation")]


async def test_start_training(db: AsyncSession, session: TrainingSession) -> None:
    rq_job_id = await TrainingService().enqueue_training(db, session.id)
    assert get_queue(QUEUE_HIGH).job_ids == [rq_job_id]
    assert session.status == SessionStatus.RUNNING.value


async def test_monitor_progress(db: AsyncSession, session: TrainingSession, work: Work) -> None:
    service = TrainingService()
    await service.enqueue_training(db, session.id)
    before = await service.get_session_progress(db, session.id)
    assert (before.status, before.progress.current, before.progress.total) == ("running", 0, 40)
    assert before.jobsSummary.pending == 40
    await work()
    after = await service.get_session_progress(db, session.id)
    assert (after.status, after.progress.percentage) == ("completed", 100.0)
    assert after.progress.etaSeconds is None
    assert after.progress.imagesPerMinute
    summary = after.jobsSummary
    assert (summary.pending, summary.running, summary.completed, summary.failed) == (0, 0, 40, 0)


async def test_cancel(db: AsyncSession, session: TrainingSession, work: Work) -> None:
    service = TrainingService()
    await service.enqueue_training(db, session.id)
    session.status = SessionStatus.CANCELLED.value
    await db.commit()
    await work()
    progress = await service.get_session_progress(db, session.id)
    assert (progress.status, progress.jobsSummary.completed) == ("cancelled", 0)


async def test_pause_and_resume(db: AsyncSession, session: TrainingSession, work: Work) -> None:
    service = TrainingService()
    await service.enqueue_training(db, session.id)
    session.status = SessionStatus.PAUSED.value
    await db.commit()
    await work()
    assert (await service.get_session_progress(db, session.id)).jobsSummary.pending == 40

    session.status = SessionStatus.RUNNING.value
    await db.commit()
    rq_job_id = await service.enqueue_training(db, session.id)
    assert rq_job_id
    await work()
    assert (await service.get_session_progress(db, session.id)).status == "completed"


async def test_direct_enqueueing(db: AsyncSession, session: TrainingSession, work: Work) -> None:
    await AssetDiscoveryService().discover_assets(db, session.id)
    session.status = SessionStatus.RUNNING.value
    await db.commit()
    queue = get_queue(QUEUE_HIGH)
    job = queue.enqueue(train_session, session_id=session.id, job_timeout="1h", result_ttl=3600)
    assert job.id
    assert job.get_status() == "queued"
    await work()
    assert job.get_status() == "finished"
    assert job.return_value() == {"processed": 40, "failed": 0, "reused": 0, "batches": 6}


async def test_the_three_levels_of_work(
    db: AsyncSession, session: TrainingSession, work: Work
) -> None:
    assets = await AssetDiscoveryService().discover_assets(db, session.id)
    session.status = SessionStatus.RUNNING.value
    await db.commit()
    job_id = (await db.execute(select(TrainingJob.id).limit(1))).scalar_one()
    await db.commit()
    one = await asyncio.to_thread(train_single_asset, job_id, assets[0].id, session.id)
    assert one["processed"] == 1
    some = await asyncio.to_thread(train_batch, session.id, [asset.id for asset in assets[:5]], 1)
    assert some["processed"] == 4  # the first one is done
    rest = await asyncio.to_thread(train_session, session.id)
    assert rest["processed"] == 35


def test_queue_priorities() -> None:
    names = [get_queue(name).name for name in (QUEUE_HIGH, QUEUE_NORMAL, QUEUE_LOW)]
    assert names == ["training-high", "training-normal", "training-low"]
    assert get_queue().name == "default"


async def with_one_failure(
    db: AsyncSession, session: TrainingSession, pictures: Path, work: Work
) -> Path:
    broken = pictures / "family" / "broken.jpg"
    broken.write_bytes(b"")
    await TrainingService().enqueue_training(db, session.id)
    await work()
    return broken


async def test_check_for_failed_jobs(
    db: AsyncSession, session: TrainingSession, pictures: Path, work: Work
) -> None:
    await with_one_failure(db, session, pictures, work)
    query = (
        select(TrainingJob)
        .where(TrainingJob.session_id == session.id)
        .where(TrainingJob.status == JobStatus.FAILED.value)
    )
    failed_jobs = await db.execute(query)
    messages = [job.error_message for job in failed_jobs.scalars()]
    assert len(messages) == 1
    assert messages[0] is not None
    assert "empty" in messages[0]


async def test_retry_failed_jobs(
    db: AsyncSession, session: TrainingSession, pictures: Path, work: Work
) -> None:
    broken = await with_one_failure(db, session, pictures, work)
    broken.write_bytes((pictures / "family" / "00000.jpg").read_bytes())
    service = TrainingService()
    pending_asset_ids = await service.get_pending_assets(db, session.id)
    job_count = await service.create_training_jobs(db, session.id, pending_asset_ids)
    assert job_count == 1
    assert await service.enqueue_training(db, session.id)
    await work()
    progress = await service.get_session_progress(db, session.id)
    assert (progress.status, progress.jobsSummary.completed) == ("completed", 41)


async def test_asset_discovery(db: AsyncSession, session: TrainingSession, pictures: Path) -> None:
    discovery = AssetDiscoveryService(extensions=["jpg", "png"])
    assets = await discovery.discover_assets(db, session.id)
    assert len(assets) == 40
    count = await discovery.count_images_in_directory(str(pictures), recursive=True)
    assert count == 40
    assert await discovery.count_images_in_directory(str(pictures), recursive=False) == 0


async def test_progress_tracking(db: AsyncSession, session: TrainingSession) -> None:
    await TrainingService().enqueue_training(db, session.id)
    tracker = ProgressTracker(session.id)
    start_time = utc_now() - timedelta(minutes=1)
    with get_sync_session() as db_session:
        tracker.update_progress(db_session, processed=10, failed=5)
        assert not tracker.should_stop(db_session)
        progress = tracker.get_current_progress(db_session)
    assert progress["percentage"] == 25.0
    assert tracker.calculate_eta(start_time, processed=100, total=500) == timedelta(minutes=4)
    assert tracker.calculate_rate(start_time, processed=100) == pytest.approx(100, abs=1)
    session.status = SessionStatus.PAUSED.value
    await db.commit()
    with get_sync_session() as db_session:
        assert tracker.should_stop(db_session)


def test_worker_shows_its_queues_in_order_and_ends_on_a_signal() -> None:
    worker = subprocess.Popen(
        [sys.executable, "-m", "app", "worker"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"AFTERIMAGE_LOG_LEVEL": "ERROR"},
    )
    assert worker.stdout is not None
    line = worker.stdout.readline()
    worker.terminate()
    worker.communicate(timeout=60)
    expected = ["training-high", "training-normal", "training-low", "default"]
    assert line == f"Processing queues in order: {expected}\n"
    assert worker.returncode == 0


async def test_queue_status(db: AsyncSession, session: TrainingSession) -> None:
    await TrainingService().enqueue_training(db, session.id)
    queue = get_queue(QUEUE_HIGH)
    assert queue.name == "training-high"
    assert len(queue) == 1
    assert queue.failed_job_registry.count == 0
    assert queue.started_job_registry.count == 0


async def test_evidence_records(db: AsyncSession, session: TrainingSession, work: Work) -> None:
    await TrainingService().enqueue_training(db, session.id)
    await work()
    query = (
        select(TrainingEvidence)
        .where(TrainingEvidence.session_id == session.id)
        .order_by(TrainingEvidence.created_at.desc())
    )
    evidence = (await db.execute(query)).scalars().all()
    assert len(evidence) == 40
    for record in evidence:
        assert record.asset_id
        assert record.model_name == "drawn-model"
        assert record.model_version
        assert record.device == "cpu"
        assert record.processing_time_ms >= 0
        assert record.embedding_checksum
        assert len(record.embedding_checksum) == 64
        assert record.error_message is None


async def test_batch_training_with_progress_updates(
    db: AsyncSession, session: TrainingSession, work: Work
) -> None:
    async def train_with_monitoring(session_id: int) -> str:
        service = TrainingService()
        await service.enqueue_training(db, session_id)
        working = asyncio.ensure_future(work())
        while True:
            progress = await service.get_session_progress(db, session_id)
            if progress.status in ["completed", "failed", "cancelled"]:
                break
            await asyncio.sleep(0.05)
        await working
        return progress.status

    assert await train_with_monitoring(session.id) == "completed"


async def test_selective_retraining(
    db: AsyncSession, session: TrainingSession, pictures: Path, work: Work
) -> None:
    await with_one_failure(db, session, pictures, work)
    service = TrainingService()
    query = (
        select(TrainingJob.asset_id)
        .where(TrainingJob.session_id == session.id)
        .where(TrainingJob.status == JobStatus.FAILED.value)
    )
    failed_asset_ids = list((await db.execute(query)).scalars())
    assert await service.create_training_jobs(db, session.id, failed_asset_ids) == 1
    assert await service.enqueue_training(db, session.id)


async def test_start_answer(db: AsyncSession, session: TrainingSession) -> None:
    answer = (await TrainingService().start(db, session.id)).model_dump()
    assert answer == {
        "sessionId": session.id,
        "rqJobId": get_queue(QUEUE_HIGH).job_ids[0],
        "status": "running",
        "message": "Training started successfully",
    }


def test_workers_use_a_pool_of_sync_connections() -> None:
    assert get_sync_engine().pool is not None
