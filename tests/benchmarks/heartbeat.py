"""Measures how long an event loop handles nothing, and sees what it was doing meanwhile."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import time
from array import array
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
    """A time between two beats that was too long, in milliseconds."""

    ms: float
    computing_ms: float
    """Of it, what the thread was computing; the rest it waited, for the interpreter or a core."""
    collecting_ms: float
    """Of it, what Python's garbage collector took."""
    stacks: Counter[str]
    """What the thread did while the gap grew too long, and how often it was seen there."""

    def explained(self) -> str:
        """Its parts in words, and the places seen most often."""
        parts = (
            f"{self.ms:.0f} ms, of it {self.computing_ms:.0f} computing"
            f" and {self.collecting_ms:.0f} collecting garbage"
        )
        seen = (f"  seen {times} ×\n{stack}" for stack, times in self.stacks.most_common(2))
        return "\n".join([parts, *seen])


@dataclass(slots=True)
class Beats:
    """What was measured over some time; arrays, so that the collector has no work with it."""

    ms: array[float] = field(default_factory=lambda: array("d"))
    """From each beat to the next."""
    computing_ms: array[float] = field(default_factory=lambda: array("d"))
    late: list[Gap] = field(default_factory=list)


class Heartbeat(QObject):
    """Beats in the thread that makes it; another thread looks at that one when a beat is late."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.loop: asyncio.AbstractEventLoop | None = None
        """Where the thread runs one, its task is named in the stacks, too."""
        self._beats = Beats()
        self._beats_in = threading.get_ident()
        self._stacks: Counter[str] = Counter()
        self._stop = threading.Event()
        self._collecting_since = self._collected = 0.0
        gc.callbacks.append(self._note_collection)
        self._last, self._computed = time.perf_counter(), time.thread_time()
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._beat)
        self._timer.start(BEAT_MS)
        self._watch = threading.Thread(target=self._look, name="heartbeat", daemon=True)
        self._watch.start()

    def take(self) -> Beats:
        """The beats since the last time this was called."""
        taken, self._beats = self._beats, Beats()
        return taken

    def stop(self) -> None:
        """Beat no more."""
        self._timer.stop()
        gc.callbacks.remove(self._note_collection)
        self._stop.set()
        self._watch.join()

    def _beat(self) -> None:
        now, computed = time.perf_counter(), time.thread_time()
        ms, computing_ms = 1000 * (now - self._last), 1000 * (computed - self._computed)
        self._beats.ms.append(ms)
        self._beats.computing_ms.append(computing_ms)
        if ms > 1000 * LATE_S:
            self._beats.late.append(Gap(ms, computing_ms, 1000 * self._collected, self._stacks))
            self._stacks = Counter()
        self._collected = 0.0
        self._last, self._computed = now, computed

    def _note_collection(self, phase: str, _info: dict[str, int]) -> None:
        if phase == "start":
            self._collecting_since = time.perf_counter()
        else:
            self._collected += time.perf_counter() - self._collecting_since

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
        ours = [place for place in places[:-INNERMOST] if place.startswith("    app/")]
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
    return f"    {name}:{line or 0} {frame.f_code.co_name}"
