"""How a child process learns that its parent is gone, however the parent ended."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from threading import Thread


def watch_parent(on_gone: Callable[[], None]) -> Thread:
    """Call ``on_gone`` in a thread once standard input ends.

    The parent keeps the other end of that pipe open and writes nothing; when it exits or is
    killed, the system closes it.
    """

    def _watch() -> None:
        # Not sys.stdin.read(): the interpreter would abort at exit while a thread waits in it.
        try:
            while os.read(descriptor, 4096):
                pass
        except OSError:  # a broken pipe is a parent that is gone, too
            pass
        on_gone()

    descriptor = sys.stdin.fileno()
    thread = Thread(target=_watch, name="parent-watch", daemon=True)
    thread.start()
    return thread
