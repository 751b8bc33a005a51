"""How a child process learns that its parent is gone, however the parent ended."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from threading import Thread


class ParentWatch:
    """Waits, in a thread, for the end of standard input.

    The parent keeps the other end of that pipe open and writes nothing; when it exits or is
    killed, the system closes it. Until :meth:`then` says more, this process just ends as well: what
    it will work with may still be on its way into memory.
    """

    def __init__(self) -> None:
        self._on_gone: Callable[[], object] = _end
        self._descriptor = sys.stdin.fileno()
        Thread(target=self._watch, name="parent-watch", daemon=True).start()

    def then(self, on_gone: Callable[[], object]) -> None:
        """Call ``on_gone`` once the parent is gone, from the thread that waits."""
        self._on_gone = on_gone

    def _watch(self) -> None:
        # Not sys.stdin.read(): the interpreter would abort at exit while a thread waits in it.
        try:
            while os.read(self._descriptor, 4096):
                pass
        except OSError:  # a broken pipe is a parent that is gone, too
            pass
        self._on_gone()


def _end() -> None:
    os._exit(0)
