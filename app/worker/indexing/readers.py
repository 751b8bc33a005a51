"""Threads that read and decode pictures, one each; a graphics card takes whole batches of them."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Self

from app.db.jobs import ClaimedJob
from app.embedding.card_processes import BATCH, CardClosedError, CardFailedError, CardThread
from app.file_types import NAME_ENDINGS
from app.pictures.fork_server import Stopped
from app.worker.indexing.picture import Picture

log = logging.getLogger(__name__)

_FOR_CARDS = tuple(f".{ending}" for ending in NAME_ENDINGS["JPEG"])

Read = Callable[[ClaimedJob], Picture]
ReadMany = Callable[[CardThread, Sequence[ClaimedJob]], list[Picture | None]]
"""Gives None for each picture that is left to the threads."""


@dataclass(eq=False, slots=True)
class _Waiting:
    read: Read
    job: ClaimedJob
    for_card: bool
    future: Future[Picture] = field(default_factory=Future)
    begun: bool = False

    def begin(self) -> bool:
        """False where nobody wants it any more."""
        self.begun = self.begun or self.future.set_running_or_notify_cancel()
        return self.begun


class Readers(ThreadPoolExecutor):
    """Whoever is free takes what has waited longest: a thread one picture, a card a batch.

    Args:
        threads: how many.
        cards: threads of other processes that decode with a card, perhaps none.
        read_many: reads with one of them.
        initializer: called first by each thread.
    """

    def __init__(
        self,
        threads: int,
        cards: Sequence[CardThread],
        read_many: ReadMany,
        initializer: Callable[[], None],
    ) -> None:
        super().__init__(threads, "decode", initializer=initializer)
        self._cards, self._read_many = cards, read_many
        self._arrived = threading.Condition()
        self._waiting: deque[_Waiting] = deque()
        self._closed = False
        self._servers = [
            threading.Thread(target=self._serve, args=(card,), name="card decoder")
            for card in cards
        ]

    def __enter__(self) -> Self:
        for server in self._servers:
            server.start()
        return self

    def __exit__(self, *raised: Any) -> None:
        with self._arrived:
            self._closed = True
            self._arrived.notify_all()
        for card in self._cards:
            card.close()
        for server in self._servers:
            server.join()
        super().__exit__(*raised)

    def submit(self, read: Read, job: ClaimedJob, /) -> Future[Picture]:  # type: ignore[override]
        """Have a picture read, by ``read`` where a thread is free first."""
        for_card = bool(self._cards) and job.path.lower().endswith(_FOR_CARDS)
        waiting = _Waiting(read, job, for_card)
        with self._arrived:
            self._waiting.append(waiting)
            self._arrived.notify()
        super().submit(self._next)
        return waiting.future

    def _next(self) -> None:
        with self._arrived:
            if not self._waiting:
                return  # a card was quicker
            waiting = self._waiting.popleft()
        if not waiting.begin():
            return
        try:
            waiting.future.set_result(waiting.read(waiting.job))
        except BaseException as error:  # noqa: BLE001 - it is raised where the result is wanted
            waiting.future.set_exception(error)

    # --- a thread for each of a card's ------------------------------------------------------------

    def _serve(self, card: CardThread) -> None:
        try:
            if self._await(BATCH * len(self._cards)):
                card.start()
                log.info("a thread decodes with the card")
            while self._await(BATCH):
                self._read_batch(card, self._take())
        except CardClosedError:
            log.debug("a card was not wanted any more")
        except CardFailedError as error:
            log.warning("a thread decodes no more pictures with the card: %s", error)
        except Stopped:
            log.info("the worker ends")
        finally:
            card.end()

    def _await(self, number: int) -> bool:
        """Until so many wait that a card may read; False once all is over."""
        with self._arrived:
            self._arrived.wait_for(
                lambda: self._closed or sum(each.for_card for each in self._waiting) >= number
            )
            return not self._closed

    def _take(self) -> list[_Waiting]:
        """The oldest that a card may read, up to a batch of them."""
        with self._arrived:
            batch = [waiting for waiting in self._waiting if waiting.for_card][:BATCH]
            for waiting in batch:
                self._waiting.remove(waiting)
        return [waiting for waiting in batch if waiting.begin()]

    def _read_batch(self, card: CardThread, batch: Sequence[_Waiting]) -> None:
        try:
            pictures = self._read_many(card, [waiting.job for waiting in batch])
        except CardFailedError:
            self._leave_to_threads(batch)
            raise
        except BaseException as error:  # noqa: BLE001 - see _next
            for waiting in batch:
                waiting.future.set_exception(error)
            return
        for waiting, picture in zip(batch, pictures, strict=True):
            if picture is not None:
                waiting.future.set_result(picture)
        self._leave_to_threads([w for w in batch if not w.future.done()])

    def _leave_to_threads(self, batch: Sequence[_Waiting]) -> None:
        with self._arrived:
            for waiting in reversed(batch):
                waiting.for_card = False
                self._waiting.appendleft(waiting)
        for _ in batch:
            super().submit(self._next)
