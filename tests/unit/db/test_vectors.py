"""A store is begun and settled: what the ledger says of it at every moment."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import delete, select, update
from test_jobs import claim, finish, new_model, new_session

from app.db import jobs, sessions
from app.db.engine import get_sync_engine, write_transaction
from app.db.jobs import Claim
from app.db.models import (
    AssetVector,
    ImageAsset,
    JobStatus,
    SessionStatus,
    TrainingJob,
    TrainingSession,
)
from app.db.relocation import relocate
from app.db.settle import expire_leases, settle_unchanged
from app.db.vectors import (
    BegunStore,
    begin_store,
    hold,
    is_broken_off,
    sessions_of,
    settle_store,
)

pytestmark = pytest.mark.usefixtures("ledger")


def begin(claimed: Claim, model_id: int) -> BegunStore:
    with write_transaction() as conn:
        return begin_store(conn, claimed.token, model_id, [job.asset_id for job in claimed.jobs])


def rows() -> dict[int, Any]:
    with get_sync_engine().connect() as conn:
        return {row.asset_id: row for row in conn.execute(select(AssetVector))}


def broken_off() -> list[int]:
    with get_sync_engine().connect() as conn:
        found = select(AssetVector.asset_id).where(is_broken_off())
        return sorted(conn.scalars(found))


def use_model(session_id: int, model_id: int) -> None:
    with write_transaction() as conn:
        conn.execute(
            update(TrainingSession)
            .where(TrainingSession.id == session_id)
            .values(model_id=model_id)
        )


def test_from_the_begin_of_a_store_to_its_end_nothing_is_known_of_the_vector() -> None:
    session_id, model_id = new_session(pictures=2), new_model()
    finish(claim(session_id), model_id)
    asset_id = min(rows())
    assert rows()[asset_id].size == 10
    with write_transaction() as conn:
        jobs.reopen_jobs(conn, session_id, [asset_id])
    again = claim(session_id)
    begun = begin(again, model_id)
    assert (rows()[asset_id].size, rows()[asset_id].sha256) == (-1, "")
    assert rows()[asset_id].checksum is None
    facts = {"size": 11, "mtime_ns": 5, "sha256": "new", "checksum": "sum"}
    with write_transaction() as conn:
        settle_store(conn, model_id, begun.fence, [{"asset_id": asset_id, **facts}])
    assert {name: getattr(rows()[asset_id], name) for name in facts} == facts


def test_a_file_that_is_put_back_is_not_taken_for_unchanged_after_a_store_broke_off() -> None:
    session_id, model_id = new_session(pictures=1), new_model()
    finish(claim(session_id), model_id)
    with write_transaction() as conn:
        jobs.reopen_jobs(conn, session_id, list(rows()))
    begin(claim(session_id), model_id)
    with write_transaction() as conn:  # the worker dies, and the file is as it was again
        expire_leases(conn, dead_workers=["w"])
        assert settle_unchanged(conn, session_id, model_id, 0, 10**9) == 0


def test_each_store_of_a_picture_has_a_greater_number() -> None:
    session_id, model_id = new_session(pictures=3), new_model()
    fences = []
    for _ in range(3):
        claimed = claim(session_id)
        fences.append(begin(claimed, model_id).fence)
        with write_transaction() as conn:
            jobs.release(conn, claimed)
    assert fences == sorted(set(fences))


def test_numbers_rise_also_where_the_row_was_removed_between() -> None:
    session_id, model_id = new_session(pictures=1), new_model()
    claimed = claim(session_id)
    first = begin(claimed, model_id)
    with write_transaction() as conn:
        conn.execute(delete(AssetVector))
    assert begin(claimed, model_id).fence >= first.fence


def test_a_worker_whose_lease_was_taken_may_store_nothing() -> None:
    session_id, model_id = new_session(pictures=4), new_model()
    slept = claim(session_id, worker="sleeper")
    with write_transaction() as conn:
        expire_leases(conn, dead_workers=["sleeper"])
    before = rows()
    assert begin(slept, model_id) == BegunStore(0, {}, {})
    assert rows() == before


def test_a_store_that_was_overtaken_settles_no_vector() -> None:
    session_id, model_id = new_session(pictures=1), new_model()
    first = claim(session_id)
    early = begin(first, model_id)
    (asset_id,) = early.paths
    with write_transaction() as conn:
        expire_leases(conn, dead_workers=["w"])
    late = begin(claim(session_id, poison=True, worker="other"), model_id)
    facts = {"size": 1, "mtime_ns": 1, "sha256": "old", "checksum": "old"}
    with write_transaction() as conn:
        settle_store(conn, model_id, early.fence, [{"asset_id": asset_id, **facts}])
    assert rows()[asset_id].sha256 == ""
    with write_transaction() as conn:
        settle_store(conn, model_id, late.fence, [{"asset_id": asset_id, **facts, "sha256": "new"}])
    assert rows()[asset_id].sha256 == "new"


def test_a_move_of_the_folder_during_a_store_leaves_a_mark_that_the_end_does_not_remove() -> None:
    session_id, model_id = new_session(pictures=1), new_model()
    claimed = claim(session_id)
    begun = begin(claimed, model_id)
    with write_transaction() as conn:
        assert relocate(conn, "/p", "/q") == 1
    facts = {"size": 1, "mtime_ns": 1, "sha256": "s", "checksum": "c"}
    with write_transaction() as conn:
        settle_store(
            conn, model_id, begun.fence, [{"asset_id": id_, **facts} for id_ in begun.paths]
        )
    assert [row.payload_stale for row in rows().values()] == [True]


def test_a_store_is_told_the_path_of_now_and_not_of_the_claim() -> None:
    session_id, model_id = new_session(pictures=1), new_model()
    claimed = claim(session_id)
    with write_transaction() as conn:
        relocate(conn, "/p", "/q")
    begun = begin(claimed, model_id)
    assert list(begun.paths.values()) == ["/q/0.jpg"]
    assert list(begun.sessions.values()) == [[session_id]]


def test_a_store_that_nobody_will_end_is_told_from_one_that_waits() -> None:
    session_id, model_id = new_session(pictures=2), new_model()
    use_model(session_id, model_id)
    claimed = claim(session_id)
    begin(claimed, model_id)
    assert broken_off() == []
    with write_transaction() as conn:
        jobs.release(conn, claimed)
    assert broken_off() == []
    with write_transaction() as conn:
        conn.execute(
            update(TrainingSession).values(status=SessionStatus.CANCELLED.value, model_id=model_id)
        )
        jobs.cancel_pending(conn, session_id)
    assert broken_off() == sorted(job.asset_id for job in claimed.jobs)


def test_a_store_is_not_taken_for_broken_off_while_somebody_has_it_in_hand() -> None:
    session_id, model_id = new_session(pictures=2), new_model()
    use_model(session_id, model_id)
    claimed = claim(session_id)
    begun = begin(claimed, model_id)
    with write_transaction() as conn:
        assert sessions.move_session(conn, session_id, SessionStatus.CANCELLED)
        jobs.cancel_pending(conn, session_id)
    assert broken_off() == []
    with write_transaction() as conn:
        expire_leases(conn, dead_workers=["w"])
    assert broken_off() == sorted(begun.paths)


def test_a_session_that_gets_known_pictures_makes_the_payloads_of_every_index_stale() -> None:
    first, model_id = new_session(pictures=2), new_model()
    finish(claim(first), model_id)
    assert [row.payload_stale for row in rows().values()] == [False, False]
    second = new_session(pictures=3)
    assert [row.payload_stale for row in rows().values()] == [True, True]
    with get_sync_engine().connect() as conn:
        assert set(map(tuple, sessions_of(conn, list(rows())).values())) == {(first, second)}


def test_a_row_is_held_only_where_there_was_none() -> None:
    session_id, model_id = new_session(pictures=2), new_model()
    one, other = (job.asset_id for job in claim(session_id).jobs)
    with write_transaction() as conn:
        assert hold(conn, model_id, [one]) == [one]
    with write_transaction() as conn:
        assert hold(conn, model_id, [one, other]) == [other]
        assert hold(conn, model_id, []) == []


def test_the_id_of_a_removed_picture_never_comes_again() -> None:
    new_session(pictures=3)
    with write_transaction() as conn:
        last = max(conn.scalars(select(ImageAsset.id)))
        conn.execute(delete(TrainingJob).where(TrainingJob.asset_id == last))
        conn.execute(delete(ImageAsset).where(ImageAsset.id == last))
    new_session(pictures=3)  # the path is new again
    with get_sync_engine().connect() as conn:
        ids = set(conn.scalars(select(ImageAsset.id)))
        assert last not in ids
        assert max(ids) > last
        assert not conn.scalars(
            select(TrainingJob.id).where(TrainingJob.status == JobStatus.RUNNING)
        ).all()
