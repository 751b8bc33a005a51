"""The ledger's side of a stored vector: begun before the store is written, settled after it.

What stands in ``asset_vectors`` before a vector is written is taken back in the same transaction
that looks whether the writer still holds the picture. So at every moment a row either says truly
what the store has, or that it is not known: after a power cut, a kill or a worker that was held up.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, exists, func, select, update

from app.db.files import upsert
from app.db.models import (
    IS_HELD,
    IS_UNSETTLED,
    UNSETTLED,
    AssetVector,
    ImageAsset,
    JobStatus,
    SessionStatus,
    TrainingJob,
    TrainingSession,
)

_UNKNOWN = {"size": UNSETTLED, "mtime_ns": 0, "sha256": "", "checksum": None}


@dataclass(frozen=True, slots=True)
class BegunStore:
    """What a writer may store, as the ledger has it at this moment."""

    fence: int
    """Above that of every earlier store of these pictures."""
    paths: Mapping[int, str]
    """By asset id, those that the writer still holds; the others are not to be stored."""
    sessions: Mapping[int, Sequence[int]]
    """By asset id, the sessions that have a job for it."""


def begin_store(
    conn: Connection, token: str, model_id: int, asset_ids: Sequence[int]
) -> BegunStore:
    """Note that the vectors of these pictures are about to be written.

    Args:
        token: of the claim; pictures that it holds no longer are left out.
    """
    held = select(TrainingJob.asset_id).where(
        TrainingJob.lease_token == token, IS_HELD, TrainingJob.asset_id.in_(asset_ids)
    )
    mine = sorted(conn.execute(held.with_for_update()).scalars())
    if not mine:
        return BegunStore(0, {}, {})
    # the rows of several pictures are locked in the order of their ids, by everyone
    known = select(AssetVector.fence).where(
        AssetVector.model_id == model_id, AssetVector.asset_id.in_(mine)
    )
    last = conn.execute(known.order_by(AssetVector.asset_id).with_for_update()).scalars().all()
    # by the clock, too, so that it rises also where a row was removed and has come again
    fence = max(max(last, default=0) + 1, time.time_ns() // 1_000_000)
    rows = upsert(conn, AssetVector)
    conn.execute(
        rows.on_conflict_do_update(
            index_elements=[AssetVector.asset_id, AssetVector.model_id],
            set_={name: rows.excluded[name] for name in (*_UNKNOWN, "payload_stale")}
            # another writer may have entered the row since it was looked for
            | {"fence": _greater(conn, AssetVector.fence + 1, rows.excluded.fence)},
        ),
        [
            {"asset_id": asset_id, "model_id": model_id, "fence": fence, "payload_stale": False}
            | _UNKNOWN
            for asset_id in mine
        ],
    )
    paths = conn.execute(
        select(ImageAsset.id, ImageAsset.path).where(ImageAsset.id.in_(mine))
    ).all()
    return BegunStore(fence, {row.id: row.path for row in paths}, sessions_of(conn, mine))


def _greater(conn: Connection, one: Any, other: Any) -> Any:
    return (func.greatest if conn.dialect.name == "postgresql" else func.max)(one, other)


def hold(conn: Connection, model_id: int, asset_ids: Sequence[int]) -> Sequence[int]:
    """Enter unsettled rows for those of these assets that have none; which those are.

    Until the transaction ends, nobody else can begin a store of them.
    """
    if not asset_ids:
        return []
    row = {"model_id": model_id, "fence": 0, "payload_stale": False} | _UNKNOWN
    entered = conn.execute(
        upsert(conn, AssetVector).on_conflict_do_nothing().returning(AssetVector.asset_id),
        [{"asset_id": asset_id} | row for asset_id in asset_ids],
    )
    return list(entered.scalars())


def settle_store(
    conn: Connection, model_id: int, fence: int, stored: Sequence[Mapping[str, Any]]
) -> None:
    """Note what the store has now, unless a later store was begun meanwhile.

    Args:
        stored: ``asset_id``, ``size``, ``mtime_ns``, ``sha256`` and ``checksum`` of each picture.
    """
    if stored:
        conn.execute(
            update(AssetVector)
            .where(
                AssetVector.asset_id == bindparam("asset"),
                AssetVector.model_id == model_id,
                AssetVector.fence == fence,
            )
            .values({name: bindparam(name) for name in _UNKNOWN}),
            [{"asset": row["asset_id"]} | {name: row[name] for name in _UNKNOWN} for row in stored],
        )


def sessions_of(conn: Connection, asset_ids: Sequence[int]) -> dict[int, list[int]]:
    """The sessions that each of these assets has a job in, ascending."""
    found: dict[int, list[int]] = {asset_id: [] for asset_id in asset_ids}
    rows = conn.execute(
        select(TrainingJob.asset_id, TrainingJob.session_id)
        .where(TrainingJob.asset_id.in_(asset_ids))
        .order_by(TrainingJob.session_id)
    )
    for asset_id, session_id in rows:
        found[asset_id].append(session_id)
    return found


def is_broken_off() -> ColumnElement[bool]:
    """That a store was begun and nobody will settle it: no job of the picture waits or runs.

    One that runs may be storing for a session that was cancelled meanwhile, or with other weights.
    """
    waits = (
        (TrainingJob.status == JobStatus.PENDING)
        & (TrainingSession.model_id == AssetVector.model_id)
        & (TrainingSession.status != SessionStatus.CANCELLED)
    )
    job = (
        select(TrainingJob.id)
        .join(TrainingSession, TrainingSession.id == TrainingJob.session_id)
        .where(TrainingJob.asset_id == AssetVector.asset_id, IS_HELD | waits)
    )
    return IS_UNSETTLED & ~exists(job.correlate(AssetVector))


def any_broken_off(conn: Connection) -> bool:
    """Whether a store broke off that nobody will do again."""
    return conn.scalar(select(AssetVector.asset_id).where(is_broken_off()).limit(1)) is not None


def any_stale_payload(conn: Connection) -> bool:
    """Whether a payload is out of date that can be written now."""
    stale = select(AssetVector.asset_id).where(AssetVector.payload_stale, ~IS_UNSETTLED)
    return conn.scalar(stale.limit(1)) is not None
