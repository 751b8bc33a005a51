"""Files with the same content, and pictures that look alike: read from the ledger, in pages."""

from __future__ import annotations

import asyncio
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from app.api.library_schemas import (
    DuplicateGroup,
    DuplicateKind,
    DuplicateOrder,
    LibraryPicture,
    Listing,
    ScanStatus,
)
from app.api.search_schemas import SearchHit
from app.db.models import ImageAsset, NearDuplicate, is_present
from app.services import duplicate_scan
from app.services.library_listing import (
    ids_of,
    make_listing,
    pictures_by_id,
)
from app.services.list_files import write_csv

EXPORT_GROUPS = 500


class DuplicateService:
    """Groups of present files. :mod:`app.services.clean_up` puts some of them into the trash."""

    async def groups(
        self,
        db: AsyncSession,
        model_id: int | None,
        kind: DuplicateKind,
        order: DuplicateOrder = "size",
    ) -> Listing:
        """All groups, as the least asset id of each.

        Args:
            order: first those that take most room beyond one file, or those with the newest file.
        """
        await db.commit()
        chosen = _exact() if kind == "exact" else _similar(model_id)
        first = func.min(ImageAsset.id)
        wanted: ColumnElement[Any] = func.sum(ImageAsset.size) - func.max(ImageAsset.size)
        if order == "newest":
            wanted = func.max(ImageAsset.mtime_ns)
        return await make_listing(db, chosen, [wanted.desc(), first.asc()])

    async def page(
        self,
        db: AsyncSession,
        model_id: int | None,
        kind: DuplicateKind,
        listing: Listing,
        offset: int,
        limit: int,
    ) -> list[DuplicateGroup]:
        """Groups ``offset`` to ``offset + limit`` of a listing, as they are now."""
        await db.commit()
        numbers = ids_of(listing, offset, limit)
        found = await members(db, model_id, kind, numbers)
        return [
            DuplicateGroup(
                groupId=number,
                pictures=len(found[number]),
                spare=sum(picture.size for picture in found[number][1:]),
                best=found[number][0],
            )
            for number in numbers
            if found[number]
        ]

    async def pictures(
        self, db: AsyncSession, model_id: int | None, kind: DuplicateKind, group_id: int
    ) -> list[LibraryPicture]:
        """The pictures of one group, the best first: most pixels, then the largest
        file, then one that is not called a copy, the shorter path and the older file."""
        await db.commit()
        return (await members(db, model_id, kind, [group_id]))[group_id]

    async def spare(self, db: AsyncSession, model_id: int | None, kind: DuplicateKind) -> int:
        """Bytes that all files but the largest of each group take together."""
        await db.commit()
        return await db.scalar(_spare(model_id, kind)) or 0

    async def export(
        self, db: AsyncSession, model_id: int | None, kind: DuplicateKind, target: str
    ) -> int:
        """Write all groups to a CSV file, one line a picture; how many lines.

        Raises:
            AppError: the file cannot be written.
        """
        listing = await self.groups(db, model_id, kind)
        lines: list[list[Any]] = []
        for start in range(0, listing.count, EXPORT_GROUPS):
            numbers = ids_of(listing, start, EXPORT_GROUPS)
            found = await members(db, model_id, kind, numbers)
            for at, number in enumerate(numbers, start + 1):
                for place, picture in enumerate(found[number]):
                    lines.append(_line(at, picture, best=place == 0))
        heading = ["group", "file", "best", "bytes", "width", "height", "taken"]
        await asyncio.to_thread(write_csv, target, heading, lines)
        return len(lines)

    # Pictures that look alike are looked for by the worker, when a person asks for it

    async def scan(self, model_id: int, threshold: float = duplicate_scan.MEASURED) -> None:
        """Have the worker look for pictures that look alike; a second call changes nothing.

        Args:
            threshold: the least cosine similarity, in [0.5, 1], or 0 to have it measured.

        Raises:
            AppError: the index was removed.
        """
        await asyncio.to_thread(duplicate_scan.start, model_id, threshold)

    async def stop_scan(self, model_id: int) -> None:
        """End the scan within a moment; what the last whole one found stays."""
        await asyncio.to_thread(duplicate_scan.stop, model_id)

    async def scan_status(self, model_id: int | None) -> ScanStatus:
        """How far it is; without a model, it never began."""
        if model_id is None:
            return ScanStatus(state="never")
        return await asyncio.to_thread(duplicate_scan.status, model_id)


def _exact() -> Select[Any]:
    """The least id of each content that several present files have."""
    twice = (  # from an index alone; then only their rows are read
        select(ImageAsset.sha256)
        .where(ImageAsset.sha256.is_not(None))
        .group_by(ImageAsset.sha256)
        .having(func.count() > 1)
    )
    return (
        select(func.min(ImageAsset.id))
        .where(ImageAsset.sha256.in_(twice), is_present())
        .group_by(ImageAsset.sha256)
        .having(func.count() > 1)
    )


def _spare(model_id: int | None, kind: DuplicateKind) -> Select[Any]:
    spare = func.sum(ImageAsset.size) - func.max(ImageAsset.size)
    chosen = _exact() if kind == "exact" else _similar(model_id)
    groups = chosen.with_only_columns(spare.label("spare")).subquery()
    return select(func.sum(groups.c.spare))


def _similar(model_id: int | None) -> Select[Any]:
    return (
        select(func.min(ImageAsset.id))
        .join(NearDuplicate, NearDuplicate.asset_id == ImageAsset.id)
        .where(NearDuplicate.model_id == model_id, is_present())
        .group_by(NearDuplicate.group_id)
        .having(func.count() > 1)
    )


async def members(
    db: AsyncSession, model_id: int | None, kind: DuplicateKind, numbers: Sequence[int]
) -> dict[int, list[LibraryPicture]]:
    """The present pictures of groups that are named by one of theirs, the best first."""
    if kind == "exact":
        named = aliased(ImageAsset)
        query = select(named.id, ImageAsset.id).join(ImageAsset, ImageAsset.sha256 == named.sha256)
    else:
        named, one, other = aliased(ImageAsset), aliased(NearDuplicate), aliased(NearDuplicate)
        query = (
            select(named.id, ImageAsset.id)
            .join(one, one.asset_id == named.id)
            .join(other, other.group_id == one.group_id)
            .join(ImageAsset, ImageAsset.id == other.asset_id)
            .where(one.model_id == model_id, other.model_id == model_id)
        )
    query = query.where(named.id.in_(numbers), is_present())
    groups: dict[int, list[int]] = defaultdict(list)
    for number, asset_id in (await db.execute(query)).all():
        groups[number].append(asset_id)
    everyone = [asset_id for ids in groups.values() for asset_id in ids]
    known = {item.assetId: item for item in await pictures_by_id(db, model_id, everyone)}
    return {
        number: sorted((known[key] for key in groups[number] if key in known), key=rank)
        for number in numbers
    }


_COPY = re.compile(
    r"\b(copy|copie|kopie|kopia|copia|cópia|kopio|kopi|másolat|копия)\b"
    r"|复制|副本|コピー|복사본|[ _-]?\(\d{1,3}\)$",
    re.IGNORECASE,
)
"""What systems and browsers put into the name of a copy, in their languages; or ``name (1)``."""


def is_called_a_copy(path: str) -> bool:
    """Whether a file's name says that it is a copy."""
    return bool(_COPY.search(os.path.splitext(os.path.basename(path))[0]))


def originals_first(hits: Iterable[SearchHit]) -> list[SearchHit]:
    """The same order, but that of identical files, which score the same, the best name is first."""
    ordered: list[SearchHit] = []
    for (_, content), group in groupby(hits, lambda hit: (hit.score, hit.content)):
        alike = list(group)
        if content is not None:
            alike.sort(key=lambda hit: (is_called_a_copy(hit.path), len(hit.path), hit.path))
        ordered += alike
    return ordered


def rank(picture: LibraryPicture) -> tuple[int, int, bool, int, int, str]:
    """Among identical files: no copy by its name, the shorter path, the older file."""
    return (
        -(picture.width or 0) * (picture.height or 0),
        -picture.size,
        is_called_a_copy(picture.path),
        len(picture.path),
        picture.modifiedNs,
        picture.path,
    )


def _line(number: int, picture: LibraryPicture, *, best: bool) -> list[Any]:
    return [
        number,
        picture.path,
        "best" if best else "",
        picture.size,
        picture.width or "",
        picture.height or "",
        picture.takenAt.date().isoformat() if picture.takenAt else "",
    ]
