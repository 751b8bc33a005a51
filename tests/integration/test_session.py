"""Whole sessions: run, pause, resume, cancel, retry, crash; the invariants hold after each."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
from pathlib import Path

import pytest
from following import (
    draw_pictures,
    finished,
    progress_of,
    until,
    verify_with_own_store,
)
from sqlalchemy import func, select

from app.api.training_schemas import SessionConfig, TrainingSessionCreate
from app.bundled import RESOURCES
from app.db.engine import get_sync_session
from app.db.models import ImageAsset, TrainingEvidence, TrainingJob
from app.errors import AppError
from app.runtime.supervisor import Supervisor
from app.services.backend import Backend


async def create(backend: Backend, root: Path, **options: object) -> int:
    async with backend.db() as db:
        session = await backend.training.create_session(
            db, TrainingSessionCreate(rootPath=str(root), **options)
        )
    return session.id


async def start(backend: Backend, session_id: int) -> str:
    async with backend.db() as db:
        return await backend.training.enqueue_training(db, session_id)


def digests(folder: Path) -> dict[str, tuple[str, int]]:
    return {
        str(path): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


async def test_a_folder_is_indexed_whole_and_no_file_is_touched(
    backend: Backend, supervisor: Supervisor, pictures: Path
) -> None:
    before = digests(pictures)
    session_id = await create(backend, pictures)
    await start(backend, session_id)
    progress = await finished(backend, session_id)
    assert (progress.status, progress.jobsSummary.completed) == ("completed", 40)
    assert digests(pictures) == before
    supervisor.stop()
    assert verify_with_own_store().problems == []


async def test_the_samples_end_with_the_broken_ones_named(
    backend: Backend, supervisor: Supervisor
) -> None:
    session_id = await create(backend, RESOURCES / "samples")
    await start(backend, session_id)
    progress = await finished(backend, session_id)
    async with backend.db() as db:
        failures = await backend.pictures.failures(db, session_id)
    assert progress.status == "completed"
    assert 3 <= len(failures) == progress.jobsSummary.failed
    assert all("broken" in row.path and row.errorMessage for row in failures)
    assert len({row.errorKind for row in failures}) > 1
    supervisor.stop()
    assert verify_with_own_store().problems == []


async def test_pause_stops_within_a_batch_and_resume_goes_on_where_it_was(
    backend: Backend, supervisor: Supervisor, tmp_path: Path
) -> None:
    draw_pictures(tmp_path / "many", 400, seed="pause")
    session_id = await create(backend, tmp_path / "many", config=SessionConfig(batch_size=4))
    await start(backend, session_id)

    async def some_done() -> bool:
        return (await progress_of(backend, session_id)).jobsSummary.completed >= 8

    await until(some_done)
    async with backend.db() as db:
        await backend.training.pause(db, session_id)

    async def at_rest() -> bool:
        return (await progress_of(backend, session_id)).jobsSummary.running == 0

    await until(at_rest)
    paused = await progress_of(backend, session_id)
    assert paused.status == "paused"
    assert 8 <= paused.jobsSummary.completed < 400
    await start(backend, session_id)
    assert (await finished(backend, session_id)).jobsSummary.completed == 400
    with get_sync_session() as db:  # nothing was done twice
        assert db.scalar(select(func.count()).select_from(TrainingEvidence)) == 400
    supervisor.stop()
    assert verify_with_own_store().problems == []


async def test_cancel_keeps_what_is_done_and_leaves_no_vector_of_the_rest(
    backend: Backend, supervisor: Supervisor, tmp_path: Path
) -> None:
    draw_pictures(tmp_path / "many", 300, seed="cancel")
    session_id = await create(backend, tmp_path / "many", config=SessionConfig(batch_size=4))
    await start(backend, session_id)

    async def some_done() -> bool:
        return (await progress_of(backend, session_id)).jobsSummary.completed >= 8

    await until(some_done)
    async with backend.db() as db:
        await backend.training.cancel(db, session_id)

    async def at_rest() -> bool:
        jobs = (await progress_of(backend, session_id)).jobsSummary
        return jobs.running == jobs.pending == 0

    await until(at_rest)
    progress = await progress_of(backend, session_id)
    assert progress.status == "cancelled"
    assert progress.jobsSummary.completed + progress.jobsSummary.cancelled == 300
    with pytest.raises(AppError, match="cancelled"):
        await start(backend, session_id)
    supervisor.stop()
    assert verify_with_own_store().problems == []


@pytest.mark.early
async def test_three_kills_in_a_row_lose_nothing_and_repeat_nothing_settled(
    backend: Backend, supervisor: Supervisor, tmp_path: Path
) -> None:
    draw_pictures(tmp_path / "many", 400, seed="kill")
    session_id = await create(backend, tmp_path / "many", config=SessionConfig(batch_size=4))
    await start(backend, session_id)
    settled: set[tuple[int, int]] = set()
    for kill in range(3):
        goal = 40 * (kill + 1)

        async def far_enough(goal: int = goal) -> bool:
            return (await progress_of(backend, session_id)).jobsSummary.completed >= goal

        await until(far_enough)
        pid = supervisor.status().worker_pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        settled |= completed_attempts()

        async def replaced(dead: int = pid) -> bool:
            return supervisor.status().worker_pid not in (None, dead)

        await until(replaced)
    progress = await finished(backend, session_id)
    assert (progress.status, progress.jobsSummary.completed) == ("completed", 400)
    assert settled <= completed_attempts()  # what was settled was not tried again
    supervisor.stop()
    assert verify_with_own_store().problems == []


def completed_attempts() -> set[tuple[int, int]]:
    with get_sync_session() as db:
        rows = db.execute(
            select(TrainingJob.id, TrainingJob.attempts).where(TrainingJob.status == "completed")
        )
        return {(row[0], row[1]) for row in rows}


async def test_a_second_session_reuses_unchanged_and_moved_pictures(
    backend: Backend, supervisor: Supervisor, pictures: Path
) -> None:
    first = await create(backend, pictures)
    await start(backend, first)
    await finished(backend, first)
    (pictures / "moved").mkdir()
    for path in list((pictures / "family").iterdir())[:5]:
        shutil.move(path, pictures / "moved" / path.name)
    second = await create(backend, pictures)
    await start(backend, second)
    progress = await finished(backend, second)
    assert progress.jobsSummary.reused == progress.jobsSummary.completed == 40
    supervisor.stop()
    assert verify_with_own_store().problems == []


async def test_retry_after_the_file_was_mended_succeeds_in_the_same_job(
    backend: Backend, supervisor: Supervisor, pictures: Path
) -> None:
    good = (pictures / "family" / "00001.jpg").read_bytes()
    broken = pictures / "family" / "broken.jpg"
    broken.write_bytes(b"")
    session_id = await create(backend, pictures)
    await start(backend, session_id)
    assert (await finished(backend, session_id)).jobsSummary.failed == 1
    broken.write_bytes(good[:-2] + b"\xff\xd9")
    async with backend.db() as db:
        assert await backend.training.retry_failed(db, session_id) == 1
    progress = await finished(backend, session_id)
    assert (progress.jobsSummary.failed, progress.jobsSummary.completed) == (0, 41)
    with get_sync_session() as db:
        job = db.scalars(
            select(TrainingJob)
            .join(ImageAsset, ImageAsset.id == TrainingJob.asset_id)
            .where(ImageAsset.path == str(broken))
        ).one()
        tries = db.scalars(select(TrainingEvidence).where(TrainingEvidence.job_id == job.id)).all()
    assert job.attempts == len(tries) == 2
    supervisor.stop()
    assert verify_with_own_store().problems == []


async def test_two_clicks_on_start_make_one_queue_job(
    backend: Backend, supervisor: Supervisor, pictures: Path
) -> None:
    import asyncio

    session_id = await create(backend, pictures)
    first, second = await asyncio.gather(start(backend, session_id), start(backend, session_id))
    assert first == second
    await finished(backend, session_id)


async def test_a_lost_queue_loses_no_picture(
    backend: Backend, supervisor: Supervisor, tmp_path: Path
) -> None:
    from app.queue.connection import get_redis

    draw_pictures(tmp_path / "many", 300, seed="flush")
    session_id = await create(backend, tmp_path / "many", config=SessionConfig(batch_size=4))
    await start(backend, session_id)

    async def some_done() -> bool:
        return (await progress_of(backend, session_id)).jobsSummary.completed >= 8

    await until(some_done)
    get_redis().flushall()
    pid = supervisor.status().worker_pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert (await finished(backend, session_id)).jobsSummary.completed == 300
    supervisor.stop()
    assert verify_with_own_store().problems == []


async def test_a_model_that_cannot_be_loaded_fails_the_session_with_a_sentence(
    backend: Backend, supervisor: Supervisor, pictures: Path
) -> None:
    session_id = await create(backend, pictures, model="ViT-B-32/laion2b_s34b_b79k")
    await start(backend, session_id)
    progress = await finished(backend, session_id)
    assert progress.status == "failed"
    assert progress.errorMessage is not None
    assert "could not be downloaded" in progress.errorMessage
    assert progress.errorKind == "model"
