"""The log of what is done to files because a person asked for it, and a ledger that goes along.

Each file has a row that is committed before the file is touched. What a power cut leaves are rows
that were begun and not settled: :mod:`app.services.file_service` looks where those files are.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from app.db.models import (
    IS_HELD,
    AssetVector,
    FileAct,
    ImageAsset,
    TrainingJob,
)
from app.db.statuses import ActKind, ActState
from app.db.types import utc_now

COPIED = "Its copy is whole, and the original is about to go."
"""The message of a row that was begun, where a file moves to another disk and came this far."""


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """One file of an act, before it is touched."""

    asset_id: int
    source: str
    target: str | None
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class SettledFile:
    """What became of one file of an act."""

    row_id: int
    message: str = ""
    """Why it was not done, as a sentence; empty: it was."""
    target: str | None = None
    """Where the file, or its copy, is now; None: unknown."""
    folder: str = ""
    """That the target lies in."""
    mtime_ns: int = 0
    """Of the file where it is now."""


def begin(
    conn: Connection, act: str, machine: str, kind: ActKind, files: Sequence[PlannedFile]
) -> list[int]:
    """Write down what is about to be done; the ids of the rows, in this order."""
    ids = []
    for file in files:
        row = insert(FileAct).values(
            act=act,
            machine=machine,
            kind=kind.value,
            state=ActState.BEGUN.value,
            asset_id=file.asset_id,
            source=file.source,
            target=file.target,
            size=file.size,
            mtime_ns=file.mtime_ns,
            message="",
            at=utc_now(),
        )
        ids.append(int(conn.execute(row.returning(FileAct.id)).scalar_one()))
    return ids


def retarget(conn: Connection, row_id: int, target: str) -> None:
    """Another name was free; to be committed before the file gets it."""
    conn.execute(update(FileAct).where(FileAct.id == row_id).values(target=target))


def note_copied(conn: Connection, row_id: int) -> None:
    """To be committed before the copy takes its place: if both are found, only one is to stay."""
    conn.execute(update(FileAct).where(FileAct.id == row_id).values(message=COPIED))


def settle(conn: Connection, settled: Sequence[SettledFile]) -> None:
    """Write down what became of files that were begun, and have the ledger go along."""
    for file in settled:
        row: Any = conn.execute(
            update(FileAct)
            .where(FileAct.id == file.row_id, FileAct.state == ActState.BEGUN)
            .values(
                state=(ActState.FAILED if file.message else ActState.DONE).value,
                message=file.message,
                target=file.target,
            )
            .returning(FileAct)
        ).one_or_none()
        if row is None or file.message:
            continue
        if row.kind == ActKind.TRASH:
            _lose(conn, row.asset_id, row.source)
        elif row.kind in (ActKind.MOVE, ActKind.RESTORE):
            _follow(conn, row, file)


def undone(conn: Connection, row_ids: Collection[int]) -> None:
    """Another act has undone these."""
    conn.execute(
        update(FileAct)
        .where(FileAct.id.in_(row_ids), FileAct.state == ActState.DONE)
        .values(state=ActState.UNDONE.value)
    )


def done_files(conn: Connection, act: str) -> Sequence[Row[Any]]:
    """What was done in an act and not undone, the first file first."""
    return conn.execute(
        select(FileAct.__table__)
        .where(FileAct.act == act, FileAct.state == ActState.DONE)
        .order_by(FileAct.id)
    ).all()


def all_files(conn: Connection, act: str) -> Sequence[Row[Any]]:
    """Every file of an act, as far as it was written down."""
    rows = select(FileAct.__table__).where(FileAct.act == act)
    return conn.execute(rows.order_by(FileAct.id)).all()


def begun_files(conn: Connection, machine: str) -> Sequence[Row[Any]]:
    """What was begun on this machine and not settled."""
    return conn.execute(
        select(FileAct.__table__)
        .where(FileAct.machine == machine, FileAct.state == ActState.BEGUN)
        .order_by(FileAct.id)
    ).all()


def held_assets(conn: Connection, asset_ids: Sequence[int]) -> set[int]:
    """Those of these pictures that a worker has in hand at this moment."""
    held = select(TrainingJob.asset_id).where(IS_HELD, TrainingJob.asset_id.in_(asset_ids))
    return set(conn.scalars(held))


def _lose(conn: Connection, asset_id: int, path: str) -> None:
    """The file is gone from its place; its row and vectors stay for when it comes back."""
    conn.execute(
        update(ImageAsset)
        .where(
            ImageAsset.id == asset_id,
            ImageAsset.path == path,
            ImageAsset.missing_since.is_(None),
        )
        .values(missing_since=utc_now())
    )


def _follow(conn: Connection, row: Any, file: SettledFile) -> None:
    """The file has another path, and perhaps another time; its vectors and evidence stay."""
    assert file.target is not None
    asset: Any = conn.execute(
        select(ImageAsset.__table__).where(ImageAsset.id == row.asset_id).with_for_update()
    ).one_or_none()
    if asset is None:
        return
    if row.kind == ActKind.MOVE and asset.path != row.source:
        return  # an update has found the file under its new path already
    other: Any = conn.execute(
        select(ImageAsset.id, ImageAsset.missing_since)
        .where(ImageAsset.path == file.target, ImageAsset.id != asset.id)
        .with_for_update()
    ).one_or_none()
    if other is not None and other.missing_since is None:
        _lose(conn, asset.id, asset.path)  # an update was quicker, and has it as a new picture
        return
    if other is not None:  # a file of that name is long gone: its row takes the path that is free
        _set_path(conn, other.id, file.target + "/moved", file.folder)
    values: dict[str, Any] = {"missing_since": None}
    if (asset.size, asset.mtime_ns) == (row.size, row.mtime_ns):  # else the next update looks
        values["mtime_ns"] = file.mtime_ns
        conn.execute(
            update(AssetVector)
            .where(
                AssetVector.asset_id == asset.id,
                AssetVector.size == row.size,
                AssetVector.mtime_ns == row.mtime_ns,
            )
            .values(mtime_ns=file.mtime_ns)
        )
    _set_path(conn, asset.id, file.target, file.folder, **values)
    if other is not None:
        _set_path(conn, other.id, asset.path, asset.folder)


def _set_path(conn: Connection, asset_id: int, path: str, folder: str, **values: Any) -> None:
    conn.execute(
        update(ImageAsset)
        .where(ImageAsset.id == asset_id)
        .values(path=path, folder=folder, **values)
    )
    conn.execute(
        update(AssetVector).where(AssetVector.asset_id == asset_id).values(payload_stale=True)
    )
