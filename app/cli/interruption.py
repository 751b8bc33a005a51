"""Ctrl-C, a closed terminal and the system's end: a command ends in order, and soon."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any

from app.runtime.ending import END_WITHIN_S, leave, leave_within

SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)


def run_until_told(work: Coroutine[Any, Any, int]) -> int:
    """Run a command to its end, or until a signal cancels it; its exit code.

    The first signal gives it ``END_WITHIN_S`` seconds to end in order, a second one none.
    """
    interruption = _Interruption()
    with asyncio.Runner() as runner:
        before = {number: signal.signal(number, interruption.take) for number in SIGNALS}
        interruption.loop = runner.get_loop()
        try:
            return runner.run(interruption.watch(work))
        except asyncio.CancelledError:
            if not interruption.code:
                raise
            return interruption.code
        finally:
            if not interruption.code:
                for number, handler in before.items():
                    signal.signal(number, handler)


class _Interruption:
    """What a signal does to the one command that runs."""

    def __init__(self) -> None:
        self.code = 0
        """As a shell has it: 130 after Ctrl-C; 0 without a signal."""
        self.loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[int] | None = None

    async def watch(self, work: Coroutine[Any, Any, int]) -> int:
        """The command as a task that a signal cancels."""
        self._task = asyncio.ensure_future(work)
        if self.code:
            self._task.cancel()
        return await self._task

    def take(self, number: int, _frame: object) -> None:
        """Called by the interpreter in the main thread, wherever that is."""
        if self.code:
            leave(128 + number)
        self.code = 128 + number
        leave_within(END_WITHIN_S, self.code)
        if self._task is not None and self.loop is not None:
            self.loop.call_soon_threadsafe(self._task.cancel)
