"""Who holds a file: locks are held by open files, so the processes that have one open are asked."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

LONGEST_COMMAND = 80


def is_held(lock: Path) -> bool:
    """Whether some process, or another part of this one, holds a lock."""
    try:
        with FileLock(lock, timeout=0, fallback_to_soft=False):
            return False
    except Timeout:
        return True
    except OSError:  # there is no such folder, so nobody can hold anything in it
        return False


def holders(file: Path) -> str:
    """The other processes that have a file open: command, process id and since when.

    Returns:
        such as ``python -m app worker (process 4711, since 14:05)``; "another process" where
        none can be seen, because it is another user's or on another computer.
    """
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):  # another user's, or just gone
            if process.pid != os.getpid() and _has_open(process, file):
                found.append(_described(process))
    return ", ".join(found) or "another process"


def _has_open(process: psutil.Process, file: Path) -> bool:
    opened = {item.path for item in process.open_files()}
    return str(file) in opened or os.path.realpath(file) in opened


def _described(process: psutil.Process) -> str:
    program, *arguments = process.cmdline() or [process.name()]
    command = " ".join([os.path.basename(program), *arguments])
    if len(command) > LONGEST_COMMAND:
        command = command[:LONGEST_COMMAND] + "…"
    begun = time.localtime(process.create_time())
    today = begun[:3] == time.localtime()[:3]
    since = time.strftime("%H:%M" if today else "%Y-%m-%d %H:%M", begun)
    return f"{command} (process {process.pid}, since {since})"
