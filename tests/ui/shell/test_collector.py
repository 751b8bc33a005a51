"""Garbage is collected in the window's thread, and only there."""

from __future__ import annotations

import gc
import threading
from typing import Any

from PySide6.QtCore import QTimer

from app.ui.shell.collector import Collector


class Knot:
    """Garbage that only the collector finds; it notes the thread in which it dies."""

    died_in: threading.Thread | None = None

    def __init__(self) -> None:
        self.myself = self

    def __del__(self) -> None:
        Knot.died_in = threading.current_thread()


def test_garbage_of_a_busy_helper_thread_dies_in_the_windows_thread(qapp: Any, qtbot: Any) -> None:
    collector = Collector()
    collector.start()

    def allocate() -> None:
        Knot()
        for _ in range(50):
            [[] for _ in range(2_000)]  # far past what makes Python collect by itself
        kept.extend([] for _ in range(5_000))

    kept: list[list[int]] = []
    helper = threading.Thread(target=allocate)
    helper.start()
    helper.join()
    assert Knot.died_in is None
    qtbot.waitUntil(lambda: Knot.died_in is threading.main_thread(), timeout=5_000)
    collector.stop()
    assert gc.isenabled()


def test_it_leaves_no_timer_running(qapp: Any) -> None:
    collector = Collector()
    collector.start()
    collector.stop()
    assert not any(timer.isActive() for timer in collector.findChildren(QTimer))
