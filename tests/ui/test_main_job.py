"""The main job through the real window: worker process, Redis, store and model included."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from drawing import Scene, captions, distinct_scenes, draw
from drawn_model import DRAWN_MODEL
from loop import QtLoop
from PySide6.QtCore import Qt
from sqlalchemy import func, select

from app.config import get_settings
from app.db.engine import get_sync_session
from app.db.models import EmbeddingModel, ImageAsset, JobStatus, TrainingJob
from app.ui.pages.failed.dialog import FailedDialog
from app.ui.shell import main
from app.ui.shell.pages import Pages
from app.ui.shell.program import Program, ProgramHooks
from app.ui.shell.tray import Tray
from app.ui.shell.window import MainWindow
from app.vectors.factory import open_store
from app.worker.maintenance.ledger_check import verify_ledger


def fill(root: Path) -> None:
    """Two folders to index and one to leave out; among them red circles and a broken file."""
    import random

    rng = random.Random(7)
    for folder, number in (("shapes", 240), ("more", 60), ("left out", 5)):
        (root / folder).mkdir(parents=True)
        for index, scene in enumerate(distinct_scenes(number, rng)):
            if "red circle" in " ".join(captions(scene)):
                continue  # only those below are to be found
            draw(scene, 96).save(root / folder / f"{index:03}.jpg")
    for index in range(3):
        circle = red_circle(index)
        draw(circle, 160).save(root / "shapes" / f"red circle {index}.jpg")
    (root / "more" / "broken.jpg").write_bytes(b"")


def red_circle(jitter: int) -> Scene:
    from dataclasses import replace

    return replace(a_single_red_circle(), jitter=jitter)


def a_single_red_circle() -> Scene:
    import random

    rng = random.Random(1)
    while True:
        for scene in distinct_scenes(400, rng):
            if scene.kind == "single" and (scene.colour, scene.subject) == ("red", "circle"):
                return scene


def fingerprints(root: Path) -> dict[Path, tuple[str, int]]:
    return {
        path: (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for path in root.rglob("*.jpg")
    }


@pytest.mark.early
@pytest.mark.usefixtures("measured")
def test_a_folder_is_indexed_paused_resumed_and_mended_from_the_window(
    qt_loop: QtLoop, qapp: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AFTERIMAGE_MODEL", DRAWN_MODEL)
    get_settings.cache_clear()
    root = tmp_path / "pictures"
    fill(root)
    before = fingerprints(root)
    window = MainWindow(main.memory())
    window.show()
    tray = Tray(window, main.app_icon())
    hooks = ProgramHooks(main.open_backend, main.close_backend, main.make_runtime, main.add_pages)
    program = Program(window, tray, hooks)
    qt_loop.run(_with(program, _main_job(qt_loop, window, root)), timeout=240)
    tray.deleteLater()

    broken = root / "more" / "broken.jpg"
    after = {path: seen for path, seen in fingerprints(root).items() if path != broken}
    assert after == {path: seen for path, seen in before.items() if path != broken}
    alive = [p for p in psutil.Process().children(True) if p.status() != psutil.STATUS_ZOMBIE]
    assert not alive
    _check_vectors()


async def _with(program: Program, steps: Coroutine[Any, Any, None]) -> None:
    running = asyncio.ensure_future(program.run())
    try:
        await steps
    finally:
        program.end()
        assert await running == 0


async def _main_job(qt_loop: QtLoop, window: MainWindow, root: Path) -> None:
    until = qt_loop.until
    await until(lambda: window.findChild(Pages))
    pages = window.findChild(Pages)
    assert pages is not None
    await until(lambda: pages.place.currentWidget() is pages.first_run)

    # choose a folder, leave one subfolder out, start
    dialog = pages.new_session(str(root))
    tree = dialog.tree.folders
    await until(lambda: "308 pictures" in dialog.summary.text() or "30" in dialog.summary.text())
    await until(lambda: not tree.counting)
    top = tree.index(0, 0)
    await until(lambda: tree.rowCount(top) == 3)
    rows = [tree.index(row, 0, top) for row in range(3)]
    left_out = next(index for index in rows if index.data() == "left out")
    tree.setData(left_out, Qt.CheckState.Unchecked, Qt.ItemDataRole.CheckStateRole)
    dialog.options.batch.setValue(4)
    await until(dialog.create_button.isEnabled)
    dialog.create_button.click()

    # pause, resume, finish
    await until(lambda: pages.sessions.selected is not None)

    def session() -> Any:
        known = pages.sessions.list.sessions.sessions
        return known.get(pages.sessions.selected)

    await until(lambda: session() and session().status == "running", 90)
    await until(pages.sessions.actions_["pause"].isEnabled)
    # as the ledger has it: beside other programs all may be done before the window sees the first
    await until(lambda: _completed() >= 4, 90)
    pages.sessions.actions_["pause"].trigger()
    await until(lambda: session().status == "paused" and not session().jobsSummary.running, 30)
    paused_at = session().jobsSummary.completed
    assert paused_at < session().progress.total
    await until(pages.sessions.actions_["resume"].isEnabled)  # the click on Pause is over
    pages.sessions.actions_["resume"].trigger()
    await until(lambda: session().status == "completed", 120)
    summary = session().jobsSummary
    assert summary.failed == 1
    assert summary.completed == session().progress.total - 1
    assert "left out" not in " ".join(_paths())

    # see what failed, mend it, try again
    failed = pages.show_failed(session().sessionId, session().name)
    assert isinstance(failed, FailedDialog)
    await until(lambda: failed.view.count == 1)
    (root / "more" / "broken.jpg").write_bytes((root / "more" / "001.jpg").read_bytes())
    await until(failed.view.all_button.button.isEnabled)
    failed.view.all_button.button.click()
    await until(lambda: session().status == "completed" and not session().jobsSummary.failed, 60)
    failed.accept()


def _paths() -> list[str]:
    with get_sync_session() as db:
        return list(db.scalars(select(ImageAsset.path)))


def _completed() -> int:
    with get_sync_session() as db:
        of_session = select(func.count()).where(TrainingJob.status == JobStatus.COMPLETED)
        return db.scalar(of_session) or 0


def _check_vectors() -> None:
    """The invariants hold, and a text finds what it describes."""
    from app.embedding.loading import (
        load_encoder,
    )  # seconds, which tests of the window can do without

    store = open_store(get_settings())
    try:
        assert verify_ledger(store).problems == []
        with get_sync_session() as db:
            collection = db.scalars(select(EmbeddingModel.collection)).one()
            paths = {asset.id: asset.path for asset in db.scalars(select(ImageAsset))}
        query = load_encoder(DRAWN_MODEL).encode_texts(["a red circle"])[0]
        found = store.query(collection, query.astype(np.float32), 3)
    finally:
        store.close()
    assert all("red circle" in paths[result.asset_id] for result in found)
