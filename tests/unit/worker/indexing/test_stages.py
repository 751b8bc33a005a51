"""Reading and decoding: many at once, in the right order of importance."""

from __future__ import annotations

import hashlib
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ledgers import fresh_ledger
from PIL import Image
from rq.timeouts import JobTimeoutException
from sqlalchemy.exc import OperationalError

from app.api.error_kinds import ErrorKind
from app.config import get_settings
from app.db.jobs import ClaimedJob
from app.db.settle import Outcome
from app.errors import AppError
from app.pictures.decoders import Decoders, OpenFile
from app.pictures.fork_server import Stopped
from app.pictures.pixels import PixelSpec
from app.worker.context import context
from app.worker.indexing import stages as stages_module
from app.worker.indexing.picture import Picture
from app.worker.indexing.stages import READ_AHEAD, Stages

PICTURES = 12
WITHIN_S = 30


@pytest.fixture
def make_stages(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], Stages]:
    """Stages with so many decode threads; no model is needed to decode."""

    def make(decode_threads: int) -> Stages:
        monkeypatch.setenv("AFTERIMAGE_DECODE_THREADS", str(decode_threads))
        get_settings.cache_clear()
        encoder: Any = SimpleNamespace(pixels=PixelSpec(32), free_memory=lambda: 0)
        return Stages(encoder, store=None, model_id=1)  # type: ignore[arg-type]

    fresh_ledger()
    return make


@pytest.fixture
def jobs(tmp_path: Path) -> list[ClaimedJob]:
    made = []
    for number in range(PICTURES):
        path = tmp_path / f"{number}.png"
        Image.new("RGB", (40, 30), (number, 0, 0)).save(path)
        made.append(ClaimedJob(number, number, 1, str(path)))
    return made


def test_a_file_that_is_slow_to_come_holds_up_no_other(
    make_stages: Callable[[int], Stages],
    jobs: list[ClaimedJob],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stages, arrived, real = make_stages(1), threading.Event(), Decoders.read

    def read(decoders: Decoders, niceness: int, path: str) -> OpenFile:
        if path == jobs[0].path:
            assert arrived.wait(WITHIN_S)
        return real(decoders, niceness, path)

    monkeypatch.setattr(Decoders, "read", read)
    with stages.threads() as threads:
        slow, *others = [threads.submit(stages.read, job) for job in jobs]
        decoded = [future.result(WITHIN_S) for future in others]
        assert not slow.done()
        arrived.set()
        decoded.append(slow.result(WITHIN_S))
    assert all(picture.pixels is not None for picture in decoded)


def test_no_more_pictures_are_decoded_at_once_than_asked_for_and_few_files_are_held(
    make_stages: Callable[[int], Stages],
    jobs: list[ClaimedJob],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stages = make_stages(2)
    lock, both = threading.Lock(), threading.Barrier(2)
    real_read, real_decode, real_exit = Decoders.read, OpenFile.decode, OpenFile.__exit__
    held = decoding = most_held = most_decoding = 0

    def read(*arguments: Any) -> Any:
        nonlocal held, most_held
        file = real_read(*arguments)
        with lock:
            held += 1
            most_held = max(most_held, held)
        return file

    def decode(*arguments: Any) -> Any:
        nonlocal decoding, most_decoding
        with lock:
            decoding += 1
            most_decoding = max(most_decoding, decoding)
        both.wait(WITHIN_S)  # two must be there, or this breaks
        decoded = real_decode(*arguments)
        with lock:
            decoding -= 1
        return decoded

    def close(*arguments: Any) -> None:
        nonlocal held
        with lock:
            held -= 1
        real_exit(*arguments)

    monkeypatch.setattr(Decoders, "read", read)
    monkeypatch.setattr(OpenFile, "decode", decode)
    monkeypatch.setattr(OpenFile, "__exit__", close)
    with stages.threads() as threads:
        for future in [threads.submit(stages.read, job) for job in jobs]:
            assert future.result(WITHIN_S).outcome.error_kind is None
    assert most_decoding == 2
    assert 2 <= most_held <= 2 + READ_AHEAD


@pytest.mark.skipif(sys.platform != "linux", reason="a thread has a niceness on Linux only")
def test_decoding_gives_way_to_the_model(make_stages: Callable[[int], Stages]) -> None:
    with make_stages(1).threads() as threads:
        reads: Any = lambda _job: os.getpriority(os.PRIO_PROCESS, threading.get_native_id())  # noqa: E731
        own = threads.submit(reads, ClaimedJob(0, 0, 1, "")).result(WITHIN_S)
    here = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    assert own == min(here + stages_module.BEHIND_THE_MODEL, 19)


def test_decode_threads_are_as_many_as_processors_that_may_be_used(
    make_stages: Callable[[int], Stages],
) -> None:
    if sys.platform != "linux":
        assert make_stages(0).decode_threads == os.cpu_count()
        return
    usable = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(usable)})
        assert make_stages(0).decode_threads == 1
    finally:
        os.sched_setaffinity(0, usable)


def test_times_of_stages_are_shared_among_their_threads(
    make_stages: Callable[[int], Stages], jobs: list[ClaimedJob]
) -> None:
    pictures = [Picture(Outcome(job), read_ms=60, decode_ms=100) for job in jobs]
    times = make_stages(2).stage_ms(pictures, embed_ms=500, store_ms=7)
    assert times == {"read_ms": 120, "decode_ms": 600, "embed_ms": 500, "store_ms": 7}


def test_batches_that_take_less_than_a_millisecond_add_up(
    make_stages: Callable[[int], Stages], jobs: list[ClaimedJob]
) -> None:
    stages, total = make_stages(2), 0
    for _ in range(1_000):
        total += stages.stage_ms([], embed_ms=0.25, store_ms=0)["embed_ms"]
    assert total == 250


def test_whatever_is_raised_for_one_picture_is_its_failure(
    make_stages: Callable[[int], Stages],
    jobs: list[ClaimedJob],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    stages, real = make_stages(2), Decoders.read

    def read(decoders: Decoders, niceness: int, path: str) -> OpenFile:
        if path == jobs[3].path:
            raise OverflowError("nobody thought of that")
        return real(decoders, niceness, path)

    monkeypatch.setattr(Decoders, "read", read)
    with stages.threads() as threads:
        pictures = [threads.submit(stages.read, job).result(WITHIN_S) for job in jobs]
        stages._decode_again(pictures[3])
    failed = [picture for picture in pictures if picture.pixels is None]
    assert [picture.job for picture in failed] == [jobs[3]]
    assert failed[0].outcome.error_kind is ErrorKind.INTERNAL
    assert failed[0].outcome.error_message == (
        "Something unexpected happened: nobody thought of that."
    )
    assert jobs[3].path in caplog.text
    assert "OverflowError" in caplog.text


@pytest.mark.parametrize(
    "error", [JobTimeoutException(), OperationalError("", {}, Exception()), AppError("No ledger.")]
)
def test_what_is_no_fault_of_a_picture_is_not_blamed_on_it(
    make_stages: Callable[[int], Stages],
    jobs: list[ClaimedJob],
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    stages = make_stages(1)

    def fails(*_: object) -> bool:
        raise error

    monkeypatch.setattr(Stages, "_find_known", fails)
    with pytest.raises(type(error)):
        stages.read(jobs[0])


def test_a_worker_that_is_to_end_reads_nothing_more(
    make_stages: Callable[[int], Stages], jobs: list[ClaimedJob]
) -> None:
    stages = make_stages(1)
    context().stop.set()
    try:
        with stages.threads() as threads, pytest.raises(Stopped):
            threads.submit(stages.read, jobs[0]).result(WITHIN_S)
    finally:
        context().stop.clear()


def test_a_picture_that_changed_is_decoded_again_with_what_it_is_now(
    make_stages: Callable[[int], Stages], jobs: list[ClaimedJob]
) -> None:
    stages = make_stages(1)
    with stages.threads():
        picture = stages.read(jobs[0])
        before = dict(picture.outcome.facts)
        Image.new("RGB", (7, 5)).save(jobs[0].path)
        stages._decode_again(picture)
    facts = picture.outcome.facts
    assert (facts["width"], facts["height"]) == (7, 5)
    assert facts["sha256"] == hashlib.sha256(Path(jobs[0].path).read_bytes()).hexdigest()
    assert facts["sha256"] != before["sha256"]
    assert tuple(facts) == tuple(before)
