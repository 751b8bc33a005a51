"""A table over rows that lie in pages somewhere else: a million of them scroll like ten."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Signal

from app.errors import AppError

if TYPE_CHECKING:
    from app.ui.parts.poller import Poller

_log = logging.getLogger(__name__)

PAGE = 200
KEPT = 40
"""Pages in memory: 8,000 rows."""
AT_ONCE = 2
WAITING = 6
"""Pages asked for; older requests have scrolled out of sight."""

Index = QModelIndex | QPersistentModelIndex
Row = TypeVar("Row")
Fetch = Callable[[int, int], Awaitable[Sequence[Row]]]
NO_PARENT = QModelIndex()


class PagedModel(QAbstractTableModel, Generic[Row]):
    """Rows fetched page by page when they are looked at, kept while they are near.

    The number of rows comes from a counter, so it is known before any row is. Columns and texts
    are a subclass's.
    """

    stale = Signal()
    """What is shown is out of date: paint again, and what is painted is fetched again."""
    arrived = Signal()
    """Rows came; whoever looks for one may find it now."""

    def __init__(self, poller: Poller, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._poller = poller
        self._fetch: Fetch[Row] | None = None
        self._count = 0
        self._pages: OrderedDict[int, list[Row]] = OrderedDict()
        self._stale: set[int] = set()
        self._waiting: OrderedDict[int, None] = OrderedDict()
        self._running: set[int] = set()
        self._source = 0
        self.failing = False
        """The last fetch did not succeed; ``refresh`` tries again."""

    def set_source(self, fetch: Fetch[Row] | None, count: int) -> None:
        """Show other rows, from the first one on.

        Args:
            fetch: ``await fetch(offset, limit)`` gives rows.
        """
        self.beginResetModel()
        self._source += 1
        self._fetch = fetch
        self._count = count
        self._pages.clear()
        self._stale.clear()
        self._waiting.clear()
        self._running.clear()
        self.endResetModel()

    def set_count(self, count: int) -> None:
        """Rows were added or taken away at the end; nothing that is shown moves."""
        if count > self._count:
            self.beginInsertRows(NO_PARENT, self._count, count - 1)
            self._count = count
            self.endInsertRows()
        elif count < self._count:
            self.beginRemoveRows(NO_PARENT, count, self._count - 1)
            self._count = count
            for number in [page for page in self._pages if page * PAGE >= count]:
                del self._pages[number]
            self.endRemoveRows()

    def refresh(self) -> None:
        """Fetch again what is on screen, and the rest when it comes into sight."""
        self._stale = set(self._pages)
        self.stale.emit()

    def rowCount(self, parent: Index = NO_PARENT) -> int:
        return 0 if parent.isValid() else self._count

    def row(self, number: int) -> Row | None:
        """A row, or None while it is fetched."""
        page, at = divmod(number, PAGE)
        rows = self._pages.get(page)
        if rows is None or page in self._stale or at >= len(rows):
            self._want(page)
        if rows is None or at >= len(rows):
            return None
        self._pages.move_to_end(page)
        return rows[at]

    def held(self, page: int) -> Sequence[Row]:
        """The rows of a page that are in memory; nothing is fetched."""
        return self._pages.get(page, ())

    def find(self, wanted: Callable[[Row], bool]) -> int | None:
        """Where the row that is wanted stands, if its page is in memory."""
        for page, rows in self._pages.items():
            for at, row in enumerate(rows):
                if wanted(row) and page * PAGE + at < self._count:
                    return page * PAGE + at
        return None

    async def rows(self, ranges: Iterable[tuple[int, int]]) -> list[Row]:
        """Whole ranges of rows, first and last included, whether in memory or not."""
        found: list[Row] = []
        for first, last in ranges:
            for start in range(first, last + 1, 5_000):
                if self._fetch is not None:
                    found += await self._fetch(start, min(5_000, last + 1 - start))
        return found

    @property
    def loading(self) -> bool:
        """Whether rows are on their way."""
        return bool(self._waiting or self._running)

    def _want(self, page: int) -> None:
        if page in self._running or self._fetch is None:
            return
        self._waiting[page] = None
        self._waiting.move_to_end(page)
        while len(self._waiting) > WAITING:
            self._waiting.popitem(last=False)
        self._start()

    def _start(self) -> None:
        while self._waiting and len(self._running) < AT_ONCE:
            page, _ = self._waiting.popitem()
            self._running.add(page)
            self._poller.track(asyncio.ensure_future(self._load(page, self._source)))

    async def _load(self, page: int, source: int) -> None:
        rows: list[Row] | None = None
        try:
            assert self._fetch is not None
            rows = list(await self._fetch(page * PAGE, PAGE))
            self.failing = False
        except AppError as error:
            _log.info("a page could not be fetched: %s", error)
            self.failing = True
        except Exception:  # noqa: BLE001 — the next poll asks again
            if not self.failing:
                _log.exception("a page could not be fetched")
            self.failing = True
        if source != self._source:
            return
        self._running.discard(page)
        if rows is not None:
            self._keep(page, rows)
        self._start()

    def _keep(self, page: int, rows: list[Row]) -> None:
        before = self._pages.get(page)
        self._stale.discard(page)
        self._pages[page] = rows
        self._pages.move_to_end(page)
        while len(self._pages) > KEPT:
            self._pages.popitem(last=False)
        first, last = page * PAGE, min((page + 1) * PAGE, self._count) - 1
        if rows != before and last >= first:
            self.dataChanged.emit(self.index(first, 0), self.index(last, self.columnCount() - 1))
        self.arrived.emit()

    def columnCount(self, parent: Index = NO_PARENT) -> int:
        raise NotImplementedError

    def data(self, index: Index, role: int = 0) -> Any:
        raise NotImplementedError
