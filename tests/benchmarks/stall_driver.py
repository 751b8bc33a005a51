"""The program itself, with a heartbeat in its window while it indexes a folder.

    python tests/benchmarks/stall_driver.py FOLDER RESULT

Writes the gaps between beats to RESULT: those while the program opened, and those of the session,
from its start to its end. Meanwhile the pages are shown in turn, as by a person who looks around.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import signal
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

from heartbeat import Beats, Heartbeat
from PySide6.QtWidgets import QApplication
from surroundings import peak_mb

from app.ui.parts.commands import PAGES
from app.ui.shell import main as root
from app.ui.shell.window import MainWindow

if TYPE_CHECKING:  # the program imports these itself, after its first paint
    from app.api.training_schemas import TrainingProgress
    from app.services.backend import Backend
    from app.ui.parts.actions import ActionRunner
    from app.ui.parts.poller import Poller
    from app.ui.shell.sessions_feed import SessionsFeed

LOOK_S = 0.5
PAGE_S = 3.0
READY_WITHIN_S = 60.0
DONE_WITHIN_S = 150.0
WORST = 5
GOING_ON = ("pending", "running")


class Driver:
    """Puts itself between the composition root and its parts."""

    def __init__(self, folder: Path, result: Path) -> None:
        self._folder, self._result = folder, result
        self._heartbeat: Heartbeat | None = None
        self._task: asyncio.Task[None] | None = None
        self._paint, self._add_pages = root.paint, root.add_pages

    def run(self) -> int:
        """Run the program up to the end of one session; its exit code."""
        with (
            patch.object(root, "paint", self.paint),
            patch.object(root, "add_pages", self.add_pages),
        ):
            return root.run_window()

    def paint(self, app: QApplication, window: MainWindow) -> None:
        self._paint(app, window)
        self._heartbeat = Heartbeat(app)

    def add_pages(
        self, window: MainWindow, backend: Backend, runner: ActionRunner, poller: Poller
    ) -> SessionsFeed:
        assert self._heartbeat is not None
        self._heartbeat.loop = asyncio.get_running_loop()
        feed = self._add_pages(window, backend, runner, poller)
        self._task = asyncio.ensure_future(self._index_and_end(window, backend))
        return feed

    async def _index_and_end(self, window: MainWindow, backend: Backend) -> None:
        try:
            await self._index(window, backend)
        except Exception:  # noqa: BLE001 — whatever it is, the program must end
            traceback.print_exc()
        finally:
            signal.raise_signal(signal.SIGINT)  # closes the program as the terminal would

    async def _index(self, window: MainWindow, backend: Backend) -> None:
        from app.api.training_schemas import TrainingSessionCreate
        from app.ui.pages.sessions.page import SessionsPage

        assert self._heartbeat is not None
        page = window.findChild(SessionsPage)
        assert isinstance(page, SessionsPage)
        await _until_ready(backend)
        opening = self._heartbeat.take()
        async with backend.db() as db:
            create = TrainingSessionCreate(rootPath=str(self._folder))
            session = await backend.training.create_session(db, create)
        ended = asyncio.Event()

        def look(sessions: list[TrainingProgress]) -> None:
            if any(item.status not in GOING_ON for item in sessions):
                ended.set()

        page.sessions_polled.connect(look)
        page.start_session(session.id)
        await _look_around(window, ended)
        indexing = self._heartbeat.take()
        self._heartbeat.stop()
        await _check_complete(backend, session.id)
        result = {
            "opening": _summary(opening),
            "session": _summary(indexing),
            "peak_mb": peak_mb(),
        }
        self._result.write_text(json.dumps(result), encoding="utf-8")


async def _until_ready(backend: Backend) -> None:
    """Wait for the worker."""
    end = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < end:
        async with backend.db() as db:
            status = await backend.system.status(db)
        if any(worker.alive for worker in status.workers):
            return
        await asyncio.sleep(LOOK_S)
    raise TimeoutError("no worker was ready in time")


async def _look_around(window: MainWindow, ended: asyncio.Event) -> None:
    """Show one page after the other until the session has ended."""
    async with asyncio.timeout(DONE_WITHIN_S):
        for key in itertools.cycle([key for key, _ in PAGES]):
            window.show_page(key)
            with suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), PAGE_S)
                return


async def _check_complete(backend: Backend, session_id: int) -> None:
    async with backend.db() as db:
        progress = await backend.training.get_session_progress(db, session_id)
    if progress.status != "completed" or progress.jobsSummary.failed:
        raise RuntimeError(f"the session did not go well: {progress}")


def _summary(beats: Beats) -> dict[str, object]:
    worst = sorted(beats.late, key=lambda gap: gap.ms, reverse=True)[:WORST]
    return {
        "ms": [round(value, 2) for value in beats.ms],
        "computing_ms": [round(value, 2) for value in beats.computing_ms],
        "worst": [gap.explained() for gap in worst],
    }


if __name__ == "__main__":
    sys.exit(Driver(Path(sys.argv[1]), Path(sys.argv[2])).run())
