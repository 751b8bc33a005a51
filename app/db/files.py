"""Picture files on their way into the ledger, many thousands with one statement."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Subquery,
    Text,
    any_,
    case,
    cast,
    false,
    func,
    literal,
    select,
    true,
    type_coerce,
)
from sqlalchemy.dialects import postgresql, sqlite

from app.db.models import ImageAsset, TrainingJob
from app.db.types import path_to_text

STATE = cast(ImageAsset.size, Text) + " " + cast(ImageAsset.mtime_ns, Text)
"""A file's size and time, as the ledger has them, in one text."""
_ENTERING = 7262
"""The number of the lock that whoever enters files holds on a PostgreSQL server."""


class FoundFile(NamedTuple):
    """A picture file as the walk saw it; a row of the table that enters it."""

    path: str
    """Both paths as :func:`app.db.types.path_to_text` makes them."""
    folder: str
    size: int
    mtime_ns: int
    """As :func:`app.pictures.file_times.storable_ns` has it."""


def upsert(conn: Connection, table: Any) -> Any:
    """An INSERT of this database's dialect, which knows ON CONFLICT."""
    return (postgresql if conn.dialect.name == "postgresql" else sqlite).insert(table)


class NewAssets(NamedTuple):
    """What one call entered: the assets with ids above ``after``, within its transaction."""

    after: int
    number: int


def register_files(conn: Connection, files: Sequence[FoundFile]) -> NewAssets:
    """Enter files as assets; what changed on disk since last time is brought up to date."""
    if conn.dialect.name == "postgresql":  # one at a time, as SQLite has it anyway
        conn.execute(select(func.pg_advisory_xact_lock(_ENTERING)))
    after = conn.scalar(select(func.max(ImageAsset.id))) or 0
    if not files:
        return NewAssets(after, 0)
    insert = upsert(conn, ImageAsset).from_select(
        ["path", "folder", "size", "mtime_ns", "excluded"],
        select(*_columns(conn, files), false()).where(true()),
    )
    changed = (ImageAsset.size != insert.excluded.size) | (
        ImageAsset.mtime_ns != insert.excluded.mtime_ns
    )
    conn.execute(
        insert.on_conflict_do_update(
            index_elements=[ImageAsset.path],
            set_={
                "size": insert.excluded.size,
                "mtime_ns": insert.excluded.mtime_ns,
                "sha256": case((changed, None), else_=ImageAsset.sha256),
                "missing_since": None,
            },
            where=changed | ImageAsset.missing_since.is_not(None),
        )
    )
    number = conn.scalar(select(func.count()).where(ImageAsset.id > after))
    return NewAssets(after, number or 0)


def _columns(conn: Connection, files: Sequence[FoundFile]) -> list[ColumnElement[Any]]:
    """The files as a table inside the statement: a tenth of the work of a parameter each."""
    if conn.dialect.name == "postgresql":
        kinds: tuple[Any, ...] = (Text(), Text(), BigInteger(), BigInteger())
        arrays = [
            literal([file[place] for file in files], postgresql.ARRAY(kind))
            for place, kind in enumerate(kinds)
        ]
        table = func.unnest(*arrays).table_valued("path", "folder", "size", "mtime_ns")
        return list(table.render_derived().c)
    # What is beside a path is one text: to take an array apart for each row costs twice as much.
    texts = {path: f"{size} {time}/{len(folder)}" for path, folder, size, time in files}
    path, text = _listed(texts)

    def number(behind: str) -> ColumnElement[int]:
        return cast(func.substr(text, func.instr(text, behind) + 1), BigInteger)

    folder = func.substr(path, 1, number("/"))
    return [path, folder, cast(text, BigInteger), number(" ")]  # a cast ends where digits end


def states_of(conn: Connection, files: Sequence[FoundFile]) -> Subquery:
    """Files as a table inside a statement: ``path``, and ``state`` as :data:`STATE` has it."""
    texts = {file.path: f"{file.size} {file.mtime_ns}" for file in files}
    columns: Iterable[ColumnElement[Any]]
    if conn.dialect.name == "postgresql":
        arrays = (literal(list(some), postgresql.ARRAY(Text())) for some in (texts, texts.values()))
        columns = func.unnest(*arrays).table_valued("path", "state").render_derived().c
    else:
        columns = _listed(texts)
    path, state = columns
    return select(path.label("path"), state.label("state")).subquery()


def _listed(texts: Mapping[str, str]) -> Iterable[ColumnElement[Any]]:
    """Keys and values as a table of SQLite's."""
    listed = func.json_each(json.dumps(texts, ensure_ascii=False)).table_valued("key", "value")
    return listed.c


def among_paths(conn: Connection, paths: Iterable[str]) -> ColumnElement[bool]:
    """That an asset's path is one of these, as one parameter however many there are.

    Args:
        paths: as files have them, or as the ledger does.
    """
    column = type_coerce(ImageAsset.path, Text)
    return _among(conn, column, [path_to_text(path) for path in paths], Text())


def among_ids(
    conn: Connection, column: ColumnElement[int], ids: Sequence[int]
) -> ColumnElement[bool]:
    """That a column is one of these numbers, as one parameter however many there are."""
    return _among(conn, column, list(ids), BigInteger())


def states_in_session(
    conn: Connection, session_id: int, paths: Iterable[str]
) -> dict[str, tuple[int, int]]:
    """Size and time, as the ledger has them, of those of these files that a session has."""
    rows = conn.execute(
        select(ImageAsset.path, ImageAsset.size, ImageAsset.mtime_ns)
        .join(TrainingJob, TrainingJob.asset_id == ImageAsset.id)
        .where(
            TrainingJob.session_id == session_id,
            ImageAsset.missing_since.is_(None),
            among_paths(conn, paths),
        )
    )
    return {path: (size, mtime_ns) for path, size, mtime_ns in rows}


def _among(
    conn: Connection, column: ColumnElement[Any], values: list[Any], kind: Any
) -> ColumnElement[bool]:
    if conn.dialect.name == "postgresql":
        return column == any_(literal(values, postgresql.ARRAY(kind)))
    listed = func.json_each(json.dumps(values, ensure_ascii=False)).table_valued("value")
    return column.in_(select(listed.c.value))
