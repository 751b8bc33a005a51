"""Look at some pictures anew and compare what comes out with the vectors that are stored."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sqlalchemy import func, select

from app.config import get_settings
from app.db.engine import get_sync_engine
from app.db.models import IS_UNSETTLED, AssetVector, EmbeddingModel, ImageAsset
from app.errors import AppError
from app.pictures.decode import PictureError
from app.vectors.protocol import VectorStore
from app.worker.context import context
from app.worker.maintenance.ledger_repair import forget

log = logging.getLogger(__name__)

AGREES = 0.99
"""Least cosine similarity between two looks at one picture, in other batches and precisions."""
AT_ONCE = 16


@dataclass(slots=True)
class SampleReport:
    """What a sample found."""

    compared: int = 0
    repaired: int = 0
    problems: list[str] = field(default_factory=list)


def check_sample(store: VectorStore, number: int, *, repair: bool = False) -> SampleReport:
    """Embed pictures anew, chosen by chance, and compare them by cosine with their vectors.

    Pictures whose file has changed or cannot be read are left out, and so is a model whose weights
    are not here.

    Args:
        number: of pictures, for each model.
        repair: have those that differ indexed again.
    """
    report = SampleReport()
    with get_sync_engine().connect() as conn:
        models = conn.execute(select(EmbeddingModel).order_by(EmbeddingModel.id)).all()
    for model in models if number else ():
        try:
            wrong = _wrong(store, model, number, report)
        except AppError as error:
            log.warning("%s was not sampled: %s", model.name, error)
            continue
        if wrong:
            report.problems.append(
                f"I2: {len(wrong):,} of {report.compared:,} pictures that were checked again "
                f"have a vector of {model.name} that is not theirs."
            )
            if repair:
                report.repaired += forget(store, model.id, model.collection, wrong)
    return report


def _wrong(store: VectorStore, model: Any, number: int, report: SampleReport) -> list[int]:
    chosen = _choose(model.id, number)
    if not chosen:
        return []
    encoder = context().search_encoder(model.spec)
    if encoder.collection != model.collection:
        return []  # the weights of that name have changed, and its sessions are indexed again
    wrong = []
    for start in range(0, len(chosen), AT_ONCE):
        batch = chosen[start : start + AT_ONCE]
        seen = {row.id: pixels for row in batch if (pixels := _pixels(row, encoder)) is not None}
        stored = store.vectors(model.collection, list(seen))
        both = [asset_id for asset_id in seen if asset_id in stored]
        if not both:
            continue
        vectors = encoder.encode_images(np.stack([seen[asset_id] for asset_id in both]))
        differ = [
            asset_id
            for asset_id, vector in zip(both, vectors, strict=True)
            if float(vector @ stored[asset_id]) < AGREES
        ]
        wrong += _still(model.id, differ, {row.id: row.fence for row in batch})
        report.compared += len(both)
    return wrong


def _choose(model_id: int, number: int) -> Sequence[Any]:
    """Pictures whose vector is of their file as it was found last."""
    query = (
        select(
            ImageAsset.id,
            ImageAsset.path,
            AssetVector.size,
            AssetVector.mtime_ns,
            AssetVector.sha256,
            AssetVector.fence,
        )
        .join(AssetVector, AssetVector.asset_id == ImageAsset.id)
        .where(
            AssetVector.model_id == model_id,
            AssetVector.size == ImageAsset.size,
            AssetVector.mtime_ns == ImageAsset.mtime_ns,
            ImageAsset.missing_since.is_(None),
        )
        .order_by(func.random())
        .limit(number)
    )
    with get_sync_engine().connect() as conn:
        return conn.execute(query).all()


def _pixels(row: Any, encoder: Any) -> Any:
    """What the model sees of a file; None where it is not the one that was indexed any more."""
    try:
        with context().decoders.read(0, row.path) as file:
            if file.content.sha256 != row.sha256:
                return None
            return file.decode(encoder.pixels, get_settings().max_image_megapixels).result().pixels
    except PictureError:
        return None


def _still(model_id: int, asset_ids: Sequence[int], fences: dict[int, int]) -> list[int]:
    """Those that nobody has stored anew since they were chosen."""
    if not asset_ids:
        return []
    query = select(AssetVector.asset_id, AssetVector.fence).where(
        AssetVector.model_id == model_id, AssetVector.asset_id.in_(asset_ids), ~IS_UNSETTLED
    )
    with get_sync_engine().connect() as conn:
        return [row.asset_id for row in conn.execute(query) if fences[row.asset_id] == row.fence]
