"""The window's life after its first paint: open, serve, close. Builds nothing itself."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from app.errors import AppError
from app.ui.parts import words
from app.ui.parts.actions import ActionRunner
from app.ui.parts.error_dialog import install_handlers
from app.ui.parts.poller import Poller
from app.ui.shell.close_dialog import CloseDialog
from app.ui.shell.sessions_feed import SessionsFeed
from app.ui.shell.task_bar import TaskBar
from app.ui.shell.tray import Tray
from app.ui.shell.window import MainWindow

if TYPE_CHECKING:
    from app.api.training_schemas import Progress, SystemStatus
    from app.runtime.supervisor import RuntimeStatus
    from app.services.backend import Backend

_log = logging.getLogger(__name__)

STOP_WITHIN_S = 1.4
CLOSE_WITHIN_S = 0.2
"""For what is given back at the end: connections; the system takes back what is stuck."""
SYSTEM_EVERY_S = 2.0
STARTING_RUNTIME = "Starting the indexing process…"


class Runtime(Protocol):
    """What this module needs of the supervisor; only ``stop`` takes its time."""

    def start(self) -> None: ...

    def status(self) -> RuntimeStatus: ...

    def renew_worker(self) -> None: ...

    def stop(self, timeout: float) -> None: ...


@dataclass(frozen=True, slots=True)
class ProgramHooks:
    """What the composition root hands over; all of it is heavy, so it is built when called."""

    open_backend: Callable[[], Backend]
    """Read the settings, bring the ledger up to date; runs in a thread."""
    close_backend: Callable[[], Awaitable[None]]
    make_runtime: Callable[[], Runtime]
    add_pages: Callable[[MainWindow, Backend, ActionRunner, Poller], SessionsFeed]
    """Build the pages and put them into the window; in the window's thread."""
    end_in_time: Callable[[], None] = lambda: None
    """Called when the end begins: whatever is stuck, the process ends soon."""


class Program:
    """One run of the window."""

    def __init__(self, window: MainWindow, tray: Tray, hooks: ProgramHooks) -> None:
        self.window, self.tray, self._hooks = window, tray, hooks
        self.poller = Poller(window)
        self.runner = ActionRunner(window)
        self.task_bar = TaskBar()
        self.feed: SessionsFeed | None = None
        self._backend: Backend | None = None
        self._runtime: Runtime | None = None
        self._queue_ready = asyncio.Event()
        self._ended = asyncio.Event()
        window.closing.connect(self._asked_to_close)
        window.seen.connect(self.poller.set_window_visible)
        window.settings_saved.connect(self._renew_worker)
        tray.open_asked.connect(self.come_forward)
        tray.quit_asked.connect(self._asked_to_close)
        self.poller.problem.connect(window.status.set_problem)
        self.poller.set_window_visible(window.isVisible())

    async def run(self) -> int:
        """Everything from the first paint to the end; the exit code."""
        install_handlers(self.window, asyncio.get_running_loop())
        try:
            opened = await self._open()
            await self._ended.wait()
        finally:
            await self._close()
        return 0 if opened else 1

    def end(self) -> None:
        """Stop without asking: the system is shutting down, or all is settled."""
        self._ended.set()

    def come_forward(self) -> None:
        """Show the window again."""
        self.tray.hide()
        self.window.come_forward()

    # Opening

    async def _open(self) -> bool:
        try:
            backend = await asyncio.to_thread(self._hooks.open_backend)
            self._backend = self.runner.backend = backend
            self.feed = self._hooks.add_pages(self.window, backend, self.runner, self.poller)
        except Exception as error:  # noqa: BLE001 — whatever it is, the window says so and stays
            self._show_start_error(error)
            return False
        gc.freeze()  # what is loaded stays; to look through it again would stall the window
        self._connect_feed(self.feed)
        self.poller.watch(self._look_at_system, self._show_system, every_s=SYSTEM_EVERY_S)
        self.poller.start()
        self.runner.run(None, self._start_runtime)
        return True

    def _show_start_error(self, error: Exception) -> None:
        from app.logs import log_app_error, log_unforeseen

        if isinstance(error, AppError):
            log_app_error(problem := error)
        else:
            problem = log_unforeseen(error)
        self.window.show_message("warning-circle", problem.message, problem.hint)
        self.window.status.set_problem("Afterimage could not start.")

    def _connect_feed(self, feed: SessionsFeed) -> None:
        feed.progressed.connect(self._show_progress)
        feed.ended.connect(self._announce)

    async def _start_runtime(self) -> None:
        """Start queue and worker, then go on with what was interrupted."""
        self.window.status.set_runtime(STARTING_RUNTIME)
        self._runtime = runtime = self._hooks.make_runtime()
        self.poller.watch(self._look_at_runtime, self.window.status.set_runtime)
        runtime.start()
        await self._queue_ready.wait()
        gc.freeze()
        await self._resume()

    def _renew_worker(self) -> None:
        if self._runtime is not None:
            self._runtime.renew_worker()

    async def _resume(self) -> None:
        assert self._backend is not None
        async with self._backend.db() as db:
            resumed = await self._backend.training.resume_interrupted(db)
            if len(resumed) == 1:
                progress = await self._backend.training.get_session_progress(db, resumed[0])
                self.window.status.show_message(_resumed_at(progress.progress))
            elif resumed:
                self.window.status.show_message(f"Resumed {len(resumed)} sessions.")

    # Looking

    async def _look_at_system(self) -> SystemStatus:
        assert self._backend is not None
        async with self._backend.db() as db:
            return await self._backend.system.status(db)

    def _show_system(self, status: SystemStatus) -> None:
        self.window.status.set_system(status)

    async def _look_at_runtime(self) -> str:
        assert self._runtime is not None
        status = self._runtime.status()
        if status.redis == "ready":
            self._queue_ready.set()
        return status.message

    def _show_progress(self, percentage: object, name: str) -> None:
        share = float(percentage) if isinstance(percentage, (int, float)) else None
        self.window.set_progress(share, name)
        self.window.status.set_indexing(share is not None)
        self.task_bar.show(share)
        self.tray.set_tip(self.window.windowTitle())

    def _announce(self, title: str, text: str) -> None:
        if not self.window.isActiveWindow():
            self.tray.notify(title, text)
        self.window.status.show_message(f"{title} {text}")

    # Closing

    def _asked_to_close(self) -> None:
        names = self.feed.running_names() if self.feed is not None else []
        if not names:
            self.end()
            return
        if self.window.isHidden():
            self.come_forward()
        if self.window.findChild(CloseDialog) is not None:
            return
        dialog = CloseDialog(self.window, names, tray_available=self.tray.available())
        dialog.tray.connect(self._go_to_tray)
        dialog.pause_and_quit.connect(self._pause_and_quit)
        dialog.open()

    def _go_to_tray(self) -> None:
        self.tray.show()
        self.window.hide()

    def _pause_and_quit(self) -> None:
        assert self.feed is not None
        backend, running = self._backend, self.feed.running_ids()
        assert backend is not None

        async def pause() -> None:
            for session_id in running:
                async with backend.db() as db:
                    await backend.training.pause(db, session_id)

        self.runner.run(None, pause, done=lambda _: self.end())

    async def _close(self) -> None:
        """Let the worker finish what it has in hand; nothing is lost if it does not."""
        self._hooks.end_in_time()
        self.window.show_message(
            "hourglass", "Finishing the current pictures…", "Afterimage will close in a moment."
        )
        stopped = self._stop_runtime()
        await self.poller.close()
        await self.runner.close()
        await stopped
        if self._backend is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._hooks.close_backend(), CLOSE_WITHIN_S)
        self.task_bar.show(None)
        self.tray.hide()
        self.window.let_close()

    def _stop_runtime(self) -> asyncio.Future[None]:
        """Begin to stop the processes, in a thread of its own: the helpers may all be stuck."""
        loop = asyncio.get_running_loop()
        stopped: asyncio.Future[None] = loop.create_future()
        runtime = self._runtime
        if runtime is None:
            stopped.set_result(None)
            return stopped

        def stop() -> None:
            try:
                runtime.stop(STOP_WITHIN_S)
            except Exception:  # noqa: BLE001 — the window closes whatever this was
                _log.exception("the processes did not stop")
            loop.call_soon_threadsafe(stopped.set_result, None)

        threading.Thread(target=stop, name="stop", daemon=True).start()
        return stopped


def _resumed_at(progress: Progress) -> str:
    return f"Resumed at {words.count(progress.current)} of {words.count(progress.total)}."
