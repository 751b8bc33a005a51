"""What has to hold in a library of :mod:`instant_work`: after each step, and once all is done."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from drawn_pictures import content
from instant_work import BROKEN, CONTENTS, ColourModel
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, select

from app.db.engine import get_sync_engine, get_sync_session
from app.db.models import (
    IS_UNSETTLED,
    AssetVector,
    EmbeddingModel,
    ImageAsset,
    JobStatus,
    SessionStatus,
    TrainingJob,
    TrainingSession,
)
from app.db.vectors import sessions_of
from app.pictures.decode import decode
from app.scan.file_walk import is_below
from app.vectors.embedded import EmbeddedStore
from app.vectors.protocol import Restriction
from app.worker.maintenance.ledger_check import compare_ids, verify_ledger

HEALS = re.compile(r"that the ledger lacks|never stored to the end")
"""Problems that a worker does away with by itself; :func:`check_ledger` knows whose they may be."""
CONTENT_OF = {sha256(data).hexdigest(): data for data in CONTENTS.values()}


def session_of(session_id: int) -> TrainingSession:
    with get_sync_session() as db:
        return db.get_one(TrainingSession, session_id)


def models() -> list[Any]:
    with get_sync_engine().connect() as conn:
        return list(conn.execute(select(EmbeddingModel).order_by(EmbeddingModel.id)))


def assets_of(session_id: int, which: ColumnElement[bool]) -> list[int]:
    query = (
        select(TrainingJob.asset_id)
        .join(ImageAsset, ImageAsset.id == TrainingJob.asset_id)
        .where(TrainingJob.session_id == session_id, which)
    )
    with get_sync_engine().connect() as conn:
        return list(conn.scalars(query))


def moved(
    table: Any, before: Mapping[int, str], allowed: Mapping[str, Collection[str]]
) -> dict[int, str]:
    """The statuses now; every move since ``before`` is one of the table of moves."""
    with get_sync_engine().connect() as conn:
        now = dict(conn.execute(select(table.id, table.status)).all())
    for number in before.keys() & now.keys():
        source, target = before[number], now[number]
        assert source == target or target in allowed[source], (table, number, source, target)
    return now


def check_ledger(store: EmbeddedStore, unknown: Collection[int]) -> None:
    """I1, I2 and I3; and every vector is the one of the content that the ledger names.

    Args:
        unknown: assets that may be out of the ledger and not yet out of the store.
    """
    problems = verify_ledger(store).problems
    assert not [problem for problem in problems if not HEALS.search(problem)], problems
    with get_sync_engine().connect() as conn:
        known = set(conn.scalars(select(ImageAsset.id)))
    for model in models():
        extra = set(compare_ids(store, model.id, model.collection).extra)
        assert extra <= set(unknown) - known, (model.name, extra)
        for asset_id, vector, wanted in _vectors(store, model):
            np.testing.assert_allclose(vector, wanted, atol=1e-6, err_msg=str(asset_id))


def _vectors(
    store: EmbeddedStore, model: Any
) -> Iterator[tuple[int, NDArray[np.float32], NDArray[np.float32]]]:
    """Asset, its vector, and the one that the model gives to its content."""
    rows = select(AssetVector.asset_id, AssetVector.sha256).where(
        AssetVector.model_id == model.id, ~IS_UNSETTLED
    )
    with get_sync_engine().connect() as conn:
        contents = dict(conn.execute(rows).all())
    encoder = ColourModel(model.name, int(model.weights_digest))
    found = store.vectors(model.collection, list(contents)) if contents else {}
    for asset_id, vector in found.items():
        seen = decode(content(CONTENT_OF[contents[asset_id]]), "", encoder.pixels, 1).pixels
        yield asset_id, vector, encoder.encode_images(seen[None])[0]


def check_files(session: TrainingSession, files: Collection[Path]) -> None:
    """A session that was brought to its end has a vector of what each file in its folder is now."""
    mine = [path for path in files if is_below(str(path), session.root_path)]
    if not mine:
        return  # it waits for a disk
    assert session.status == SessionStatus.COMPLETED, (session.status, session.waiting_for)
    query = (
        select(ImageAsset.path, TrainingJob.status, AssetVector.sha256)
        .join(TrainingJob, TrainingJob.asset_id == ImageAsset.id)
        .outerjoin(
            AssetVector,
            (AssetVector.asset_id == ImageAsset.id) & (AssetVector.model_id == session.model_id),
        )
        .where(TrainingJob.session_id == session.id)
    )
    with get_sync_engine().connect() as conn:
        known = {row.path: row for row in conn.execute(query)}
        excluded = set(conn.scalars(select(ImageAsset.path).where(ImageAsset.excluded)))
    for path in mine:
        if str(path) in excluded:
            continue
        row, data = known[str(path)], path.read_bytes()
        assert row.status == (JobStatus.FAILED if data == BROKEN else JobStatus.COMPLETED), row
        assert data == BROKEN or row.sha256 == sha256(data).hexdigest(), row


def check_filters(store: EmbeddedStore) -> None:
    """A search in one session, or one folder, finds what the ledger has there."""
    for model in models():
        if model.collection not in store.collections():
            continue
        stored = [asset_id for page in store.ids(model.collection) for asset_id in page]
        with get_sync_engine().connect() as conn:
            sessions = sessions_of(conn, stored)
            paths = dict(conn.execute(select(ImageAsset.id, ImageAsset.path)).all())
        for session_id in {one for of_asset in sessions.values() for one in of_asset}:
            wanted = {asset_id for asset_id in stored if session_id in sessions[asset_id]}
            assert _found(store, model, Restriction(session=session_id)) == wanted
        for folder in {os.path.dirname(paths[asset_id]) for asset_id in stored}:
            wanted = {asset_id for asset_id in stored if is_below(paths[asset_id], folder)}
            assert _found(store, model, Restriction(folders=(folder,))) == wanted


def _found(store: EmbeddedStore, model: Any, restriction: Restriction) -> set[int]:
    anything = np.eye(1, model.dimension, dtype=np.float32)[0]
    hits = store.query(model.collection, anything, 100, restriction=restriction)
    return {hit.asset_id for hit in hits}
