"""The ledger's moves, on both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from app.api.error_kinds import ErrorKind
from app.db import jobs, sessions
from app.db.engine import get_sync_session, write_transaction
from app.db.files import FoundFile, register_files
from app.db.jobs import Claim
from app.db.models import (
    AssetVector,
    EmbeddingModel,
    ImageAsset,
    JobStatus,
    SessionStatus,
    TrainingEvidence,
    TrainingJob,
    TrainingSession,
)
from app.db.settle import Outcome, expire_leases, settle, settle_unchanged
from app.db.statuses import SessionErrorKind
from app.db.switching import adopt_weights
from app.db.types import utc_now
from app.db.vectors import begin_store

pytestmark = pytest.mark.usefixtures("ledger")

ANY_ID = 2**31 - 1
EVIDENCE = {
    "model_name": "m",
    "model_version": "v",
    "weights_digest": "d",
    "device": "cpu",
    "precision": "fp32",
}


def new_session(pictures: int, *, running: bool = True) -> int:
    with write_transaction() as conn:
        session_id = conn.execute(
            TrainingSession.__table__.insert().values(
                name="s",
                root_path="/p",
                subdirectories=[],
                config={},
                status="pending",
                model="builtin",
                skipped={},
                created_at=utc_now(),
                discovered_at=utc_now(),
                **dict.fromkeys(
                    [
                        "total_images",
                        "total_bytes",
                        "running_images",
                        "completed_images",
                        "reused_images",
                        "failed_images",
                        "cancelled_images",
                        "read_ms",
                        "decode_ms",
                        "embed_ms",
                        "store_ms",
                        "active_ms",
                    ],
                    0,
                ),
            )
        ).inserted_primary_key[0]
        files = [FoundFile(f"/p/{n}.jpg", "/p", 10, n) for n in range(pictures)]
        register_files(conn, files)
        jobs.create_jobs_for_paths(conn, session_id, [file.path for file in files])
        if running:
            sessions.move_session(conn, session_id, SessionStatus.RUNNING)
    return session_id


def new_model(name: str = "m") -> int:
    with write_transaction() as conn:
        return conn.execute(
            EmbeddingModel.__table__.insert().values(
                name=name,
                version="v",
                weights_digest="d",
                dimension=4,
                collection=name,
                created_at=utc_now(),
            )
        ).inserted_primary_key[0]


def claim(session_id: int, limit: int = 4, worker: str = "w", **which: object) -> Claim:
    with write_transaction() as conn:
        return jobs.claim(conn, session_id, worker, limit, ANY_ID, **which)


def outcomes(claimed: Claim, failing: int = 0) -> list[Outcome]:
    return [
        Outcome(job, error_kind=ErrorKind.CORRUPT, error_message="It is broken.")
        if number < failing
        else Outcome(
            job, checksum="c", facts={"size": 10, "mtime_ns": job.asset_id - 1, "sha256": "s"}
        )
        for number, job in enumerate(claimed.jobs)
    ]


def finish(claimed: Claim, model_id: int, failing: int = 0) -> set[int]:
    with write_transaction() as conn:
        stored = [job.asset_id for job in claimed.jobs[failing:]]
        begun = begin_store(conn, claimed.token, model_id, stored)
        return settle(
            conn,
            claimed,
            outcomes(claimed, failing),
            model_id=model_id,
            fence=begun.fence,
            evidence=EVIDENCE,
        )


def the_session(session_id: int) -> TrainingSession:
    with get_sync_session() as db:
        session = db.get(TrainingSession, session_id)
        assert session is not None
        return session


def statuses(session_id: int) -> dict[str, int]:
    with get_sync_session() as db:
        rows = db.execute(
            select(TrainingJob.status, func.count())
            .where(TrainingJob.session_id == session_id)
            .group_by(TrainingJob.status)
        ).all()
    return {row[0]: row[1] for row in rows}


def evidence_rows() -> int:
    with get_sync_session() as db:
        return db.scalar(select(func.count()).select_from(TrainingEvidence)) or 0


def check_counters(session_id: int) -> None:
    with get_sync_session() as db:
        counted = sessions.recount(db.connection(), session_id)
    session = the_session(session_id)
    assert {name: getattr(session, name) for name in counted} == counted


def test_files_entered_twice_make_one_asset_and_one_job() -> None:
    first, again = new_session(3), new_session(3)
    assert statuses(first) == statuses(again) == {"pending": 3}
    with get_sync_session() as db:
        assert db.scalar(select(func.count()).select_from(ImageAsset)) == 3
    assert the_session(first).total_images == 3
    assert the_session(first).total_bytes == 30


def test_a_file_that_changed_on_disk_forgets_its_content_hash() -> None:
    new_session(1)
    with write_transaction() as conn:
        conn.execute(update(ImageAsset).values(sha256="old"))
        register_files(conn, [FoundFile("/p/0.jpg", "/p", 11, 0)])
    with get_sync_session() as db:
        asset = db.scalars(select(ImageAsset)).one()
    assert (asset.size, asset.sha256) == (11, None)


def test_an_excluded_file_gets_no_job() -> None:
    new_session(2)
    with write_transaction() as conn:
        conn.execute(update(ImageAsset).where(ImageAsset.path == "/p/0.jpg").values(excluded=True))
    assert statuses(new_session(2)) == {"pending": 1}


def test_no_picture_is_claimed_twice() -> None:
    session_id = new_session(10)
    first, second, third = claim(session_id), claim(session_id, worker="x"), claim(session_id)
    ids = [job.job_id for taken in (first, second, third) for job in taken.jobs]
    assert len(ids) == len(set(ids)) == 10
    assert not claim(session_id).jobs
    check_counters(session_id)


def test_only_a_running_session_gives_out_work() -> None:
    session_id = new_session(3)
    with write_transaction() as conn:
        assert sessions.move_session(conn, session_id, SessionStatus.PAUSED)
    assert not claim(session_id).jobs


def test_what_is_handed_back_was_never_tried() -> None:
    session_id = new_session(3)
    taken = claim(session_id)
    with write_transaction() as conn:
        jobs.release(conn, taken)
    assert statuses(session_id) == {"pending": 3}
    assert {job.attempt for job in claim(session_id).jobs} == {1}
    check_counters(session_id)


def test_settling_writes_status_evidence_and_counters_together() -> None:
    session_id, model_id = new_session(4), new_model()
    taken = claim(session_id)
    assert finish(taken, model_id, failing=1) == {job.job_id for job in taken.jobs}
    assert statuses(session_id) == {"completed": 3, "failed": 1}
    assert evidence_rows() == 4
    check_counters(session_id)
    with write_transaction() as conn:
        assert sessions.finish_session(conn, session_id)
    assert the_session(session_id).status == "completed"
    assert the_session(session_id).finished_at is not None


def test_what_is_settled_after_a_change_of_weights_waits_for_the_new_ones() -> None:
    session_id, old = new_session(3), new_model()
    with write_transaction() as conn:
        conn.execute(update(TrainingSession).values(model_id=old))
    taken = claim(session_id)
    new = new_model("newer")
    with write_transaction() as conn:
        assert adopt_weights(conn, "builtin", new, only_newer=True) == 1
    assert finish(taken, old, failing=1) == {job.job_id for job in taken.jobs}
    assert statuses(session_id) == {"failed": 1, "pending": 2}
    assert evidence_rows() == 3
    check_counters(session_id)
    assert {job.attempt for job in claim(session_id).jobs} == {2}


def test_a_worker_presumed_dead_settles_nothing() -> None:
    session_id, model_id = new_session(2), new_model()
    late = claim(session_id, worker="late")
    with write_transaction() as conn:
        assert expire_leases(conn, dead_workers=["late"]) == 2
    again = [claim(session_id, poison=True), claim(session_id, poison=True)]
    assert finish(late, model_id) == set()
    for one in again:
        finish(one, model_id)
    assert statuses(session_id) == {"completed": 2}
    assert evidence_rows() == 4  # one for the death and one for the success, each
    check_counters(session_id)


def test_settling_twice_changes_nothing_the_second_time() -> None:
    session_id, model_id = new_session(2), new_model()
    taken = claim(session_id)
    finish(taken, model_id)
    assert finish(taken, model_id) == set()
    assert evidence_rows() == 2


def test_a_lease_that_runs_out_returns_the_pictures() -> None:
    session_id = new_session(2)
    claim(session_id)
    with write_transaction() as conn:
        assert expire_leases(conn) == 0
        conn.execute(update(TrainingJob).values(lease_expires_at=utc_now() - timedelta(seconds=1)))
        assert expire_leases(conn) == 2
    assert statuses(session_id) == {"pending": 2}
    check_counters(session_id)


def test_a_renewed_lease_holds() -> None:
    session_id = new_session(1)
    claim(session_id)
    with write_transaction() as conn:
        conn.execute(update(TrainingJob).values(lease_expires_at=utc_now() - timedelta(seconds=1)))
        jobs.renew_leases(conn, "w")
        assert expire_leases(conn) == 0


def test_after_a_death_fresh_pictures_come_first_and_poison_comes_alone() -> None:
    session_id = new_session(6)
    poison = {job.job_id for job in claim(session_id, 3).jobs}
    with write_transaction() as conn:
        expire_leases(conn, dead_workers=["w"])
    assert poison.isdisjoint(job.job_id for job in claim(session_id, 10).jobs)
    assert len(claim(session_id, 10, poison=True).jobs) == 1


def test_a_picture_at_which_every_worker_dies_is_set_aside_and_power_cuts_are_forgiven() -> None:
    session_id = new_session(1)
    for deaths in range(4):
        assert statuses(session_id) == {"pending": 1}
        claim(session_id, poison=deaths > 0)
        with write_transaction() as conn:
            expire_leases(conn, dead_workers=["w"])
    assert statuses(session_id) == {"failed": 1}
    with get_sync_session() as db:
        job = db.scalars(select(TrainingJob)).one()
    assert job.error_kind == ErrorKind.WORKER_DIED
    assert evidence_rows() == job.attempts == 4
    check_counters(session_id)


def test_cancelling_leaves_nothing_pending_and_a_death_after_it_leaves_nothing_running() -> None:
    session_id = new_session(5)
    claim(session_id, 2)
    with write_transaction() as conn:
        assert sessions.move_session(conn, session_id, SessionStatus.CANCELLED)
        assert jobs.cancel_pending(conn, session_id) == 3
        expire_leases(conn, dead_workers=["w"])
    assert statuses(session_id) == {"cancelled": 5}
    check_counters(session_id)


def test_a_retry_keeps_the_job_and_counts_the_attempt() -> None:
    session_id, model_id = new_session(2), new_model()
    finish(claim(session_id), model_id, failing=1)
    with get_sync_session() as db:
        failed = db.scalars(select(TrainingJob).where(TrainingJob.status == "failed")).one()
    with write_transaction() as conn:
        assert jobs.create_jobs(conn, session_id, [failed.asset_id]) == 1
        assert jobs.create_jobs(conn, session_id, [failed.asset_id]) == 0
    again = claim(session_id)
    assert [(job.job_id, job.attempt) for job in again.jobs] == [(failed.id, 2)]
    check_counters(session_id)


def test_an_unchanged_file_with_a_vector_is_completed_without_an_attempt() -> None:
    first, model_id = new_session(3), new_model()
    finish(claim(first), model_id)
    second = new_session(4)
    with write_transaction() as conn:
        assert settle_unchanged(conn, second, model_id, 0, ANY_ID) == 3
    assert statuses(second) == {"completed": 3, "pending": 1}
    assert the_session(second).reused_images == 3
    check_counters(second)


def test_a_changed_file_is_not_taken_as_unchanged() -> None:
    first, model_id = new_session(1), new_model()
    finish(claim(first), model_id)
    with write_transaction() as conn:
        register_files(conn, [FoundFile("/p/0.jpg", "/p", 99, 0)])
    second = new_session(0)
    with write_transaction() as conn:
        jobs.create_jobs_for_paths(conn, second, ["/p/0.jpg"])
        assert settle_unchanged(conn, second, model_id, 0, ANY_ID) == 0
    with get_sync_session() as db:
        assert db.scalar(select(func.count()).select_from(AssetVector)) == 1


@pytest.mark.parametrize(
    ("start", "target", "allowed"),
    [
        ("pending", "running", True),
        ("pending", "paused", False),
        ("running", "paused", True),
        ("paused", "running", True),
        ("paused", "completed", False),
        ("completed", "running", True),
        ("cancelled", "running", False),
        ("failed", "running", True),
    ],
)
def test_a_session_moves_only_as_the_table_says(start: str, target: str, allowed: bool) -> None:
    session_id = new_session(0, running=False)
    with write_transaction() as conn:
        conn.execute(update(TrainingSession).values(status=start))
        assert sessions.move_session(conn, session_id, SessionStatus(target)) is allowed
    assert the_session(session_id).status == (target if allowed else start)


def test_a_failed_session_keeps_why_until_it_goes_on() -> None:
    session_id = new_session(1)
    with write_transaction() as conn:
        sessions.fail_session(conn, session_id, "No network.", SessionErrorKind.MODEL)
    session = the_session(session_id)
    assert (session.status, session.error_message, session.error_kind) == (
        "failed",
        "No network.",
        "model",
    )
    with write_transaction() as conn:
        sessions.move_session(conn, session_id, SessionStatus.RUNNING)
    session = the_session(session_id)
    assert (session.error_message, session.error_kind) == (None, None)


def test_a_session_that_does_not_run_does_not_fail() -> None:
    session_id = new_session(1)
    with write_transaction() as conn:
        sessions.move_session(conn, session_id, SessionStatus.PAUSED)
        sessions.fail_session(conn, session_id, "No network.", SessionErrorKind.MODEL)
    session = the_session(session_id)
    assert (session.status, session.error_message) == ("paused", None)


def test_time_paused_does_not_count_as_running_time() -> None:
    session_id = new_session(1)
    with write_transaction() as conn:
        conn.execute(
            update(TrainingSession).values(running_since=utc_now() - timedelta(seconds=10))
        )
        sessions.move_session(conn, session_id, SessionStatus.PAUSED)
        sessions.stop_clock(conn, session_id)  # a second stop adds nothing
    assert 9_900 < the_session(session_id).active_ms < 11_000


def test_a_session_with_work_left_does_not_finish() -> None:
    session_id = new_session(1)
    with write_transaction() as conn:
        assert not sessions.finish_session(conn, session_id)
    claim(session_id)
    with write_transaction() as conn:
        assert not sessions.finish_session(conn, session_id)
    assert statuses(session_id) == {JobStatus.RUNNING: 1}
