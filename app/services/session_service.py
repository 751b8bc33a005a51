"""What people do with a session as a whole: give it another name, and remove it."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from functools import partial

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from app.api.update_schemas import FolderSettings, RemovalPreview
from app.db.engine import in_transaction, write_transaction
from app.db.models import ImageAsset, TrainingJob, TrainingSession
from app.db.removal import remove_from_session
from app.db.sessions import find_session
from app.errors import AppError
from app.printable import printable
from app.queue.enqueue import enqueue_payload_refresh
from app.services.update_service import UpdateService, forget_vectors

REMOVED_AT_ONCE = 2_000


class SessionService:
    """Rename and remove sessions; stateless."""

    async def rename(self, db: AsyncSession, session_id: int, name: str) -> None:
        """Give a session another name.

        Raises:
            AppError: the name is empty.
        """
        await db.commit()
        await find_session(db, session_id)
        await db.commit()
        name = printable(" ".join(name.split()))
        if not name:
            raise AppError("A session needs a name.", "Type at least one character.")
        await asyncio.to_thread(_rename, session_id, name)

    async def preview_removal(self, db: AsyncSession, session_id: int) -> RemovalPreview:
        """What removing a session would remove; nothing is changed."""
        await db.commit()
        session = await find_session(db, session_id)
        other = aliased(TrainingJob)
        also = select(other.id).where(
            other.asset_id == TrainingJob.asset_id, other.session_id != session_id
        )
        kept = (
            select(func.count())
            .select_from(TrainingJob)
            .join(ImageAsset, ImageAsset.id == TrainingJob.asset_id)
            .where(TrainingJob.session_id == session_id, ~ImageAsset.excluded, also.exists())
        )
        return RemovalPreview(pictures=session.total_images, kept=await db.scalar(kept) or 0)

    async def remove(self, db: AsyncSession, session_id: int) -> int:
        """Remove a session, and from the index the pictures that no other session has.

        No picture file is touched. The ledger lets go first, in short steps, then the vectors go;
        what breaks off is a session with fewer pictures, to be removed again, or vectors that the
        ledger check of the next start removes.

        Returns:
            how many pictures were taken out of the session.

        Raises:
            AppError: the session is being indexed.
        """
        unattended = FolderSettings(watch=False, update_every_hours=0)
        await UpdateService().change_settings(db, session_id, unattended)
        await db.commit()
        return await asyncio.to_thread(_remove, session_id)


def _rename(session_id: int, name: str) -> None:
    with write_transaction() as conn:
        row = update(TrainingSession).where(TrainingSession.id == session_id)
        conn.execute(row.values(name=name))


def _remove(session_id: int) -> int:
    removed, vectors = 0, defaultdict[int, list[int]](list)
    some = partial(remove_from_session, session_id=session_id, limit=REMOVED_AT_ONCE)
    try:
        while (step := in_transaction(some))[0]:
            removed += step[0]
            for model_id, asset_ids in step[1].items():
                vectors[model_id] += asset_ids
    finally:
        if vectors:
            forget_vectors(vectors)
        enqueue_payload_refresh()  # those that stay belong to a session less
    return removed
