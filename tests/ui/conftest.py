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
from collections.abc import Iterator
from typing import Any

import pytest
from loop import QtLoop
from PySide6.QtCore import QCoreApplication, QEvent
from PySide6.QtWidgets import QApplication

from app.ui.shell.event_loop import make_loop

ENDS_WITHIN_S = 5.0


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
    if ending := [task for task in runner.left_over() if task.cancelling()]:
        runner.run(asyncio.wait(ending, timeout=ENDS_WITHIN_S))  # slow beside others
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
    own = set(threading.enumerate()) - before
    for thread in own:
        thread.join(ENDS_WITHIN_S)  # one that has just been told to end is about to
    threads = [thread.name for thread in own if thread.is_alive()]
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
