"""Quit always works: two seconds later nothing of ours runs, whatever the worker hangs in."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from ledgers import fresh_ledger
from sqlalchemy import select

from app.api.training_schemas import TrainingSessionCreate
from app.config import get_settings
from app.db.engine import close_engines, get_sync_session, write_transaction
from app.db.jobs import claim
from app.db.models import JobStatus, SessionStatus, TrainingJob, WorkerRecord
from app.db.reconcile import release
from app.db.sessions import move_session
from app.queue.connection import embedded_server
from app.services.asset_discovery import AssetDiscoveryService
from app.services.backend import Backend

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")

APP = [sys.executable, "-m", "app"]
SOON_S = 2.0
GRACE_S = 2.0
"""For a computer that many tests share; the program's own limit is below ``SOON_S``."""
STUCK = {
    "in a sleep that nothing interrupts": "import time; time.sleep(600)",
    "in C, holding the interpreter": "import ctypes; ctypes.PyDLL(None).sleep(600)",
    "in a lock": "import threading; threading.Lock().acquire(); l = threading.Lock(); "
    "l.acquire(); l.acquire()",
}
HANGING = """
import sys
from app.worker import serving

def hang(*_):
    print("stuck", flush=True)
    (serving.get_settings().run_dir / "stuck").touch()
    {stuck}

serving.run_worker = hang
serving.find_engine = lambda: None  # to load it takes seconds of a processor
from app.__main__ import main
sys.argv = ["afterimage", "worker", *sys.argv[1:]]
sys.exit(main())
"""
WINDOW = """
import sys
from app.runtime import supervisor
supervisor.worker_command = lambda: [sys.executable, "-c", {worker!r}, "--child"]
from app.__main__ import main
sys.argv = ["afterimage", *{arguments!r}]
sys.exit(main())
"""


@pytest.fixture
def started() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts programs; what is left of them afterwards is killed, so that no test harms another."""
    running: list[subprocess.Popen[str]] = []

    def start(*command: str, **options: object) -> subprocess.Popen[str]:
        environment = os.environ | {"QT_QPA_PLATFORM": "offscreen"}
        running.append(
            subprocess.Popen(command, env=environment, text=True, **options)  # type: ignore[call-overload]
        )
        return running[-1]

    yield start
    for process in running:
        process.kill()
        process.communicate()
    for left in ours():
        with suppress(psutil.Error):
            left.kill()


def ours() -> list[psutil.Process]:
    """Everything that runs on this test's data folder."""
    mine = str(get_settings().data_dir)
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
                continue
            if process.environ().get("AFTERIMAGE_DATA_DIR") == mine:
                found.append(process)
    return found


def wait_for(condition: Callable[[], object], within_s: float = 60, every_s: float = 0.02) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(every_s)


def nothing_runs_soon() -> None:
    wait_for(lambda: not ours(), SOON_S + GRACE_S, every_s=0.1)  # to look takes a while


def window_with(worker: str, *arguments: str) -> list[str]:
    return [sys.executable, "-c", WINDOW.format(worker=worker, arguments=list(arguments))]


@pytest.mark.parametrize("stuck", STUCK.values(), ids=STUCK.keys())
def test_the_window_ends_whatever_its_worker_hangs_in(
    data_dir: Path, started: Callable[..., subprocess.Popen[str]], stuck: str
) -> None:
    window = started(*window_with(HANGING.format(stuck=stuck)))
    wait_for((data_dir / "run" / "stuck").exists)
    window.send_signal(signal.SIGTERM)
    nothing_runs_soon()
    assert window.wait() == 0


def test_the_window_ends_beside_a_queue_server_that_hangs(
    data_dir: Path, started: Callable[..., subprocess.Popen[str]]
) -> None:
    window = started(*APP)
    wait_for((data_dir / "run" / "worker.json").exists)
    server = embedded_server()
    assert server is not None
    os.kill(server.pid, signal.SIGSTOP)
    window.send_signal(signal.SIGTERM)
    nothing_runs_soon()
    assert window.wait() == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_command_ends_with_all_that_it_started(
    data_dir: Path,
    pictures: Path,
    started: Callable[..., subprocess.Popen[str]],
    number: signal.Signals,
) -> None:
    stuck = HANGING.format(stuck=STUCK["in a sleep that nothing interrupts"])
    command = started(*window_with(stuck, "index", str(pictures)), stderr=subprocess.PIPE)
    wait_for((data_dir / "run" / "stuck").exists)
    command.send_signal(number)
    nothing_runs_soon()
    assert command.wait() == 128 + number
    assert command.stderr is not None
    errors = command.stderr.read()
    assert re.search(r"(Paused|Stopped)\. Continue with: (resume|start) 1\n", errors)
    assert "Traceback" not in errors


def test_a_worker_whose_parent_is_killed_ends_whatever_it_hangs_in(
    data_dir: Path, started: Callable[..., subprocess.Popen[str]]
) -> None:
    stuck = HANGING.format(stuck=STUCK["in a sleep that nothing interrupts"])
    window = started(*window_with(stuck))
    wait_for((data_dir / "run" / "stuck").exists)
    window.kill()
    nothing_runs_soon()


def test_a_worker_on_its_own_ends_by_a_signal_whatever_it_hangs_in(
    data_dir: Path, started: Callable[..., subprocess.Popen[str]]
) -> None:
    stuck = HANGING.format(stuck=STUCK["in a sleep that nothing interrupts"])
    worker = started(sys.executable, "-c", stuck)
    wait_for((data_dir / "run" / "stuck").exists)
    worker.send_signal(signal.SIGTERM)
    nothing_runs_soon()


def test_a_worker_on_its_own_brings_its_queue_server_back(
    data_dir: Path, started: Callable[..., subprocess.Popen[str]]
) -> None:
    worker = started(*APP, "worker", stderr=subprocess.DEVNULL)
    wait_for((data_dir / "run" / "worker.json").exists)
    killed = embedded_server()
    assert killed is not None
    os.kill(killed.pid, signal.SIGKILL)
    wait_for(lambda: embedded_server() not in (None, killed))
    worker.send_signal(signal.SIGTERM)
    nothing_runs_soon()


async def test_what_an_ended_worker_held_is_pending_at_once_and_nobody_is_to_blame(
    data_dir: Path, pictures: Path
) -> None:
    fresh_ledger()
    backend = Backend()
    async with backend.db() as db:
        session = await backend.training.create_session(
            db, TrainingSessionCreate(rootPath=str(pictures))
        )
        await AssetDiscoveryService().discover_assets(db, session.id)
    with write_transaction() as conn:
        assert move_session(conn, session.id, SessionStatus.RUNNING)
        greatest = max(conn.scalars(select(TrainingJob.id)).all())
        assert len(claim(conn, session.id, "quitter", 8, greatest).jobs) == 8
    release("quitter")
    with get_sync_session() as db_now:
        jobs = db_now.scalars(select(TrainingJob)).all()
        assert {job.status for job in jobs} == {JobStatus.PENDING}
        assert {(job.attempts, job.crashes, job.worker) for job in jobs} == {(0, 0, None)}
        assert db_now.scalars(select(WorkerRecord)).all() == []
    await close_engines()
