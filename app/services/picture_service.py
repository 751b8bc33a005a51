"""Pages of a session's pictures, what failed and why, and the evidence of each attempt."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.api.error_kinds import ErrorKind
from app.api.library_schemas import CameraFacts, LibraryPicture
from app.api.training_schemas import EvidenceRow, FailureGroup, JobRow
from app.db.engine import in_transaction
from app.db.jobs import chunks
from app.db.models import HAS_FAILED, ImageAsset, JobStatus, TrainingEvidence, TrainingJob
from app.db.sessions import count, lock_sessions
from app.db.types import utc_now
from app.pictures.camera import camera_facts
from app.services.library_listing import pictures_by_id
from app.services.list_files import write_csv, write_json


class PictureService:
    """Reads on jobs, assets and evidence; every list is paged."""

    async def page(
        self,
        db: AsyncSession,
        session_id: int,
        *,
        status: str | None = None,
        reused: bool | None = None,
        offset: int = 0,
        limit: int = 200,
    ) -> list[JobRow]:
        """Pictures ``offset`` to ``offset + limit`` of a session, in the order they were found."""
        # The ids come from an index alone, so that skipping a million rows stays cheap.
        ids = select(TrainingJob.id).where(TrainingJob.session_id == session_id)
        if status is not None:
            ids = ids.where(TrainingJob.status == status)
        if reused is not None:
            ids = ids.where(TrainingJob.reused.is_(reused))
        wanted = ids.order_by(TrainingJob.id).offset(offset).limit(limit).subquery()
        rows = await db.execute(
            _rows().join(wanted, wanted.c.id == TrainingJob.id).order_by(TrainingJob.id)
        )
        return [_job_row(row) for row in rows]

    async def failure_groups(
        self, db: AsyncSession, session_id: int | None = None
    ) -> list[FailureGroup]:
        """How many pictures failed for each cause, the most frequent first."""
        number = func.count().label("number")
        query = (
            select(TrainingJob.error_kind, number)
            .where(*_failed(session_id, None))
            .group_by(TrainingJob.error_kind)
            .order_by(number.desc())
        )
        rows = await db.execute(query)
        return [FailureGroup(errorKind=kind or ErrorKind.MODEL, count=n) for kind, n in rows]

    async def failures(
        self,
        db: AsyncSession,
        session_id: int | None = None,
        *,
        error_kind: str | None = None,
        offset: int = 0,
        limit: int = 200,
    ) -> list[JobRow]:
        """Failed pictures, the newest first; of every session where none is named."""
        newest = (TrainingJob.finished_at.desc(), TrainingJob.id.desc())
        ids = select(TrainingJob.id).where(*_failed(session_id, error_kind))
        wanted = ids.order_by(*newest).offset(offset).limit(limit).subquery()
        rows = await db.execute(
            _rows().join(wanted, wanted.c.id == TrainingJob.id).order_by(*newest)
        )
        return [_job_row(row) for row in rows]

    async def evidence(self, db: AsyncSession, job_id: int) -> list[EvidenceRow]:
        """What each attempt at a picture of a session did, the newest first."""
        return await _evidence(db, TrainingEvidence.job_id == job_id)

    async def evidence_of_asset(self, db: AsyncSession, asset_id: int) -> list[EvidenceRow]:
        """What each attempt at a picture did in any session, the newest first."""
        return await _evidence(db, TrainingEvidence.asset_id == asset_id)

    async def camera(self, path: str) -> CameraFacts:
        """How a picture was taken, as its file says."""
        return await asyncio.to_thread(camera_facts, path)

    async def exclude(self, db: AsyncSession, job_ids: Sequence[int]) -> int:
        """Leave these failed pictures out, here and in later sessions; how many."""
        await db.commit()
        return await asyncio.to_thread(in_transaction, partial(_exclude, job_ids=list(job_ids)))

    async def export_failures(
        self, db: AsyncSession, target: str, session_id: int | None = None
    ) -> int:
        """Write the failed pictures to a CSV file; how many.

        Raises:
            AppError: the file cannot be written.
        """
        rows = [_csv_row(row) async for row in self._all_failures(db, session_id)]
        heading = ["file", "cause", "message", "attempts", "when"]
        await asyncio.to_thread(write_csv, target, heading, rows)
        return len(rows)

    async def export(self, db: AsyncSession, asset_ids: Sequence[int], target: str) -> int:
        """Write pictures to a table, or to JSON where the file's name ends so; how many.

        Raises:
            AppError: the file cannot be written.
        """
        await db.commit()
        rows: list[list[Any]] = []
        for ids in chunks(asset_ids, 5_000):
            found = {item.assetId: item for item in await pictures_by_id(db, None, ids)}
            rows += [_list_row(found[number]) for number in ids if number in found]
        write = write_json if target.lower().endswith(".json") else write_csv
        await asyncio.to_thread(write, target, LIST_HEADING, rows)
        return len(rows)

    async def _all_failures(
        self, db: AsyncSession, session_id: int | None
    ) -> AsyncIterator[JobRow]:
        after = 0
        of_session = [] if session_id is None else [TrainingJob.session_id == session_id]
        while True:
            page = (
                await db.execute(
                    _rows()
                    .where(HAS_FAILED, *of_session, TrainingJob.id > after)
                    .order_by(TrainingJob.id)
                    .limit(5_000)
                )
            ).all()
            for row in page:
                yield _job_row(row)
            if len(page) < 5_000:
                return
            after = page[-1].TrainingJob.id


LIST_HEADING = ("file", "bytes", "width", "height", "taken")


def _list_row(picture: LibraryPicture) -> list[Any]:
    taken = picture.takenAt.replace(tzinfo=None).isoformat() if picture.takenAt else None
    return [picture.path, picture.size, picture.width, picture.height, taken]


def _rows() -> Select[*tuple[Any, ...]]:
    return select(TrainingJob, ImageAsset).join(ImageAsset, ImageAsset.id == TrainingJob.asset_id)


def _failed(session_id: int | None, error_kind: str | None) -> list[ColumnElement[bool]]:
    conditions = [HAS_FAILED]
    if session_id is not None:
        # An expression, so that the index on what failed is taken, where all is sorted already.
        conditions.append(TrainingJob.session_id + 0 == session_id)
    if error_kind is not None:
        conditions.append(TrainingJob.error_kind == error_kind)
    return conditions


def _job_row(row: Row[Any]) -> JobRow:
    job, asset = row.TrainingJob, row.ImageAsset
    return JobRow(
        jobId=job.id,
        assetId=asset.id,
        sessionId=job.session_id,
        path=asset.path,
        status=job.status,
        reused=job.reused,
        attempts=job.attempts,
        errorKind=job.error_kind,
        errorMessage=job.error_message,
        finishedAt=job.finished_at,
        size=asset.size,
        width=asset.width,
        height=asset.height,
    )


async def _evidence(db: AsyncSession, which: ColumnElement[bool]) -> list[EvidenceRow]:
    rows = await db.execute(
        select(TrainingEvidence).where(which).order_by(TrainingEvidence.id.desc())
    )
    return [
        EvidenceRow(
            attempt=record.attempt,
            modelName=record.model_name,
            modelVersion=record.model_version,
            weightsDigest=record.weights_digest,
            device=record.device,
            precision=record.precision,
            processingTimeMs=record.processing_time_ms,
            embeddingChecksum=record.embedding_checksum,
            note=record.note,
            errorMessage=record.error_message,
            createdAt=record.created_at,
        )
        for record in rows.scalars()
    ]


def _exclude(conn: Connection, job_ids: list[int]) -> int:
    chosen = TrainingJob.id.in_(job_ids) & (TrainingJob.status == JobStatus.FAILED)
    lock_sessions(conn, conn.scalars(select(TrainingJob.session_id).where(chosen)))
    moved = conn.execute(
        update(TrainingJob)
        .where(chosen)
        .values(status=JobStatus.CANCELLED.value, finished_at=utc_now())
        .returning(TrainingJob.asset_id, TrainingJob.session_id)
    ).all()
    conn.execute(
        update(ImageAsset)
        .where(ImageAsset.id.in_([row.asset_id for row in moved]))
        .values(excluded=True)
    )
    for row in moved:
        count(conn, row.session_id, failed_images=-1, cancelled_images=1)
    return len(moved)


def _csv_row(row: JobRow) -> list[object]:
    when = row.finishedAt.isoformat() if row.finishedAt else ""
    return [row.path, row.errorKind, row.errorMessage, row.attempts, when]
