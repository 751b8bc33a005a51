"""Measures how long an event loop handles nothing, and sees what it was doing meanwhile."""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field

from PySide6.QtCore import QObject, Qt, QTimer

BEAT_MS = 5
LATE_S = 0.05
LOOK_EVERY_S = 0.01
LINES_OF_STACK = 12


@dataclass(slots=True)
class Gap:
    """The time between two beats, and what part of it the window's thread was computing."""

    ms: float
    computing_ms: float
    stacks: Counter[str] = field(default_factory=Counter)
    """What the thread did while the gap grew too long, and how often it was seen there."""


class Heartbeat(QObject):
    """Beats in the thread that makes it; another thread looks at that one when a beat is late.

    A stall that is not computing is a wait: for the interpreter lock, or for the processor.
    """

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._gaps: list[Gap] = []
        self._beats_in = threading.get_ident()
        self._stacks: Counter[str] = Counter()
        self._stop = threading.Event()
        self._last, self._computed = time.perf_counter(), time.thread_time()
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._beat)
        self._timer.start(BEAT_MS)
        self._watch = threading.Thread(target=self._look, name="heartbeat", daemon=True)
        self._watch.start()

    def take(self) -> list[Gap]:
        """The gaps since the last time this was called."""
        taken, self._gaps = self._gaps, []
        return taken

    def stop(self) -> None:
        """Beat no more."""
        self._timer.stop()
        self._stop.set()
        self._watch.join()

    def _beat(self) -> None:
        now, computed = time.perf_counter(), time.thread_time()
        stacks, self._stacks = self._stacks, Counter()
        self._gaps.append(
            Gap(1000 * (now - self._last), 1000 * (computed - self._computed), stacks)
        )
        self._last, self._computed = now, computed

    def _look(self) -> None:
        while not self._stop.wait(LOOK_EVERY_S):
            if time.perf_counter() - self._last > LATE_S:
                frame = sys._current_frames()[self._beats_in]
                stack = traceback.format_stack(frame)[-LINES_OF_STACK:]
                self._stacks["".join(stack)] += 1
