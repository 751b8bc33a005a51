"""From folders to the ledger, as ``docs/training-system.md`` has it."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import ImageAsset, TrainingJob
from app.db.sessions import find_session
from app.scan.discovery import PictureCounter, take_steps
from app.scan.session_walk import SessionWalk


class AssetDiscoveryService:
    """Finds the pictures of a session, or counts them without entering anything.

    Args:
        extensions: file types without the dot; None takes each session's own.
    """

    def __init__(self, extensions: Sequence[str] | None = None) -> None:
        self._extensions = extensions and [item.lower().lstrip(".") for item in extensions]

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

    async def count_images_in_directory(self, directory: str, recursive: bool = True) -> int:
        """How many pictures a folder holds.

        Raises:
            AppError: the folder does not exist or cannot be read.
        """
        return (await PictureCounter(self._extensions).count(directory, recursive)).pictures
