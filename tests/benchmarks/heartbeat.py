"""Measures how long an event loop handles nothing, and sees what it was doing meanwhile."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from PySide6.QtCore import QObject, Qt, QTimer

BEAT_MS = 5
LATE_S = 0.05
LOOK_EVERY_S = 0.01
INNERMOST = 3
"""Frames of libraries that are shown; further out, only the program's own are."""
ROOT = Path(__file__).parents[2]


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
        self.loop: asyncio.AbstractEventLoop | None = None
        """Where the thread runs one, its task is named in the stacks, too."""
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
                self._stacks[self._whereabouts()] += 1

    def _whereabouts(self) -> str:
        """The program's frames, first those of the task at work; libraries only at the end."""
        frame = sys._current_frames()[self._beats_in]
        task = asyncio.current_task(self.loop) if self.loop is not None else None
        frames = [*(_awaited(task.get_coro()) if task else ()), *reversed(list(_calls(frame)))]
        places = [_place(*item) for item in frames]
        ours = [place for place in places[:-INNERMOST] if place.startswith("  app/")]
        return "\n".join(dict.fromkeys([*ours, *places[-INNERMOST:]]))


def _calls(frame: FrameType | None) -> Iterator[tuple[FrameType, int]]:
    """From the innermost call outwards, with the line that each has reached."""
    while frame is not None:
        yield frame, frame.f_lineno
        frame = frame.f_back


def _awaited(coroutine: Any) -> Iterator[tuple[FrameType, int]]:
    """A task's coroutine and what it awaits: a greenlet hides them from the thread's stack."""
    while (frame := getattr(coroutine, "cr_frame", None)) is not None:
        yield frame, frame.f_lineno
        coroutine = coroutine.cr_await


def _place(frame: FrameType, line: int) -> str:
    path = Path(frame.f_code.co_filename)
    inside = path.is_relative_to(ROOT / "app")
    name = path.relative_to(ROOT).as_posix() if inside else "/".join(path.parts[-3:])
    return f"  {name}:{line or 0} {frame.f_code.co_name}"
