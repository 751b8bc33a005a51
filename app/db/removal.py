"""Pictures that leave the ledger, and everything that it knows of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from sqlalchemy import Connection, delete, select

from app.db.models import (
    AssetVector,
    ImageAsset,
    JobStatus,
    NearDuplicate,
    TrainingEvidence,
    TrainingJob,
)
from app.db.sessions import count, lock_sessions


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
        changes = Counter(f"{job.status}_images" for job in its if job.status != JobStatus.PENDING)
        changes["reused_images"] = sum(job.reused for job in its)
        changes["total_images"] = len(its)
        changes["total_bytes"] = sum(sizes[job.asset_id] for job in its)
        count(conn, session_id, **{name: -number for name, number in changes.items()})
    vectors: dict[int, list[int]] = defaultdict(list)
    for row in conn.execute(
        select(AssetVector.asset_id, AssetVector.model_id).where(AssetVector.asset_id.in_(sizes))
    ):
        vectors[row.model_id].append(row.asset_id)
    for table in (NearDuplicate, TrainingEvidence, TrainingJob, AssetVector):
        conn.execute(delete(table).where(table.asset_id.in_(sizes)))
    conn.execute(delete(ImageAsset).where(ImageAsset.id.in_(sizes)))
    return len(sizes), dict(vectors)
