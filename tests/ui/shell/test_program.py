"""The window's life: opening, following what runs, closing with and without a question."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, QSettings, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QScrollArea, QTabBar, QWidget
from sqlalchemy import text

from app.api.training_schemas import TrainingSessionCreate
from app.config import get_settings
from app.db.engine import write_transaction
from app.errors import AppError
from app.runtime.supervisor import RuntimeStatus
from app.ui.pages.sessions.new_session import NewSessionDialog
from app.ui.parts.error_dialog import ErrorDialog
from app.ui.parts.theme import app_icon
from app.ui.shell import main
from app.ui.shell.about import AboutDialog
from app.ui.shell.close_dialog import CloseDialog
from app.ui.shell.program import Program, ProgramHooks
from app.ui.shell.settings_dialog import SettingsDialog
from app.ui.shell.tray import Tray
from app.ui.shell.window import MainWindow

CRASHED = "The indexing process ended unexpectedly. It starts again in 4 s."


class FakeRuntime:
    """Starts nothing and says what the test wants."""

    def __init__(self) -> None:
        self.now = RuntimeStatus(redis="starting")
        self.calls: list[str] = []

    def start(self) -> None:
        self.calls.append("start")

    def status(self) -> RuntimeStatus:
        return self.now

    def stop(self, timeout: float) -> None:
        self.calls.append("stop")

    def renew_worker(self) -> None:
        self.calls.append("renew")


class Run:
    """One program under test."""

    def __init__(self, backend: Any, folder: Path) -> None:
        self.backend = backend
        self.runtime = FakeRuntime()
        memory = QSettings(str(folder / "w.ini"), QSettings.Format.IniFormat)
        self.window = MainWindow(memory)
        self.tray = Tray(self.window, app_icon())
        self.messages: list[tuple[str, str]] = []
        self.tray.notify = lambda title, text: self.messages.append((title, text))  # type: ignore[method-assign]
        self.window.show()

        async def nothing() -> None: ...

        self.open: Callable[[], Any] = lambda: backend
        self.hooks = ProgramHooks(
            lambda: self.open(), nothing, lambda: self.runtime, main.add_pages
        )
        self.program = Program(self.window, self.tray, self.hooks)

    def begin(self) -> asyncio.Task[int]:
        return asyncio.ensure_future(self.program.run())

    async def session(self, folder: Path, status: str = "pending") -> int:
        folder.mkdir(exist_ok=True)
        async with self.backend.db() as db:
            session = await self.backend.training.create_session(
                db, TrainingSessionCreate(rootPath=str(folder))
            )
            session_id = int(session.id)
        await self.move(session_id, status)
        return session_id

    async def move(self, session_id: int, status: str) -> None:
        """Set a status as the worker would."""
        from sqlalchemy import update

        from app.db.models import TrainingSession

        async with self.backend.db() as db:
            await db.execute(
                update(TrainingSession)
                .where(TrainingSession.id == session_id)
                .values(status=status)
            )
            await db.commit()

    async def status_of(self, session_id: int) -> str:
        async with self.backend.db() as db:
            progress = await self.backend.training.get_session_progress(db, session_id)
        return str(progress.status)

    def question(self) -> CloseDialog | None:
        found = [item for item in self.window.findChildren(CloseDialog) if item.isVisible()]
        return found[0] if found else None


@pytest.fixture
def run(backend: Any, tmp_path: Path) -> Run:
    return Run(backend, tmp_path)


def test_without_sessions_it_invites_and_quits_at_once(qt_loop: Any, run: Run) -> None:
    async def steps() -> None:
        task = run.begin()
        await qt_loop.until(
            lambda: (
                run.window.stack.currentWidget().findChild(type(run.window)) is None
                and run.program.feed is not None
            )
        )
        run.window.commands.quit.trigger()
        assert await task == 0
        assert run.runtime.calls == ["start", "stop"]
        assert not run.window.isVisible()

    qt_loop.run(steps())


def test_a_start_that_fails_stays_in_the_window_until_it_is_closed(qt_loop: Any, run: Run) -> None:
    def refuse() -> None:
        raise AppError("The ledger was written by a newer version.", "Install the newest one.")

    async def steps() -> None:
        run.open = refuse
        task = run.begin()
        page = run.window.stack.currentWidget
        await qt_loop.until(lambda: "newer version" in page().accessibleName())
        assert run.runtime.calls == []
        run.window.close()
        assert await task == 1

    qt_loop.run(steps())


@pytest.mark.parametrize("where", ["open", "pages"])
def test_a_start_that_fails_unforeseen_is_told_in_the_window_too(
    qt_loop: Any, run: Run, where: str, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("disk image is malformed")

    async def steps() -> None:
        if where == "open":
            run.open = fail
        else:
            run.program._hooks = replace(run.hooks, add_pages=fail)  # type: ignore[arg-type]
        task = run.begin()
        page = run.window.stack.currentWidget
        await qt_loop.until(lambda: "RuntimeError: disk image" in page().accessibleName())
        assert run.window.isVisible()
        assert run.window.status.text == "Afterimage could not start."
        run.window.close()
        assert await task == 1

    qt_loop.run(steps())
    assert "Traceback" in caplog.text


def test_processes_that_do_not_stop_do_not_keep_the_window(qt_loop: Any, run: Run) -> None:
    async def steps() -> None:
        def fail(timeout: float) -> None:
            raise RuntimeError("no end")

        run.runtime.stop = fail  # type: ignore[method-assign]
        ends: list[str] = []
        run.program._hooks = replace(run.hooks, end_in_time=lambda: ends.append("in time"))
        task = run.begin()
        await qt_loop.until(lambda: "start" in run.runtime.calls)
        run.window.close()
        assert await task == 0
        assert ends == ["in time"]

    qt_loop.run(steps())


def test_a_runtime_that_cannot_start_is_told_and_the_window_stays(qt_loop: Any, run: Run) -> None:
    def refuse() -> None:
        raise AppError("There is no embedded Redis for this system.", "Set AFTERIMAGE_REDIS_URL.")

    async def steps() -> None:
        run.runtime.start = refuse  # type: ignore[method-assign]
        task = run.begin()
        await qt_loop.until(lambda: run.window.findChildren(ErrorDialog))
        assert run.window.isVisible()
        run.window.close()
        assert await task == 0

    qt_loop.run(steps())


def test_the_status_line_follows_the_processes(qt_loop: Any, run: Run) -> None:
    async def steps() -> None:
        task = run.begin()
        line = run.window.status
        await qt_loop.until(lambda: line.text == "Starting the indexing process…")
        run.runtime.now = RuntimeStatus(redis="ready", worker="restarting", message=CRASHED)
        await qt_loop.until(lambda: line.text == CRASHED)
        run.window.close()
        assert await task == 0

    qt_loop.run(steps())


def test_a_running_session_is_in_the_title_and_its_end_is_announced(
    qt_loop: Any, run: Run, tmp_path: Path
) -> None:
    async def steps() -> None:
        session_id = await run.session(tmp_path / "Holiday", "running")
        task = run.begin()
        await qt_loop.until(lambda: run.window.windowTitle() == "0 % — Holiday — Afterimage")
        run.window.hide()
        await run.move(session_id, "completed")
        run.window.come_forward()
        await qt_loop.until(lambda: run.window.windowTitle() == "Afterimage")
        assert run.window.status.text.startswith("“Holiday” is finished.")
        run.window.close()
        assert await task == 0

    qt_loop.run(steps())


def test_closing_while_a_session_runs_asks_and_staying_is_safe(
    qt_loop: Any, run: Run, tmp_path: Path
) -> None:
    async def steps() -> None:
        session_id = await run.session(tmp_path / "Holiday", "running")
        task = run.begin()
        await qt_loop.until(lambda: "Holiday" in run.window.windowTitle())
        run.window.close()
        run.window.close()
        assert len(run.window.findChildren(CloseDialog)) == 1
        question = run.question()
        assert question is not None
        question.stay_button.click()
        await asyncio.sleep(0.05)
        assert run.window.isVisible()
        assert await run.status_of(session_id) == "running"
        run.window.close()
        question = run.question()
        assert question is not None
        question.pause_button.click()
        assert await task == 0
        assert await run.status_of(session_id) == "paused"

    qt_loop.run(steps())


def test_in_the_tray_it_goes_on_and_comes_back(
    qt_loop: Any, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Tray, "available", staticmethod(lambda: True))

    async def steps() -> None:
        await run.session(tmp_path / "Holiday", "running")
        task = run.begin()
        await qt_loop.until(lambda: "Holiday" in run.window.windowTitle())
        run.window.close()
        question = run.question()
        assert question is not None
        question.tray_button.click()
        assert not run.window.isVisible()
        assert not task.done()
        run.tray.open_asked.emit()
        assert run.window.isVisible()
        run.program.end()
        assert await task == 0

    qt_loop.run(steps())


def test_started_in_the_tray_it_asks_in_front_of_the_person(
    qt_loop: Any, run: Run, tmp_path: Path
) -> None:
    async def steps() -> None:
        run.window.hide()
        run.program = Program(run.window, run.tray, run.hooks)
        await run.session(tmp_path / "Holiday", "running")
        task = run.begin()
        await qt_loop.until(lambda: "Holiday" in run.window.windowTitle())
        assert not run.window.isVisible()
        run.tray.quit_asked.emit()
        assert run.window.isVisible()
        assert run.question() is not None
        run.program.end()
        assert await task == 0

    qt_loop.run(steps())


def test_while_it_closes_it_says_what_it_waits_for(qt_loop: Any, run: Run) -> None:
    async def steps() -> None:
        shown: list[str] = []
        run.runtime.stop = lambda timeout: shown.append(  # type: ignore[method-assign]
            run.window.stack.currentWidget().accessibleName()
        )
        task = run.begin()
        await qt_loop.until(lambda: "start" in run.runtime.calls)
        run.window.close()
        assert await task == 0
        assert shown == ["Finishing the current pictures…"]

    qt_loop.run(steps())


def test_the_menu_opens_its_dialogs(qt_loop: Any, run: Run, tmp_path: Path) -> None:
    async def steps() -> None:
        task = run.begin()
        await qt_loop.until(lambda: run.program.feed is not None)
        run.window.commands.about.trigger()
        (about,) = run.window.findChildren(AboutDialog)
        about.close_button.click()
        run.window.commands.new_session.trigger()
        run.window.commands.new_session.trigger()
        (dialog,) = run.window.findChildren(NewSessionDialog)
        dialog.reject()
        run.window.close()
        assert await task == 0

    qt_loop.run(steps())


def test_the_first_start_with_an_index_goes_to_the_pictures_and_later_ones_stay(
    qt_loop: Any, run: Run, tmp_path: Path
) -> None:
    async def steps() -> None:
        await run.session(tmp_path / "Holiday")
        with write_transaction() as conn:
            conn.execute(
                text("UPDATE training_sessions SET total_images = 3, completed_images = 3")
            )
        task = run.begin()
        await qt_loop.until(lambda: run.window.current_page() == "pictures")
        run.window.show_page("sessions")
        await asyncio.sleep(0.7)  # a look at the sessions later
        assert run.window.current_page() == "sessions"
        run.window.close()
        assert await task == 0

    qt_loop.run(steps())


def test_every_control_has_a_name_to_be_read_out(qt_loop: Any, run: Run, tmp_path: Path) -> None:
    async def steps() -> None:
        await run.session(tmp_path / "Holiday")
        task = run.begin()
        await qt_loop.until(lambda: run.program.feed is not None)
        nameless: set[str] = set()
        for key in ("sessions", "pictures", "failed", "system"):
            run.window.show_page(key)
            await asyncio.sleep(0.7)
            nameless |= {
                f"{key}: {type(part).__name__} in {type(part.parent()).__name__}"
                for part in run.window.findChildren(QWidget)
                if part.isVisible()
                and part.focusPolicy() & Qt.FocusPolicy.TabFocus
                and not (part.accessibleName() or getattr(part, "text", str)())
                and not isinstance(part, (QTabBar, QScrollArea))
            }
        assert nameless == set()
        run.window.close()
        assert await task == 0

    qt_loop.run(steps())


def test_a_folder_that_is_dropped_begins_a_session(qt_loop: Any, run: Run, tmp_path: Path) -> None:
    async def steps() -> None:
        task = run.begin()
        await qt_loop.until(lambda: run.program.feed is not None)
        folder = tmp_path / "Holiday"
        folder.mkdir()
        data = QMimeData()
        data.setUrls([QUrl.fromLocalFile(str(folder))])
        action, button = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton
        key = Qt.KeyboardModifier.NoModifier
        enter = QDragEnterEvent(QPoint(400, 300), action, data, button, key)
        QApplication.sendEvent(run.window, enter)
        assert enter.isAccepted()
        drop = QDropEvent(QPointF(400, 300), action, data, button, key)
        QApplication.sendEvent(run.window, drop)
        (dialog,) = run.window.findChildren(NewSessionDialog)
        assert dialog.root == str(folder)
        dialog.reject()
        run.window.close()
        assert await task == 0

    qt_loop.run(steps())


def test_saved_settings_reach_a_new_worker(qt_loop: Any, run: Run) -> None:
    async def steps() -> None:
        task = run.begin()
        await qt_loop.until(lambda: "start" in run.runtime.calls)
        run.window.commands.settings.trigger()
        (dialog,) = run.window.findChildren(SettingsDialog)
        dialog.decoders.setValue(7)
        dialog.save_button.click()
        await qt_loop.until(lambda: "renew" in run.runtime.calls)
        assert get_settings().decode_threads == 7
        run.window.close()
        assert await task == 0

    qt_loop.run(steps())
