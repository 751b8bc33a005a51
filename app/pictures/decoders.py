"""Decoding in processes of their own, which may hang, crash or swell: it costs that one picture.

Whoever has something to decode takes a process that is free, or a new one, hands it the file's path
or content and waits. Each process has bounds of time and memory; one that passes them, or dies, is
replaced. What was lost with it is tried once more, with nothing else at risk and with far more
memory. See ``docs/decisions``.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import inf
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar

import psutil

from app.api.error_kinds import ErrorKind
from app.config import get_settings
from app.pictures.decode import DecodedPicture, FileContent, PictureError, PixelSpec
from app.pictures.decoder_process import decode_read, read, receive, send
from app.pictures.files import MAX_FILE_SIZE
from app.pictures.fork_server import LOOK_EVERY_S, ForkServer, Spawner, Starter, Stopped

T = TypeVar("T")
P = ParamSpec("P")

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


_PATIENT = Limits(memory=0, memory_alone=0, processor_s=inf, wall_s=inf, stalled_s=inf)
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


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """How a task ended."""

    value: T | None
    error: PictureError | None
    ms: float
    """Processor time that it took, in milliseconds; where its process was lost, time passed."""

    def result(self) -> T:
        """What the function returned.

        Raises:
            PictureError: the picture's failure; with TOO_SLOW, OUT_OF_MEMORY, CORRUPT for a crash,
                and INTERNAL with a trace as a note for what nobody foresaw.
        """
        if self.error is not None:
            raise self.error
        return self.value  # type: ignore[return-value]


class Decoders:
    """Processes that decode, for any number of threads; none is started before it is needed.

    Args:
        limits: what one picture may take.
        stop: once it is set, whoever waits gets :class:`Stopped`.
    """

    def __init__(
        self, limits: Limits, stop: threading.Event, starter: Starter | None = None
    ) -> None:
        self._limits = limits
        self._stop = stop
        if starter is None:
            memory = limits.memory_alone
            forks = sys.platform != "win32"
            starter = ForkServer(stop, "decoder", str(memory)) if forks else Spawner(memory)
        self._starter = starter
        self._lock = threading.Lock()
        self._free: defaultdict[int, list[_Decoder]] = defaultdict(list)
        self._alone = threading.Lock()

    def read(self, niceness: int, path: str) -> OpenFile:
        """Have a process read a file, as :func:`app.pictures.files.read_file` does.

        It waits for the disk, however long that takes, and is the caller's until the result is
        closed.

        Raises:
            PictureError: the file cannot be read.
            Stopped: the worker is to end.
            AppError: no process can be started.
        """
        for attempt in range(2):
            decoder = self._take(niceness)
            look = _Watch(decoder.usage, _PATIENT, MAX_FILE_SIZE + self._limits.memory, self._stop)
            done: Done[FileContent] = self._do(decoder, (read, (path,)), b"", look)
            if attempt or not isinstance(done.error, LostDecoderError):
                break  # killed by somebody else while it read: once more
        if done.error is not None:
            self._put_back(niceness, decoder)
        return OpenFile(self, niceness, decoder, path, done.result())

    def run(
        self,
        niceness: int,
        function: Callable[Concatenate[bytes, P], T],
        data: bytes,
        *args: P.args,
        **_kwargs: P.kwargs,
    ) -> Done[T]:
        """Call a function of a module in a process, within the limits.

        Args:
            niceness: steps of the process behind this one.
            data: its first argument, which may be large.
            args: the others.

        Raises:
            Stopped: the worker is to end.
            AppError: no process can be started.
        """
        done: Done[T] = self._try(niceness, (function, args), data, self._limits.memory)
        if not _is_worth_another_try(done.error):
            return done
        return self._again_alone(niceness, (function, args), data, 0)

    def prepare(self) -> None:
        """Load the libraries while something else is done, and with the niceness of this thread."""
        self._starter.prepare()

    def rest(self) -> None:
        """End the processes that have nothing to do, and give their memory back."""
        with self._lock:
            free = [decoder for decoders in self._free.values() for decoder in decoders]
            self._free.clear()
        for decoder in free:
            decoder.end(self._starter)

    def close(self) -> None:
        """End all processes."""
        with self._lock:
            free = [decoder for decoders in self._free.values() for decoder in decoders]
            self._free.clear()
        for decoder in free:
            decoder.channel.close()
        self._starter.close()

    def _try(self, niceness: int, task: object, data: bytes, memory: int) -> Done[T]:
        decoder = self._take(niceness)
        look = _Watch(decoder.usage, self._limits, memory + len(data), self._stop)
        done: Done[T] = self._do(decoder, task, data, look)
        self._put_back(niceness, decoder)
        return done

    def _again_alone(self, niceness: int, task: object, data: bytes, size: int) -> Done[T]:
        """A second try, with far more memory beside ``size`` bytes of a file."""
        self.rest()  # whatever ended one process may have ended the others, too
        with self._slot_alone():
            return self._try(niceness, task, data, self._limits.memory_alone + size)

    def _do(self, decoder: _Decoder, task: object, data: bytes, look: _Watch) -> Done[T]:
        began = time.perf_counter()
        try:
            value, error, ms = decoder.do(task, data, look)
        except PictureError as lost:
            decoder.end(self._starter)
            return Done(None, lost, (time.perf_counter() - began) * 1000)
        except (EOFError, OSError):
            code = decoder.end(self._starter)
            return Done(None, _lost(code), (time.perf_counter() - began) * 1000)
        except BaseException:  # stopped, or out of time: nobody wants the answer any more
            decoder.end(self._starter)
            raise
        return Done(value, error, ms)

    def _put_back(self, niceness: int, decoder: _Decoder) -> None:
        if not decoder.ended:
            with self._lock:
                self._free[niceness].append(decoder)

    def _take(self, niceness: int) -> _Decoder:
        if self._stop.is_set():
            raise Stopped
        while True:
            with self._lock:
                free = self._free[niceness]
                decoder = free.pop() if free else None
            if decoder is None:
                return _Decoder(self._starter, niceness)
            if decoder.is_there():
                return decoder
            decoder.end(self._starter)  # while it had nothing to do; no picture is to blame

    @contextlib.contextmanager
    def _slot_alone(self) -> Iterator[None]:
        while not self._alone.acquire(timeout=LOOK_EVERY_S):
            if self._stop.is_set():
                raise Stopped
        try:
            yield
        finally:
            self._alone.release()


class OpenFile:
    """A file that a process has read; to be closed by the one thread that uses it.

    Attributes:
        content: the file, without its data.
    """

    def __init__(
        self, decoders: Decoders, niceness: int, decoder: _Decoder, path: str, content: FileContent
    ) -> None:
        self._decoders, self._niceness, self._decoder = decoders, niceness, decoder
        self._path, self.content = path, content

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._decoders._put_back(self._niceness, self._decoder)

    def decode(self, spec: PixelSpec, max_megapixels: int) -> Done[DecodedPicture]:
        """:func:`app.pictures.decode.decode`, within the limits.

        Raises:
            Stopped: the worker is to end.
            AppError: no process can be started.
        """
        decoders, size = self._decoders, self.content.size
        task = (decode_read, (self._path, self.content.sha256, spec, max_megapixels))
        limits = decoders._limits
        look = _Watch(self._decoder.usage, limits, limits.memory + size, decoders._stop)
        done: Done[DecodedPicture] = decoders._do(self._decoder, task, b"", look)
        if not _is_worth_another_try(done.error):
            return done
        self._decoder.end(decoders._starter)
        return decoders._again_alone(self._niceness, task, b"", size)


class _Decoder:
    """One process, and this side of its socket."""

    ended = False

    def __init__(self, starter: Starter, niceness: int) -> None:
        self.channel, theirs = socket.socketpair()
        self.channel.settimeout(LOOK_EVERY_S)
        try:
            with theirs:
                self.process = starter.start(theirs, niceness)
        except BaseException:
            self.channel.close()
            raise
        self.usage = _Usage(self.process)

    def do(
        self, task: object, data: bytes, look: Callable[[], None]
    ) -> tuple[Any, PictureError | None, float]:
        send(self.channel, task, data, look)
        done: tuple[Any, PictureError | None, float] = receive(self.channel, look)[0]
        return done

    def is_there(self) -> bool:
        """Whether it waits for a task; one that ended has closed its socket."""
        readable, _, _ = select.select([self.channel], [], [], 0)
        return not readable

    def end(self, starter: Starter) -> int:
        """Kill it unless that was done; the exit code that it had, or has now."""
        if self.ended:
            return -signal.SIGKILL
        self.ended = True
        self.channel.close()
        return starter.end(self.process)


class _Usage:
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


class _Watch:
    """Called now and then while a process works; raises once it has passed a limit."""

    def __init__(self, usage: _Usage, limits: Limits, memory: int, stop: threading.Event) -> None:
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


def _is_worth_another_try(error: PictureError | None) -> bool:
    return error is not None and (
        isinstance(error, LostDecoderError) or error.kind is ErrorKind.OUT_OF_MEMORY
    )


def _lost(code: int) -> LostDecoderError:
    if code == -9:  # SIGKILL
        message = "The system killed the decoder of this picture, perhaps because memory was short."
        return LostDecoderError(ErrorKind.OUT_OF_MEMORY, message)
    how = _signal_name(code) if code < 0 else f"exit code {code}"
    return LostDecoderError(ErrorKind.CORRUPT, f"The decoder crashed on this picture ({how}).")


def _signal_name(code: int) -> str:
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


def decode_threads() -> int:
    """How many pictures of a session are decoded at once."""
    return get_settings().decode_threads or usable_processors()


def usable_processors() -> int:
    """How many processors this process may run on."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
