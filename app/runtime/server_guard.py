"""Runs the queue's server for as long as any process uses it; imports nothing of ours.

    python -I -S server_guard.py LOCK PROGRAM [ARGUMENT …]

Whoever uses the server holds the file LOCK shared, and the system lets go of it for a process that
was killed. So the moment at which this program gets it alone is the one at which nobody is left. On
Linux, the server also ends with this program, should that be killed.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import time
from contextlib import suppress

STOP_WITHIN_S = 1.5
_PR_SET_PDEATHSIG = 1


def run(lock_file: str, command: list[str]) -> None:
    """Start the server, print its process id, and end it once nobody holds the lock."""
    lock = os.open(lock_file, os.O_RDWR)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pass
    else:
        return  # whoever wanted a server is gone already
    guard = os.getpid()
    signal.signal(signal.SIGCHLD, lambda *_: _leave_if_ended(server))
    signal.signal(signal.SIGTERM, lambda *_: _end(server))
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD, signal.SIGTERM})
    server = os.fork()
    if server == 0:
        _become(command, guard)
    with suppress(OSError):  # nobody reads it any more, and nobody holds the lock then
        os.write(1, b"%d\n" % server)
    os.close(1)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD, signal.SIGTERM})
    fcntl.flock(lock, fcntl.LOCK_EX)
    _end(server)


def _become(command: list[str], guard: int) -> None:
    try:
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.dup2(2, 1)
        if sys.platform == "linux":
            import ctypes

            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
            if os.getppid() != guard:
                os._exit(1)
        os.execv(command[0], command)
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror}\n".encode(errors="surrogateescape"))
    finally:
        os._exit(127)


def _end(server: int) -> None:
    """Have the server write what it holds and exit; this process leaves with it."""
    os.kill(server, signal.SIGTERM)
    time.sleep(STOP_WITHIN_S)
    os.kill(server, signal.SIGKILL)
    os.waitpid(server, 0)  # not for the signal: it may come before anybody waits for it
    os._exit(0)


def _leave_if_ended(server: int) -> None:
    ended, _status = os.waitpid(server, os.WNOHANG)
    if ended:
        os._exit(0)


if __name__ == "__main__":
    run(sys.argv[1], sys.argv[2:])
