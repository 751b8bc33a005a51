"""Runs what a window test awaits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class QtLoop:
    """Runs coroutines on one loop that also serves Qt."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def run(self, work: Coroutine[Any, Any, T], timeout: float = 20.0) -> T:
        """Wait for a coroutine; Qt's events are handled meanwhile."""
        return self._loop.run_until_complete(asyncio.wait_for(work, timeout))

    @staticmethod
    async def until(condition: Callable[[], object], within: float = 10.0) -> None:
        """Wait until ``condition()`` holds."""
        end = time.monotonic() + within
        while not condition():
            assert time.monotonic() < end, "it did not come true in time"
            await asyncio.sleep(0.01)

    def left_over(self) -> list[asyncio.Task[Any]]:
        return [task for task in asyncio.all_tasks(self._loop) if not task.done()]
