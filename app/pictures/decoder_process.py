"""A process that decodes: what runs in it, how it is forked, and what it says to the worker.

``python -m app decoder`` is a fork server: it has the decoding libraries in memory, and forks a
process for every socket that the worker hands it. It decodes nothing itself and so always answers:
it ends the processes that it is told to, and all of them once the worker is gone. It loads neither
the model's libraries nor the worker's main module.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import multiprocessing
import os
import pickle
import signal
import socket
import struct
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NoReturn

from app.api.error_kinds import ErrorKind
from app.pictures.decode import DecodedPicture, FileContent, PictureError, PixelSpec, decode
from app.pictures.files import MAX_FILE_SIZE, read_file
from app.pictures.thumbnail import make_thumbnail  # noqa: F401 - loaded before forking

FORK, END = b"f", b"e"
ORDER = struct.Struct("=cq")
"""To the fork server: FORK and a step of niceness, with a socket; or END and a process id."""
ANSWER = struct.Struct("=q")
"""From it: to FORK the process id, or an errno below zero; to END an exit code."""
_FRAME = struct.Struct("=QQ")
_PR_SET_PDEATHSIG = 1
_EXPENDABLE = "800"
"""Of 1000: where memory runs out the system ends a decoder rather than any other program."""


# --- the two ends of a socket ---------------------------------------------------------------------


def send(
    channel: socket.socket, head: object, data: bytes = b"", wait: Callable[[], None] | None = None
) -> None:
    """Send an object, and bytes that are not copied on the way.

    Args:
        wait: called whenever the other end has taken nothing for as long as the timeout of the
            socket; ends the sending by raising something.

    Raises:
        OSError: the other end is gone.
    """
    packed = pickle.dumps(head, pickle.HIGHEST_PROTOCOL)
    for part in (_FRAME.pack(len(packed), len(data)) + packed, data):
        rest = memoryview(part)
        while rest:
            try:
                rest = rest[channel.send(rest) :]
            except TimeoutError:
                assert wait is not None
                wait()


def receive(channel: socket.socket, wait: Callable[[], None] | None = None) -> tuple[Any, bytes]:
    """What the other end sent; ``wait`` as for :func:`send`.

    Raises:
        EOFError: the other end is gone.
        OSError: the same, or the connection broke.
    """
    packed, data = _FRAME.unpack(_receive(channel, _FRAME.size, wait))
    return pickle.loads(_receive(channel, packed, wait)), _receive(channel, data, wait)


def _receive(channel: socket.socket, size: int, wait: Callable[[], None] | None) -> bytes:
    parts = []
    while size:
        try:
            part = channel.recv(size, socket.MSG_WAITALL)
        except TimeoutError:
            assert wait is not None
            wait()
            continue
        if not part:
            raise EOFError
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


# --- a decoder ------------------------------------------------------------------------------------


_read: FileContent | None = None
"""The file that this process has read last, for its next task."""


def read(_data: bytes, path: str) -> FileContent:
    """:func:`app.pictures.files.read_file`; the data stays in this process."""
    global _read
    _read = None  # its memory goes to the next
    _read = read_file(path)
    return replace(_read, data=b"")


def decode_read(
    _data: bytes, path: str, sha256: str, spec: PixelSpec, max_megapixels: int
) -> DecodedPicture:
    """:func:`app.pictures.decode.decode` of what this process, or one that is lost, has read.

    Raises:
        PictureError: BUSY where the file has changed since then; otherwise as those two do.
    """
    global _read
    content, _read = _read, None
    if content is None or content.sha256 != sha256:
        content = read_file(path)
        if content.sha256 != sha256:
            raise PictureError(ErrorKind.BUSY, "The file was being written while it was read.")
    return decode(content, os.path.basename(path), spec, max_megapixels)


def serve(channel: socket.socket, memory: int) -> None:
    """Do one task after the other until the worker closes its end.

    Args:
        memory: bytes that the process may take beyond what it has now and the file.
    """
    _limit(memory)
    logging.disable()  # what there is to say goes back with the answer
    with contextlib.suppress(EOFError, OSError):  # the worker's end is closed
        while True:
            (function, arguments), data = receive(channel)
            send(channel, _done(function, data, arguments))
            del data


def _done(
    function: Callable[..., object], data: bytes, arguments: tuple[object, ...]
) -> tuple[object, PictureError | None, float]:
    """The result, or what was raised instead, and milliseconds of processor time.

    The trace of what nobody foresaw is a note on the error, for the worker's log.
    """
    begin = time.process_time()
    value: object = None
    failure: PictureError | None = None
    try:
        value = function(data, *arguments)
    except PictureError as error:
        failure = PictureError(error.kind, error.message)  # its subclasses may not arrive whole
        if error.kind is ErrorKind.INTERNAL:
            failure.add_note(traceback.format_exc())
    except MemoryError:
        failure = PictureError(
            ErrorKind.OUT_OF_MEMORY, "There was not enough memory for this picture."
        )
    except Exception as error:  # noqa: BLE001 - the worker says that it was this picture
        failure = PictureError(
            ErrorKind.INTERNAL,
            f"Decoding failed with an unexpected error, {type(error).__name__}.",
        )
        failure.add_note(traceback.format_exc())
    return value, failure, (time.process_time() - begin) * 1000


def _limit(memory: int) -> None:
    """Bound the address space, write no core dumps, and be the first to go where memory is short.

    What the system does not know or forbids is left out: the worker looks at the memory, too.
    """
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with open("/proc/self/statm", encoding="ascii") as file:
            used = int(file.read().split()[0]) * resource.getpagesize()
        most = used + memory + MAX_FILE_SIZE
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write(_EXPENDABLE)


def serve_spawned(channel: socket.socket, memory: int) -> None:
    """The same in a process of ``multiprocessing``, where the system cannot fork."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def end_with_parent() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()
    serve(channel, memory)


# --- the fork server ------------------------------------------------------------------------------


def main(arguments: list[str]) -> int:
    """Fork decoders for the worker, see :func:`fork_for_worker`."""
    memory = int(arguments[0])
    return fork_for_worker(lambda channel: serve(channel, memory))


def fork_for_worker(serve: Callable[[socket.socket], None]) -> int:
    """Fork a process for each socket that the worker sends, until it closes standard input.

    Args:
        serve: what such a process does with its socket.
    """
    control = socket.socket(fileno=0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal: the worker ends us
    processes: set[int] = set()
    try:
        while True:
            message, sockets, _, _ = socket.recv_fds(control, ORDER.size, 1)
            if not message:
                return 0
            order, number = ORDER.unpack(message)
            if order == FORK:
                answer = _fork(control, sockets[0], serve, number)
                if answer > 0:
                    processes.add(answer)
            else:
                answer = _end(processes, number)
            control.sendall(ANSWER.pack(answer))
    except OSError:  # the worker is gone
        return 0
    finally:
        for process in processes:
            os.kill(process, signal.SIGKILL)  # no other has its id: nobody has waited for it yet
        for process in processes:
            os.waitpid(process, 0)


def _fork(
    control: socket.socket, descriptor: int, serve: Callable[[socket.socket], None], niceness: int
) -> int:
    """The id of a new process, or an errno below zero."""
    channel, server = socket.socket(fileno=descriptor), os.getpid()
    try:
        process = os.fork()
    except OSError as error:
        channel.close()
        return -(error.errno or 1)
    if not process:
        _serve_forked(control, channel, server, serve, niceness)
    channel.close()
    return process


def _serve_forked(
    control: socket.socket,
    channel: socket.socket,
    server: int,
    serve: Callable[[socket.socket], None],
    niceness: int,
) -> NoReturn:
    code = 1
    try:
        control.close()
        die_with(server)
        with contextlib.suppress(OSError):  # a sandbox may forbid it; it is only slower then
            os.nice(niceness)
        serve(channel)
        code = 0
    except BaseException:  # noqa: BLE001 - the fork server's own code must not run here
        traceback.print_exc()
    finally:
        os._exit(code)


def die_with(parent: int) -> None:
    """Have the system kill this process when its parent ends, however it ends (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)


def _end(processes: set[int], process: int) -> int:
    """Kill a decoder; its exit code, which is a signal's number below zero where it was killed."""
    if process not in processes:  # another fork server's, which took it along
        return -signal.SIGKILL
    processes.discard(process)
    os.kill(process, signal.SIGKILL)  # where it has ended already, this changes nothing
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
