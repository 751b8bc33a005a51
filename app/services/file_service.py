"""What a person has done to files of pictures: copied, moved, put into the trash, and all undone.

Nothing else in the program changes a file of theirs (invariant I4). Each file's row in the log is
committed before the file is touched, and settled, together with the picture's path, right after it.
A power cut between the two leaves a row that was begun; the next start looks where its file is.
"""

from __future__ import annotations

import asyncio
import logging
import os
import platform
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.api.file_schemas import ActProgress, ActResult, ChosenFile
from app.db import file_acts
from app.db.engine import get_sync_engine, write_transaction
from app.db.file_acts import SettledFile
from app.db.files import among_paths
from app.db.models import ImageAsset
from app.db.statuses import ActKind
from app.db.types import normal_path
from app.pictures.file_times import storable_ns
from app.services import file_moves
from app.services.file_act import Act, Check, Item, partial_of

log = logging.getLogger(__name__)

CHANGED = "It was changed since."


class FileService:
    """Acts on files; one at a time. Each returns what was done and, file by file, what was not."""

    async def copy(
        self, db: AsyncSession, files: Sequence[ChosenFile], folder: str, progress: ActProgress
    ) -> ActResult:
        """Copy files into a folder, under other names where theirs are taken.

        Raises:
            AppError: nothing can be written there, or there is not enough room.
        """
        return await self._run(db, Act(ActKind.COPY, progress, normal_path(folder)), files)

    async def move(
        self, db: AsyncSession, files: Sequence[ChosenFile], folder: str, progress: ActProgress
    ) -> ActResult:
        """Move files into a folder, under other names where theirs are taken; the index goes along.

        Raises:
            AppError: as with :meth:`copy`.
        """
        return await self._run(db, Act(ActKind.MOVE, progress, normal_path(folder)), files)

    async def trash(
        self,
        db: AsyncSession,
        files: Sequence[ChosenFile],
        progress: ActProgress,
        check: Check = lambda _: "",
    ) -> ActResult:
        """Put files into the system's trash; from now on they are found no more.

        Args:
            check: asked of each file right before.
        """
        return await self._run(db, Act(ActKind.TRASH, progress, check=check), files)

    async def undo(self, db: AsyncSession, act: str, progress: ActProgress) -> ActResult:
        """Move back what was moved, take it out of the trash, or put copies there that nobody has
        changed since."""
        await db.commit()
        return await asyncio.to_thread(_undo, act, progress)

    async def _run(self, db: AsyncSession, act: Act, files: Sequence[ChosenFile]) -> ActResult:
        await db.commit()
        return await asyncio.to_thread(act.run, [Item(file) for file in files])

    async def settle_interrupted(self, db: AsyncSession) -> int:
        """Find out what became of files that an act had begun with when the program ended; how
        many. Nothing is moved: what was not done stays undone."""
        await db.commit()
        return await asyncio.to_thread(_settle_interrupted)


# --- undo ----------------------------------------------------------------------------------------


def _undo(name: str, progress: ActProgress) -> ActResult:
    with get_sync_engine().connect() as conn:
        rows = file_acts.done_files(conn, name)
    kind = ActKind(rows[0].kind) if rows else ActKind.MOVE
    if kind == ActKind.COPY:
        return _undo_copy(rows, progress)
    opposite = ActKind.MOVE if kind == ActKind.MOVE else ActKind.RESTORE
    items = [
        Item(
            ChosenFile(row.asset_id, row.target or row.source),
            source=row.target or "",
            wanted=row.source,
            undoes=row.id,
        )
        for row in reversed(rows)
    ]
    return Act(opposite, progress, undoes=True).run(items)


def _undo_copy(rows: Sequence[Any], progress: ActProgress) -> ActResult:
    written = {row.target: row for row in rows}
    with get_sync_engine().connect() as conn:  # those that an update has found meanwhile
        query = select(ImageAsset.path, ImageAsset.id).where(among_paths(conn, written))
        known = {row.path: row.id for row in conn.execute(query)}
    items = [
        Item(ChosenFile(known.get(row.target, 0), row.target), undoes=row.id)
        for row in reversed(rows)
    ]
    check = lambda file: _unless_changed(file, written[file.path])  # noqa: E731
    return Act(ActKind.TRASH, progress, check=check, undoes=True).run(items)


def _unless_changed(file: ChosenFile, row: Any) -> str:
    try:
        status = os.lstat(file.path)
    except OSError:
        return "It is no longer there."
    # a copy has the size and the time of its original, to what the file system can keep
    same = status.st_size == row.size and abs(status.st_mtime_ns - row.mtime_ns) < 2_000_000_000
    return "" if same else CHANGED


# --- after a power cut ---------------------------------------------------------------------------


def _settle_interrupted() -> int:
    with get_sync_engine().connect() as conn:
        rows = file_acts.begun_files(conn, platform.node())
    settled = [_what_became(row) for row in rows]
    if settled:
        with write_transaction() as conn:
            file_acts.settle(conn, settled)
        log.info("%d files of an interrupted act were looked at", len(settled))
    return len(settled)


def _what_became(row: Any) -> SettledFile:
    """Where the file of an act that broke off is. What is there stays there."""
    not_done = SettledFile(row.id, "The program ended before.", row.target)
    if row.kind == ActKind.TRASH:
        return not_done if os.path.lexists(row.source) else SettledFile(row.id)
    with suppress(OSError):
        os.unlink(partial_of(row.target, row.id))
    try:
        status = os.lstat(row.target)
    except OSError:
        return not_done
    if status.st_size != row.size or (row.kind != ActKind.COPY and os.path.lexists(row.source)):
        file_moves.release(row.target)
        return not_done
    time_ns = storable_ns(status.st_mtime_ns)
    return SettledFile(row.id, "", row.target, os.path.dirname(row.target), time_ns)
