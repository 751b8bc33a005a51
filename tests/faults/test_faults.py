"""The quick form: one fault of each kind, with real processes; ``make soak`` has all of them."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from functools import reduce
from importlib import import_module
from pathlib import Path

import numpy as np
import psutil
import pytest
from broken_pictures import write_broken
from catalogue import Fault, all_faults
from judge import judge
from kept_measurements import kept_measurements
from scene import Scene

from app.api.training_schemas import TrainingSessionCreate
from app.db import sessions
from app.db.engine import close_engines, open_db, write_transaction
from app.db.migrate import migrate
from app.db.models import SessionStatus
from app.services.asset_discovery import AssetDiscoveryService
from app.services.training_service import TrainingService
from app.worker.context import context
from app.worker.indexing.jobs import train_session

HERE = Path(__file__).parent
QUICK = [entry for entry in all_faults().values() if entry.quick]
_PLACES = re.compile(r'"((?:app|alembic)[\w.]*):([\w.]+)"')


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder with a short path: addresses of sockets may not be long."""
    folder = Path(tempfile.mkdtemp(prefix="scene-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.early
@pytest.mark.parametrize("entry", QUICK, ids=lambda entry: entry.name.replace(" ", "-"))
def test_after_a_fault_all_is_as_if_nothing_had_happened(
    entry: Fault, place: Path, measurements_file: Path
) -> None:
    if why := entry.cannot_run():
        if os.environ.get("CI") == "true":
            pytest.fail(why)
        pytest.skip(why)
    scene = entry.make(place, 1)
    try:
        with kept_measurements(measurements_file, scene.data):
            entry.inject(scene)
            verdict = judge(scene, expected=entry.expected)
    finally:
        scene.end()
        scene.clear()
    assert verdict.problems() == []


def test_the_judge_sees_what_is_lost_doubled_wrong_and_left_behind(place: Path) -> None:
    from app.config import get_settings
    from app.vectors.factory import open_store
    from app.vectors.protocol import VectorPoint

    scene = Scene(place, 1)
    album = scene.album(12, odd=False)
    with scene.inside():
        index_here(album.folder)
    with closing(sqlite3.connect(scene.data / "ledger.sqlite3")) as ledger, ledger:
        ids = [row[0] for row in ledger.execute("SELECT id FROM image_assets ORDER BY id")]
        ledger.execute("UPDATE training_jobs SET status = 'failed' WHERE asset_id = ?", ids[:1])
        ledger.execute("UPDATE training_evidence SET job_id = -1, attempt = id WHERE job_id = 2")
        ledger.execute("UPDATE training_evidence SET job_id = 4, attempt = 2 WHERE job_id = 5")
    with scene.inside():
        store = open_store(get_settings())
        (collection,) = store.collections()
        other = np.eye(store.vectors(collection, ids[2:3])[ids[2]].size, dtype=np.float32)[0]
        store.upsert(collection, [VectorPoint(ids[2], other, {})])
        store.delete(collection, ids[5:6])
        store.close()
    (album.folder / "new.jpg").write_bytes(b"")
    (scene.place / "work" / "dump.rdb").write_bytes(b"")
    code = "import socket, time; s = socket.socket(); s.bind(('', 0)); s.listen(); time.sleep(60)"
    stranger = subprocess.Popen([sys.executable, "-c", code], env=scene.environment())
    scene.until(lambda: psutil.Process(stranger.pid).net_connections("inet"), "it does not listen")
    verdict = judge(scene)
    stranger.wait()

    assert [len(found) for found in (verdict.lost, verdict.doubled, verdict.wrong)] == [2, 1, 1]
    said = "\n".join(verdict.broken)
    for words in ("verify: I1", "verify: I2", "evidence rows", "touched", "dump.rdb"):
        assert words in said, said
    assert "listens on 0.0.0.0" in said
    assert "left running" in said


def index_here(folder: Path) -> None:
    """Index a folder in this process."""
    migrate()
    session_id = asyncio.run(_discover(folder))
    with write_transaction() as conn:
        assert sessions.move_session(conn, session_id, SessionStatus.RUNNING)
    train_session(session_id)
    context().close()
    context.cache_clear()


async def _discover(folder: Path) -> int:
    data = TrainingSessionCreate(rootPath=str(folder))
    async with open_db() as db:
        session = await TrainingService().create_session(db, data)
        await AssetDiscoveryService().discover_assets(db, session.id)
    await close_engines()
    return session.id


def test_every_step_that_a_fault_names_is_in_the_program() -> None:
    named = {
        place for path in HERE.glob("*.py") for place in _PLACES.findall(path.read_text("utf-8"))
    }
    assert len(named) > 15
    assert [place for place in sorted(named) if not _is_there(*place)] == []


def _is_there(module: str, name: str) -> bool:
    try:
        reduce(getattr, name.split("."), import_module(module))
    except (ImportError, AttributeError):
        return False
    return True


def test_broken_pictures_are_the_same_for_the_same_seed(tmp_path: Path) -> None:
    first, second = (write_broken(tmp_path / name, 40, seed=2) for name in ("a", "b"))
    assert [path.name for path in first] == [path.name for path in second]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
