"""How the worker starts and ends processes that decode.

The worker has a model in memory and many threads, so it never forks itself. On Linux and macOS
a small fork server does, see :mod:`app.pictures.decoder_process`; Windows starts each anew.
"""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import threading
import time
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from typing import Protocol

from app.errors import AppError
from app.pictures.decoder_process import ANSWER, END, FORK, ORDER, serve_spawned
from app.program import program_command

ANSWER_WITHIN_S = 60.0
"""Far more than its start takes with a cold disk."""
LOOK_EVERY_S = 0.1
"""How often whoever waits looks whether to go on waiting; most pictures are done before that."""
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
"""Threads are better spent on different pictures."""


class Stopped(AppError):
    """The worker is to end, so nothing more is decoded."""

    def __init__(self) -> None:
        super().__init__("The program is closing.")


class Starter(Protocol):
    """Starts and ends processes, from any thread."""

    def prepare(self) -> None:
        """Do what the first start would wait for; this does not wait."""

    def start(self, channel: socket.socket, niceness: int) -> int:
        """Start a process that serves ``channel``; its id.

        Args:
            niceness: steps behind this process.

        Raises:
            AppError: it cannot be started.
            Stopped: the worker is to end.
        """

    def end(self, process: int) -> int:
        """Kill a process; its exit code, a signal's number below zero where it was killed."""

    def close(self) -> None:
        """End all processes."""


class ForkServer:
    """A fork server, started on first use, and again where it was killed.

    Args:
        stop: set once nobody is to wait for an answer any more.
        arguments: of this program, that make it the server.
    """

    def __init__(self, stop: threading.Event, *arguments: str) -> None:
        self._stop = stop
        self._arguments = arguments
        self._lock = threading.Lock()
        self._server: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def prepare(self) -> None:
        with self._lock, suppress(OSError):  # the start says so if that stays
            self._control = self._control or self._begin()

    def start(self, channel: socket.socket, niceness: int) -> int:
        with self._lock:
            try:
                answer = self._ask(FORK, niceness, channel)
            except (EOFError, OSError):  # killed, perhaps for want of memory: once more
                try:
                    answer = self._ask(FORK, niceness, channel)
                except (EOFError, OSError) as error:
                    raise _cannot_start("the program that starts it has ended") from error
        if answer < 0:
            raise _cannot_start(os.strerror(-answer))
        return answer

    def end(self, process: int) -> int:
        with self._lock:
            if self._control is not None:  # without it they are gone as well
                with suppress(EOFError, OSError, Stopped):
                    return self._ask(END, process)
        return -signal.SIGKILL

    def close(self) -> None:
        with self._lock:
            self._close()

    def _ask(self, order: bytes, number: int, channel: socket.socket | None = None) -> int:
        control = self._control = self._control or self._begin()
        deadline = time.monotonic() + ANSWER_WITHIN_S
        sockets = [] if channel is None else [channel.fileno()]
        answer = b""
        try:
            socket.send_fds(control, [ORDER.pack(order, number)], sockets)
            while len(answer) < ANSWER.size:
                with suppress(TimeoutError):
                    part = control.recv(ANSWER.size - len(answer))
                    if not part:
                        raise EOFError
                    answer += part
                if self._stop.is_set():
                    raise Stopped
                if time.monotonic() > deadline:
                    raise OSError(errno.ETIMEDOUT, "the fork server does not answer")
        except BaseException:  # an answer that is still to come would be taken for the next one's
            self._close()
            raise
        return int(ANSWER.unpack(answer)[0])

    def _begin(self) -> socket.socket:
        self._server, control = start_beside(*self._arguments, **_ONE_THREAD)
        return control

    def _close(self) -> None:
        """Without its socket the fork server ends, and all its processes with it."""
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._server is not None:
            try:
                self._server.wait(1)
            except subprocess.TimeoutExpired:
                self._server.kill()
                self._server.wait()
            self._server = None


class Spawner:
    """A new process each time, by way of ``multiprocessing``; for systems that cannot fork."""

    def __init__(self, memory: int) -> None:
        self._memory = memory
        self._processes: dict[int, BaseProcess] = {}

    def prepare(self) -> None:
        """Nothing is shared between the processes."""

    def start(self, channel: socket.socket, niceness: int) -> int:
        """See :class:`Starter`; ``niceness`` is not for these systems."""
        process = get_context("spawn").Process(
            target=serve_spawned, args=(channel, self._memory), daemon=True
        )
        try:
            process.start()
        except OSError as error:
            raise _cannot_start(error.strerror or str(error)) from error
        assert process.pid is not None
        self._processes[process.pid] = process
        return process.pid

    def end(self, process: int) -> int:
        ended = self._processes.pop(process)
        ended.kill()
        ended.join()
        code = ended.exitcode
        ended.close()
        return code or 0

    def close(self) -> None:
        for process in list(self._processes):
            self.end(process)


def start_beside(
    *arguments: str, **variables: str
) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """Start this program with other arguments, and with a socket for its standard input.

    Args:
        variables: of its environment, beside those of this process.

    Returns:
        the process, and this end of the socket, whose timeout is ``LOOK_EVERY_S``.

    Raises:
        OSError: it cannot be started.
    """
    ours, theirs = socket.socketpair()
    ours.settimeout(LOOK_EVERY_S)
    with theirs:
        try:
            process = subprocess.Popen(
                program_command(*arguments),
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                env={**os.environ, **variables},
            )
        except BaseException:
            ours.close()
            raise
    return process, ours


def _cannot_start(reason: str) -> AppError:
    return AppError(
        f"No process to decode pictures could be started: {reason}.",
        "Close other programs, then start again; see the worker's log.",
    )
