"""Make I1 and I2 hold again; safe at any time, like the check that finds what to do."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, delete, func, select, update

from app.db import sessions
from app.db.engine import get_sync_engine, write_transaction
from app.db.jobs import chunks
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
from app.db.vectors import hold, is_broken_off
from app.vectors.protocol import VectorStore
from app.worker.context import context
from app.worker.maintenance.ledger_check import compare_ids, completed_without_vector, wrong_vectors


def repair_ledger(store: VectorStore) -> int:
    """Drop vectors nobody knows, index pictures again that lost theirs or have another's.

    Returns:
        how many vectors, pictures and counters were put right.
    """
    repaired = repair_ids(store)
    for model_id, collection in _models():
        repaired += forget(store, model_id, collection, wrong_vectors(store, model_id, collection))
    return repaired + undo_broken_stores() + _recount()


def repair_ids(store: VectorStore) -> int:
    """The part of :func:`repair_ledger` that reads no vectors."""
    repaired = 0
    for model_id, collection in _models():
        differ = compare_ids(store, model_id, collection)
        repaired += _drop(store, model_id, collection, differ.extra)
        repaired += forget(store, model_id, collection, differ.missing)
    return repaired + reopen_lost()


def _drop(store: VectorStore, model_id: int, collection: str, asset_ids: Sequence[int]) -> int:
    """Remove vectors that the ledger has no row of; how many.

    Rows of our own keep others from beginning a store of these pictures until theirs are gone.
    """
    dropped = 0
    for ids in chunks(asset_ids, 10_000):
        with write_transaction() as conn:
            pictures = conn.scalars(
                select(ImageAsset.id).where(ImageAsset.id.in_(ids)).order_by(ImageAsset.id)
            ).all()
            ours = hold(conn, model_id, pictures)
            going = sorted(set(ids) - set(pictures) | set(ours))
            store.delete(collection, going)
            conn.execute(
                delete(AssetVector).where(
                    AssetVector.model_id == model_id, AssetVector.asset_id.in_(ours)
                )
            )
        dropped += len(going)
    return dropped


def forget(store: VectorStore, model_id: int, collection: str, asset_ids: Sequence[int]) -> int:
    """Remove vectors from ledger and store; who has such a picture indexes it again. How many."""
    forgotten = 0
    for ids in chunks(asset_ids, 10_000):
        with write_transaction() as conn:
            # while the rows are held, nobody begins to store these pictures
            going = conn.scalars(
                select(AssetVector.asset_id)
                .where(
                    AssetVector.model_id == model_id,
                    AssetVector.asset_id.in_(ids),
                    ~IS_UNSETTLED,  # else somebody is storing it at this moment
                )
                .order_by(AssetVector.asset_id)
                .with_for_update()
            ).all()
            _forget(conn, store, model_id, collection, going)
        forgotten += len(going)
    if forgotten:
        reopen_lost()
    return forgotten


def _forget(
    conn: Connection,
    store: VectorStore,
    model_id: int,
    collection: str,
    asset_ids: Sequence[int],
) -> None:
    if collection in store.collections():
        store.delete(collection, asset_ids)
    for batch in chunks(asset_ids, 10_000):
        conn.execute(
            delete(AssetVector).where(
                AssetVector.model_id == model_id, AssetVector.asset_id.in_(batch)
            )
        )


def undo_broken_stores() -> int:
    """The job: forget vectors whose store broke off and that nobody will store again.

    Returns:
        how many vectors.
    """
    store, undone = context().store, 0
    for model_id, collection in _models():
        with write_transaction() as conn:
            ids = conn.scalars(
                select(AssetVector.asset_id)
                .where(AssetVector.model_id == model_id, is_broken_off())
                .order_by(AssetVector.asset_id)
                .with_for_update()
            ).all()
            if ids:
                _forget(conn, store, model_id, collection, ids)
                undone += len(ids)
    if undone:
        reopen_lost()
    return undone


def reopen_lost() -> int:
    """Make done pictures without a vector pending again; a session that was complete goes on.

    What a person paused or cancelled stays so. Returns how many pictures.
    """
    wanted = completed_without_vector().where(TrainingSession.status != SessionStatus.CANCELLED)
    with get_sync_engine().connect() as conn:
        session_ids = sorted({row.session_id for row in conn.execute(wanted)})
    reopened = 0
    for session_id in session_ids:
        with write_transaction() as conn:
            sessions.lock_session(conn, session_id)
            lost = wanted.where(TrainingSession.id == session_id).with_only_columns(TrainingJob.id)
            number = conn.execute(
                update(TrainingJob)
                .where(
                    TrainingJob.id.in_(lost.scalar_subquery()),
                    TrainingJob.status == JobStatus.COMPLETED,
                )
                .values(status=JobStatus.PENDING.value, reused=False, finished_at=None)
            ).rowcount
            if number:
                counted = sessions.recount(conn, session_id)
                conn.execute(
                    update(TrainingSession).where(TrainingSession.id == session_id).values(counted)
                )
                sessions.reopen_session(conn, session_id)
        reopened += number
    return reopened


def _recount() -> int:
    """Put right the counters on the sessions' rows; how many were wrong."""
    with get_sync_engine().connect() as conn:
        ids = conn.scalars(select(TrainingSession.id).order_by(TrainingSession.id)).all()
    number = 0
    for session_id in ids:
        with write_transaction() as conn:
            session = sessions.lock_session(conn, session_id)
            counted = sessions.recount(conn, session_id)
            wrong = {name: n for name, n in counted.items() if getattr(session, name) != n}
            if wrong:
                number += len(wrong)
                conn.execute(
                    update(TrainingSession).where(TrainingSession.id == session_id).values(wrong)
                )
    return number


def repair_if_counts_differ(store: VectorStore) -> int:
    """The quick check of a start: what ledger and store hold of each model, by number.

    Only for a store with one owner, where nobody writes at this moment.
    """
    there = set(store.collections())
    for model_id, collection in _models():
        of_model = select(func.count()).where(AssetVector.model_id == model_id)
        with get_sync_engine().connect() as conn:
            settled = conn.scalar(of_model.where(~IS_UNSETTLED)) or 0
            begun = conn.scalars(
                select(AssetVector.asset_id).where(AssetVector.model_id == model_id, IS_UNSETTLED)
            ).all()
        stored = store.count(collection) if collection in there else 0
        begun_there = len(store.vectors(collection, begun)) if begun and stored else 0
        if settled + begun_there != stored:
            return repair_ids(store)
    return 0


def _models() -> list[tuple[int, str]]:
    with get_sync_engine().connect() as conn:
        rows = conn.execute(select(EmbeddingModel.id, EmbeddingModel.collection))
        return [(row.id, row.collection) for row in rows]
