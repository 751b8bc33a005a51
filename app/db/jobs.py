"""Jobs on their way in: created, claimed, released, taken back, cancelled.

Every move is one guarded UPDATE inside the caller's transaction, as in :mod:`app.db.sessions`.

Two transactions that wait for each other's rows are a deadlock, which costs one of them its work.
So whoever changes rows of several tables locks them in one order, on every way through the ledger:

1. ``training_sessions``, by id: whoever moves a job holds its session's row, whose counters he
   changes at the end;
2. ``training_jobs``, by id, or those that nobody has locked (``SKIP LOCKED``);
3. ``image_assets``, by id;
4. ``training_evidence``, ``asset_vectors``, ``near_duplicates``.

A walk enters files (3) before their jobs: they are new, and nobody else can want them. What still
stands in another's way is done again, by :func:`app.db.engine.in_transaction`.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, func, insert, literal, select, update

from app.db.clock import ledger_now
from app.db.files import NewAssets, among_ids, among_paths, upsert
from app.db.models import (
    IS_HELD,
    AssetVector,
    ImageAsset,
    JobStatus,
    SessionStatus,
    TrainingJob,
    TrainingSession,
)
from app.db.sessions import count, lock_sessions
from app.db.types import utc_now

T = TypeVar("T")

_JOB_COLUMNS = ["session_id", "asset_id", "status", "reused", "attempts", "crashes"]

LEASE = timedelta(seconds=60)
"""How long a claim holds without a sign of life; the worker renews it every few seconds."""


@dataclass(frozen=True, slots=True)
class ClaimedJob:
    """A job that this worker holds until its lease ends."""

    job_id: int
    asset_id: int
    attempt: int
    path: str


@dataclass(frozen=True, slots=True)
class Claim:
    """Jobs claimed together under one lease token."""

    session_id: int
    token: str
    jobs: tuple[ClaimedJob, ...]


def create_jobs_for_paths(conn: Connection, session_id: int, paths: Sequence[str]) -> int:
    """One pending job for each of these assets that has none in this session; how many are new."""
    lock_sessions(conn, [session_id])
    wanted = select(ImageAsset.id).where(among_paths(conn, paths))
    return _create_jobs(conn, session_id, wanted)


def create_jobs_for_new(conn: Connection, session_id: int, new: NewAssets, size: int) -> None:
    """One pending job for each asset that was entered in this transaction.

    Args:
        size: of their files together, in bytes.
    """
    if new.number:
        lock_sessions(conn, [session_id])
        columns = (literal(session_id), ImageAsset.id, literal(JobStatus.PENDING.value))
        rows = select(*columns, literal(False), literal(0), literal(0))
        rows = rows.where(ImageAsset.id > new.after).order_by(ImageAsset.id)
        conn.execute(insert(TrainingJob).from_select(_JOB_COLUMNS, rows))
        count(conn, session_id, total_images=new.number, total_bytes=size)


def create_jobs(conn: Connection, session_id: int, asset_ids: Sequence[int]) -> int:
    """Make these assets pending in this session: new ones get a job, failed ones another try.

    Returns:
        how many jobs became pending.
    """
    lock_sessions(conn, [session_id])
    created = 0
    for ids in chunks(asset_ids, 10_000):
        created += _create_jobs(
            conn, session_id, select(ImageAsset.id).where(ImageAsset.id.in_(ids))
        )
        retried = conn.execute(
            update(TrainingJob)
            .where(
                TrainingJob.session_id == session_id,
                TrainingJob.asset_id.in_(ids),
                TrainingJob.status == JobStatus.FAILED,
            )
            .values(
                status=JobStatus.PENDING.value,
                crashes=0,
                error_kind=None,
                error_message=None,
                finished_at=None,
            )
        ).rowcount
        count(conn, session_id, failed_images=-retried)
        created += retried
    return created


def reopen_jobs(conn: Connection, session_id: int, asset_ids: Sequence[int]) -> int:
    """Make ended jobs of these assets pending again: changed files, pictures included again.

    Returns:
        how many jobs became pending.
    """
    lock_sessions(conn, [session_id])
    reopened = 0
    for status, reused in (
        (JobStatus.COMPLETED, False),
        (JobStatus.COMPLETED, True),
        (JobStatus.FAILED, False),
        (JobStatus.CANCELLED, False),
    ):
        number = 0
        for ids in chunks(asset_ids, 10_000):
            number += conn.execute(
                update(TrainingJob)
                .where(
                    TrainingJob.session_id == session_id,
                    TrainingJob.asset_id.in_(ids),
                    TrainingJob.status == status,
                    TrainingJob.reused.is_(reused),
                )
                .values(
                    status=JobStatus.PENDING.value,
                    reused=False,
                    crashes=0,
                    error_kind=None,
                    error_message=None,
                    finished_at=None,
                )
            ).rowcount
        done = {f"{status}_images": -number}
        count(conn, session_id, reused_images=-number if reused else 0, **done)
        reopened += number
    return reopened


def leave_out(conn: Connection, session_id: int, asset_ids: Sequence[int]) -> int:
    """Cancel a session's jobs of pictures that its walk leaves out by now.

    Where no other session has such a picture, it is excluded: nothing finds it any more, and a
    person can include it again. What a worker holds at this moment is left to the next update.

    Returns:
        how many jobs were cancelled.
    """
    cancelled = 0
    for status, reused in (
        (JobStatus.PENDING, False),
        (JobStatus.COMPLETED, False),
        (JobStatus.COMPLETED, True),
        (JobStatus.FAILED, False),
    ):
        number = conn.execute(
            update(TrainingJob)
            .where(
                TrainingJob.session_id == session_id,
                TrainingJob.asset_id.in_(asset_ids),
                TrainingJob.status == status,
                TrainingJob.reused.is_(reused),
            )
            .values(
                status=JobStatus.CANCELLED.value,
                reused=False,
                error_kind=None,
                error_message=None,
                finished_at=utc_now(),
            )
        ).rowcount
        before = {} if status == JobStatus.PENDING else {f"{status}_images": -number}
        count(conn, session_id, reused_images=-number if reused else 0, **before)
        cancelled += number
    count(conn, session_id, cancelled_images=cancelled)
    wanted = (
        select(TrainingJob.id)
        .join(TrainingSession, TrainingSession.id == TrainingJob.session_id)
        .where(
            TrainingJob.asset_id == ImageAsset.id,
            TrainingJob.status != JobStatus.CANCELLED,
            TrainingSession.status != SessionStatus.CANCELLED,
        )
    )
    conn.execute(
        update(ImageAsset)
        .where(ImageAsset.id.in_(asset_ids), ~wanted.exists())
        .values(excluded=True)
    )
    return cancelled


def _create_jobs(conn: Connection, session_id: int, asset_ids: Any) -> int:
    new = asset_ids.where(
        ImageAsset.excluded.is_(False),
        ~select(TrainingJob.id)
        .where(TrainingJob.session_id == session_id, TrainingJob.asset_id == ImageAsset.id)
        .exists(),
    ).order_by(ImageAsset.id)
    columns = new.with_only_columns(
        literal(session_id),
        ImageAsset.id,
        literal(JobStatus.PENDING.value),
        literal(False),
        literal(0),
        literal(0),
    )
    rows = upsert(conn, TrainingJob).from_select(_JOB_COLUMNS, columns).on_conflict_do_nothing()
    created = conn.execute(rows.returning(TrainingJob.asset_id)).scalars().all()
    if created:
        chosen = among_ids(conn, ImageAsset.__table__.c.id, created)
        size = conn.scalar(select(func.sum(ImageAsset.size)).where(chosen))
        count(conn, session_id, total_images=len(created), total_bytes=int(size or 0))
        # their payloads, in the index of every model, do not name this session yet
        ids = among_ids(conn, AssetVector.__table__.c.asset_id, created)
        conn.execute(update(AssetVector).where(ids).values(payload_stale=True))
    return len(created)


def claim(
    conn: Connection,
    session_id: int,
    worker: str,
    limit: int,
    up_to: int,
    *,
    poison: bool = False,
    asset_ids: Sequence[int] | None = None,
) -> Claim:
    """Take up to ``limit`` pending jobs of a running session under a fresh lease.

    Args:
        up_to: only jobs with an id up to this one; newer ones were not yet checked for files
            that need no work.
        poison: take one job that may be poison, as a worker died with it, instead of fresh ones.
        asset_ids: only jobs of these assets, poison or not.
    """
    lock_sessions(conn, [session_id])
    token = secrets.token_hex(16)
    wanted = select(TrainingJob.id).where(
        TrainingJob.session_id == session_id,
        TrainingJob.status == JobStatus.PENDING,
        TrainingJob.id <= up_to,
    )
    if asset_ids is not None:
        wanted = wanted.where(TrainingJob.asset_id.in_(asset_ids))
    else:
        wanted = wanted.where(TrainingJob.crashes > 0 if poison else TrainingJob.crashes == 0)
    running = select(TrainingSession.id).where(
        TrainingSession.id == session_id, TrainingSession.status == SessionStatus.RUNNING
    )
    # A common table expression, because PostgreSQL may run a plain subquery once a row, and then
    # each run would skip the rows that the one before has locked, far past the limit.
    chosen = (
        wanted.order_by(TrainingJob.crashes, TrainingJob.id)
        .limit(1 if poison else limit)
        .with_for_update(skip_locked=True)
        .cte("chosen")
    )
    rows = conn.execute(
        update(TrainingJob)
        .where(
            TrainingJob.id.in_(select(chosen.c.id)),
            TrainingJob.status == JobStatus.PENDING,
            running.exists(),
        )
        .values(
            status=JobStatus.RUNNING.value,
            worker=worker,
            lease_token=token,
            lease_expires_at=ledger_now(conn) + LEASE,
            attempts=TrainingJob.attempts + 1,
        )
        .returning(TrainingJob.id, TrainingJob.asset_id, TrainingJob.attempts)
    ).all()
    paths: dict[int, str] = {}
    if rows:
        count(conn, session_id, running_images=len(rows))
        found = select(ImageAsset.id, ImageAsset.path).where(
            ImageAsset.id.in_([row.asset_id for row in rows])
        )
        paths = {row.id: row.path for row in conn.execute(found)}
    jobs = sorted(
        (ClaimedJob(row.id, row.asset_id, row.attempts, paths[row.asset_id]) for row in rows),
        key=lambda job: job.job_id,
    )
    return Claim(session_id, token, tuple(jobs))


def renew_leases(conn: Connection, worker: str) -> None:
    """Push the end of every lease that this worker holds."""
    mine = (
        select(TrainingJob.id)
        .where(IS_HELD, TrainingJob.worker == worker)
        .order_by(TrainingJob.id)
        .with_for_update(skip_locked=True)  # being settled at this moment
        .cte("mine")
    )
    conn.execute(
        update(TrainingJob)
        .where(TrainingJob.id.in_(select(mine.c.id)), IS_HELD, TrainingJob.worker == worker)
        .values(lease_expires_at=ledger_now(conn) + LEASE)
    )


def release(conn: Connection, claim: Claim) -> None:
    """Release a claim that was never finished; the attempt did not happen."""
    _release(conn, claim.session_id, TrainingJob.lease_token == claim.token)


def release_all(conn: Connection, session_id: int, worker: str) -> None:
    """Release whatever this worker still holds of a session."""
    mine = (TrainingJob.session_id == session_id) & (TrainingJob.worker == worker)
    _release(conn, session_id, mine)


def _release(conn: Connection, session_id: int, which: ColumnElement[bool]) -> None:
    lock_sessions(conn, [session_id])
    returned = conn.execute(
        update(TrainingJob)
        .where(which, IS_HELD)
        .values(
            status=JobStatus.PENDING.value,
            attempts=TrainingJob.attempts - 1,
            worker=None,
            lease_token=None,
            lease_expires_at=None,
        )
    ).rowcount
    count(conn, session_id, running_images=-returned)


def cancel_pending(conn: Connection, session_id: int) -> int:
    """Cancel what a cancelled session has not begun."""
    lock_sessions(conn, [session_id])
    cancelled = conn.execute(
        update(TrainingJob)
        .where(
            TrainingJob.session_id == session_id,
            TrainingJob.status == JobStatus.PENDING,
            select(TrainingSession.id)
            .where(
                TrainingSession.id == session_id,
                TrainingSession.status == SessionStatus.CANCELLED,
            )
            .exists(),
        )
        .values(status=JobStatus.CANCELLED.value, finished_at=utc_now())
    ).rowcount
    count(conn, session_id, cancelled_images=cancelled)
    return cancelled


def chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Runs of at most ``size`` items, in order."""
    return (items[start : start + size] for start in range(0, len(items), size))
