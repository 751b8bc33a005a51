"""The event loop that serves Qt and asyncio at once."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import qasync
from PySide6.QtWidgets import QApplication

THREADS = 8  # for file system, Redis and ledger calls; each is short
END_WITHIN_S = 0.3
_PREFIX = "window-helper"


class _Helpers(ThreadPoolExecutor):
    """Threads of the loop; a call that hangs (a network drive, a question to a worker that is
    gone) does not keep the program from closing."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        super().shutdown(wait=False, cancel_futures=True)
        end = time.monotonic() + END_WITHIN_S
        for thread in helpers():
            thread.join(max(end - time.monotonic(), 0))


def make_loop(app: QApplication) -> asyncio.AbstractEventLoop:
    """A loop on the application's; ``close`` ends its threads."""
    loop: asyncio.AbstractEventLoop = qasync.QEventLoop(app)
    loop.set_default_executor(_Helpers(THREADS, thread_name_prefix=_PREFIX))
    return loop


def helpers() -> list[threading.Thread]:
    """The loop's threads that are still alive."""
    return [thread for thread in threading.enumerate() if thread.name.startswith(_PREFIX)]


def left_behind() -> list[threading.Thread]:
    """Threads of any kind that the interpreter would wait for at its end."""
    return [
        thread
        for thread in threading.enumerate()
        if not thread.daemon and thread is not threading.main_thread()
    ]
