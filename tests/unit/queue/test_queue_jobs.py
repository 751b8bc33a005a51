"""Which jobs are refused, and that nothing in Redis is unpickled or imported."""

from __future__ import annotations

import json
import pickle
import sys
import zlib
from collections.abc import Callable, Iterator
from inspect import signature
from pathlib import Path
from typing import Any

import pytest
import rq
from ledgers import fresh_ledger
from rq.job import Job, JobStatus
from rq.registry import FailedJobRegistry

from app.queue.connection import close_redis, get_redis
from app.queue.jobs import JobName, KnownJob, UnknownFunctionError, function_of
from app.queue.questions import QUESTIONS
from app.queue.queues import QUEUE_LOW, get_queue
from app.queue.training_jobs import train_batch, train_session, train_single_asset
from app.runtime.redis_server import ensure_redis, stop_redis
from app.worker.answers import ANSWERS, answer
from app.worker.functions import FUNCTIONS
from app.worker.loops import LoopWorker


class Trap:
    """Leaves a file behind where it is unpickled."""

    marker = ""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path(self.marker),)


@pytest.fixture
def queue() -> Iterator[rq.Queue]:
    fresh_ledger()
    ensure_redis()
    yield get_queue(QUEUE_LOW)
    close_redis()
    stop_redis()


def work(queue: rq.Queue) -> None:
    from threading import Event

    LoopWorker([queue], "test-worker", Event()).work(burst=True, logging_level="CRITICAL")


def plant(queue: rq.Queue, job_id: str, **fields: Any) -> None:
    """A job as somebody who can write to the server may make it."""
    usual = {"status": "queued", "origin": queue.name, "created_at": "2026-01-01T00:00:00Z"}
    get_redis().hset(KnownJob.key_for(job_id), mapping=usual | fields)
    get_redis().rpush(queue.key, job_id)


def test_a_worker_can_do_whatever_is_listed_and_nothing_else() -> None:
    assert FUNCTIONS.keys() == set(JobName)
    assert ANSWERS.keys() == {question.name for question in QUESTIONS}


@pytest.mark.parametrize("function", [train_session, train_batch, train_single_asset])
def test_what_the_guide_enqueues_is_listed_as_rq_names_it(function: Callable[..., Any]) -> None:
    done_by = FUNCTIONS[JobName(f"{function.__module__}.{function.__qualname__}")]
    assert signature(function) == signature(done_by)


@pytest.mark.parametrize(
    "name",
    ["os.system", "app.worker.serving.work_until_stopped", "builtins.eval", "", None, 7, []],
)
def test_another_function_is_refused_before_anything_is_imported(name: object) -> None:
    with pytest.raises(UnknownFunctionError):
        function_of(name)
    with pytest.raises((UnknownFunctionError, TypeError)):
        answer(name, {})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "data",
    [
        json.dumps(["antigravity.fly", None, [], {}]).encode(),
        json.dumps(["refresh_payloads", None, "x", {}]).encode(),
        json.dumps(["refresh_payloads"]).encode(),
        json.dumps(["path", [1], [], {}]).encode(),
        b"\x80\x04N.",
        b"{",
        b"",
        b"\xff\xfe",
    ],
)
def test_what_names_no_function_of_ours_fails_and_the_next_job_is_done(
    queue: rq.Queue, monkeypatch: pytest.MonkeyPatch, data: bytes
) -> None:
    done: list[int] = []
    monkeypatch.setitem(FUNCTIONS, JobName.REFRESH_PAYLOADS, lambda: done.append(1))
    plant(queue, "bad", data=data)
    good = queue.enqueue("refresh_payloads")
    work(queue)
    assert done == [1]
    assert good.get_status() == JobStatus.FINISHED
    assert FailedJobRegistry(queue=queue).get_job_ids() in (["bad"], [])
    assert "antigravity" not in sys.modules


def test_nothing_is_unpickled(queue: rq.Queue, tmp_path: Path) -> None:
    trap = Trap()
    trap.marker = str(tmp_path / "unpickled")
    evil = pickle.dumps(trap)
    call = json.dumps(["refresh_payloads", None, [], {}]).encode()
    plant(queue, "data", data=zlib.compress(pickle.dumps(("os.getpid", trap, (), {}))))
    plant(queue, "meta", data=call, meta=evil)
    plant(queue, "result", data=call, result=evil)
    plant(queue, "group", data=call, meta=evil, group_id="group")
    get_redis().sadd("rq:groups", "group")
    get_redis().sadd("rq:group:group", "group", "meta")
    for job_id in ("data", "meta", "result", "group"):
        plain = Job(job_id, connection=get_redis())  # as RQ makes them where it takes no serializer
        plain.refresh()
        KnownJob.fetch(job_id, get_redis())
    work(queue)
    assert not Path(trap.marker).exists()


def test_callbacks_and_web_addresses_of_a_job_are_passed_over(
    queue: rq.Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    monkeypatch.setattr("rq.webhook.Webhook.send", lambda *_, **__: sent.append("sent"))
    monkeypatch.setitem(FUNCTIONS, JobName.REFRESH_PAYLOADS, lambda: 0)
    hooks = [{"url": "http://127.0.0.1:1/", "job_status": status} for status in JobStatus]
    names = {f"{kind}_callback_name": "antigravity.fly" for kind in ("success", "failure")}
    for job_id, function in (
        ("good", "refresh_payloads"),
        ("bad", "os.getpid"),
    ):
        plant(
            queue,
            job_id,
            data=json.dumps([function, None, [], {}]),
            webhooks=json.dumps(hooks),
            **names,
        )
    work(queue)
    assert KnownJob.fetch("good", get_redis()).get_status() == JobStatus.FINISHED
    assert KnownJob.fetch("bad", get_redis()).get_status() == JobStatus.FAILED
    assert not sent
    assert "antigravity" not in sys.modules


@pytest.mark.parametrize(
    "fields",
    [
        {"timeout": "x"},
        {"status": "odd"},
        {"created_at": "never"},
        {"ttl": b"\xff"},
        {"origin": b"\xff"},
    ],
)
def test_what_is_stored_in_another_shape_counts_as_gone(
    queue: rq.Queue, fields: dict[str, Any]
) -> None:
    plant(queue, "odd", data="[]", **fields)
    queue.enqueue("refresh_payloads", job_id="good")
    odd, good, none = KnownJob.fetch_many(["odd", "good", "none"], get_redis())
    assert odd is None
    assert good is not None
    assert none is None
    work(queue)
    assert KnownJob.fetch("good", get_redis()).get_status() == JobStatus.FINISHED


def test_arguments_that_json_cannot_hold_are_found_when_they_are_given(queue: rq.Queue) -> None:
    with pytest.raises(TypeError, match="not JSON serializable"):
        queue.enqueue("refresh_payloads", {1, 2})


def test_odd_names_of_files_survive_the_way(queue: rq.Queue) -> None:
    paths = ["/p/\udcff.jpg", "/p/a\nb ü.jpg"]
    job = queue.enqueue("make_thumbnails", args=(paths, 256))
    assert KnownJob.fetch(job.id, get_redis()).args == [paths, 256]
