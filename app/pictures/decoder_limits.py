"""What one picture's process may take, and why it was lost."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from dataclasses import dataclass
from math import inf

import psutil

from app.api.error_kinds import ErrorKind
from app.pictures.decode import PictureError
from app.pictures.fork_server import Stopped

MOST_BETWEEN_LOOKS_S = 1.0
_MB = 1024**2


@dataclass(frozen=True, slots=True)
class Limits:
    """What one picture may take."""

    memory: int
    """Bytes of a process, beside the file itself, while others decode as well."""
    memory_alone: int
    """The same for a second try; there is one at a time."""
    processor_s: float = 60.0
    """Seconds of processor time: an idle computer and a busy one come to the same end."""
    wall_s: float = 600.0
    """Seconds on the clock, for a process that hardly gets any of the processor."""
    stalled_s: float = 20.0
    """Seconds without any progress of the processor time, after which it hangs."""


PATIENT = Limits(memory=0, memory_alone=0, processor_s=inf, wall_s=inf, stalled_s=inf)
"""A disk may take long to wake, and a network longer."""


def limits_for(processes: int, max_megapixels: int) -> Limits:
    """Limits that leave half of the memory to the rest of the computer.

    Args:
        processes: how many may decode at once.
        max_megapixels: size of the largest picture that is read.
    """
    budget = _memory() // 2
    scale = max(max_megapixels / 200, 1.0)
    alone = min(int(scale * 4096) * _MB, budget // 2)
    each = (budget - alone) // max(processes, 1)
    memory = max(256 * _MB, min(each, 1024 * _MB))
    return Limits(memory, alone, processor_s=scale * 60, wall_s=scale * 600)


def _memory() -> int:
    """Bytes of memory that this computer has, or this container may use."""
    total = int(psutil.virtual_memory().total)
    with contextlib.suppress(OSError, ValueError), open("/sys/fs/cgroup/memory.max") as file:
        total = min(total, int(file.read()))  # "max" where there is no limit
    return total


class LostDecoderError(PictureError):
    """The process that decoded is gone; perhaps for a reason that another try does not have."""


class KilledDecoderError(LostDecoderError):
    """Somebody killed it, and it was not the system for want of memory."""


class Usage:
    """What a process has used so far."""

    def __init__(self, process: int) -> None:
        self._id = process
        self._process: psutil.Process | None = None

    def __call__(self) -> tuple[float, int]:
        """Seconds of processor time, and bytes of memory now.

        Raises:
            psutil.Error: it has ended.
        """
        if self._process is None:
            self._process = psutil.Process(self._id)
        times = self._process.cpu_times()
        return times.user + times.system, self._process.memory_info().rss


class Watch:
    """Called now and then while a process works; raises once it has passed a limit."""

    def __init__(self, usage: Usage, limits: Limits, memory: int, stop: threading.Event) -> None:
        self._usage, self._limits, self._memory, self._stop = usage, limits, memory, stop
        self._looked = time.monotonic()
        self._waited_s = self._moved_s = 0.0
        self._first_s: float | None = None
        self._last_s = 0.0

    def __call__(self) -> None:
        if self._stop.is_set():
            raise Stopped
        now = time.monotonic()
        # a computer that sleeps, or a worker that was stopped, is no fault of the picture
        self._waited_s += min(now - self._looked, MOST_BETWEEN_LOOKS_S)
        self._looked = now
        try:
            used_s, memory = self._usage()
        except psutil.Error:  # its socket is about to tell
            return
        if memory > self._memory:
            raise LostDecoderError(
                ErrorKind.OUT_OF_MEMORY,
                f"Decoding takes more than {self._memory // _MB:,} MB of memory.",
            )
        self._check_time(used_s)

    def _check_time(self, used_s: float) -> None:
        limits = self._limits
        if self._first_s is None:  # it did other pictures before; what is before counts as theirs
            self._first_s = used_s
        if used_s > self._last_s:
            self._last_s, self._moved_s = used_s, self._waited_s
        if self._waited_s - self._moved_s > limits.stalled_s:
            raise LostDecoderError(
                ErrorKind.TOO_SLOW,
                f"The decoder made no progress for {limits.stalled_s:g} seconds.",
            )
        if used_s - self._first_s > limits.processor_s:
            raise _too_slow(limits.processor_s, "processor time")
        if self._waited_s > limits.wall_s:
            raise _too_slow(limits.wall_s, "time")


def _too_slow(seconds: float, of_what: str) -> PictureError:
    return PictureError(
        ErrorKind.TOO_SLOW, f"Decoding takes more than {seconds:g} seconds of {of_what}."
    )


def lost(code: int, *, for_memory: bool) -> LostDecoderError:
    """What to say of a process that has ended.

    Args:
        code: its exit code; a signal's number below zero where it was killed.
        for_memory: the system may have killed it because memory was short.
    """
    if code == -9:  # SIGKILL
        message = "The system killed the decoder of this picture, perhaps because memory was short."
        kind = LostDecoderError if for_memory else KilledDecoderError
        return kind(ErrorKind.OUT_OF_MEMORY, message)
    how = _signal_name(code) if code < 0 else f"exit code {code}"
    return LostDecoderError(ErrorKind.CORRUPT, f"The decoder crashed on this picture ({how}).")


def _signal_name(code: int) -> str:
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


def killed_for_memory() -> int | None:
    """How many processes the system has killed for want of memory; None where it does not tell."""
    with contextlib.suppress(OSError), open("/proc/vmstat", encoding="ascii") as file:
        for line in file:
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return None
