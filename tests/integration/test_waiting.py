"""What passes is waited for: nothing fails, nothing is lost, and it goes on by itself."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from following import draw_pictures, finished, progress_of, until
from local_qdrant import LocalQdrant
from many_machines import running_postgres, shared_servers, worker_machine
from sqlalchemy import select, text
from warm_processes import start_warm

from app.api.error_kinds import ErrorKind
from app.api.training_schemas import SessionConfig, TrainingProgress, TrainingSessionCreate
from app.config import get_settings
from app.db.engine import close_engines, get_sync_engine
from app.db.migrate import migrate
from app.db.models import TrainingJob
from app.queue.connection import embedded_server
from app.queue.reconcile import reconcile
from app.runtime.supervisor import Supervisor
from app.services.backend import Backend
from app.vectors.factory import open_store
from app.worker.maintenance.ledger_check import verify_ledger

PICTURES = 24
LEASE_S = 60
HOLDING = """
import os, signal, sys, time
from app.worker.indexing.stages import Stages

read, signals = Stages.read, sys.argv[1]

def held(self, job):
    folder, name = os.path.split(job.path)
    if name == "poison.jpg":
        os.kill(os.getpid(), signal.SIGKILL)
    go = os.path.join(signals, os.path.basename(folder))
    while name == "hold.jpg" and not os.path.exists(go):
        time.sleep(0.01)
    return read(self, job)

Stages.read = held
sys.argv[1:] = sys.argv[2:]
from app.__main__ import main
sys.exit(main())
"""
"""A worker that dies at some pictures, and holds others until it is told to go on."""


def draw_with(folder: Path, name: str) -> Path:
    """A folder of pictures, one of them with a name that the worker knows."""
    draw_pictures(folder, PICTURES, seed=str(folder))
    (folder / "00007.jpg").rename(folder / f"{name}.jpg")
    return folder


@pytest.fixture
def signals(tmp_path: Path) -> Path:
    """A file in here, named like a folder of pictures, lets go of the one that is held in it."""
    folder = tmp_path / "signals"
    folder.mkdir()
    return folder


@pytest.fixture
def worker(backend: Backend, warm_workers: None, signals: Path) -> Iterator[list[str]]:
    """A worker that is watched over; the names of those that died."""
    deaths: list[str] = []

    def note(name: str) -> None:
        deaths.append(name)
        reconcile([name])

    command = [sys.executable, "-c", HOLDING, str(signals), "worker", "--child"]
    runtime = Supervisor(note, command)
    runtime.start()
    yield deaths
    runtime.stop()


async def start(backend: Backend, root: Path) -> int:
    async with backend.db() as db:
        data = TrainingSessionCreate(rootPath=str(root), config=SessionConfig(batch_size=8))
        session = await backend.training.create_session(db, data)
        await backend.training.enqueue_training(db, session.id)
        return session.id


async def held(backend: Backend, session_id: int) -> None:
    """Until the worker has pictures of a session in work."""

    async def begun() -> bool:
        return (await progress_of(backend, session_id)).jobsSummary.running > 0

    await until(begun)


async def waiting(backend: Backend, session_id: int) -> TrainingProgress:
    async def waits() -> bool:
        return (await progress_of(backend, session_id)).waitingFor is not None

    await until(waits)
    return await progress_of(backend, session_id)


def check_whole(progress: TrainingProgress, pictures: int = PICTURES) -> None:
    jobs = progress.jobsSummary
    assert (progress.status, progress.waitingFor) == ("completed", None)
    assert (jobs.completed, jobs.failed) == (pictures, 0)


async def test_a_disk_that_is_unplugged_is_waited_for(
    backend: Backend, worker: list[str], signals: Path, tmp_path: Path
) -> None:
    root = tmp_path / "disk"
    draw_with(root / "pictures", "hold")
    session_id = await start(backend, root)
    await held(backend, session_id)
    root.rename(tmp_path / "unplugged")
    (signals / "pictures").touch()
    progress = await waiting(backend, session_id)
    assert "cannot be reached" in str(progress.waitingFor)
    assert (progress.status, progress.jobsSummary.failed, progress.stalled) == ("running", 0, False)

    (tmp_path / "unplugged").rename(root)
    check_whole(await finished(backend, session_id))
    assert worker == []


async def test_a_picture_that_ends_the_worker_is_set_aside_and_none_beside_it(
    backend: Backend, worker: list[str], tmp_path: Path
) -> None:
    root = draw_with(tmp_path / "pictures", "poison")
    progress = await finished(backend, await start(backend, root))
    assert (progress.status, progress.jobsSummary.completed) == ("completed", PICTURES - 1)
    assert len(set(worker)) == 4  # it was alone at three of the deaths
    with get_sync_engine().connect() as conn:
        failed = conn.execute(select(TrainingJob.error_kind).where(TrainingJob.status == "failed"))
        assert failed.scalars().all() == [ErrorKind.WORKER_DIED]


@pytest.mark.usefixtures("warm_workers")
async def test_after_a_power_cut_the_lock_proves_that_the_worker_is_dead(
    backend: Backend, signals: Path, tmp_path: Path
) -> None:
    root = draw_with(tmp_path / "pictures", "hold")
    command = [sys.executable, "-c", HOLDING, str(signals), "worker", "--child"]
    runtime = Supervisor(lambda _name: None, command)  # who would have said so is gone as well
    runtime.start()
    try:
        session_id = await start(backend, root)
        await held(backend, session_id)
        pid = runtime.status().worker_pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        (signals / "pictures").touch()
        check_whole(await finished(backend, session_id, within=LEASE_S - 10))
    finally:
        await asyncio.to_thread(runtime.stop)


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_postgres(tmp_path_factory.mktemp("postgres")) as url:
        yield url


@pytest.fixture
async def shared(postgres: str, data_dir: Path) -> AsyncIterator[tuple[Backend, LocalQdrant]]:
    """The services on shared servers."""
    with shared_servers(postgres) as qdrant:
        await asyncio.to_thread(migrate)
        yield Backend(), qdrant
        await close_engines()


def cut_connections() -> None:
    """As a restart of the server, a firewall or a failover does, for everyone."""
    with get_sync_engine().connect() as conn:
        conn.execute(
            text(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                " WHERE pid <> pg_backend_pid() AND application_name = 'afterimage'"
            )
        )


@pytest.mark.early
async def test_servers_that_are_cut_silent_or_away_for_a_while_cost_nothing(
    shared: tuple[Backend, LocalQdrant], signals: Path, tmp_path: Path
) -> None:
    backend, qdrant = shared
    redis = embedded_server()
    assert redis is not None
    program = ("-c", HOLDING, str(signals))
    with worker_machine(tmp_path / "worker", program=program, start=start_warm):
        session_id = await start(backend, draw_with(tmp_path / "cut", "hold"))
        await held(backend, session_id)
        await asyncio.to_thread(cut_connections)
        (signals / "cut").touch()
        check_whole(await finished(backend, session_id))

        session_id = await start(backend, draw_with(tmp_path / "away", "hold"))
        await held(backend, session_id)
        qdrant.go_away()
        (signals / "away").touch()
        progress = await waiting(backend, session_id)
        assert "does not answer" in str(progress.waitingFor)
        assert (progress.status, progress.jobsSummary.failed) == ("running", 0)
        qdrant.come_back()
        check_whole(await finished(backend, session_id))

        session_id = await start(backend, draw_with(tmp_path / "silent", "hold"))
        await held(backend, session_id)
        os.kill(redis.pid, signal.SIGSTOP)
        try:
            (signals / "silent").touch()
            check_whole(await finished(backend, session_id))
        finally:
            os.kill(redis.pid, signal.SIGCONT)
    store = open_store(get_settings())
    try:
        report = await asyncio.to_thread(verify_ledger, store)
    finally:
        store.close()
    assert (report.problems, report.vectors) == ([], 3 * PICTURES)
