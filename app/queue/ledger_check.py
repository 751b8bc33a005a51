"""Check the invariants of the ledger against itself and the vector store, and repair it.

I1: every picture of a session is in exactly one status, and the session's counters add up.
I2: for each model, the point ids in the store are the ids of the assets that have its vector.
I3: every attempt has one evidence row, never two.
(I4, that no file of the user's is ever changed, is a property of the code: files are only read.)
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, delete, func, select, update

from app.api.training_schemas import LedgerReport
from app.db import sessions
from app.db.engine import get_sync_engine, write_transaction
from app.db.jobs import chunks
from app.db.models import (
    AssetVector,
    EmbeddingModel,
    JobStatus,
    SessionStatus,
    TrainingEvidence,
    TrainingJob,
    TrainingSession,
)
from app.queue.context import context
from app.vectors.store import VectorStore


def check_ledger(repair: bool = False) -> dict[str, Any]:
    """The queue function: check, and repair where asked; a ``LedgerReport`` as a dict."""
    store = context().store
    repaired = repair_ledger(store) if repair else 0
    report = verify_ledger(store)
    return report.model_copy(update={"repaired": repaired}).model_dump()


def verify_ledger(store: VectorStore) -> LedgerReport:
    """Look for anything that breaks I1, I2 or I3. Pictures in work may show up as a difference."""
    with get_sync_engine().connect() as conn:
        problems = [*_check_counters(conn), *_check_evidence(conn), *_check_completed(conn)]
        models = conn.execute(select(EmbeddingModel)).all()
        for model in models:
            stored, known = _stored(store, model.collection), _known(conn, model.id)
            if extra := len(stored - known):
                problems.append(f"I2: {extra:,} vectors of {model.name} that the ledger lacks.")
            if missing := len(known - stored):
                problems.append(f"I2: {missing:,} vectors of {model.name} are gone.")
        return LedgerReport(
            problems=problems,
            sessions=_total(conn, TrainingSession),
            jobs=_total(conn, TrainingJob),
            evidence=_total(conn, TrainingEvidence),
            vectors=_total(conn, AssetVector),
        )


def _total(conn: Connection, table: Any) -> int:
    return conn.scalar(select(func.count()).select_from(table)) or 0


def _check_counters(conn: Connection) -> list[str]:
    problems = []
    for session in conn.execute(select(TrainingSession)).all():
        counted = sessions.recount(conn, session.id)
        for name, number in counted.items():
            noted = getattr(session, name)
            if noted != number:
                problems.append(f"I1: session {session.id} notes {noted} {name}, has {number}.")
    return problems


def _check_evidence(conn: Connection) -> list[str]:
    """A job at rest has as many evidence rows as attempts; one in work is one short."""
    rows = (
        select(TrainingEvidence.job_id, func.count().label("number"))
        .group_by(TrainingEvidence.job_id)
        .subquery()
    )
    wrong = conn.execute(
        select(TrainingJob.id, TrainingJob.attempts, func.coalesce(rows.c.number, 0))
        .outerjoin(rows, rows.c.job_id == TrainingJob.id)
        .where(
            TrainingJob.status != JobStatus.RUNNING,
            TrainingJob.attempts != func.coalesce(rows.c.number, 0),
        )
        .limit(20)
    ).all()
    return [
        f"I3: job {job_id} has {attempts} attempts and {number} evidence rows."
        for job_id, attempts, number in wrong
    ]


def _check_completed(conn: Connection) -> list[str]:
    lost = conn.scalar(select(func.count()).select_from(_completed_without_vector().subquery()))
    return [f"I2: {lost:,} completed pictures have no vector."] if lost else []


def _completed_without_vector() -> Any:
    has_vector = select(AssetVector.asset_id).where(
        AssetVector.asset_id == TrainingJob.asset_id,
        AssetVector.model_id == TrainingSession.model_id,
    )
    return (
        select(TrainingJob.id, TrainingJob.session_id)
        .join(TrainingSession, TrainingSession.id == TrainingJob.session_id)
        .where(TrainingJob.status == JobStatus.COMPLETED, ~has_vector.exists())
    )


def _stored(store: VectorStore, collection: str) -> set[int]:
    if collection not in store.collections():
        return set()
    return {asset_id for page in store.ids(collection) for asset_id in page}


def _known(conn: Connection, model_id: int) -> set[int]:
    return set(
        conn.execute(select(AssetVector.asset_id).where(AssetVector.model_id == model_id)).scalars()
    )


def repair_ledger(store: VectorStore) -> int:
    """Make I1 and I2 hold: drop vectors nobody knows, look again at pictures that lost theirs.

    Returns:
        how many vectors, pictures and counters were put right.
    """
    with get_sync_engine().connect() as conn:
        models = conn.execute(select(EmbeddingModel)).all()
    repaired = sum(_repair_vectors(store, model.id, model.collection) for model in models)
    with write_transaction() as conn:
        lost = conn.execute(_completed_without_vector()).all()
        for some in chunks(lost, 10_000):
            conn.execute(
                update(TrainingJob)
                .where(TrainingJob.id.in_([row.id for row in some]))
                .values(status=JobStatus.PENDING.value, reused=False, finished_at=None)
            )
        for session in conn.execute(select(TrainingSession)).all():
            counted = sessions.recount(conn, session.id)
            wrong = {k: v for k, v in counted.items() if getattr(session, k) != v}
            if wrong:
                repaired += len(wrong)
                conn.execute(
                    update(TrainingSession).where(TrainingSession.id == session.id).values(counted)
                )
        for session_id in {row.session_id for row in lost}:
            sessions.move_session(conn, session_id, SessionStatus.RUNNING)
    return repaired + len(lost)


def repair_if_counts_differ(store: VectorStore) -> int:
    """The quick check of a start: after a power cut the store may lag behind the ledger.

    Only for a store with one owner: the vectors that another worker is about to settle would look
    like ones that nobody knows.
    """
    with get_sync_engine().connect() as conn:
        for model in conn.execute(select(EmbeddingModel)).all():
            known = select(func.count()).where(AssetVector.model_id == model.id)
            there = model.collection in store.collections()
            stored = store.count(model.collection) if there else 0
            if conn.scalar(known) != stored:
                break
        else:
            return 0
    return repair_ledger(store)


def _repair_vectors(store: VectorStore, model_id: int, collection: str) -> int:
    with get_sync_engine().connect() as conn:
        known = _known(conn, model_id)
    stored = _stored(store, collection)
    if extra := sorted(stored - known):
        store.delete(collection, extra)
    missing = sorted(known - stored)
    with write_transaction() as conn:
        for ids in chunks(missing, 10_000):
            conn.execute(
                delete(AssetVector).where(
                    AssetVector.model_id == model_id, AssetVector.asset_id.in_(ids)
                )
            )
    return len(extra) + len(missing)
