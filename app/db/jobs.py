"""Jobs on their way in: files entered, jobs created, claimed, handed back, taken back, cancelled.

Every move is one guarded UPDATE inside the caller's transaction, as in :mod:`app.db.sessions`.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, case, func, literal, select, update
from sqlalchemy.dialects import postgresql, sqlite

from app.db.models import (
    ImageAsset,
    JobStatus,
    SessionStatus,
    TrainingJob,
    TrainingSession,
)
from app.db.sessions import count
from app.db.types import utc_now

T = TypeVar("T")

LEASE = timedelta(seconds=60)
"""How long a claim holds without a sign of life; the worker renews it every few seconds."""


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A picture file as the walk saw it."""

    path: str
    size: int
    mtime_ns: int


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


def upsert(conn: Connection, table: Any) -> Any:
    """An INSERT of this database's dialect, which knows ON CONFLICT."""
    dialect = postgresql if conn.dialect.name == "postgresql" else sqlite
    return dialect.insert(table)


def register_files(conn: Connection, files: Sequence[FoundFile]) -> None:
    """Enter files as assets; what changed on disk since last time is brought up to date."""
    if not files:
        return
    insert = upsert(conn, ImageAsset)
    changed = (ImageAsset.size != insert.excluded.size) | (
        ImageAsset.mtime_ns != insert.excluded.mtime_ns
    )
    conn.execute(
        insert.on_conflict_do_update(
            index_elements=[ImageAsset.path],
            set_={
                "size": insert.excluded.size,
                "mtime_ns": insert.excluded.mtime_ns,
                "sha256": case((changed, None), else_=ImageAsset.sha256),
                "missing_since": None,
            },
            where=changed | ImageAsset.missing_since.is_not(None),
        ),
        [
            {
                "path": f.path,
                "folder": os.path.dirname(f.path),
                "size": f.size,
                "mtime_ns": f.mtime_ns,
                "excluded": False,
            }
            for f in files
        ],
    )


def create_jobs_for_paths(conn: Connection, session_id: int, paths: Sequence[str]) -> int:
    """One pending job for each of these assets that has none in this session; how many are new."""
    wanted = select(ImageAsset.id).where(ImageAsset.path.in_(paths))
    return _create_jobs(conn, session_id, wanted)


def create_jobs(conn: Connection, session_id: int, asset_ids: Sequence[int]) -> int:
    """Make these assets pending in this session: new ones get a job, failed ones another try.

    Returns:
        how many jobs became pending.
    """
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
    names = ["session_id", "asset_id", "status", "reused", "attempts", "crashes"]
    size = conn.execute(
        select(func.count(), func.coalesce(func.sum(ImageAsset.size), 0)).where(
            ImageAsset.id.in_(new.order_by(None))
        )
    ).one()
    if not size[0]:
        return 0
    insert = upsert(conn, TrainingJob).from_select(names, columns).on_conflict_do_nothing()
    created = len(conn.execute(insert.returning(TrainingJob.id)).all())
    count(conn, session_id, total_images=created, total_bytes=int(size[1]))
    return created


def claim(
    conn: Connection,
    session_id: int,
    worker: str,
    limit: int,
    up_to: int,
    *,
    suspects: bool = False,
    asset_ids: Sequence[int] | None = None,
) -> Claim:
    """Take up to ``limit`` pending jobs of a running session under a fresh lease.

    Args:
        up_to: only jobs with an id up to this one; newer ones were not yet checked for files
            that need no work.
        suspects: take one job whose last attempt took the worker down, instead of fresh ones.
        asset_ids: only jobs of these assets, suspects or not.
    """
    token = secrets.token_hex(16)
    wanted = select(TrainingJob.id).where(
        TrainingJob.session_id == session_id,
        TrainingJob.status == JobStatus.PENDING,
        TrainingJob.id <= up_to,
    )
    if asset_ids is not None:
        wanted = wanted.where(TrainingJob.asset_id.in_(asset_ids))
    else:
        wanted = wanted.where(TrainingJob.crashes > 0 if suspects else TrainingJob.crashes == 0)
    running = select(TrainingSession.id).where(
        TrainingSession.id == session_id, TrainingSession.status == SessionStatus.RUNNING
    )
    # A common table expression, because PostgreSQL may run a plain subquery once a row, and then
    # each run would skip the rows that the one before has locked, far past the limit.
    chosen = (
        wanted.order_by(TrainingJob.crashes, TrainingJob.id)
        .limit(1 if suspects else limit)
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
            lease_expires_at=utc_now() + LEASE,
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
    conn.execute(
        update(TrainingJob)
        .where(TrainingJob.status == JobStatus.RUNNING, TrainingJob.worker == worker)
        .values(lease_expires_at=utc_now() + LEASE)
    )


def hand_back(conn: Connection, claim: Claim) -> None:
    """Return a claim that was never finished; the attempt did not happen."""
    _hand_back(conn, claim.session_id, TrainingJob.lease_token == claim.token)


def hand_back_all(conn: Connection, session_id: int, worker: str) -> None:
    """Return whatever this worker still holds of a session."""
    mine = (TrainingJob.session_id == session_id) & (TrainingJob.worker == worker)
    _hand_back(conn, session_id, mine)


def _hand_back(conn: Connection, session_id: int, which: ColumnElement[bool]) -> None:
    returned = conn.execute(
        update(TrainingJob)
        .where(which, TrainingJob.status == JobStatus.RUNNING)
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
