"""Pictures that look alike: what is found, and what happens when a scan is broken off."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawing import distinct_scenes, draw
from drawn_model import DRAWN_MODEL
from drawn_pictures import photo
from ledgers import fresh_ledger
from PIL import Image
from sqlalchemy import insert, select, update
from sqlalchemy.exc import OperationalError

from app.config import get_settings
from app.db.duplicate_scans import SILENT_AFTER, claim_scan, finish_scan, take_back_scans
from app.db.engine import get_sync_engine, write_transaction
from app.db.models import AssetVector, DuplicateScan, EmbeddingModel, ImageAsset, NearDuplicate
from app.db.types import utc_now
from app.embedding.loading import load_encoder
from app.errors import AppError
from app.pictures.decode import decode, read_file
from app.queue.connection import close_redis, get_redis
from app.queue.queues import QUEUE_HIGH, QUEUE_LOW, get_queue
from app.queue.reconcile import reconcile
from app.runtime.redis_server import ensure_redis, stop_redis
from app.services import duplicate_scan
from app.vectors.protocol import VectorPoint
from app.worker import likeness, near_duplicates, small_copies
from app.worker.context import context
from app.worker.loops import ThreadWorker
from app.worker.near_duplicates import NearDuplicateScan, find_near_duplicates, join, roots

DIMENSION = 96
COLLECTION = "test"
LIKE_ALL_OTHERS = np.ones(1, np.float16).repeat(768) / np.float16(768**0.5)
"""How a picture looks of which there is no file."""


@pytest.fixture(autouse=True)
def ledger(measured: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A ledger with one model, and an empty store."""
    monkeypatch.setenv("AFTERIMAGE_PRECISION", "fp32")  # which one is quickest is not measured
    get_settings.cache_clear()
    context.cache_clear()
    fresh_ledger()
    with write_transaction() as conn:
        conn.execute(
            insert(EmbeddingModel).values(
                id=1,
                name="test",
                version="1",
                weights_digest="x",
                dimension=DIMENSION,
                collection=COLLECTION,
                spec=DRAWN_MODEL,
            )
        )
    context().store.ensure_collection(COLLECTION, DIMENSION)
    look_at = small_copies.small_copy
    monkeypatch.setattr(
        small_copies,
        "small_copy",
        lambda path: look_at(path) if os.path.exists(path) else LIKE_ALL_OTHERS,
    )
    yield
    context().close()
    context.cache_clear()


@pytest.fixture
def queue(data_dir: Path) -> Iterator[None]:
    """Redis without a worker."""
    ensure_redis()
    yield
    close_redis()
    stop_redis()


def unit(rows: Any) -> Any:
    rows = np.asarray(rows, np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def add(vectors: Any, *, first: int = 1, sha256: list[str] | None = None, **values: Any) -> None:
    """Indexed pictures with these vectors; their ids count from ``first``."""
    ids = list(range(first, first + len(vectors)))
    shas = sha256 or [f"{number:064}" for number in ids]
    with write_transaction() as conn:
        for number, sha in zip(ids, shas, strict=True):
            asset = {
                "id": number,
                "path": f"/p/{number}.jpg",
                "folder": "/p",
                "size": 1000,
                "mtime_ns": number,
                "sha256": sha,
            }
            conn.execute(insert(ImageAsset).values(asset | values))
            conn.execute(
                insert(AssetVector).values(
                    asset_id=number, model_id=1, size=1000, mtime_ns=number, sha256=sha
                )
            )
    points = [VectorPoint(number, vector, {}) for number, vector in zip(ids, vectors, strict=True)]
    context().store.upsert(COLLECTION, points)


def look(threshold: float = 0.95) -> None:
    scan = NearDuplicateScan(1, threshold)
    for _ in scan.steps:
        pass
    with write_transaction() as conn:
        scan.write(conn)


def found() -> dict[int, int]:
    """By picture the group that it is in."""
    with get_sync_engine().connect() as conn:
        rows = conn.execute(select(NearDuplicate.asset_id, NearDuplicate.group_id))
        return {row.asset_id: row.group_id for row in rows}


def scores() -> dict[int, float]:
    with get_sync_engine().connect() as conn:
        rows = conn.execute(select(NearDuplicate.asset_id, NearDuplicate.score))
        return {row.asset_id: row.score for row in rows}


def by_brute_force(vectors: Any, threshold: float) -> dict[int, int]:
    """The same by comparing everything with everything."""
    near = vectors @ vectors.T >= threshold
    np.fill_diagonal(near, False)
    groups = np.arange(len(vectors))
    while True:
        least = np.where(near, groups[None, :], len(vectors)).min(axis=1)
        if np.all(groups <= least):
            break
        groups = np.minimum(groups, least)
    return {int(at) + 1: int(groups[at]) + 1 for at in np.flatnonzero(near.any(axis=1))}


@pytest.mark.parametrize("block", [7, 64, 2048])
@pytest.mark.parametrize("threshold", [0.7, 0.9, 0.95])
def test_every_pair_is_found_and_no_other(
    monkeypatch: pytest.MonkeyPatch, block: int, threshold: float
) -> None:
    monkeypatch.setattr(near_duplicates, "BLOCK", block)
    monkeypatch.setattr(near_duplicates, "HEAD_COMPONENTS", 16)
    rng = np.random.default_rng(7)
    centres = unit(rng.standard_normal((30, DIMENSION)))
    noise = rng.standard_normal((200, DIMENSION)) / np.sqrt(DIMENSION)
    vectors = unit(centres[rng.integers(0, 30, 200)] + rng.uniform(0, 1, (200, 1)) * noise)
    add(vectors)
    look(threshold)
    expected = by_brute_force(vectors, threshold)
    assert len(set(expected.values())) > 3
    assert found() == expected


def test_pictures_join_through_others_and_each_has_its_best_score() -> None:
    angles = np.radians([0, 10, 20, 90])
    vectors = np.zeros((4, DIMENSION), np.float32)
    vectors[:, 0], vectors[:, 1] = np.cos(angles), np.sin(angles)
    add(vectors)
    look(0.97)
    assert found() == {1: 1, 2: 1, 3: 1}
    assert scores() == pytest.approx(dict.fromkeys((1, 2, 3), np.cos(np.radians(10))))


def test_equal_pictures_have_a_score_of_one() -> None:
    add(np.repeat(unit(np.ones((1, DIMENSION))), 3, axis=0))
    look()
    assert scores() == pytest.approx(dict.fromkeys((1, 2, 3), 1.0))
    assert max(scores().values()) <= 1.0


def test_copies_of_one_file_are_left_to_the_exact_list() -> None:
    alike = np.repeat(unit(np.ones((1, DIMENSION))), 3, axis=0)
    add(alike, sha256=["a" * 64, "a" * 64, "b" * 64])
    look()
    assert found() == {1: 1, 3: 1}


@pytest.mark.parametrize(
    "change", [{"excluded": True}, {"missing_since": utc_now()}, {"mtime_ns": 99}]
)
def test_only_present_pictures_that_are_indexed_as_they_are_count(change: dict[str, Any]) -> None:
    add(np.repeat(unit(np.ones((1, DIMENSION))), 3, axis=0))
    with write_transaction() as conn:
        conn.execute(update(ImageAsset).where(ImageAsset.id == 2).values(change))
    look()
    assert found() == {1: 1, 3: 1}


def test_nothing_indexed_is_no_error() -> None:
    look()
    assert found() == {}


def test_what_is_removed_meanwhile_is_not_written() -> None:
    add(np.repeat(unit(np.ones((1, DIMENSION))), 3, axis=0))
    scan = NearDuplicateScan(1, 0.95)
    for _ in scan.steps:
        pass
    with write_transaction() as conn:
        conn.execute(AssetVector.__table__.delete().where(AssetVector.asset_id == 1))
        conn.execute(ImageAsset.__table__.delete().where(ImageAsset.id == 1))
        scan.write(conn)
    assert found() == {2: 1, 3: 1}


def test_an_index_that_was_removed_ends_the_scan(queue: None) -> None:
    add(np.repeat(unit(np.ones((1, DIMENSION))), 2, axis=0))
    duplicate_scan.start(1)
    context().store.drop_collection(COLLECTION)
    assert not find_near_duplicates()
    assert found() == {}
    status = duplicate_scan.status(1)
    assert (status.state, status.error) == ("failed", "The index of this model no longer exists.")


def test_groups_are_named_by_their_least_member() -> None:
    rng = np.random.default_rng(3)
    parents = np.arange(500)
    ones, others = rng.integers(0, 500, (2, 400))
    join(parents, ones, others)
    named = roots(parents, np.arange(500))
    assert np.all(named[ones] == named[others])
    for name in set(named.tolist()):
        assert np.flatnonzero(named == name).min() == name


# In the queue


def work(jobs: int | None = None) -> None:
    """Be the worker until the queue is empty, or for so many jobs."""
    context().beat()
    worker = ThreadWorker([get_queue(QUEUE_LOW)], context().name, threading.Event())
    worker.work(burst=True, max_jobs=jobs, logging_level="WARNING")


def restarted() -> None:
    """Be another worker, as after a restart."""
    context().close()
    context.cache_clear()
    context().name = "another-worker"
    context().beat()


@pytest.fixture
def alike() -> None:
    add(np.repeat(unit(np.ones((1, DIMENSION))), 6, axis=0))


@pytest.fixture
def in_many_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(near_duplicates, "BLOCK", 2)
    monkeypatch.setattr(near_duplicates, "LOOK_EVERY_S", 0.0)


def give_way_once() -> None:
    """Do a turn while something else waits."""
    session = get_queue(QUEUE_HIGH).enqueue("builtins.len", [])
    work(jobs=1)
    session.delete()


def state() -> str:
    return duplicate_scan.status(1).state


def test_two_clicks_make_one_scan(queue: None) -> None:
    duplicate_scan.start(1)
    duplicate_scan.start(1)
    assert get_queue(QUEUE_LOW).count == 1
    assert state() == "waiting"


def test_a_scan_is_done_by_the_worker_and_says_so(queue: None, alike: None) -> None:
    assert state() == "never"
    duplicate_scan.start(1)
    work()
    assert len(found()) == 6
    status = duplicate_scan.status(1)
    assert (status.state, status.share) == ("done", 1.0)
    assert status.endedAt is not None
    assert abs((utc_now() - status.endedAt).total_seconds()) < 600
    duplicate_scan.start(1)
    assert state() == "waiting"


def test_it_says_that_it_runs_while_it_runs_and_cannot_be_started_twice(
    queue: None, alike: None, in_many_steps: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []

    def look_around() -> bool:
        duplicate_scan.start(1)
        seen.append(duplicate_scan.status(1))
        assert not find_near_duplicates()  # by another thread of this worker
        return False

    monkeypatch.setattr(near_duplicates, "_others_wait", look_around)
    duplicate_scan.start(1)
    work()
    assert {status.state for status in seen} == {"running"}
    shares = [status.share for status in seen]
    assert shares == sorted(shares)
    assert shares[-1] > 0.5
    assert state() == "done"
    assert get_queue(QUEUE_LOW).count == 0


def test_a_scan_gives_way_to_a_session_and_goes_on_where_it_was(
    queue: None, alike: None, in_many_steps: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[int] = []
    steps = NearDuplicateScan._steps
    monkeypatch.setattr(NearDuplicateScan, "_steps", lambda self: begun.append(1) or steps(self))
    duplicate_scan.start(1)
    for _ in range(3):
        give_way_once()
        reconcile()  # as every worker does every few seconds
        assert get_queue(QUEUE_LOW).count == 1
    status = duplicate_scan.status(1)
    assert status.state == "waiting"
    assert 0 < status.share < 1
    work()
    assert (len(found()), begun, state()) == (6, [1], "done")


def test_an_emptied_queue_loses_nothing(queue: None, alike: None, in_many_steps: None) -> None:
    duplicate_scan.start(1)
    get_redis().flushall()
    assert state() == "waiting"
    reconcile()
    give_way_once()
    get_redis().flushall()
    reconcile()
    work()
    assert (len(found()), state()) == (6, "done")


def test_without_a_queue_a_scan_waits_in_the_ledger(alike: None) -> None:
    duplicate_scan.start(1)
    assert state() == "waiting"
    assert find_near_duplicates()
    assert (len(found()), state()) == (6, "done")


def test_a_worker_that_quits_hands_the_scan_to_the_next(
    queue: None, alike: None, in_many_steps: None
) -> None:
    duplicate_scan.start(1)
    give_way_once()
    reconcile()
    context().stop.set()
    work(jobs=1)
    status = duplicate_scan.status(1)
    assert (status.state, status.share) == ("waiting", 0.0)
    restarted()
    reconcile()
    work()
    assert (len(found()), state()) == (6, "done")


def test_a_scan_whose_worker_died_begins_anew_by_itself(
    queue: None, alike: None, in_many_steps: None
) -> None:
    context().beat()
    duplicate_scan.start(1)
    with write_transaction() as conn:
        lost = claim_scan(conn, context().name)
    dead = context().name
    assert state() == "running"
    restarted()
    reconcile()
    assert state() == "running"  # nothing says yet that it is dead
    reconcile([dead])
    assert state() == "waiting"
    work()
    assert (len(found()), state()) == (6, "done")
    with write_transaction() as conn:  # it was not dead, and wakes up
        assert not finish_scan(conn, lost)


def test_a_scan_whose_worker_died_alone_waits_for_one(alike: None) -> None:
    duplicate_scan.start(1)
    with write_transaction() as conn:
        claim_scan(conn, "dead")
        conn.execute(update(DuplicateScan).values(share=0.5, beat_at=utc_now() - 2 * SILENT_AFTER))
    status = duplicate_scan.status(1)
    assert (status.state, status.share) == ("waiting", 0.0)


def test_what_was_taken_over_is_left_alone(
    queue: None, alike: None, in_many_steps: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def taken_over() -> bool:
        with write_transaction() as conn:
            take_back_scans(conn, [])
        return False

    monkeypatch.setattr(near_duplicates, "_others_wait", taken_over)
    duplicate_scan.start(1)
    work(jobs=1)
    assert (found(), state()) == ({}, "waiting")


def test_a_stopped_scan_leaves_the_last_result_and_can_be_started_again(
    queue: None, in_many_steps: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(np.repeat(unit(np.ones((1, DIMENSION))), 2, axis=0))
    look()
    add(np.repeat(unit(np.ones((1, DIMENSION))), 2, axis=0), first=3)
    with monkeypatch.context() as patch:
        patch.setattr(near_duplicates, "_others_wait", lambda: duplicate_scan.stop(1))
        duplicate_scan.start(1)
        work()
    assert (found(), state()) == ({1: 1, 2: 1}, "stopped")
    duplicate_scan.start(1)
    duplicate_scan.stop(1)
    assert state() == "stopped"
    work()
    assert found() == {1: 1, 2: 1}
    duplicate_scan.start(1)
    work()
    assert len(found()) == 4


@pytest.mark.parametrize(
    ("error", "expected", "said"),
    [
        (RuntimeError("a bug"), "failed", "RuntimeError: a bug"),
        (AppError("Qdrant does not answer.", "Start it."), "waiting", "Qdrant does not answer"),
        (OperationalError("x", {}, Exception("gone")), "waiting", "gone"),
    ],
)
def test_a_bug_ends_a_scan_and_what_is_away_makes_it_wait(
    queue: None,
    alike: None,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    expected: str,
    said: str,
) -> None:
    def broken(*_: Any) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(NearDuplicateScan, "_compare", broken)
        duplicate_scan.start(1)
        work()
    status = duplicate_scan.status(1)
    assert status.state == expected
    assert said in status.error
    duplicate_scan.start(1)
    reconcile()
    work()
    assert (len(found()), duplicate_scan.status(1).error, state()) == (6, "", "done")


def test_a_model_that_was_removed_cannot_be_scanned(queue: None) -> None:
    with pytest.raises(AppError, match="removed"):
        duplicate_scan.start(7)


def test_the_threshold_is_measured_where_none_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = load_encoder(DRAWN_MODEL, "cpu", "fp32")
    scenes = distinct_scenes(40, random.Random(8), held_out=True)
    files = [tmp_path / f"{number:03}.png" for number in range(len(scenes) + 2)]
    for file, scene in zip(files, scenes, strict=False):
        draw(scene, (360, 360)).save(file)
    for file, original in zip(files[-2:], files[:2], strict=True):  # smaller copies
        with Image.open(original) as picture:
            picture.resize((270, 270)).convert("RGB").save(file, "JPEG", quality=80)
    squares = [decode(read_file(str(file)), file.name, encoder.pixels, 50).pixels for file in files]
    vectors = encoder.encode_images(np.stack(squares))
    monkeypatch.setattr(context(), "search_encoder", lambda _spec: encoder)
    context().store.drop_collection(COLLECTION)
    context().store.ensure_collection(COLLECTION, encoder.dimension)
    monkeypatch.setattr(type(encoder), "collection", COLLECTION)
    add(vectors)
    with write_transaction() as conn:
        for number, file in enumerate(files, 1):
            conn.execute(update(ImageAsset).where(ImageAsset.id == number).values(path=str(file)))

    look(threshold=0.0)
    assert found() == {1: 1, 41: 1, 2: 2, 42: 2}


def test_what_only_the_model_takes_for_alike_is_not(tmp_path: Path) -> None:
    one, copy, brighter, other, broken = (tmp_path / f"{number}.jpg" for number in range(5))
    picture = photo(300, 200)
    picture.save(one)
    picture.resize((150, 100)).save(copy, quality=60)
    picture.point(lambda value: min(value * 1.2, 255)).save(brighter)
    picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(other)
    broken.write_bytes(one.read_bytes()[:500])
    add(unit(np.ones((5, DIMENSION))))
    with write_transaction() as conn:
        for number, file in enumerate((one, copy, brighter, other, broken), 1):
            conn.execute(update(ImageAsset).where(ImageAsset.id == number).values(path=str(file)))
    look()
    assert found() == {1: 1, 2: 1, 3: 1}


@pytest.mark.parametrize(
    ("copies", "expected"),
    [
        ([0.99] * 20, 0.99),  # copies are told from others with certainty
        ([0.6] * 20, 0.6),  # others are nearer than copies: half the copies are found
        ([], likeness.WITHOUT_COPIES[1]),
    ],
)
def test_a_threshold_lies_between_others_and_copies(copies: list[float], expected: float) -> None:
    others = unit(np.eye(8) + 4)  # cosines of nearly 1
    threshold = likeness.measured_threshold(
        DRAWN_MODEL, "x", others, np.asarray(copies, np.float32)
    )
    assert threshold == pytest.approx(expected, abs=0.01)


def test_pictures_that_cannot_be_read_are_passed_over() -> None:
    add(unit(np.random.default_rng(0).normal(size=(20, DIMENSION))))
    stored = context().store.vectors(COLLECTION, [1, 2, 3])
    assert not len(likeness.cosines_with_copies(DRAWN_MODEL, COLLECTION, stored))
    look(threshold=0.0)
    assert found() == {}
