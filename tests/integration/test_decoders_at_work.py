"""Decoders that hang and crash under the real worker: they cost their pictures and nothing else."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from following import finished, progress_of, until, verify_with_own_store
from sqlalchemy import func, select
from warm_processes import running_children

from app.api.error_kinds import ErrorKind
from app.api.training_schemas import TrainingSessionCreate
from app.config import get_settings
from app.db.engine import get_sync_session
from app.db.models import TrainingEvidence
from app.errors import AppError
from app.pictures.thumbnail_paths import thumbnail_file
from app.queue.reconcile import reconcile
from app.queue.thumbnail_requests import ThumbnailRequests
from app.runtime.supervisor import Supervisor
from app.services.backend import Backend

ODD = """
import os, sys
if "decoder" in sys.orig_argv:
    from app.pictures import decode as module
    real = module.load
    def load(data, name, *rest, **options):
        if name.startswith("hang"):
            open(os.environ["HANGING"], "a").write(f"{os.getpid()} ")
            __import__("re").match("(a+)+$", 40 * "a" + "b")  # lets no other thread run
        if name.startswith("crash"):
            os.kill(os.getpid(), 11)
        if name.startswith("odd"):
            raise ValueError("nobody thought of that")
        return real(data, name, *rest, **options)
    module.load = load
"""
PATIENT = """
import sys
from dataclasses import replace
from app.pictures import decoder_limits
limits_for, patience = decoder_limits.limits_for, float(sys.argv.pop(1))
decoder_limits.limits_for = lambda *numbers: replace(limits_for(*numbers), processor_s=patience)
from app.__main__ import main
sys.exit(main())
"""


@pytest.fixture
def hanging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where decoders that hang leave their process ids."""
    monkeypatch.setenv("HANGING", str(tmp_path / "hanging"))
    (tmp_path / "hanging").touch()
    return tmp_path / "hanging"


@pytest.fixture
def patience(request: pytest.FixtureRequest) -> float:
    """Seconds after which a decoder that hangs is given up."""
    return float(getattr(request, "param", 60.0))


@pytest.fixture
def odd_supervisor(
    backend: Backend,
    warm_workers: None,
    hanging: Path,
    patience: float,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Supervisor]:
    """A worker whose decoders hang at ``hang*``, crash at ``crash*`` and stumble over ``odd*``."""
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "sitecustomize.py").write_text(ODD)
    path = os.pathsep.join([str(tmp_path / "odd"), *filter(None, [os.environ.get("PYTHONPATH")])])
    monkeypatch.setenv("PYTHONPATH", path)
    command = [sys.executable, "-c", PATIENT, str(patience), "worker", "--child"]
    runtime = Supervisor(lambda name: reconcile([name]), command)
    runtime.start()
    yield runtime
    runtime.stop()
    assert not running_children()


def add(pictures: Path, *names: str) -> None:
    some = sorted((pictures / "family").iterdir())
    for good, name in zip(some, names, strict=False):
        shutil.copyfile(good, pictures / name)
        with (pictures / name).open("ab") as end:
            end.write(name.encode())  # content of its own, so that nothing is reused


async def start(backend: Backend, root: Path) -> int:
    async with backend.db() as db:
        data = TrainingSessionCreate(rootPath=str(root))
        session = await backend.training.create_session(db, data)
        await backend.training.enqueue_training(db, session.id)
        return session.id


async def hung(hanging: Path, number: int = 1) -> None:
    async def there() -> bool:
        return len((await asyncio.to_thread(hanging.read_text)).split()) >= number

    await until(there)


async def ended(family: list[psutil.Process]) -> None:
    """Wait until all have ended, whether or not the system has tidied up behind them."""

    def runs(process: psutil.Process) -> bool:
        try:
            return process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    async def none_runs() -> bool:
        return not any(map(runs, family))

    await until(none_runs, within=10)


def failed_attempts() -> int:
    with get_sync_session() as db:
        failed = TrainingEvidence.error_message.is_not(None)
        return db.scalar(select(func.count()).where(failed)) or 0


@pytest.mark.parametrize("patience", [2.0], indirect=True)
async def test_pictures_that_hang_crash_and_surprise_fail_alone(
    backend: Backend, odd_supervisor: Supervisor, pictures: Path, hanging: Path
) -> None:
    add(pictures, "hang.jpg", "crash.jpg", "odd.jpg")
    session_id = await start(backend, pictures)
    await hung(hanging)
    worker = odd_supervisor.status().worker_pid
    progress = await finished(backend, session_id)
    assert progress.status == "completed"
    assert (progress.jobsSummary.completed, progress.jobsSummary.failed) == (40, 3)
    async with backend.db() as db:
        failures = await backend.pictures.failures(db, session_id)
    assert {Path(row.path).name: (row.errorKind, row.errorMessage) for row in failures} == {
        "hang.jpg": (
            ErrorKind.TOO_SLOW,
            "Decoding takes more than 2 seconds of processor time.",
        ),
        "crash.jpg": (ErrorKind.CORRUPT, "The decoder crashed on this picture (SIGSEGV)."),
        "odd.jpg": (
            ErrorKind.INTERNAL,
            "Decoding the picture failed with an unexpected error, ValueError.",
        ),
    }
    log = (get_settings().log_dir / "worker.log").read_text()
    assert "odd.jpg" in log
    assert "nobody thought of that" in log  # and its trace
    assert odd_supervisor.status().worker_pid == worker
    assert odd_supervisor.status().restarts == 0
    odd_supervisor.stop()
    assert verify_with_own_store().problems == []


async def test_quit_waits_for_no_decoder_and_blames_no_picture(
    backend: Backend, odd_supervisor: Supervisor, pictures: Path, hanging: Path
) -> None:
    add(pictures, "hang.jpg")
    session_id = await start(backend, pictures)
    await hung(hanging)
    family = psutil.Process(odd_supervisor.status().worker_pid).children(recursive=True)
    assert int(hanging.read_text()) in {process.pid for process in family}
    await asyncio.to_thread(odd_supervisor.stop)
    await ended(family)
    progress = await progress_of(backend, session_id)
    assert (progress.status, progress.jobsSummary.running) == ("running", 0)
    assert (progress.jobsSummary.failed, failed_attempts()) == (0, 0)
    assert verify_with_own_store().problems == []


async def test_a_worker_that_is_killed_leaves_no_decoder_behind(
    backend: Backend, odd_supervisor: Supervisor, pictures: Path, hanging: Path
) -> None:
    add(pictures, "hang.jpg")
    await start(backend, pictures)
    await hung(hanging)
    worker = odd_supervisor.status().worker_pid
    assert worker is not None
    family = psutil.Process(worker).children(recursive=True)
    assert int(hanging.read_text()) in {process.pid for process in family}
    os.kill(worker, signal.SIGKILL)
    await ended(family)


async def test_thumbnails_are_made_beside_a_picture_that_crashes(
    backend: Backend, odd_supervisor: Supervisor, pictures: Path
) -> None:
    add(pictures, "crash.jpg", "odd.jpg", "good.jpg")
    paths = [str(pictures / name) for name in ("crash.jpg", "odd.jpg", "good.jpg")]
    await until(lambda: asked(paths))

    async def made() -> bool:
        return os.path.exists(thumbnail_file(paths[2], 256))

    await until(made)
    assert not os.path.exists(thumbnail_file(paths[0], 256))


async def asked(paths: list[str]) -> bool:
    try:
        await asyncio.to_thread(ThumbnailRequests().request, paths, 256)
    except AppError:  # there is no queue yet
        return False
    return True
