"""The event loop that serves Qt and asyncio at once."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import qasync
from PySide6.QtWidgets import QApplication

THREADS = 8  # for file system, Redis and ledger calls; each is short


def make_loop(app: QApplication) -> asyncio.AbstractEventLoop:
    """A loop on the application's; its threads are Python's own, which are waited for at close."""
    loop: asyncio.AbstractEventLoop = qasync.QEventLoop(app)
    loop.set_default_executor(ThreadPoolExecutor(THREADS, thread_name_prefix="window"))
    return loop
