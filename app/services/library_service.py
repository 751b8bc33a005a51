"""Every picture of the ledger with its state, in any order, in pages."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any, cast

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Text,
    asc,
    desc,
    func,
    select,
    type_coerce,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession

from app.api.library_schemas import (
    FolderPictures,
    LibraryGroup,
    LibraryOrder,
    LibraryPicture,
    Listing,
    MonthPictures,
    PictureState,
    Section,
)
from app.api.search_schemas import SearchFilter
from app.config import get_settings
from app.db.engine import write_transaction
from app.db.jobs import chunks
from app.db.models import FileAct, ImageAsset, TrainingSession, in_trash
from app.db.types import text_to_path
from app.services.duplicate_service import DuplicateService
from app.services.library_listing import (
    ids_of,
    make_listing,
    picture_state,
    pictures_and_vectors,
    pictures_by_id,
    streamed,
)
from app.services.picture_filter import (
    below,
    between,
    conditions,
    month_of,
    natural_order,
    shown_time,
)

ANY = SearchFilter()
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
        trashed: dict[str, int] = {
            row[0]: row[1] for row in await db.execute(query.where(in_trash()))
        }
        found = [(path, number) async for path, number in streamed(db, query)]
        left = ((path, number - trashed.get(path, 0)) for path, number in found)
        return [FolderPictures(path, number) for path, number in left if number]

    async def months(self, db: AsyncSession) -> list[MonthPictures]:
        """Every month that pictures were taken in, or else their files written; newest first."""
        await db.commit()
        month = month_of(db).label("month")
        query = select(month, func.count()).group_by("month").order_by(desc("month"))
        trashed: dict[Any, int] = {
            row[0]: row[1] for row in await db.execute(query.where(in_trash()))
        }
        rows = [(name, number) async for name, number in streamed(db, query)]
        left = [(str(name), number - trashed.get(name, 0)) for name, number in rows]
        return [
            MonthPictures(int(name[:4]), int(name[5:7]), number) for name, number in left if number
        ]

    async def counts(
        self,
        db: AsyncSession,
        model_id: int | None,
        group: LibraryGroup = EVERYTHING,
        only: SearchFilter = ANY,
    ) -> dict[PictureState, int]:
        """How many pictures of a group are in each state; a state of none is left out."""
        await db.commit()
        state = picture_state()
        rows = await db.execute(
            select(state, func.count())
            .select_from(pictures_and_vectors(model_id))
            .where(_is_listed(), *_within(db, group), *await conditions(db, only))
            .group_by(state)
        )
        return {cast(PictureState, name): number for name, number in rows}

    async def listing(
        self,
        db: AsyncSession,
        model_id: int | None,
        group: LibraryGroup = EVERYTHING,
        state: PictureState | None = None,
        only: SearchFilter = ANY,
        order: LibraryOrder = "date",
    ) -> Listing:
        """The pictures of a group, with the months or folders that they are in.

        Args:
            state: only those in this state.
            only: only those that this filter lets through.
        """
        await db.commit()
        table: FromClause = ImageAsset.__table__
        chosen = [_is_listed(), *_within(db, group), *await conditions(db, only)]
        if state is not None:
            table = pictures_and_vectors(model_id)
            chosen.append(picture_state() == state)
        ids = select(ImageAsset.id).select_from(table).where(*chosen)
        listing = await make_listing(db, ids, _order(db, order))
        return replace(listing, sections=await _sections(db, table, chosen, order))

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
        act = await db.scalar(select(func.max(FileAct.id)))
        return (*sessions, newest, missing, act, get_settings().search_model)


def _is_listed() -> ColumnElement[bool]:
    """What a person threw away is not listed, not even as missing."""
    return ~in_trash()


def _order(db: AsyncSession, order: LibraryOrder) -> list[ColumnElement[Any]]:
    path = type_coerce(ImageAsset.path, Text)
    if order == "date":
        return [shown_time(db).desc(), ImageAsset.id.desc()]
    if order == "size":
        return [ImageAsset.size.desc(), ImageAsset.id.desc()]
    folder = type_coerce(ImageAsset.folder, Text)
    if order == "folder":
        return [folder, path]
    return [natural_order(db, func.substr(path, func.length(folder) + 1)), path]


async def _sections(
    db: AsyncSession, table: FromClause, chosen: list[ColumnElement[bool]], order: LibraryOrder
) -> tuple[Section, ...]:
    """What a listing in this order is made of, from one query."""
    if order not in ("date", "folder"):
        return ()
    label = month_of(db) if order == "date" else type_coerce(ImageAsset.folder, Text)
    query = (
        select(label.label("label"), func.count())
        .select_from(table)
        .where(*chosen)
        .group_by("label")
        .order_by(desc("label") if order == "date" else asc("label"))
    )
    rows = [(str(label), number) async for label, number in streamed(db, query)]
    if order == "folder":
        return tuple(Section(number, folder=text_to_path(name)) for name, number in rows)
    return tuple(Section(number, int(name[:4]), int(name[5:7])) for name, number in rows)


def _within(db: AsyncSession, group: LibraryGroup) -> list[ColumnElement[bool]]:
    """The conditions of a group."""
    if group.folder is not None:
        return below(db, group.folder)
    if group.year is None:
        return []
    first, last = (group.month, group.month) if group.month else (1, 12)
    end = date(group.year + last // 12, last % 12 + 1, 1)
    return between(db, date(group.year, first, 1), end)


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
