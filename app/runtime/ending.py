"""How a process of ours ends in time, whatever its threads are stuck in."""

from __future__ import annotations

import faulthandler
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

import psutil
from redis.exceptions import RedisError

from app.errors import AppError
from app.queue.connection import OwnServer, connect, embedded_server
from app.runtime import loopback
from app.runtime.redis_server import stop_redis

log = logging.getLogger(__name__)

END_WITHIN_S = 1.9
"""From a quit to the end of everything; what is not finished by then is killed, and not lost."""
LAST_RESORT_S = 0.4
ANSWER_WITHIN_S = 0.1
_ending = threading.Event()


def leave(code: int) -> NoReturn:
    """End this process now: no waiting for threads, no taking down of libraries."""
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def leave_if_ending(code: int) -> None:
    """At the end of a program that was told to end: it takes no longer than it must."""
    if _ending.is_set():
        leave(code)


def leave_within(
    seconds: float, code: int, last: Callable[[], None] = lambda: None, last_within_s: float = 0.0
) -> None:
    """End this process by then, unless it has ended by itself.

    Args:
        seconds: until the end, ``last`` included.
        code: the exit code.
        last: what is still to be tried before, in another thread.
        last_within_s: how long that may take.
    """

    def end() -> None:
        time.sleep(seconds - last_within_s)
        log.warning("the process did not end in time; threads: %s", _threads())
        within(last_within_s, last)
        leave(code)

    _ending.set()
    threading.Thread(target=end, name="end", daemon=True).start()
    # the last resort needs no interpreter lock, which a library may hold
    faulthandler.dump_traceback_later(seconds + LAST_RESORT_S, exit=True, file=_nowhere())


def within(seconds: float, work: Callable[[], None]) -> bool:
    """Do something in a thread that nobody waits for any longer than this; whether it is done."""
    done = threading.Event()

    def run() -> None:
        try:
            work()
        except Exception:  # the end goes on whatever this was
            log.exception("not done at the end: %s", work)
        finally:
            done.set()

    threading.Thread(target=run, name="last", daemon=True).start()
    return done.wait(seconds)


def end_queue_server(seconds: float) -> None:
    """End the embedded queue server unless others use it; kill one that does not answer any more.

    Args:
        seconds: the longest that this may take.
    """
    if within(seconds - ANSWER_WITHIN_S, _stop_redis):
        return
    server = embedded_server()
    if server is None or _answers(server):
        return
    with suppress(psutil.Error):
        process = psutil.Process(server.pid)
        if "valkey" in process.name() or loopback.COMMAND in process.cmdline():
            log.warning("the queue server %d does not answer and is killed", server.pid)
            process.kill()


def _stop_redis() -> None:
    try:
        stop_redis()
    except AppError as error:
        log.warning("%s", error)


def _answers(server: OwnServer) -> bool:
    try:
        with connect(server, answer_within_s=ANSWER_WITHIN_S) as client:
            return bool(client.ping())
    except (RedisError, AppError):
        return False


def _threads() -> str:
    frames = sys._current_frames()
    return "; ".join(
        f"{thread.name} in {frame.f_code.co_qualname}"
        for thread in threading.enumerate()
        if (frame := frames.get(thread.ident or 0)) is not None and thread.name != "end"
    )


def _nowhere() -> int:
    return os.open(os.devnull, os.O_WRONLY)
