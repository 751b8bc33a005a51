"""Pictures and sessions that leave the ledger, and everything that it knows of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, delete, select, update

from app.db.models import (
    IS_HELD,
    AssetVector,
    ImageAsset,
    JobStatus,
    NearDuplicate,
    SessionStatus,
    TrainingEvidence,
    TrainingJob,
    TrainingSession,
)
from app.db.sessions import count, lock_sessions
from app.errors import AppError


def remove_assets(conn: Connection, asset_ids: Sequence[int]) -> tuple[int, dict[int, list[int]]]:
    """Forget missing pictures: evidence, jobs and rows, in every session that has them.

    One that was found again meanwhile, or that a worker holds at this moment, is left alone.

    Returns:
        how many were removed; and by model, the assets whose vectors the store is to forget.
    """
    of_these = TrainingJob.asset_id.in_(asset_ids)
    lock_sessions(conn, conn.scalars(select(TrainingJob.session_id).where(of_these)))
    held = conn.execute(
        select(TrainingJob.asset_id, TrainingJob.session_id, TrainingJob.status, TrainingJob.reused)
        .where(of_these)
        .order_by(TrainingJob.id)
        .with_for_update()
    ).all()
    busy = {job.asset_id for job in held if job.status == JobStatus.RUNNING}
    sizes = {
        row.id: row.size
        for row in conn.execute(
            select(ImageAsset.id, ImageAsset.size)
            .where(ImageAsset.id.in_(asset_ids), ImageAsset.missing_since.is_not(None))
            .order_by(ImageAsset.id)
            .with_for_update()
        )
        if row.id not in busy
    }
    for session_id in sorted({job.session_id for job in held}):
        its = [job for job in held if job.session_id == session_id and job.asset_id in sizes]
        _uncount(conn, session_id, its, sum(sizes[job.asset_id] for job in its))
    return len(sizes), _forget(conn, list(sizes))


def remove_from_session(
    conn: Connection, session_id: int, limit: int
) -> tuple[int, dict[int, list[int]]]:
    """Take the next pictures out of a session; those that no other one has leave the ledger.

    What a person excluded stays known, so that no later session takes it in. Once there is no
    picture left, the session is removed: call it until it returns 0.

    Returns:
        how many pictures were taken out; and by model, the assets whose vectors the store is to
        forget.

    Raises:
        AppError: the session is running, or a worker holds pictures of it.
    """
    # Held until the end of the transaction: nobody enters or claims a job of it meanwhile.
    session = conn.execute(
        select(TrainingSession.name, TrainingSession.status)
        .where(TrainingSession.id == session_id)
        .with_for_update()
    ).one_or_none()
    if session is None:
        return 0, {}
    held = select(TrainingJob.id).where(IS_HELD, TrainingJob.session_id == session_id)
    if session.status == SessionStatus.RUNNING or conn.execute(held.limit(1)).first():
        raise AppError(
            f"The session “{session.name}” is being indexed.",
            "Pause it, wait until its current pictures are done, and try again.",
        )
    jobs = conn.execute(
        select(TrainingJob.id, TrainingJob.asset_id, TrainingJob.status, TrainingJob.reused)
        .where(TrainingJob.session_id == session_id)
        .order_by(TrainingJob.id)
        .limit(limit)
        .with_for_update()
    ).all()
    if not jobs:
        conn.execute(delete(TrainingSession).where(TrainingSession.id == session_id))
        return 0, {}
    assets = conn.execute(
        select(ImageAsset.id, ImageAsset.size, ImageAsset.excluded)
        .where(ImageAsset.id.in_([job.asset_id for job in jobs]))
        .order_by(ImageAsset.id)
        .with_for_update()
    ).all()
    _uncount(conn, session_id, jobs, sum(asset.size for asset in assets))
    for column, table in (
        (TrainingEvidence.job_id, TrainingEvidence),
        (TrainingJob.id, TrainingJob),
    ):
        conn.execute(delete(table).where(column.in_([job.id for job in jobs])))
    ids = [asset.id for asset in assets]
    elsewhere = select(TrainingJob.asset_id).where(TrainingJob.asset_id.in_(ids))
    kept = set(conn.scalars(elsewhere)) | {asset.id for asset in assets if asset.excluded}
    conn.execute(
        update(AssetVector).where(AssetVector.asset_id.in_(kept)).values(payload_stale=True)
    )
    return len(jobs), _forget(conn, [asset_id for asset_id in ids if asset_id not in kept])


def _uncount(conn: Connection, session_id: int, jobs: Sequence[Any], size: int) -> None:
    """Take jobs that are about to go out of a session's counters.

    Args:
        size: of their files together, in bytes.
    """
    changes = Counter(f"{job.status}_images" for job in jobs if job.status != JobStatus.PENDING)
    changes["reused_images"] = sum(job.reused for job in jobs)
    changes["total_images"] = len(jobs)
    changes["total_bytes"] = size
    count(conn, session_id, **{name: -number for name, number in changes.items()})


def _forget(conn: Connection, asset_ids: Sequence[int]) -> dict[int, list[int]]:
    """Remove pictures with all that is known of them; by model, those that have a vector."""
    vectors: dict[int, list[int]] = defaultdict(list)
    for row in conn.execute(
        select(AssetVector.asset_id, AssetVector.model_id).where(
            AssetVector.asset_id.in_(asset_ids)
        )
    ):
        vectors[row.model_id].append(row.asset_id)
    for table in (NearDuplicate, TrainingEvidence, TrainingJob, AssetVector):
        conn.execute(delete(table).where(table.asset_id.in_(asset_ids)))
    conn.execute(delete(ImageAsset).where(ImageAsset.id.in_(asset_ids)))
    return dict(vectors)
