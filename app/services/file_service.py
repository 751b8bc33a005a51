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
from functools import partial
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.api.file_schemas import ActProgress, ActResult, ChosenFile
from app.db import file_acts
from app.db.engine import get_sync_engine, in_transaction, write_transaction
from app.db.file_acts import SettledFile
from app.db.files import among_ids, among_paths
from app.db.models import AssetVector, ImageAsset
from app.db.removal import remove_assets
from app.db.statuses import ActKind, ActState
from app.db.types import normal_path
from app.pictures.file_times import storable_ns
from app.services import file_moves
from app.services.file_act import Act, Check, Item, partial_of
from app.services.file_moves import NotDoneError

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

    async def settle_interrupted(self, db: AsyncSession) -> list[ActResult]:
        """Find out what became of files that an act had begun with when the program ended.

        A move to another disk whose copy is whole is finished; what was not done stays undone.

        Returns:
            each act that was interrupted, with all that is known of it.
        """
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
    result = Act(ActKind.TRASH, progress, check=check, undoes=True).run(items)
    in_transaction(partial(_forget_unindexed, asset_ids=result.done))
    return result


def _forget_unindexed(conn: Connection, asset_ids: Sequence[int]) -> None:
    """Copies that were undone before a worker came to them; to it they would be lost files."""
    vector = select(AssetVector.asset_id).where(AssetVector.asset_id == ImageAsset.id)
    query = select(ImageAsset.id).where(among_ids(conn, ImageAsset.__table__.c.id, asset_ids))
    remove_assets(conn, list(conn.scalars(query.where(~vector.exists()))))


def _unless_changed(file: ChosenFile, row: Any) -> str:
    try:
        status = os.lstat(file.path)
    except OSError:
        return "It is no longer there."
    # a copy has the size and the time of its original, to what the file system can keep
    same = status.st_size == row.size and abs(status.st_mtime_ns - row.mtime_ns) < 2_000_000_000
    return "" if same else CHANGED


# --- after a power cut ---------------------------------------------------------------------------


def _settle_interrupted() -> list[ActResult]:
    with get_sync_engine().connect() as conn:
        rows = file_acts.begun_files(conn, platform.node())
    settled = [_what_became(row) for row in rows]
    if settled:
        with write_transaction() as conn:
            file_acts.settle(conn, settled)
        log.info("%d files of an interrupted act were looked at", len(settled))
    with get_sync_engine().connect() as conn:
        return [_told(file_acts.all_files(conn, act)) for act in dict.fromkeys(r.act for r in rows)]


def _told(rows: Sequence[Any]) -> ActResult:
    """What came of an act, by the log."""
    done = [row for row in rows if row.state == ActState.DONE]
    kind = ActKind(rows[0].kind)
    folders = {os.path.dirname(row.target or "") for row in rows}
    to_one = kind in (ActKind.COPY, ActKind.MOVE) and len(folders) == 1
    return ActResult(
        act=rows[0].act,
        kind=kind.value,
        folder=folders.pop() if to_one else None,
        done=tuple(row.asset_id for row in done),
        bytes=sum(row.size for row in done),
        failed=tuple((row.source, row.message) for row in rows if row.state == ActState.FAILED),
        can_undo=False,
    )


def _what_became(row: Any) -> SettledFile:
    """Where the file of an act that broke off is."""
    not_done = SettledFile(row.id, "Afterimage ended before.", row.target)
    if row.kind == ActKind.TRASH:
        return not_done if os.path.lexists(row.source) else SettledFile(row.id)
    with suppress(OSError):
        os.unlink(partial_of(row.target, row.id))
    try:
        status = os.lstat(row.target)
    except OSError:
        return not_done
    beside = row.kind != ActKind.COPY and os.path.lexists(row.source)
    if status.st_size != row.size or (beside and row.message != file_acts.COPIED):
        file_moves.release(row.target)
        return not_done
    if beside:
        try:
            file_moves.finish_move(row.source, row.target)
        except NotDoneError as error:
            return SettledFile(row.id, str(error), row.target)
    if row.kind == ActKind.RESTORE:
        file_moves.forget_note(row.source)
    time_ns = storable_ns(status.st_mtime_ns)
    return SettledFile(row.id, "", row.target, os.path.dirname(row.target), time_ns)
