"""An index that stays true: updates, missing pictures, and a root folder that has moved."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from app.api.training_schemas import SessionConfig
from app.api.update_schemas import (
    FolderSettings,
    MissingPreview,
    RelocationPreview,
    UpdateSummary,
    WatchedFolder,
)
from app.db import relocation
from app.db.engine import get_sync_engine, write_transaction
from app.db.models import ImageAsset, SessionStatus, TrainingJob, TrainingSession
from app.db.sessions import find_session
from app.db.types import normal_path, text_to_path
from app.errors import AppError
from app.printable import printable
from app.queue.enqueue import enqueue_session_if_possible
from app.queue.questions import RemoveVectorsRequest, remove_vectors
from app.scan.discovery import take_steps
from app.scan.file_walk import check_folder
from app.scan.missing_files import forget, missing_in
from app.scan.session_walk import UPDATED, SessionWalk

log = logging.getLogger(__name__)

SAMPLE = 300
PAUSE_FIRST = "Pause it first, or wait until it is finished."


class UpdateService:
    """Brings the index of a session in line with its folders; stateless."""

    # --- update ---------------------------------------------------------------------------------

    async def update(
        self,
        db: AsyncSession,
        session_id: int,
        on_step: Callable[[int], None] = lambda _: None,
        stop: Callable[[], bool] = lambda: False,
    ) -> UpdateSummary:
        """Look for new, changed and missing pictures; the session runs where there is work.

        A paused session stays paused: what is new waits until it is resumed.

        Args:
            on_step: called now and then with how many pictures were looked at.
            stop: asked as often; what was found until then is kept.

        Raises:
            AppError: the session was never started, is running or cancelled.
        """
        await db.commit()
        session = await find_session(db, session_id)
        _check_updatable(session)
        await db.commit()  # no read stays open during the walk
        walk = SessionWalk(session_id, UPDATED)
        await take_steps(walk, on_step, stop)
        await asyncio.to_thread(enqueue_session_if_possible, session_id)
        return walk.summary

    # --- how it is kept true --------------------------------------------------------------------

    async def settings(self, db: AsyncSession, session_id: int) -> FolderSettings:
        """How a session's index is kept true."""
        await db.commit()
        session = await find_session(db, session_id)
        config = SessionConfig.model_validate(session.config)
        return FolderSettings(watch=config.watch, update_every_hours=config.update_every_hours)

    async def change_settings(
        self, db: AsyncSession, session_id: int, settings: FolderSettings
    ) -> None:
        """Set how a session's index is kept true."""
        await db.commit()
        session = await find_session(db, session_id)
        config = SessionConfig.model_validate(session.config | settings.model_dump())
        session.config = config.model_dump()
        await db.commit()

    async def watched(self, db: AsyncSession) -> list[WatchedFolder]:
        """Every session whose folders are to be watched."""
        await db.commit()
        rows = await db.execute(
            select(
                TrainingSession.id,
                TrainingSession.root_path,
                TrainingSession.subdirectories,
                TrainingSession.config,
            ).where(
                TrainingSession.config["watch"].as_boolean(),
                TrainingSession.discovered_at.is_not(None),
                TrainingSession.status != SessionStatus.CANCELLED,
            )
        )
        return [
            WatchedFolder(
                session_id=row.id,
                folders=[text_to_path(text) for text in row.subdirectories] or [row.root_path],
                extensions=config.extensions,
                recursive=config.recursive,
                root=row.root_path,
                exclude=config.exclude,
            )
            for row in rows
            for config in [SessionConfig.model_validate(row.config)]
        ]

    # --- missing pictures -----------------------------------------------------------------------

    async def preview_missing(self, db: AsyncSession, session_id: int) -> MissingPreview:
        """How many pictures of a session are marked as missing; nothing is changed."""
        await db.commit()
        session = await find_session(db, session_id)
        missing = missing_in(session_id).with_only_columns(func.count())
        return MissingPreview(
            missing=await db.scalar(missing) or 0,
            moved=await db.scalar(missing.where(_content_is_elsewhere())) or 0,
            total=session.total_images,
            root_reachable=await asyncio.to_thread(_is_reachable, session.root_path),
        )

    async def prune(self, db: AsyncSession, session_id: int) -> int:
        """Remove the missing pictures from the index; no picture file is touched.

        Every one is looked for once more. The ledger forgets it first, then the vectors go; where
        that breaks off, the ledger check of the next start removes what is left.

        Returns:
            how many pictures were removed.

        Raises:
            AppError: the root folder cannot be read, or too many pictures are missing.
        """
        preview = await self.preview_missing(db, session_id)
        session = await find_session(db, session_id)
        await db.commit()
        await asyncio.to_thread(check_folder, session.root_path)
        if preview.missing - preview.moved > preview.total / 2:
            raise AppError(
                f"{preview.missing:,} of {preview.total:,} pictures are not there. "
                "Nothing was removed.",
                "Perhaps a disk is not connected. Connect it and update.",
            )
        removed, vectors = await asyncio.to_thread(_prune, session_id)
        if vectors:
            await asyncio.to_thread(forget_vectors, vectors)
        return removed

    # --- a root that has moved ------------------------------------------------------------------

    async def preview_relocation(
        self, db: AsyncSession, session_id: int, new_root: str
    ) -> RelocationPreview:
        """Look whether a sample of a session's pictures is in another folder.

        Raises:
            AppError: the folder cannot be read, or is where the session is already.
        """
        await db.commit()
        session = await find_session(db, session_id)
        await db.commit()
        new_root = normal_path(new_root)
        if new_root == session.root_path:
            raise AppError(
                f"The session is already in {printable(new_root)}.", "Choose another folder."
            )
        return await asyncio.to_thread(_preview_relocation, session, new_root)

    async def relocate(self, db: AsyncSession, session_id: int, new_root: str) -> int:
        """Say that a session's root folder is somewhere else now; nothing is indexed again.

        All sessions at or in that root move with it.

        Returns:
            how many pictures have a new path.

        Raises:
            AppError: no picture is found there, or one of the sessions is running.
        """
        preview = await self.preview_relocation(db, session_id, new_root)
        if preview.pictures and not preview.found:
            raise AppError(
                f"None of {preview.sampled:,} pictures is in {printable(preview.new_root)}.",
                "Choose the folder that now has the contents of the old one.",
            )
        await db.commit()
        return await asyncio.to_thread(_relocate, preview.old_root, preview.new_root)


def _check_updatable(session: TrainingSession) -> None:
    reasons = {
        SessionStatus.PENDING: ("This session has not been started yet.", "Start it."),
        SessionStatus.RUNNING: ("This session is running.", PAUSE_FIRST),
        SessionStatus.CANCELLED: ("This session was cancelled.", "Create a new one."),
    }
    if reason := reasons.get(SessionStatus(session.status)):
        raise AppError(*reason)


def _content_is_elsewhere() -> ColumnElement[bool]:
    """The missing file was moved or renamed: its content is known from a file that is there."""
    other = aliased(ImageAsset)
    same = (other.sha256 == ImageAsset.sha256) & other.missing_since.is_(None)
    return select(other.id).where(same).exists()


def _is_reachable(root: str) -> bool:
    try:
        check_folder(root)
    except AppError:
        return False
    return True


def _prune(session_id: int) -> tuple[int, dict[int, list[int]]]:
    with get_sync_engine().connect() as conn:
        marked = conn.execute(missing_in(session_id).order_by(ImageAsset.id)).all()
    return forget(marked)


def forget_vectors(vectors: dict[int, list[int]]) -> None:
    """Have the worker, which owns the store, remove what the ledger no longer knows."""
    try:
        remove_vectors(RemoveVectorsRequest(vectors=vectors))
    except AppError as error:
        log.warning("vectors of removed pictures stay until the next ledger check: %s", error)


def _preview_relocation(session: TrainingSession, new_root: str) -> RelocationPreview:
    check_folder(new_root)
    old_root = session.root_path
    step = max(session.total_images // SAMPLE, 1)
    with get_sync_engine().connect() as conn:
        sample = conn.execute(
            select(ImageAsset.path, ImageAsset.size)
            .join(TrainingJob, TrainingJob.asset_id == ImageAsset.id)
            .where(TrainingJob.session_id == session.id, TrainingJob.id % step == 0)
            .order_by(TrainingJob.id)
            .limit(SAMPLE)
        ).all()
        names = [row.name for row in relocation.sessions_at(conn, old_root)]
    return RelocationPreview(
        old_root=old_root,
        new_root=new_root,
        found=sum(
            _size(relocation.moved(path, old_root, new_root) or path) == size
            for path, size in sample
        ),
        sampled=len(sample),
        pictures=session.total_images,
        sessions=names,
    )


def _size(path: str) -> int | None:
    try:
        return os.stat(path).st_size
    except (OSError, ValueError):
        return None


def _relocate(old_root: str, new_root: str) -> int:
    with write_transaction() as conn:
        running = [
            row
            for row in relocation.sessions_at(conn, old_root)
            if row.status == SessionStatus.RUNNING
        ]
        if running:
            raise AppError(f"The session {running[0].name} is running.", PAUSE_FIRST)
        return relocation.relocate(conn, old_root, new_root)
