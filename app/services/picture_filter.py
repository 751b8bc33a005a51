"""What a search filter means in the ledger: conditions on pictures, and which folders it names."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from typing import Any

from sqlalchemy import (
    ColumnElement,
    String,
    Text,
    and_,
    exists,
    false,
    func,
    literal,
    or_,
    select,
    type_coerce,
)
from sqlalchemy.ext.asyncio import AsyncSession

from app.api.search_schemas import SearchFilter
from app.db.models import ImageAsset, TrainingJob, TrainingSession
from app.db.relocation import is_stored_below
from app.db.types import normal_path, path_to_text
from app.scan.file_walk import is_below

CANDIDATES = 2_000
"""Pictures whose path has all the words, of which those are kept that have them at a beginning."""
DIGITS = 20
"""Of a number in a name, on PostgreSQL; of longer ones the last so many count."""
asset_folder = type_coerce(ImageAsset.folder, Text)
asset_path = type_coerce(ImageAsset.path, Text)


def is_postgresql(db: AsyncSession) -> bool:
    """Which of the two databases the ledger is in."""
    return db.get_bind().dialect.name == "postgresql"


def shown_time(db: AsyncSession) -> ColumnElement[Any]:
    """When a picture was taken, or else when its file was written; pictures are sorted by it."""
    seconds = ImageAsset.mtime_ns // literal(1_000_000_000)
    if is_postgresql(db):
        return func.coalesce(ImageAsset.taken_at, func.to_timestamp(seconds))
    # SQLite keeps moments as such texts
    written = func.strftime("%Y-%m-%d %H:%M:%S.000000", seconds, "unixepoch")
    return func.coalesce(type_coerce(ImageAsset.taken_at, String), written)


def month_of(db: AsyncSession) -> ColumnElement[str]:
    """The month of that time, as ``2019-06``."""
    moment = shown_time(db)
    if is_postgresql(db):
        return func.to_char(func.timezone("UTC", moment), "YYYY-MM")
    return func.substr(moment, 1, 7)


def natural_order(db: AsyncSession, name: ColumnElement[str]) -> ColumnElement[str]:
    """What names are sorted by, see :mod:`app.natural_order`."""
    if not is_postgresql(db):
        return func.natural_key(name)
    # the same order from what that database has: all numbers of one length
    longer = func.regexp_replace(func.lower(name), r"(\d+)", r"%s\1" % ("0" * DIGITS), "g")
    return func.regexp_replace(longer, rf"\d*(\d{{{DIGITS}}})", r"\1", "g").collate("C")


def below(db: AsyncSession, folder: str) -> list[ColumnElement[bool]]:
    """That a path lies below a folder."""
    conditions = [is_stored_below(asset_path, folder)]
    if not is_postgresql(db):
        # Texts are sorted by their characters, so that these paths are one run of the index;
        # PostgreSQL sorts as the language of the server does.
        begin = path_to_text(folder).rstrip(os.sep)
        next_sign = chr(ord(os.sep) + 1)
        conditions += [
            asset_path >= literal(begin + os.sep, Text),
            asset_path < literal(begin + next_sign, Text),
        ]
    return conditions


async def wanted_folders(db: AsyncSession, wanted: SearchFilter) -> list[str] | None:
    """The folders that a filter restricts to, the highest ones; None: it restricts to none."""
    within = normal_path(wanted.folder) if wanted.folder else None
    if not wanted.inFolders:
        return None if within is None else [within]
    rows = await db.scalars(select(ImageAsset.folder).group_by(ImageAsset.folder))
    found = {named for folder in rows if (named := _named(folder, wanted.inFolders))}
    if within is not None:
        found = {both for folder in found if (both := _deeper(folder, within))}
    return sorted(_highest(found))


def _named(folder: str, parts: Iterable[str]) -> str:
    """The highest folder on the way to this one that all the parts of names lead to; "" if none."""
    steps = folder.split(os.sep)
    depth = 0
    for part in parts:
        wanted = os.path.normcase(part).casefold()
        path = ""
        for at, step in enumerate(steps, 1):
            path = f"{path}{os.sep}{step}".casefold() if at > 1 else step.casefold()
            if wanted in (path if os.sep in wanted else step.casefold()):
                depth = max(depth, at)
                break
        else:
            return ""
    return os.sep.join(steps[:depth]) or os.sep


def _deeper(one: str, other: str) -> str:
    """The one of two folders that lies in the other; empty: neither does."""
    for inner, outer in ((one, other), (other, one)):
        if inner == outer or is_below(inner, outer):
            return inner
    return ""


def _highest(folders: Iterable[str]) -> list[str]:
    """Without those that lie in another one of them."""
    kept: list[str] = []
    for folder in sorted(folders, key=len):
        if not any(_deeper(folder, above) == folder for above in kept):
            kept.append(folder)
    return kept


async def conditions(db: AsyncSession, wanted: SearchFilter) -> list[ColumnElement[bool]]:
    """What the ledger says of a picture that a filter lets through."""
    found = named_conditions(db, wanted)
    if (folders := await wanted_folders(db, wanted)) is not None:
        found.append(or_(false(), *(and_(*below(db, folder)) for folder in folders)))
    if wanted.sessionId is not None:
        job = TrainingJob.session_id == wanted.sessionId
        found.append(exists().where(TrainingJob.asset_id == ImageAsset.id, job))
    if wanted.formats:
        found.append(ImageAsset.format.in_(wanted.formats))
    shape = {
        "landscape": ImageAsset.width > ImageAsset.height,
        "portrait": ImageAsset.width < ImageAsset.height,
        "square": ImageAsset.width == ImageAsset.height,
    }
    if wanted.orientation is not None:
        found.append(shape[wanted.orientation])
    return found + _taken(db, wanted)


def named_conditions(db: AsyncSession, wanted: SearchFilter) -> list[ColumnElement[bool]]:
    """Of all conditions those that no vector store can evaluate."""
    name = func.substr(asset_path, func.length(asset_folder) + 1)
    found = [_has(db, asset_path, part) for part in wanted.names]  # tells most apart at once
    return [*found, *(_has(db, name, part) for part in wanted.names)]


def _taken(db: AsyncSession, wanted: SearchFilter) -> list[ColumnElement[bool]]:
    end = wanted.takenTo + timedelta(days=1) if wanted.takenTo is not None else None
    return between(db, wanted.takenFrom, end)


def between(db: AsyncSession, begin: date | None, end: date | None) -> list[ColumnElement[bool]]:
    """That the time of a picture lies on or after one day, and before another."""
    moment, found = shown_time(db), list[ColumnElement[bool]]()
    if begin is not None:
        found.append(moment >= _stored(db, begin))
    if end is not None:
        found.append(moment < _stored(db, end))
    return found


def _stored(db: AsyncSession, day: date) -> Any:
    begin = datetime.combine(day, time_of_day(), UTC)
    return begin if is_postgresql(db) else begin.strftime("%Y-%m-%d %H:%M:%S.000000")


async def ids_by_name(
    db: AsyncSession, words: Sequence[str], wanted: SearchFilter, limit: int
) -> list[int]:
    """Pictures in whose names, or those of their folders, each word begins a word; newest first.

    Folders count from the session's own down: everything lies in somebody's ``Pictures``.
    """
    roots = (await db.scalars(select(TrainingSession.root_path).distinct())).all()
    inside = [
        and_(
            is_stored_below(asset_path, root),
            *(
                _has(db, func.substr(asset_path, len(path_to_text(root)) + 1), word)
                for word in words
            ),
        )
        for root in _highest(roots)
    ]
    # The index on paths has all that this asks for; what most rows fail at comes first.
    anywhere = [_has(db, asset_path, word) for word in words]
    candidates = select(ImageAsset.id).where(*anywhere, or_(false(), *inside)).limit(CANDIDATES)
    ids = (await db.scalars(candidates)).all()
    rows = await db.execute(
        select(ImageAsset.id, ImageAsset.path)
        .where(ImageAsset.id.in_(ids), *await conditions(db, wanted))
        .where(ImageAsset.missing_since.is_(None), ImageAsset.excluded.is_(False))
    )
    begins = [re.compile(rf"(?<![^\W_]){re.escape(word.casefold())}") for word in words]
    found = [
        row.id
        for row in rows
        if (name := _within_roots(row.path, roots).casefold())
        and all(begin.search(name) for begin in begins)
    ]
    return sorted(found, reverse=True)[:limit]


def _has(db: AsyncSession, text: ColumnElement[str], part: str) -> ColumnElement[bool]:
    """That a text contains another, without regard to case; SQLite's LIKE knows that of ASCII."""
    stored = path_to_text(part)
    if is_postgresql(db):
        return text.icontains(stored, autoescape=True)
    return text.contains(stored, autoescape=True)


def _within_roots(path: str, roots: Sequence[str]) -> str:
    inner = [root for root in roots if _deeper(path, root) == path]
    return path[len(min(inner, key=len)) :] if inner else path
