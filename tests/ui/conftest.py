"""An event loop for window tests, and the real services on a real ledger.

A window test is a plain function; what it awaits runs through ``qt_loop``::

    def test_it_starts(qt_loop, backend, qtbot):
        async def steps() -> None:
            page.start_button.click()
            await qt_loop.until(lambda: page.state() == "running")

        qt_loop.run(steps())
"""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

import pytest
from PySide6.QtCore import QCoreApplication, QEvent
from PySide6.QtWidgets import QApplication

from app.ui.shell.event_loop import make_loop

T = TypeVar("T")


class QtLoop:
    """Runs coroutines on one loop that also serves Qt."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def run(self, work: Coroutine[Any, Any, T], timeout: float = 20.0) -> T:
        """Wait for a coroutine; Qt's events are handled meanwhile."""
        return self._loop.run_until_complete(asyncio.wait_for(work, timeout))

    @staticmethod
    async def until(condition: Callable[[], object], within: float = 10.0) -> None:
        """Wait until ``condition()`` holds."""
        end = time.monotonic() + within
        while not condition():
            assert time.monotonic() < end, "it did not come true in time"
            await asyncio.sleep(0.01)

    def left_over(self) -> list[asyncio.Task[Any]]:
        return [task for task in asyncio.all_tasks(self._loop) if not task.done()]


@pytest.fixture(autouse=True)
def collected_here() -> Iterator[None]:
    """Qt objects die in the window's thread, as in the program; see ``app.ui.shell.collector``."""
    gc.collect()
    gc.freeze()  # what was there before need not be looked through again
    gc.disable()
    yield
    gc.collect()
    gc.enable()


@pytest.fixture
def qt_loop(qapp: QApplication) -> Iterator[QtLoop]:
    """A loop of the test's own; a task or thread that outlives the test fails it."""
    before = set(threading.enumerate())
    qapp.setQuitOnLastWindowClosed(False)  # as in the program: the loop ends when it is told to
    loop = make_loop(qapp)
    asyncio.set_event_loop(loop)
    runner = QtLoop(loop)
    yield runner
    left = [repr(task) for task in runner.left_over()]
    for task in runner.left_over():
        task.cancel()
    runner.run(asyncio.sleep(0))
    for widget in qapp.topLevelWidgets():
        widget.close()
        widget.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    loop.close()
    asyncio.set_event_loop(None)
    assert not left, f"tasks left running: {left}"
    threads = [thread.name for thread in set(threading.enumerate()) - before if thread.is_alive()]
    assert not threads, f"threads left running: {threads}"


@pytest.fixture
def backend(qt_loop: QtLoop) -> Iterator[Any]:
    """The real services on a fresh SQLite ledger; no queue is running."""
    from ledgers import fresh_ledger

    from app.db.engine import close_engines
    from app.services.backend import Backend

    fresh_ledger()
    yield Backend()
    qt_loop.run(close_engines())
