"""Every picture of the ledger with its state, by folder or by date, in pages."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Text,
    extract,
    func,
    literal,
    select,
    type_coerce,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession

from app.api.library_schemas import (
    FolderPictures,
    LibraryGroup,
    LibraryPicture,
    Listing,
    MonthPictures,
    PictureState,
)
from app.config import get_settings
from app.db.engine import write_transaction
from app.db.jobs import chunks
from app.db.models import ImageAsset, TrainingSession
from app.db.relocation import is_stored_below
from app.db.types import path_to_text
from app.services.duplicate_service import DuplicateService
from app.services.library_listing import (
    ids_of,
    make_listing,
    picture_state,
    pictures_and_vectors,
    pictures_by_id,
    streamed,
)

EVERYTHING = LibraryGroup()


class LibraryService:
    """What is known of every picture; ``model_id`` is the model whose index is asked about, None
    where there is none yet."""

    def __init__(self) -> None:
        self.duplicates = DuplicateService()

    async def folders(self, db: AsyncSession) -> list[FolderPictures]:
        """Every folder that pictures lie in; from an index alone."""
        await db.commit()  # ends the last read, so that this one sees what is new
        query = select(ImageAsset.folder, func.count()).group_by(ImageAsset.folder)
        return [FolderPictures(path, number) async for path, number in streamed(db, query)]

    async def months(self, db: AsyncSession) -> list[MonthPictures]:
        """Every month that pictures were taken in, the newest first, and how many have no date."""
        await db.commit()
        moment: Any = ImageAsset.taken_at
        if _is_postgresql(db):  # whose moments are otherwise cut up by the server's time zone
            moment = func.timezone("UTC", moment)
        year, month = extract("year", moment), extract("month", moment)
        rows = await db.execute(select(year, month, func.count()).group_by(year, month))
        found = [
            MonthPictures(None, None, number)
            if year is None
            else MonthPictures(int(year), int(month), number)
            for year, month, number in rows
        ]
        return sorted(found, key=lambda item: (item.year or 0, item.month or 0), reverse=True)

    async def counts(
        self, db: AsyncSession, model_id: int | None, group: LibraryGroup = EVERYTHING
    ) -> dict[PictureState, int]:
        """How many pictures of a group are in each state; a state of none is left out."""
        await db.commit()
        state = picture_state()
        rows = await db.execute(
            select(state, func.count())
            .select_from(pictures_and_vectors(model_id))
            .where(*_within(db, group))
            .group_by(state)
        )
        return {cast(PictureState, name): number for name, number in rows}

    async def listing(
        self,
        db: AsyncSession,
        model_id: int | None,
        group: LibraryGroup = EVERYTHING,
        state: PictureState | None = None,
    ) -> Listing:
        """The pictures of a folder by path, those of a time the newest first.

        Args:
            state: only those in this state.
        """
        await db.commit()
        table: FromClause = ImageAsset.__table__
        conditions = _within(db, group)
        if state is not None:
            table = pictures_and_vectors(model_id)
            conditions.append(picture_state() == state)
        chosen = select(ImageAsset.id).select_from(table).where(*conditions)
        return await make_listing(db, chosen, _order(group, every_row=state is not None))

    async def page(
        self, db: AsyncSession, model_id: int | None, listing: Listing, offset: int, limit: int
    ) -> list[LibraryPicture]:
        """Pictures ``offset`` to ``offset + limit`` of a listing, as they are now."""
        await db.commit()
        return await pictures_by_id(db, model_id, ids_of(listing, offset, limit))

    async def include(self, db: AsyncSession, asset_ids: Sequence[int]) -> int:
        """Take excluded pictures back, for the next update of their session; how many."""
        await db.commit()
        return await asyncio.to_thread(_include, list(asset_ids))

    async def change_mark(self, db: AsyncSession) -> tuple[object, ...]:
        """Another value says that the library, or the index in use, may have changed; it costs the
        same for any number of pictures."""
        await db.commit()
        table = TrainingSession
        counters = (
            table.total_images,
            table.completed_images,
            table.failed_images,
            table.cancelled_images,
        )
        query = select(func.count(), *(func.sum(column) for column in counters))
        sessions = (await db.execute(query.select_from(table))).one()
        newest = await db.scalar(select(func.max(ImageAsset.id)))
        missing = await db.scalar(select(func.count()).where(ImageAsset.missing_since.is_not(None)))
        return (*sessions, newest, missing, get_settings().search_model)


def _order(group: LibraryGroup, *, every_row: bool) -> list[ColumnElement[Any]]:
    if group.undated:
        return [ImageAsset.id.asc()]
    if group.year is not None:
        return [ImageAsset.taken_at.desc(), ImageAsset.id.desc()]
    path = type_coerce(ImageAsset.path, Text)
    # Where every row is read anyway, reading them in the order of the path's index is five times
    # slower than sorting them afterwards; an expression is not in the index.
    return [path.concat("").asc() if every_row and group.folder is None else path.asc()]


def _within(db: AsyncSession, group: LibraryGroup) -> list[ColumnElement[bool]]:
    """The conditions of a group."""
    if group.folder is not None:
        return _below(group.folder, indexed=not _is_postgresql(db))
    if group.undated:
        return [ImageAsset.taken_at.is_(None)]
    if group.year is None:
        return []
    first, last = (group.month, group.month) if group.month else (1, 12)
    begin = datetime(group.year, first, 1, tzinfo=UTC)
    end = datetime(group.year + last // 12, last % 12 + 1, 1, tzinfo=UTC)
    return [ImageAsset.taken_at >= begin, ImageAsset.taken_at < end]


def _below(folder: str, *, indexed: bool) -> list[ColumnElement[bool]]:
    """That a path lies below a folder.

    Args:
        indexed: texts are sorted by their characters, so that these paths are one run of the
            index; PostgreSQL sorts as the language of the server does.
    """
    path = type_coerce(ImageAsset.path, Text)
    conditions = [is_stored_below(path, folder)]
    if indexed:
        begin = path_to_text(folder).rstrip(os.sep)
        next_sign = chr(ord(os.sep) + 1)
        conditions += [
            path >= literal(begin + os.sep, Text),
            path < literal(begin + next_sign, Text),
        ]
    return conditions


def _is_postgresql(db: AsyncSession) -> bool:
    return db.get_bind().dialect.name == "postgresql"


def _include(asset_ids: list[int]) -> int:
    with write_transaction() as conn:
        return sum(
            conn.execute(
                update(ImageAsset)
                .where(ImageAsset.id.in_(ids), ImageAsset.excluded)
                .values(excluded=False)
            ).rowcount
            for ids in chunks(asset_ids, 10_000)
        )
