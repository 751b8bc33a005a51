"""The composition root of the window: the one place that builds things and hands them on.

The window is painted first; what takes long to import (SQLAlchemy, pydantic, Redis, the pages)
comes after that, in functions. A second start only brings the first window to the front.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from importlib import import_module
from typing import TYPE_CHECKING

from PySide6.QtCore import QSettings, QTimer
from PySide6.QtWidgets import QApplication

from app.ui.parts.theme import app_icon, theme
from app.ui.shell.paths import instance_name, window_settings
from app.ui.shell.qt_messages import take_messages
from app.ui.shell.single_instance import SingleInstance
from app.ui.shell.tray import Tray
from app.ui.shell.window import TITLE, MainWindow

if TYPE_CHECKING:
    from app.services.backend import Backend
    from app.ui.parts.actions import ActionRunner
    from app.ui.parts.poller import Poller
    from app.ui.shell.program import Program, Runtime
    from app.ui.shell.sessions_feed import SessionsFeed

PAINT_WITHIN_S = 0.5


def run_window(path: str = "", *, in_tray: bool = False) -> int:
    """Show the window and serve it until it is closed; the exit code.

    Args:
        path: a folder or picture that a person opens with the program.
        in_tray: begin without it, as an icon in the tray; minimised where there is no tray.
    """
    take_messages()
    app = make_application()
    instance = SingleInstance(instance_name(), path)
    if not instance.claim():
        return 0
    window = MainWindow(memory())
    window.setWindowIcon(app_icon())
    tray = Tray(window, app_icon())
    window.path = path
    instance.raised.connect(tray.open_asked)
    instance.given.connect(window.path_given)
    if not in_tray:
        window.show()
        paint(app, window)
    elif tray.available():
        tray.show()
    else:
        window.showMinimized()
    try:
        return _serve(app, window, tray, instance)
    except Exception as error:  # noqa: BLE001 — a window never closes without a word
        _show_last_error(error)
        return 1
    finally:
        instance.release()
        window.deleteLater()
        app.processEvents()


def make_application() -> QApplication:
    """The application, or the one there is already."""
    present = QApplication.instance()
    app = present if isinstance(present, QApplication) else QApplication(sys.argv[:1])
    app.setApplicationName(TITLE)
    app.setDesktopFileName("afterimage")
    theme()  # fonts and colours are there before the first widget
    app.setQuitOnLastWindowClosed(False)  # hidden in the tray is not closed
    return app


def memory() -> QSettings:
    """Where the window remembers its place, columns and colours."""
    return QSettings(str(window_settings()), QSettings.Format.IniFormat)


def paint(app: QApplication, window: MainWindow) -> None:
    """Handle events until the window is on the screen, for a moment at most."""
    end = time.monotonic() + PAINT_WITHIN_S
    while not window.painted and time.monotonic() < end:
        app.processEvents()


def _serve(app: QApplication, window: MainWindow, tray: Tray, instance: SingleInstance) -> int:
    from app.ui.shell.collector import Collector
    from app.ui.shell.event_loop import left_behind, make_loop
    from app.ui.shell.program import Program, ProgramHooks

    loop = make_loop(app)
    collector = Collector()
    collector.start()
    code = 1
    try:

        def end() -> None:
            instance.leave()
            end_in_time()

        hooks = ProgramHooks(open_backend, close_backend, make_runtime, add_pages, end)
        program = Program(window, tray, hooks)
        _end_on_signals(program)
        code = loop.run_until_complete(program.run())
    finally:
        loop.close()
        collector.stop()
        if code == 0 and (stuck := left_behind()):
            # Python would wait for them, and they wait for something that never comes
            logging.getLogger(__name__).warning("left behind: %s", [item.name for item in stuck])
            logging.shutdown()
            os._exit(code)
    return code


def _show_last_error(error: Exception) -> None:
    """The window cannot go on: a dialog says so, and waits until it is read."""
    from app.logs import log_unforeseen
    from app.ui.parts.error_dialog import ErrorDialog, details_of

    problem = log_unforeseen(error)
    ErrorDialog(None, problem.message, problem.hint, details_of(error)).exec()


def _end_on_signals(program: Program) -> None:
    """Close in order when the system or the terminal asks to; sessions go on at the next start."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda _number, _frame: program.end())


def end_in_time() -> None:
    """Called when the window is to end: that happens soon, whatever is stuck meanwhile."""
    from app.runtime.ending import END_WITHIN_S, leave_within

    leave_within(END_WITHIN_S, 0)


# What is heavy: called after the first paint


def open_backend() -> Backend:
    """Settings, logs, an up-to-date ledger and the services; runs in a thread.

    Raises:
        AppError: a setting, the data folder or the ledger does not allow a start.
    """
    from app.config import check_settings
    from app.db.migrate import migrate
    from app.logs import set_up_logs
    from app.services.backend import Backend

    check_settings()
    set_up_logs("window")
    migrate()
    for module in ("app.ui.shell.pages", "app.runtime.supervisor", "app.queue.reconcile"):
        import_module(module)  # here, so that the window does not wait for it later
    return Backend()


async def close_backend() -> None:
    """Give back what ``open_backend`` and the services opened."""
    import asyncio

    from app.db.engine import close_engines
    from app.queue.connection import close_redis

    await asyncio.to_thread(close_redis)
    await close_engines()


def make_runtime() -> Runtime:
    """The supervisor of queue and worker; what a dead worker held is taken back at once."""
    from app.queue.reconcile import reconcile
    from app.runtime.supervisor import Supervisor

    return Supervisor(lambda worker: reconcile([worker]))


def add_pages(
    window: MainWindow, backend: Backend, runner: ActionRunner, poller: Poller
) -> SessionsFeed:
    """Build every page and put it into the window."""
    import asyncio

    from app.services.upgrades import take_upgrade
    from app.ui.shell.pages import Pages

    pages = Pages(window, backend, runner, poller)
    runner.run(None, lambda: asyncio.to_thread(take_upgrade, "window"), done=pages.say_upgraded)
    if window.path:
        QTimer.singleShot(0, pages, lambda: pages.open(window.path))
    return pages.feed
