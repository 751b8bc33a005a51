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
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar

from app.api.error_kinds import ErrorKind
from app.config import get_settings
from app.pictures.decode import DecodedPicture, FileContent, PictureError, PixelSpec
from app.pictures.decoder_limits import (
    PATIENT,
    KilledDecoderError,
    Limits,
    LostDecoderError,
    Usage,
    Watch,
    killed_for_memory,
    lost,
)
from app.pictures.decoder_process import decode_read, read, receive, send
from app.pictures.files import MAX_FILE_SIZE
from app.pictures.fork_server import LOOK_EVERY_S, ForkServer, Spawner, Starter, Stopped

T = TypeVar("T")
P = ParamSpec("P")

KILLED_AT_MOST = 10
"""Times that somebody may kill the process of one picture, before that is the picture's failure."""


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
        self._killed_for_memory = killed_for_memory()

    def read(self, niceness: int, path: str) -> OpenFile:
        """Have a process read a file, as :func:`app.pictures.files.read_file` does.

        It waits for the disk, however long that takes, and is the caller's until the result is
        closed.

        Raises:
            PictureError: the file cannot be read.
            Stopped: the worker is to end.
            AppError: no process can be started.
        """
        for attempt in range(KILLED_AT_MOST):
            decoder = self._take(niceness)
            look = Watch(decoder.usage, PATIENT, MAX_FILE_SIZE + self._limits.memory, self._stop)
            done: Done[FileContent] = self._do(decoder, (read, (path,)), b"", look)
            again = KilledDecoderError if attempt else LostDecoderError
            if not isinstance(done.error, again):
                break
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
        look = Watch(decoder.usage, self._limits, memory + len(data), self._stop)
        done: Done[T] = self._do(decoder, task, data, look)
        self._put_back(niceness, decoder)
        return done

    def _again_alone(self, niceness: int, task: object, data: bytes, size: int) -> Done[T]:
        """A second try, with far more memory beside ``size`` bytes of a file."""
        self.rest()  # whatever ended one process may have ended the others, too
        with self._slot_alone():
            for _ in range(KILLED_AT_MOST):
                done: Done[T] = self._try(niceness, task, data, self._limits.memory_alone + size)
                if not isinstance(done.error, KilledDecoderError):
                    break
        return done

    def _do(self, decoder: _Decoder, task: object, data: bytes, look: Watch) -> Done[T]:
        began = time.perf_counter()
        try:
            value, error, ms = decoder.do(task, data, look)
        except PictureError as passed_a_limit:
            decoder.end(self._starter)
            return Done(None, passed_a_limit, (time.perf_counter() - began) * 1000)
        except (EOFError, OSError):
            error = lost(decoder.end(self._starter), for_memory=self._memory_was_short())
            return Done(None, error, (time.perf_counter() - began) * 1000)
        except BaseException:  # stopped, or out of time: nobody wants the answer any more
            decoder.end(self._starter)
            raise
        return Done(value, error, ms)

    def _memory_was_short(self) -> bool:
        """Whether the system has killed anything for that since the last look, or does not tell."""
        before, self._killed_for_memory = self._killed_for_memory, killed_for_memory()
        return before is None or before != self._killed_for_memory

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
        look = Watch(self._decoder.usage, limits, limits.memory + size, decoders._stop)
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
        self.usage = Usage(self.process)

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


def _is_worth_another_try(error: PictureError | None) -> bool:
    return error is not None and (
        isinstance(error, LostDecoderError) or error.kind is ErrorKind.OUT_OF_MEMORY
    )


def decode_threads() -> int:
    """How many pictures of a session are decoded at once."""
    return get_settings().decode_threads or usable_processors()


def usable_processors() -> int:
    """How many processors this process may run on."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
