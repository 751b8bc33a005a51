"""Pictures that look alike: what is found, and what happens when a look is broken off."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rq import SimpleWorker
from rq.timeouts import TimerDeathPenalty
from sqlalchemy import insert, select, update

from app.db.engine import get_sync_engine, write_transaction
from app.db.migrate import migrate
from app.db.models import AssetVector, EmbeddingModel, ImageAsset, NearDuplicate, WorkerRecord
from app.db.types import utc_now
from app.queue import duplicate_look, near_duplicates
from app.queue.connection import close_redis, get_redis
from app.queue.context import context
from app.queue.near_duplicates import NearDuplicateLook, find_near_duplicates, join, roots
from app.queue.worker import QUEUE_HIGH, QUEUE_LOW, get_queue
from app.runtime.redis_server import ensure_redis, stop_redis
from app.vectors.store import VectorPoint

DIMENSION = 96
COLLECTION = "test"


@pytest.fixture(autouse=True)
def ledger() -> Iterator[None]:
    """A ledger with one model, and an empty store."""
    context.cache_clear()
    near_duplicates._under_way.clear()
    migrate()
    with write_transaction() as conn:
        conn.execute(
            insert(EmbeddingModel).values(
                id=1,
                name="test",
                version="1",
                weights_digest="x",
                dimension=DIMENSION,
                collection=COLLECTION,
                spec="demo",
            )
        )
    context().store.ensure_collection(COLLECTION, DIMENSION)
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
    for _ in NearDuplicateLook(1, threshold).steps():
        pass


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
    monkeypatch.setattr(near_duplicates, "HEAD", 16)
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


def test_a_look_that_is_broken_off_leaves_the_last_result_whole() -> None:
    add(np.repeat(unit(np.ones((1, DIMENSION))), 2, axis=0))
    look()
    add(np.repeat(unit(np.ones((1, DIMENSION))), 2, axis=0), first=3)
    steps = NearDuplicateLook(1, 0.95).steps()
    next(steps)
    steps.close()
    assert found() == {1: 1, 2: 1}
    look()
    assert found() == dict.fromkeys((1, 2, 3, 4), 1)


def test_what_is_removed_meanwhile_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    add(np.repeat(unit(np.ones((1, DIMENSION))), 3, axis=0))
    steps = NearDuplicateLook(1, 0.95).steps()
    next(steps)
    with write_transaction() as conn:
        conn.execute(AssetVector.__table__.delete().where(AssetVector.asset_id == 1))
        conn.execute(ImageAsset.__table__.delete().where(ImageAsset.id == 1))
    for _ in steps:
        pass
    assert found() == {2: 1, 3: 1}


def test_an_index_that_was_removed_ends_the_look(queue: None) -> None:
    add(np.repeat(unit(np.ones((1, DIMENSION))), 2, axis=0))
    context().store.drop_collection(COLLECTION)
    assert find_near_duplicates(1, 0.95)
    assert found() == {}


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


class BurstWorker(SimpleWorker):
    death_penalty_class = TimerDeathPenalty

    def _install_signal_handlers(self) -> None:
        """Not in a test."""


def work(jobs: int | None = None) -> None:
    """Be the worker until the queue is empty, or for so many jobs."""
    now = utc_now()
    name = context().name
    with write_transaction() as conn:
        conn.execute(WorkerRecord.__table__.delete())
        conn.execute(
            insert(WorkerRecord).values(
                name=name, host="h", pid=1, device="", model="", started_at=now, beat_at=now
            )
        )
    low = get_queue(QUEUE_LOW)
    BurstWorker([low], name=name, connection=low.connection).work(
        burst=True, max_jobs=jobs, logging_level="WARNING"
    )


def test_two_clicks_make_one_job(queue: None) -> None:
    duplicate_look.start(1)
    duplicate_look.start(1)
    assert get_queue(QUEUE_LOW).count == 1
    assert duplicate_look.status().state == "waiting"


def test_a_look_is_done_by_the_worker_and_says_so(queue: None) -> None:
    assert duplicate_look.status().state == "never"
    add(np.repeat(unit(np.ones((1, DIMENSION))), 2, axis=0))
    duplicate_look.start(1)
    work()
    assert found() == {1: 1, 2: 1}
    status = duplicate_look.status()
    assert (status.state, status.share) == ("done", 1.0)
    assert status.endedAt is not None
    assert abs((utc_now() - status.endedAt).total_seconds()) < 600
    duplicate_look.start(1)
    assert duplicate_look.status().state == "waiting"


def test_a_look_gives_way_to_a_session_and_goes_on_after_it(
    queue: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(near_duplicates, "BLOCK", 2)
    monkeypatch.setattr(near_duplicates, "LOOK_EVERY_S", 0.0)
    begun: list[int] = []
    steps = NearDuplicateLook.steps
    monkeypatch.setattr(NearDuplicateLook, "steps", lambda self: begun.append(1) or steps(self))
    add(np.repeat(unit(np.ones((1, DIMENSION))), 6, axis=0))
    duplicate_look.start(1)
    session = get_queue(QUEUE_HIGH).enqueue("builtins.len", [])
    work(jobs=1)
    assert found() == {}
    assert get_queue(QUEUE_LOW).count == 1
    duplicate_look.start(1)
    assert get_queue(QUEUE_LOW).count == 1
    work(jobs=3)
    status = duplicate_look.status()
    assert status.state == "running"
    assert 0 < status.share < 1
    session.delete()
    work()
    assert len(found()) == 6
    assert begun == [1]
    assert duplicate_look.status().state == "done"


def test_another_process_begins_a_look_anew(queue: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(near_duplicates, "LOOK_EVERY_S", 0.0)
    add(np.repeat(unit(np.ones((1, DIMENSION))), 2, axis=0))
    duplicate_look.start(1)
    session = get_queue(QUEUE_HIGH).enqueue("builtins.len", [])
    work(jobs=1)
    near_duplicates._under_way.clear()
    session.delete()
    work()
    assert found() == {1: 1, 2: 1}


def test_a_stopped_look_leaves_the_last_result(
    queue: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(near_duplicates, "LOOK_EVERY_S", 0.0)
    add(np.repeat(unit(np.ones((1, DIMENSION))), 2, axis=0))
    look()
    add(np.repeat(unit(np.ones((1, DIMENSION))), 2, axis=0), first=3)
    duplicate_look.start(1)
    duplicate_look.stop()
    assert duplicate_look.status().state == "never"
    work()
    assert found() == {1: 1, 2: 1}
    assert get_queue(QUEUE_LOW).count == 0
    duplicate_look.start(1)
    work()
    assert len(found()) == 4


def test_a_look_whose_worker_died_can_be_started_again(queue: None) -> None:
    duplicate_look.start(1)
    job = get_queue(QUEUE_LOW).dequeue_any([get_queue(QUEUE_LOW)], None, get_redis())[0]
    job.worker_name = "dead"
    job.set_status("started")
    job.save()
    assert duplicate_look.status().state == "never"
    duplicate_look.start(1)
    assert duplicate_look.status().state == "waiting"


def test_a_look_that_failed_says_so(queue: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(near_duplicates, "_work", broken)
    duplicate_look.start(1)
    work()
    assert duplicate_look.status().state == "failed"
