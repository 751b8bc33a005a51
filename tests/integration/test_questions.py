"""Questions to a worker that starts, loads, is busy or is gone: asked again, never a trace."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from ledgers import fresh_ledger
from pydantic import BaseModel
from rq.job import Job, JobStatus

from app.config import get_settings
from app.errors import AppError
from app.queue.ask import Question, WorkerAwayError, ask
from app.queue.connection import get_redis
from app.queue.questions import CHECK_LEDGER, FIND, CheckLedgerRequest, FindAnswer, FindRequest
from app.queue.queues import QUEUE_SEARCH, get_queue
from app.runtime import valkey
from app.runtime.redis_server import ensure_redis, stop_redis
from app.worker.answers import ANSWERS
from app.worker.context import context
from app.worker.loops import ThreadWorker

SEARCH = FindRequest(model="builtin", collection="builtin", terms=[], limit=1)


@pytest.fixture(autouse=True)
def queue(data_dir: Path) -> Iterator[None]:
    """A queue's server and a ledger, and no worker."""
    fresh_ledger()
    ensure_redis()
    yield
    stop_redis()
    valkey.end_servers()


def refused(question: Question[Any, Any] = FIND, request: BaseModel = SEARCH) -> str:
    with pytest.raises(WorkerAwayError) as caught:
        ask(replace(question, within_s=1), request)
    return caught.value.message


def while_it_waits(change: str) -> None:
    """Do something to the question's job as soon as it is there."""

    def work() -> None:
        queue = get_queue(QUEUE_SEARCH)
        while not (ids := queue.get_job_ids()):
            pass
        job = Job.fetch(ids[0], connection=queue.connection)
        if change == "flush":
            get_redis().flushall()
        elif change == "delete":
            job.delete()
        elif change == "start":
            job.set_status(JobStatus.STARTED)

    threading.Thread(target=work, daemon=True).start()


def test_without_a_worker_it_says_so_and_leaves_no_question_behind() -> None:
    assert refused() == "No indexing process is running."
    assert get_queue(QUEUE_SEARCH).get_job_ids() == []
    assert get_redis().keys("rq:job:*") == []


def test_a_worker_that_is_starting_is_told_from_one_that_is_gone(data_dir: Path) -> None:
    with FileLock(get_settings().run_dir / "worker.lock"):
        assert refused() == "The indexing process is starting."


def test_a_worker_that_is_busy_with_another_question_is_waited_for() -> None:
    context().beat()
    assert refused() == "The indexing process is busy, or is loading a model."
    context.cache_clear()


def test_a_model_that_is_being_loaded_is_named() -> None:
    while_it_waits("start")
    assert refused() == "The model is being loaded."
    get_redis().flushall()
    while_it_waits("start")
    message = refused(CHECK_LEDGER, CheckLedgerRequest())
    assert message == "The indexing process is still working on it."


@pytest.mark.parametrize("change", ["flush", "delete"])
def test_a_question_that_is_lost_on_the_way_is_asked_again(change: str) -> None:
    while_it_waits(change)
    assert "queue does not answer" in refused()


def test_a_queue_that_is_gone_is_no_trace() -> None:
    stop_redis()
    assert refused() in ("The queue is not running.", "The queue does not answer.")


def answered(monkeypatch: pytest.MonkeyPatch, answer: Callable[[Any], Any]) -> Any:
    """What a search comes to whose question a worker answers so; an AppError is handed back."""
    monkeypatch.setitem(ANSWERS, FIND.name, answer)
    worker = ThreadWorker([get_queue(QUEUE_SEARCH)], "answers", threading.Event())
    outcome: list[Any] = []

    def put() -> None:
        try:
            outcome.append(ask(FIND, SEARCH))
        except AppError as error:
            outcome.append(error)

    asker = threading.Thread(target=put)
    asker.start()
    while not get_queue(QUEUE_SEARCH).get_job_ids():
        pass
    answering = threading.Thread(target=lambda: worker.work(burst=True))
    answering.start()
    for thread in (answering, asker):
        thread.join()
    return outcome[0]


def test_an_answer_comes_back_as_it_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    found = FindAnswer(hits=[(7, 0.5)], known=False)
    assert answered(monkeypatch, lambda _request: found.model_dump()) == found


def test_a_sentence_of_the_worker_comes_back_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_request: Any) -> Any:
        raise AppError("The index is gone.", "Choose another one.")

    error = answered(monkeypatch, refuse)
    assert (error.message, error.hint) == ("The index is gone.", "Choose another one.")
    assert not isinstance(error, WorkerAwayError)


def test_a_bug_of_the_worker_is_not_taken_for_its_absence(monkeypatch: pytest.MonkeyPatch) -> None:
    error = answered(monkeypatch, lambda _request: 1 / 0)
    assert not isinstance(error, WorkerAwayError)
    assert "could not answer" in str(error)
