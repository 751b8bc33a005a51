"""What searches are restricted by, written beside each vector and kept true to the ledger."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select, update

from app.db.engine import get_sync_engine, write_transaction
from app.db.models import IS_UNSETTLED, AssetVector, EmbeddingModel, ImageAsset
from app.db.types import path_to_text
from app.db.vectors import sessions_of
from app.vectors.protocol import FENCE, PointPayload, VectorStore
from app.worker.context import context

AT_ONCE = 500
"""Pictures whose payloads are written within one transaction of the ledger: some 50 ms."""


def payload(path: str, facts: Mapping[str, Any], sessions: Sequence[int]) -> PointPayload:
    """The payload of one picture.

    Args:
        path: of its file.
        facts: ``mtime_ns``, and ``taken_at``, ``format``, ``width`` and ``height``, where they
            are known.
        sessions: ids of the sessions that it belongs to.
    """
    taken_at = facts.get("taken_at")
    seconds = int(taken_at.timestamp()) if taken_at else facts["mtime_ns"] // 1_000_000_000
    answer = PointPayload(session=sorted(sessions), folder=_ancestors(path), taken_at=seconds)
    if file_format := facts.get("format"):
        answer["format"] = file_format
    width, height = facts.get("width"), facts.get("height")
    if width and height:
        answer["orientation"] = (
            "landscape" if width > height else "portrait" if height > width else "square"
        )
    return answer


def _ancestors(path: str) -> list[str]:
    folders: list[str] = []
    folder = os.path.dirname(path)
    while path_to_text(folder) not in folders:
        folders.append(path_to_text(folder))
        folder = os.path.dirname(folder)
    return folders


def refresh_payloads() -> int:
    """The job: write the payloads that the ledger marks as out of date; how many."""
    return sum(
        _refresh(context().store, model_id, collection)
        for model_id, collection in _models_with_stale_payloads()
    )


def _models_with_stale_payloads() -> list[tuple[int, str]]:
    stale = select(AssetVector.asset_id).where(
        AssetVector.model_id == EmbeddingModel.id, AssetVector.payload_stale, ~IS_UNSETTLED
    )
    with get_sync_engine().connect() as conn:
        rows = conn.execute(
            select(EmbeddingModel.id, EmbeddingModel.collection).where(stale.exists())
        )
        return [(row.id, row.collection) for row in rows]


def _refresh(store: VectorStore, model_id: int, collection: str) -> int:
    written = 0
    while refreshed := _refresh_some(store, model_id, collection):
        written += refreshed
    return written


def _refresh_some(store: VectorStore, model_id: int, collection: str) -> int:
    """One transaction: what changes meanwhile waits for its end, and is stale again after it.

    Pictures that are being stored are left for later: the store gives them a payload of its own.
    """
    with write_transaction() as conn:
        rows = conn.execute(
            select(
                ImageAsset.id,
                ImageAsset.path,
                ImageAsset.mtime_ns,
                ImageAsset.taken_at,
                ImageAsset.format,
                ImageAsset.width,
                ImageAsset.height,
                AssetVector.fence,
            )
            .join(AssetVector, AssetVector.asset_id == ImageAsset.id)
            .where(AssetVector.model_id == model_id, AssetVector.payload_stale, ~IS_UNSETTLED)
            .order_by(AssetVector.asset_id)
            .limit(AT_ONCE)
            .with_for_update(of=AssetVector)
        ).all()
        if not rows:
            return 0
        ids = [row.id for row in rows]
        sessions = sessions_of(conn, ids)
        store.set_payloads(
            collection,
            {
                row.id: payload(row.path, row._asdict(), sessions[row.id]) | {FENCE: row.fence}
                for row in rows
            },
        )
        conn.execute(
            update(AssetVector)
            .where(AssetVector.model_id == model_id, AssetVector.asset_id.in_(ids))
            .values(payload_stale=False)
        )
    return len(rows)
