"""The worker's end of :mod:`app.embedding.card_decoder`; imports no model libraries."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING

import psutil

from app.errors import AppError
from app.pictures.decoder_process import receive, send
from app.pictures.fork_server import LOOK_EVERY_S, Starter, Stopped
from app.pictures.pixels import PixelSpec

if TYPE_CHECKING:
    from app.embedding.card_decoder import CardPicture

BATCH = 16
"""Pictures that are decoded at once; an H100 gains little from more."""
MOST_PROCESSES = 2
"""Each opens the card for itself, which takes a second, one after the other."""
THREADS = 4
"""Of a process: one decodes on the card while others read and check."""
CARD_MEMORY = 3 * 1024**3
"""Bytes of the card that a thread may take, with its batch."""
MEMORY = 1024**3
"""Bytes of the computer's memory for each thread: PyTorch takes as much for each process."""
ANSWER_WITHIN_S = 60.0
"""Its start included; a batch takes a tenth of a second."""


def threads_for(processors: int, card_memory: int) -> int:
    """How many threads may decode with a card.

    Args:
        processors: how many this computer has.
        card_memory: bytes of the card that are free.
    """
    if not may_decode():
        return 0
    most = MOST_PROCESSES * THREADS
    memory = int(psutil.virtual_memory().available)
    return min(most, processors // 2, card_memory // CARD_MEMORY, memory // MEMORY)


def may_decode() -> bool:
    """Whether the library for it is there and fits, as far as is known."""
    there = sys.platform == "linux" and find_spec("torchcodec") is not None
    return there and not _useless.is_set()


def has_card() -> bool:
    """Whether the system has an NVIDIA card, without asking the libraries, which take seconds."""
    return os.path.exists("/dev/nvidiactl")


_useless = threading.Event()
"""Set once a process could not begin: the library does not fit this card, and never will."""


class CardFailedError(Exception):
    """The process has ended, or does not answer: it is of no more use."""


class CardClosedError(CardFailedError):
    """Nobody waits for it any more."""


class CardProcess:
    """A process that decodes with a card, started on first use.

    Args:
        server: forks it.
        device: as torch names it.
    """

    def __init__(self, server: Starter, device: str) -> None:
        self._server, self._device = server, device
        self._lock = threading.Lock()
        self._process: int | None = None
        self._control: socket.socket | None = None

    def serve(self, channel: socket.socket) -> None:
        """Have a thread of the process serve a socket.

        Raises:
            AppError, OSError: it cannot be started, or has ended.
        """
        with self._lock:
            if self._control is None:
                self._start()
            assert self._control is not None
            socket.send_fds(self._control, [b"+"], [channel.fileno()])

    def _start(self) -> None:
        control, theirs = socket.socketpair()
        try:
            with theirs:
                self._process = self._server.start(theirs, 0)
            send(control, self._device)
        except BaseException:
            control.close()
            raise
        self._control = control

    def end(self) -> None:
        """Kill it, which gives back what it has of the card's memory."""
        with self._lock:
            if self._control is not None:
                self._control.close()
                self._control = None
            if self._process is not None:
                self._server.end(self._process)
                self._process = None


class CardThread:
    """One thread of such a process, for one thread here.

    Args:
        stop: once it is set, whoever waits gets :class:`Stopped`.
    """

    def __init__(self, process: CardProcess, stop: threading.Event) -> None:
        self._process, self._stop = process, stop
        self._closed = threading.Event()
        self._channel: socket.socket | None = None

    def start(self) -> None:
        """Start it and wait until it is ready, which takes seconds; raises as below."""
        self._channel, theirs = socket.socketpair()
        self._channel.settimeout(LOOK_EVERY_S)
        try:
            with theirs:
                self._process.serve(theirs)
            self.decode([], PixelSpec(1), 0)
        except (CardClosedError, Stopped):
            raise
        except (AppError, OSError, CardFailedError) as error:
            _useless.set()
            raise CardFailedError(str(error)) from error

    def decode(
        self, paths: Sequence[str], spec: PixelSpec, max_megapixels: int
    ) -> list[CardPicture | None]:
        """:meth:`app.embedding.card_decoder.CardDecoder.decode`.

        Raises:
            Stopped: the worker is to end.
            CardFailedError: nothing can be said of any of these files.
        """
        deadline = time.monotonic() + ANSWER_WITHIN_S

        def wait() -> None:
            if self._stop.is_set():
                raise Stopped
            if self._closed.is_set():
                raise CardClosedError
            if time.monotonic() > deadline:
                raise CardFailedError(f"no answer for {ANSWER_WITHIN_S:g} seconds")

        assert self._channel is not None
        try:
            send(self._channel, (list(paths), spec, max_megapixels), b"", wait)
            found: list[CardPicture | None] = receive(self._channel, wait)[0]
        except (EOFError, OSError) as error:
            raise CardFailedError("its process has ended") from error
        return found

    def close(self) -> None:
        """Have the thread that uses it wait for nothing more; from any thread."""
        self._closed.set()

    def end(self) -> None:
        """End it; by the thread that used it."""
        if self._channel is not None:
            self._channel.close()
