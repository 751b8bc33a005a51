"""The worker's end of :mod:`app.embedding.card_decoder`; imports no model libraries."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING

import psutil

from app.pictures.decoder_process import receive, send
from app.pictures.fork_server import Stopped, start_beside
from app.pictures.pixels import PixelSpec

if TYPE_CHECKING:
    from app.embedding.card_decoder import CardPicture

BATCH = 16
"""Pictures that a process decodes at once; an H100 gains little from more."""
MOST_PROCESSES = 6
CARD_MEMORY = 3 * 1024**3
"""Bytes of the card that a process may take, with its batch."""
MEMORY = 4 * 1024**3
"""Bytes of the computer's memory for each process: PyTorch takes a quarter of it."""
ANSWER_WITHIN_S = 60.0
"""Its start included; a batch takes a tenth of a second."""


def processes_for(processors: int, card_memory: int) -> int:
    """How many processes may decode with a card.

    Args:
        processors: how many this computer has.
        card_memory: bytes of the card that are free.
    """
    if sys.platform != "linux" or find_spec("torchcodec") is None or _useless.is_set():
        return 0
    memory = int(psutil.virtual_memory().available)
    return min(MOST_PROCESSES, processors // 2, card_memory // CARD_MEMORY, memory // MEMORY)


_useless = threading.Event()
"""Set once a process could not begin: the library does not fit this card, and never will."""


_starting = threading.Lock()
"""One after the other, as each takes seconds of a processor that others decode with meanwhile."""


class CardFailedError(Exception):
    """The process has ended, or does not answer: it is of no more use."""


class CardClosedError(CardFailedError):
    """Nobody waits for it any more."""


class CardProcess:
    """One process, for one thread.

    Args:
        device: as torch names it.
        stop: once it is set, whoever waits gets :class:`Stopped`.
    """

    def __init__(self, device: str, stop: threading.Event) -> None:
        self._device, self._stop = device, stop
        self._closed = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None

    def start(self) -> None:
        """Start the process and wait until it is ready, which takes seconds; raises as below."""
        with _starting:
            try:
                self._process, self._channel = start_beside(
                    "card-decoder", self._device, str(os.getpid())
                )
            except OSError as error:
                raise CardFailedError(f"it cannot be started: {error.strerror}") from error
            try:
                self.decode([], PixelSpec(1), 0)
            except CardClosedError:
                raise
            except CardFailedError:
                _useless.set()
                raise

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
        """Kill the process; by the thread that used it."""
        if self._channel is not None:
            self._channel.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
