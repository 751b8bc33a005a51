"""Notice that the process that started this one is gone."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable


def watch_parent(on_gone: Callable[[], None]) -> None:
    """Call ``on_gone`` once standard input ends, which it does when its writer dies."""

    def wait() -> None:
        descriptor = sys.stdin.fileno()
        while os.read(descriptor, 64):
            pass
        on_gone()

    threading.Thread(target=wait, name="parent-watch", daemon=True).start()
