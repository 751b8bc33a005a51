"""Threads and cards share what is to be read: whoever is free takes it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future
from typing import Any

import pytest

from app.db.jobs import ClaimedJob
from app.embedding.card_processes import BATCH, CardClosedError, CardFailedError
from app.pictures.fork_server import Stopped
from app.worker.indexing.readers import Readers

WITHIN_S = 30


class Card:
    """In place of a process that decodes with a card."""

    def __init__(self) -> None:
        self.ready, self.closed, self.ended = threading.Event(), False, False

    def start(self) -> None:
        while not self.ready.wait(0.01):
            if self.closed:
                raise CardClosedError

    def close(self) -> None:
        self.closed = True

    def end(self) -> None:
        self.ended = True


class Work:
    """What is read, and by whom."""

    def __init__(self) -> None:
        self.threads_may, self.card_may = threading.Event(), threading.Event()
        self.by_threads: list[int] = []
        self.batches: list[list[int]] = []
        self.left: Callable[[int], bool] = lambda _number: False

    def read(self, job: ClaimedJob) -> Any:
        assert self.threads_may.wait(WITHIN_S)
        self.by_threads.append(job.job_id)
        return f"thread {job.job_id}"

    def read_many(self, _card: object, jobs: Sequence[ClaimedJob]) -> Any:
        assert self.card_may.wait(WITHIN_S)
        self.batches.append([job.job_id for job in jobs])
        return [None if self.left(job.job_id) else f"card {job.job_id}" for job in jobs]


@pytest.fixture
def work() -> Work:
    return Work()


def readers(work: Work, *cards: Any, threads: int = 1) -> Readers:
    return Readers(threads, cards, work.read_many, lambda: None)


def submit(pool: Readers, work: Work, number: int, ending: str = "jpg") -> list[Future[Any]]:
    return [
        pool.submit(work.read, ClaimedJob(index, index, 1, f"/{index}.{ending}"))
        for index in range(number)
    ]


def results(futures: Sequence[Future[Any]]) -> list[Any]:
    return [future.result(WITHIN_S) for future in futures]


def test_a_card_takes_whole_batches_and_threads_what_is_left(work: Work) -> None:
    card = Card()
    card.ready.set()
    with readers(work, card) as pool:
        futures = submit(pool, work, 2 * BATCH + 5)
        work.card_may.set()
        by_card = results(futures[1 : 2 * BATCH])
        assert set(by_card) == {f"card {number}" for number in range(1, 2 * BATCH)}
        work.threads_may.set()
        results(futures)
    assert [len(batch) for batch in work.batches] == [BATCH, BATCH]
    assert len(work.by_threads) == 5
    assert card.ended


def test_other_formats_wait_for_a_thread(work: Work) -> None:
    card = Card()
    card.ready.set()
    work.threads_may.set()
    work.card_may.set()
    with readers(work, card) as pool:
        results(submit(pool, work, 3 * BATCH, "png"))
    assert work.batches == []


def test_what_a_card_leaves_is_read_by_a_thread_before_anything_newer(work: Work) -> None:
    card = Card()
    card.ready.set()
    work.card_may.set()
    work.left = lambda number: number in (3, 7)
    with readers(work, card) as pool:
        futures = submit(pool, work, BATCH + 1)
        assert futures[1].result(WITHIN_S) == "card 1"
        newer = submit(pool, work, 1, "png")
        work.threads_may.set()
        assert [futures[3].result(WITHIN_S), futures[7].result(WITHIN_S)] == [
            "thread 3",
            "thread 7",
        ]
        results(newer)
    assert work.by_threads[-3:] == [3, 7, 0]


def test_without_its_card_threads_go_on(work: Work, caplog: pytest.LogCaptureFixture) -> None:
    tried = threading.Event()

    def lost(_card: object, _jobs: object) -> Any:
        tried.set()
        raise CardFailedError("its process has ended")

    card = Card()
    card.ready.set()
    with Readers(1, [card], lost, lambda: None) as pool:  # type: ignore[list-item]
        futures = submit(pool, work, 3 * BATCH)
        assert tried.wait(WITHIN_S)
        work.threads_may.set()
        results(futures)
    assert sorted(work.by_threads) == list(range(3 * BATCH))
    assert "its process has ended" in caplog.text
    assert card.ended


@pytest.mark.parametrize("error", [Stopped(), RuntimeError("the ledger does not answer")])
def test_what_is_no_cards_fault_is_raised_where_the_pictures_are_wanted(
    work: Work, error: Exception
) -> None:
    def fails(_card: object, _jobs: object) -> Any:
        raise error

    card = Card()
    card.ready.set()
    with Readers(1, [card], fails, lambda: None) as pool:  # type: ignore[list-item]
        futures = submit(pool, work, BATCH + 1)
        with pytest.raises(type(error)):
            futures[BATCH].result(WITHIN_S)
        work.threads_may.set()


def test_a_card_that_is_not_ready_holds_nothing_and_keeps_nobody_waiting(
    work: Work, caplog: pytest.LogCaptureFixture
) -> None:
    card = Card()
    work.threads_may.set()
    with caplog.at_level(logging.WARNING), readers(work, card) as pool:
        results(submit(pool, work, 3 * BATCH))
    assert card.ended
    assert work.batches == []
    assert caplog.text == ""


def test_a_few_pictures_start_no_card(work: Work) -> None:
    cards = [Card(), Card()]
    work.threads_may.set()
    with readers(work, *cards) as pool:
        results(submit(pool, work, 2 * BATCH - 1))
        assert not any(card.closed for card in cards)
    assert work.batches == []


def test_nobody_reads_what_is_cancelled(work: Work) -> None:
    with readers(work, Card()) as pool:
        futures = submit(pool, work, 4)
        cancelled = [future.cancel() for future in futures]
        work.threads_may.set()
    assert cancelled[1:] == [True, True, True]
    assert work.by_threads in ([], [0])
    with pytest.raises(CancelledError):
        futures[3].result(WITHIN_S)


def test_what_a_thread_raises_is_raised_where_the_picture_is_wanted(work: Work) -> None:
    def fails(_job: ClaimedJob) -> Any:
        raise OSError("the disk is gone")

    with readers(work) as pool:
        future = pool.submit(fails, ClaimedJob(1, 1, 1, "/a.jpg"))
        with pytest.raises(OSError, match="the disk is gone"):
            future.result(WITHIN_S)
