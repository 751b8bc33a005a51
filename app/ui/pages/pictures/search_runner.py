"""Questions of the pictures page: never two at once, only the newest waits, late answers drop out.

An answer that nobody wants any more cannot be called back from the indexing process, so the newest
question waits until it has come; those in between are never asked.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal

from app.api.search_schemas import SearchResultPage
from app.errors import AppError
from app.queue.ask import WorkerAwayError

if TYPE_CHECKING:
    from app.api.search_schemas import SearchHit, SearchQuery
    from app.services.backend import Backend
    from app.ui.parts.actions import ActionRunner
    from app.ui.parts.poller import Poller

DEBOUNCE_MS = 250
SLOW_MS = 200
AGAIN_MS = 2_000
RENEWED_EVERY_S = 10.0
"""While more is indexed, the same is asked again at most this often."""
AT_ONCE = 200
AT_ONCE_BY_NAME = 2_000
"""Where the ledger keeps most of them back: the index of vectors knows no names."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Results of one question, or more of them."""

    query: SearchQuery
    hits: list[SearchHit]
    next_offset: int | None
    """None: these are the last."""
    best: float | None = None
    """Where the least score left nothing: the highest score there is; None: nothing at all."""
    known: bool = True
    """False: these are only the closest; nothing shows what was asked for."""
    left_out: bool = False
    """There are more, which are not likely."""
    named: int = 0
    """So many were found by their names: the first ones, or where others are known to show what was
    asked for, those behind the others."""
    unused: int = 0
    """So many pictures with a thumb are not known to the model."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question that is under way."""

    number: int
    offset: int
    indexed: tuple[int, int] | None
    """As ``SearchRunner.note_indexed`` was told last."""
    still: Callable[[], bool] | None
    """Of one that is asked again; see ``SearchRunner.renew``."""


class SearchRunner(QObject):
    """Asks what the page shows now, page by page."""

    answered = Signal(object)
    """An :class:`Answer` with the first results of a question."""
    added = Signal(object)
    """An :class:`Answer` with more results of the same question."""
    failed = Signal(object)
    """An AppError; if it is a WorkerAwayError, the question is asked again by itself."""
    slow = Signal(bool)
    """An answer takes long enough to say so; False when it has come."""
    grown = Signal(int)
    """So many pictures were indexed since what is answered was asked."""

    def __init__(
        self, backend: Backend, runner: ActionRunner, poller: Poller, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._backend, self._runner, self._poller = backend, runner, poller
        self._wanted: SearchQuery | None = None
        self._number = 0
        self._offset: int | None = None
        self._indexed: tuple[int, int] | None = None
        self._indexed_before: tuple[int, int] | None = None
        """The model, and how many pictures it knew when what is answered was asked."""
        self._answered_at = 0.0
        self._task: asyncio.Task[None] | None = None
        self._wait = QTimer(self, singleShot=True)
        self._slow = QTimer(self, singleShot=True, interval=SLOW_MS)
        self._again = QTimer(self, singleShot=True, interval=AGAIN_MS)
        self._wait.timeout.connect(lambda: self._begin())
        self._again.timeout.connect(lambda: self._begin())
        self._slow.timeout.connect(lambda: self.slow.emit(True))

    def ask(self, query: SearchQuery, *, delay_ms: int = DEBOUNCE_MS, again: bool = False) -> None:
        """Ask in a moment, unless this is what was asked last.

        Args:
            again: ask also then: results may have changed.
        """
        if query == self._wanted and not again:
            if delay_ms == 0 and self._wait.isActive():
                self._wait.start(0)
            return
        self._forget_answers()
        self._wanted, self._offset = query, 0
        self._wait.start(delay_ms)

    def forget(self) -> None:
        """Nothing is asked; an answer under way is not wanted any more."""
        self._forget_answers()
        self._wanted = self._offset = None
        self._end_slow()

    def more(self) -> None:
        """Ask for the next results, if there are any and none are under way."""
        if self._offset and not self._wait.isActive() and not self._again.isActive():
            self._begin()

    def note_indexed(self, model_id: int, pictures: int) -> None:
        """So many pictures can be found now."""
        self._indexed = now = (model_id, pictures)
        before = self._indexed_before
        if before is None or before[0] != model_id or before > now:
            self._indexed_before = before = now
        if self._wanted is not None and not self.waiting:
            self.grown.emit(pictures - before[1])

    def renew(self, still: Callable[[], bool]) -> None:
        """Ask the same again without a word, unless that was done just now.

        Args:
            still: asked when the answer is there: whether it may take the place of the results.
        """
        late = time.monotonic() - self._answered_at >= RENEWED_EVERY_S
        if late and not self.waiting:
            self._begin(still)

    @property
    def waiting(self) -> bool:
        """An answer is awaited."""
        return self._task is not None or self._wait.isActive() or self._again.isActive()

    def _forget_answers(self) -> None:
        self._number += 1
        self._wait.stop()
        self._again.stop()

    def _begin(self, still: Callable[[], bool] | None = None) -> None:
        offset = self._offset if still is None else 0
        if self._wanted is None or offset is None or self._task is not None:
            return
        if offset == 0 and still is None and not self._slow.isActive():
            self._slow.start()
        work = partial(self._guarded, self._wanted, offset)
        done = partial(self._deliver, _Asked(self._number, offset, self._indexed, still))
        self._task = self._runner.run(None, work, done=done)
        self._poller.track(self._task)

    async def _guarded(self, query: SearchQuery, offset: int) -> Answer | Exception:
        try:
            return await self._find(query, offset)
        except Exception as error:  # noqa: BLE001 — told apart where it is known who still waits
            return error
        finally:
            self._task = None

    async def _find(self, query: SearchQuery, offset: int) -> Answer:
        found, named = await asyncio.gather(
            self._page(query, offset), self._named(query, offset), return_exceptions=True
        )  # both are over then, also where one fails
        if isinstance(named, BaseException):
            raise named
        if isinstance(found, SearchResultPage):
            page = found
        elif isinstance(found, AppError) and named and not isinstance(found, WorkerAwayError):
            page = SearchResultPage(hits=[], nextOffset=None, modelId=0)  # names need no model
        else:
            raise found
        best: float | None = None
        if not page.hits and not offset and query.minScore is not None:
            anything = await self._page(query.model_copy(update={"minScore": None}), 0)
            best = anything.hits[0].score if anything.hits else None
        first, then = (page.hits, named) if page.known else (named, page.hits)
        ids = {hit.assetId for hit in first}
        hits = [*first, *(hit for hit in then if hit.assetId not in ids)]
        return Answer(
            query,
            hits,
            page.nextOffset,
            best,
            page.known,
            page.leftOut,
            sum(hit.named for hit in hits),
            page.unused,
        )

    async def _named(self, query: SearchQuery, offset: int) -> list[SearchHit]:
        """Pictures whose names say what is looked for, where that is a text alone."""
        text = query.terms[0].text if len(query.terms) == 1 else None
        refined = query.liked or query.disliked or query.minScore is not None
        if text is None or offset or refined:
            return []
        async with self._backend.db() as db:
            return await self._backend.search.named(db, text, query.filter)

    async def _page_or_why(self, query: SearchQuery, offset: int) -> SearchResultPage | AppError:
        try:
            return await self._page(query, offset)
        except AppError as error:
            return error

    async def _page(self, query: SearchQuery, offset: int) -> SearchResultPage:
        """Some results; a page whose pictures are all hidden is passed over."""
        ask, only = self._backend.search.search, query.filter
        limit = AT_ONCE_BY_NAME if only.names else AT_ONCE
        async with self._backend.db() as db:
            page = await ask(db, query, offset=offset, limit=limit)
            while not page.hits and page.nextOffset is not None:
                page = await ask(db, query, offset=page.nextOffset, limit=limit)
            return page

    def _deliver(self, asked: _Asked, outcome: Answer | Exception) -> None:
        current, still = asked.number == self._number, asked.still
        if current:
            self._end_slow()
        elif not self._wait.isActive():
            self._begin()
        if isinstance(outcome, Exception) and not isinstance(outcome, AppError):
            raise outcome  # a bug: the runner reports it
        if not current or (still is not None and isinstance(outcome, AppError)):
            return
        if still is not None and not still():
            self.more()  # which may have been asked for meanwhile
            return
        if isinstance(outcome, AppError):
            if isinstance(outcome, WorkerAwayError):
                self._again.start()
            self.failed.emit(outcome)
            return
        assert isinstance(outcome, Answer)
        self._offset = outcome.next_offset
        if asked.offset:
            self.added.emit(outcome)
        else:
            self._indexed_before, self._answered_at = asked.indexed, time.monotonic()
            self.answered.emit(outcome)

    def _end_slow(self) -> None:
        self._slow.stop()
        self.slow.emit(False)
