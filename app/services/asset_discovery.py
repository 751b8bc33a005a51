"""From folders to the ledger: a session's first walk, and counting without entering anything."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.api.training_schemas import FolderCount
from app.config import DEFAULT_EXTENSIONS
from app.db.models import ImageAsset, TrainingJob, TrainingSession
from app.db.types import normal_path
from app.errors import AppError
from app.scan.exclusions import Exclusions
from app.scan.file_walk import WalkReport, check_folder, walk
from app.scan.session_walk import STARTED, SessionWalk


class AssetDiscoveryService:
    """Finds the pictures of a session, or counts them without entering anything.

    Args:
        extensions: file types without the dot; None takes each session's own.
        root: where counting leaves out ``exclude``, patterns as ``SessionConfig`` has them.
    """

    def __init__(
        self,
        extensions: Sequence[str] | None = None,
        root: str = os.sep,
        exclude: Sequence[str] = (),
    ) -> None:
        self._extensions = extensions and [item.lower().lstrip(".") for item in extensions]
        self._exclusions = Exclusions(root, exclude)

    async def discover_assets(self, db: AsyncSession, session_id: int) -> list[ImageAsset]:
        """Walk a session's folders, create its jobs, and return all its assets.

        Raises:
            AppError: there is no such session, or its root folder cannot be read.
        """
        await db.commit()
        session = await find_session(db, session_id)
        await take_steps(SessionWalk(session_id, extensions=self._extensions))
        await db.refresh(session)
        rows = await db.execute(
            select(ImageAsset)
            .join(TrainingJob, TrainingJob.asset_id == ImageAsset.id)
            .where(TrainingJob.session_id == session_id)
            .order_by(ImageAsset.id)
        )
        return list(rows.scalars())

    async def start_while_walking(self, session_id: int) -> None:
        """Walk a session's folders; it runs as soon as the first pictures are in the ledger.

        A walk that ends early is simply done again: what is there already stays as it is.

        Raises:
            AppError: its root folder cannot be read, or there are no pictures in its folders.
        """
        await take_steps(SessionWalk(session_id, STARTED, self._extensions))

    async def count_images_in_directory(self, directory: str, recursive: bool = True) -> int:
        """How many pictures a folder holds.

        Raises:
            AppError: the folder does not exist or cannot be read.
        """
        return (await self.measure(directory, recursive)).pictures

    async def measure(
        self, directory: str, recursive: bool = True, stop: Callable[[], bool] = lambda: False
    ) -> FolderCount:
        """Pictures of a folder and their size; ``stop`` is asked every few files."""
        return await asyncio.to_thread(self._measure, normal_path(directory), recursive, stop)

    def _measure(self, directory: str, recursive: bool, stop: Callable[[], bool]) -> FolderCount:
        check_folder(directory)
        pictures = size = 0
        extensions = self._extensions or DEFAULT_EXTENSIONS
        for file in walk(directory, extensions, recursive, WalkReport(), self._exclusions):
            pictures += 1
            size += file.size
            if pictures % 256 == 0 and stop():
                break
        return FolderCount(pictures=pictures, bytes=size)


async def take_steps(
    session_walk: SessionWalk,
    on_step: Callable[[int], None] = lambda _: None,
    stop: Callable[[], bool] = lambda: False,
) -> None:
    """Do a walk, each of its parts in a thread, so that a program that ends waits for one only.

    Args:
        on_step: called after each part with how many pictures were looked at.
        stop: asked after each part.
    """
    steps = session_walk.steps(stop)
    while (found := await asyncio.to_thread(next, steps, None)) is not None:
        on_step(found)


async def find_session(db: AsyncSession, session_id: int) -> TrainingSession:
    """The session with this id, read afresh.

    Raises:
        AppError: there is none.
    """
    session = await db.get(TrainingSession, session_id, populate_existing=True)
    if session is None:
        raise AppError(f"There is no session {session_id}.", "List them with: sessions")
    return session
