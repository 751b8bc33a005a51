"""Full disks, read-only folders, a kill between the two stores: nothing is lost."""

from __future__ import annotations

import asyncio
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from drawing import distinct_scenes, draw
from drawn_model import DRAWN_MODEL
from sqlalchemy import event, select

from app.api.training_schemas import SessionConfig, TrainingSessionCreate
from app.config import get_settings
from app.db.engine import (
    close_engines,
    get_sync_engine,
    get_sync_session,
    open_db,
    write_transaction,
)
from app.db.migrate import migrate
from app.db.models import IS_UNSETTLED, AssetVector, SessionStatus, TrainingJob
from app.db.settle import expire_leases
from app.errors import AppError
from app.services.asset_discovery import AssetDiscoveryService
from app.services.training_service import TrainingService
from app.worker.context import context
from app.worker.indexing.jobs import train_session
from app.worker.maintenance.ledger_check import verify_ledger


@pytest.fixture(autouse=True)
def drawn_model(measured: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFTERIMAGE_MODEL", DRAWN_MODEL)
    get_settings.cache_clear()


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    import random

    folder = tmp_path / "pictures"
    folder.mkdir()
    for index, scene in enumerate(distinct_scenes(24, random.Random(3))):
        draw(scene, 64).save(folder / f"{index}.jpg")
    return folder


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 400 KB."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", place], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("only root may mount a small file system")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


async def running_session(pictures: Path) -> int:
    await asyncio.to_thread(migrate)
    async with open_db() as db:
        session = await TrainingService().create_session(
            db, TrainingSessionCreate(rootPath=str(pictures), config=SessionConfig(batch_size=8))
        )
        await AssetDiscoveryService().discover_assets(db, session.id)
        session.status = SessionStatus.RUNNING.value
        await db.commit()
        return session.id


async def test_a_full_ledger_lets_the_session_wait_and_it_goes_on_once_there_is_room(
    pictures: Path,
) -> None:
    session_id = await running_session(pictures)
    engine = get_sync_engine()
    full = True

    def refuse(_conn: object, _cursor: object, statement: str, *_: object) -> None:
        if full and statement.startswith("INSERT INTO training_evidence"):
            raise _disk_full()

    event.listen(engine, "before_cursor_execute", refuse)
    await asyncio.to_thread(train_session, session_id)
    async with open_db() as db:
        waits = await TrainingService().get_session_progress(db, session_id)
    assert (waits.status, waits.stalled, waits.errorMessage) == ("running", False, None)
    assert "full" in (waits.waitingFor or "")
    assert (waits.jobsSummary.pending, waits.jobsSummary.running) == (24, 0)

    full = False
    counts = await asyncio.to_thread(train_session, session_id)
    assert counts["processed"] == 24
    assert verify_ledger(context().store).problems == []
    context().close()
    context.cache_clear()
    await close_engines()


def settled_vectors() -> list[int]:
    with get_sync_session() as db:
        return list(db.scalars(select(AssetVector.asset_id).where(~IS_UNSETTLED)))


def _disk_full() -> Exception:
    """The error that SQLite gives, from SQLite."""
    import sqlite3

    from sqlalchemy.exc import OperationalError

    connection = sqlite3.connect(":memory:")
    connection.execute("PRAGMA max_page_count = 2")
    try:
        connection.execute("CREATE TABLE t (x)")
        connection.execute("INSERT INTO t VALUES (zeroblob(100000))")
    except sqlite3.OperationalError as error:
        return OperationalError("INSERT", {}, error)
    finally:
        connection.close()
    raise AssertionError("the disk was not full")


def test_a_disk_too_small_for_the_ledger_is_named(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (small_disk / "ballast").write_bytes(bytes(350_000))
    monkeypatch.setenv("AFTERIMAGE_DATA_DIR", str(small_disk / "data"))
    get_settings.cache_clear()
    with pytest.raises(AppError, match="full"):
        migrate()
    get_sync_engine().dispose()
    get_sync_engine.cache_clear()
    (small_disk / "ballast").unlink()
    shutil.rmtree(small_disk / "data")


def test_a_read_only_data_folder_is_named(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    monkeypatch.setenv("AFTERIMAGE_DATA_DIR", str(small_disk / "data"))
    get_settings.cache_clear()
    with pytest.raises(AppError, match=r"cannot be (used|written)"):
        migrate()


KILLED_BETWEEN = """
import os, signal, sys
from app.worker.indexing import run

run.settle = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
from app.worker.indexing.jobs import train_session
train_session(int(sys.argv[1]))
"""


@pytest.mark.early
async def test_a_kill_between_the_stored_vector_and_the_ledger_is_put_right(
    pictures: Path,
) -> None:
    session_id = await running_session(pictures)
    killed = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", KILLED_BETWEEN, str(session_id)]
    )
    assert killed.returncode == -signal.SIGKILL
    with get_sync_session() as db:
        dead = {name for name in db.scalars(select(TrainingJob.worker)) if name is not None}
    assert len(dead) == 1
    assert not settled_vectors()  # nothing may rely on what was stored
    assert verify_ledger(context().store).problems == []

    with write_transaction() as conn:
        expire_leases(conn, dead_workers=list(dead))
    await asyncio.to_thread(train_session, session_id)
    async with open_db() as db:
        progress = await TrainingService().get_session_progress(db, session_id)
    assert (progress.status, progress.jobsSummary.completed) == ("completed", 24)
    assert verify_ledger(context().store).problems == []
    context().close()
    context.cache_clear()
    await close_engines()
