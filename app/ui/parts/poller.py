"""The one poller of the program: what pages show is asked for here, and nowhere else."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import shiboken6
from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtWidgets import QWidget

from app.errors import AppError

_log = logging.getLogger(__name__)
T = TypeVar("T")
END_WITHIN_S = 0.3

VISIBLE_MS = 500
HIDDEN_MS = 2_000


class Watch:
    """One thing that is asked for again and again; never twice at once."""

    def __init__(
        self,
        poller: Poller,
        fetch: Callable[[], Awaitable[Any]],
        deliver: Callable[[Any], None],
        owner: QWidget | None,
        every_s: float,
    ) -> None:
        self._poller = poller
        self._fetch = fetch
        self._deliver = deliver
        self._owner = owner
        self.every_s = every_s
        """At most this often, in seconds; 0 is every tick. May be changed at any time."""
        self._last = -math.inf
        self._again = False
        self._stopped = False
        self.task: asyncio.Task[None] | None = None
        self.problem = ""

    def stop(self) -> None:
        """Ask no more; an answer that is on its way is not delivered."""
        self._stopped = True
        self._poller.forget(self)

    def now(self) -> None:
        """Ask at once, or again when the answer under way has come."""
        if self._stopped:
            return
        if self.task is not None:
            self._again = True
        else:
            self._start()

    def tick(self) -> None:
        """Ask if it is time and somebody is looking."""
        if self._owner is not None and not shiboken6.isValid(self._owner):
            self.stop()
        elif (
            self.task is None
            and time.monotonic() - self._last >= self.every_s
            and (self._owner is None or self._owner.isVisible())
        ):
            self._start()

    def _start(self) -> None:
        self._last = time.monotonic()
        self.task = self._poller.track(asyncio.ensure_future(self._run()))

    async def _run(self) -> None:
        try:
            result = await self._fetch()
            if not self._stopped and (self._owner is None or shiboken6.isValid(self._owner)):
                self._deliver(result)
            self._set_problem("")
        except AppError as error:
            if str(error) != self.problem:  # the same failure twice a second is logged once
                _log.warning("a refresh failed: %s", error, exc_info=error.__cause__)
            self._set_problem(str(error))
        except Exception:  # noqa: BLE001 — one bad refresh must not end the polling
            if not self.problem:
                _log.exception("a refresh failed")
            self._set_problem("The display could not be refreshed; see the log.")
        finally:
            self.task = None
        if self._again and not self._stopped:
            self._again = False
            self._start()

    def _set_problem(self, problem: str) -> None:
        if problem != self.problem:
            self.problem = problem
            self._poller.report()


class Poller(QObject):
    """Ticks twice a second while the window is seen, and more slowly while it is not."""

    problem = Signal(str)
    """A sentence for the status line; empty when all is well again."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._watches: list[Watch] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._tick)
        self._timer.setInterval(VISIBLE_MS)

    def start(self) -> None:
        """Begin, with a first look at once."""
        self._timer.start()
        self._tick()

    @property
    def interval(self) -> int:
        """Milliseconds between two ticks."""
        return self._timer.interval()

    def set_window_visible(self, visible: bool) -> None:
        """Slow down while nobody can see the window; catch up at once when it is back."""
        interval = VISIBLE_MS if visible else HIDDEN_MS
        if interval != self._timer.interval():
            self._timer.setInterval(interval)
            if visible and self._timer.isActive():
                self._tick()

    def watch(
        self,
        fetch: Callable[[], Awaitable[T]],
        deliver: Callable[[T], None],
        *,
        owner: QWidget | None = None,
        every_s: float = 0.0,
    ) -> Watch:
        """Call ``deliver`` with what ``fetch`` returns, at every tick.

        Args:
            owner: only while this widget is visible, and no longer than it lives.
            every_s: at most this often; 0 is every tick.
        """
        watch = Watch(self, fetch, deliver, owner, every_s)
        self._watches.append(watch)
        if self._timer.isActive():
            watch.tick()
        return watch

    def forget(self, watch: Watch) -> None:
        """Take a watch off the list; ``Watch.stop`` calls this."""
        if watch in self._watches:
            self._watches.remove(watch)
            self.report()

    def track(self, task: asyncio.Task[None]) -> asyncio.Task[None]:
        """Have ``close`` wait for a task, also if its watch was stopped meanwhile."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def report(self) -> None:
        """Say what fails at the moment."""
        problems = [watch.problem for watch in self._watches if watch.problem]
        self.problem.emit(problems[0] if problems else "")

    async def close(self) -> None:
        """Stop asking, and wait until nothing is under way."""
        self._timer.stop()
        for watch in list(self._watches):
            watch.stop()
        tasks = list(self._tasks)
        if tasks:  # a connection that is cut off while it opens would leave its thread behind
            await asyncio.wait(tasks, timeout=END_WITHIN_S)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=END_WITHIN_S)

    def _tick(self) -> None:
        for watch in list(self._watches):
            watch.tick()
