"""Keeps an eye on the folders that people want watched, as long as the window lives."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

if TYPE_CHECKING:
    from app.api.update_schemas import WatchedFolder
    from app.scan.folder_watch import FolderWatch
    from app.services.backend import Backend
    from app.ui.parts.actions import ActionRunner
    from app.ui.parts.poller import Poller

LOOK_EVERY_S = 5.0


class UpdateWatch(QObject):
    """One watch for each session that wants it; the runner ends them with the window."""

    counted = Signal(int)
    """There are more or fewer new pictures in this session's folders; see ``counts``."""

    def __init__(
        self, parent: QObject, backend: Backend, runner: ActionRunner, poller: Poller
    ) -> None:
        super().__init__(parent)
        self.counts: dict[int, int] = {}
        """New and changed pictures by session, since they were indexed."""
        self.problems: dict[int, str] = {}
        """Why a session's folders cannot be watched."""
        self._backend, self._runner = backend, runner
        self._tasks: dict[int, tuple[WatchedFolder, asyncio.Task[None]]] = {}
        self._watches: dict[int, FolderWatch] = {}
        self._look = poller.watch(self._fetch, self._deliver, every_s=LOOK_EVERY_S)

    def refresh(self) -> None:
        """Look now which folders are to be watched."""
        self._look.now()

    def forget(self, session_id: int) -> None:
        """Count from nothing again: the session was updated. What failed is tried again."""
        if self.problems.pop(session_id, "") and session_id in self._tasks:
            self._tasks.pop(session_id)[1].cancel()
            self.refresh()
        if watch := self._watches.get(session_id):
            watch.forget()
        if self.counts.pop(session_id, 0):
            self.counted.emit(session_id)

    def look_again(self) -> None:
        """Files were moved by the program itself: they are not new."""
        for watch in self._watches.values():
            self._runner.run(None, partial(asyncio.to_thread, watch.look_again))

    async def _fetch(self) -> list[WatchedFolder]:
        async with self._backend.db() as db:
            return await self._backend.updates.watched(db)

    def _deliver(self, wanted: list[WatchedFolder]) -> None:
        by_id = {item.session_id: item for item in wanted}
        for session_id, (item, task) in list(self._tasks.items()):
            if by_id.get(session_id) != item:
                task.cancel()
                del self._tasks[session_id]
                self.problems.pop(session_id, None)
                if self.counts.pop(session_id, 0):
                    self.counted.emit(session_id)
        for session_id, item in by_id.items():
            if session_id not in self._tasks:
                task = self._runner.run(None, partial(self._watch, item))
                self._tasks[session_id] = item, task

    async def _watch(self, item: WatchedFolder) -> None:
        """Watch until cancelled; the thread is gone when this returns."""
        loop = asyncio.get_running_loop()
        session_id = item.session_id

        def begin() -> FolderWatch:
            from app.scan.folder_watch import FolderWatch

            def notify(number: int) -> None:
                loop.call_soon_threadsafe(self._count, session_id, number)

            def complain(text: str) -> None:
                loop.call_soon_threadsafe(self._fail, session_id, text)

            return FolderWatch(item, notify, complain)

        beginning = asyncio.ensure_future(asyncio.to_thread(begin))
        try:
            self._watches[session_id] = await asyncio.shield(beginning)
            await asyncio.Event().wait()
        finally:
            watch = await beginning
            if self._watches.get(session_id) is watch:
                del self._watches[session_id]
            await asyncio.to_thread(watch.close)

    def _count(self, session_id: int, number: int) -> None:
        self.counts[session_id] = number
        self.counted.emit(session_id)

    def _fail(self, session_id: int, text: str) -> None:
        self.problems[session_id] = text
        self.counted.emit(session_id)
