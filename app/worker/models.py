"""The worker's side of the Models page: what needs the model in memory, or the vector store."""

from __future__ import annotations

import logging

from sqlalchemy import Connection, delete, func, select, update

from app.api.model_schemas import ModelSpeed
from app.db.engine import write_transaction
from app.db.models import AssetVector, DuplicateScan, EmbeddingModel, NearDuplicate, TrainingSession
from app.engine.place import require_engine
from app.errors import AppError
from app.queue.questions import ModelRequest, RemoveIndexRequest
from app.worker import background
from app.worker.context import IDLE, context, register_model

log = logging.getLogger(__name__)

DEVICE_LENGTH = 64


def hub_path(request: ModelRequest) -> str:
    """Where the hub has the weights of ``name/pretrained``.

    Raises:
        AppError: OpenCLIP knows no weights of that name, or is not there yet.
    """
    require_engine()
    from app.embedding import checkpoint

    return checkpoint.hub_path(request.spec)


def measure(request: ModelRequest) -> ModelSpeed:
    """Load a model, measure its speed here and note it in the ledger.

    Raises:
        AppError: something is being indexed, or the model cannot be had.
    """
    require_engine()
    from app.embedding.tuning import pictures_per_second

    if context().state != IDLE:
        raise AppError(
            "Pictures are being indexed, so a measurement would not be meaningful.",
            "Pause the session or wait until it is finished, then measure again.",
        )
    encoder = context().encoder(request.spec)
    model_id = register_model(encoder, request.spec)
    speed = round(pictures_per_second(encoder), 2)
    device = encoder.device_label[:DEVICE_LENGTH]
    with write_transaction() as conn:
        conn.execute(
            update(EmbeddingModel)
            .where(EmbeddingModel.id == model_id)
            .values(pictures_per_second=speed, measured_on=device)
        )
    log.info("%s: %.1f pictures a second on %s", request.spec, speed, device)
    return ModelSpeed(picturesPerSecond=speed, measuredOn=device)


def remove_index(request: RemoveIndexRequest) -> int:
    """Forget all vectors of a model that no session uses.

    The ledger lets go first: what is left of a removal that breaks off are vectors that nobody
    knows, and a model without vectors; the ledger check and the next removal tidy that up.

    Returns:
        how many pictures can no longer be found with it.

    Raises:
        AppError: a session uses it, or it is the only one that can be searched with.
    """
    model_id = request.model_id
    with write_transaction() as conn:
        collection = conn.scalar(
            select(EmbeddingModel.collection).where(EmbeddingModel.id == model_id)
        )
        if collection is None:
            return 0
        _check_unused(conn, model_id)
        _check_not_the_last(conn, model_id)
        for table in (DuplicateScan, NearDuplicate):
            conn.execute(delete(table).where(table.model_id == model_id))
        removed = conn.execute(delete(AssetVector).where(AssetVector.model_id == model_id)).rowcount
    with write_transaction() as conn:  # a session that came meanwhile keeps the collection
        _check_unused(conn, model_id)
        context().store.drop_collection(collection)
        background.forget(collection)
        conn.execute(delete(DuplicateScan).where(DuplicateScan.model_id == model_id))
        conn.execute(delete(EmbeddingModel).where(EmbeddingModel.id == model_id))
    log.info("removed the index %s of %d pictures", collection, removed)
    return removed


def _check_unused(conn: Connection, model_id: int) -> None:
    number = conn.scalar(select(func.count()).where(TrainingSession.model_id == model_id)) or 0
    if number:
        sessions = "1 session uses" if number == 1 else f"{number:,} sessions use"
        raise AppError(
            f"{sessions} this index.",
            "Index them with another model first; cancelled ones count, too.",
        )


def _check_not_the_last(conn: Connection, model_id: int) -> None:
    there = select(AssetVector.asset_id).where(AssetVector.model_id == model_id)
    others = select(AssetVector.asset_id).where(AssetVector.model_id != model_id)
    if conn.execute(there.limit(1)).first() and not conn.execute(others.limit(1)).first():
        raise AppError(
            "This is the only index there is, so nothing could be found without it.",
            "Index your pictures with another model first.",
        )
