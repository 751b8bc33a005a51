"""How the library is read: a listing of ids made by one query, then pages of rows.

The database makes a listing alone, and sends one row for each page of it: a million ids reach the
window's process as 5,000 short texts, in about a second that blocks nobody.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Integer,
    Row,
    Select,
    String,
    and_,
    case,
    cast,
    func,
    select,
    type_coerce,
)
from sqlalchemy.ext.asyncio import AsyncSession

from app.api.library_schemas import LibraryPicture, Listing
from app.db.models import AssetVector, ImageAsset, JobStatus, TrainingJob

PAGE_IDS = 200
"""Ids in one text of a listing."""
ROWS_AT_ONCE = 1_000
"""Rows made into objects in one go, some 3 ms: the window takes its turn in between."""


def picture_state() -> ColumnElement[str]:
    """A ``PictureState``, over the rows of :func:`pictures_and_vectors`."""
    unchanged = and_(
        AssetVector.size == ImageAsset.size, AssetVector.mtime_ns == ImageAsset.mtime_ns
    )
    last_job = (
        select(TrainingJob.status)
        .where(TrainingJob.asset_id == ImageAsset.id)
        .order_by(TrainingJob.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    return case(
        (ImageAsset.excluded, "excluded"),
        (ImageAsset.missing_since.is_not(None), "missing"),
        (unchanged, "indexed"),
        (AssetVector.asset_id.is_not(None), "changed"),
        (last_job == JobStatus.FAILED.value, "failed"),
        else_="waiting",
    )


def pictures_and_vectors(model_id: int | None) -> FromClause:
    """Every picture, beside it the vector of this model where it has one."""
    assets, vectors = ImageAsset.__table__, AssetVector.__table__
    # without a model nothing is indexed: there is no model 0
    return assets.outerjoin(
        vectors,
        and_(AssetVector.asset_id == ImageAsset.id, AssetVector.model_id == (model_id or 0)),
    )


async def make_listing(
    db: AsyncSession, chosen: Select[Any], order: Sequence[ColumnElement[Any]]
) -> Listing:
    """List what a query of one column of ids chooses, in this order."""
    number = type_coerce(func.row_number().over(order_by=order), Integer)
    rows = chosen.add_columns(number.label("number")).subquery()
    ids, page = rows.c[0], (rows.c.number - 1) // PAGE_IDS
    query = (
        select(func.aggregate_strings(cast(ids, String), ","), func.count())
        .group_by(page)
        .order_by(page)
    )
    pages = [row async for row in streamed(db, query)]
    return Listing(sum(row[1] for row in pages), tuple(row[0] for row in pages))


def ids_of(listing: Listing, offset: int, limit: int) -> list[int]:
    """Ids ``offset`` to ``offset + limit`` of a listing."""
    first, last = offset // PAGE_IDS, (offset + limit - 1) // PAGE_IDS
    texts = ",".join(listing.pages[first : last + 1])
    start = offset - first * PAGE_IDS
    return [int(text) for text in texts.split(",")[start : start + limit]] if texts else []


async def pictures_by_id(
    db: AsyncSession, model_id: int | None, asset_ids: Sequence[int]
) -> list[LibraryPicture]:
    """These pictures, in this order; unknown ids are left out."""
    rows = await db.execute(
        select(
            ImageAsset.id,
            ImageAsset.path,
            ImageAsset.size,
            ImageAsset.width,
            ImageAsset.height,
            ImageAsset.taken_at,
            ImageAsset.mtime_ns,
            picture_state().label("state"),
        )
        .select_from(pictures_and_vectors(model_id))
        .where(ImageAsset.id.in_(asset_ids))
    )
    found = {row.id: _picture(row) for row in rows}
    return [found[asset_id] for asset_id in asset_ids if asset_id in found]


def _picture(row: Row[*tuple[Any, ...]]) -> LibraryPicture:
    return LibraryPicture(
        assetId=row.id,
        path=row.path,
        state=row.state,
        size=row.size,
        width=row.width,
        height=row.height,
        takenAt=row.taken_at,
        modifiedNs=row.mtime_ns,
    )


async def streamed(
    db: AsyncSession, query: Select[*tuple[Any, ...]]
) -> AsyncIterator[Row[*tuple[Any, ...]]]:
    """Rows of a long result, a few at a time."""
    result = await db.stream(query)
    async for rows in result.partitions(ROWS_AT_ONCE):
        for row in rows:
            yield row
