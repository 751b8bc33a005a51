"""Check the invariants of the ledger against itself and the vector store; nothing is changed.

I1: every picture of a session is in exactly one status, and the session's counters add up.
I2: for each model, the point ids in the store are the ids of the assets that have its vector, and
each vector is the one that was computed for what the ledger says of its picture.
I3: every attempt has one evidence row, never two.
(I4, that files are changed only where a person asked for it, is a property of the code.)

Safe at any time, also while workers here or elsewhere store and settle: a row of ``asset_vectors``
is there before its point is, so what the store has is read before the ledger, and whatever looks
wrong counts only if the ledger's row has not moved meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, select

from app.api.training_schemas import LedgerReport
from app.db import sessions
from app.db.engine import get_sync_engine, write_transaction
from app.db.models import (
    IS_UNSETTLED,
    AssetVector,
    EmbeddingModel,
    JobStatus,
    TrainingEvidence,
    TrainingJob,
    TrainingSession,
)
from app.db.vectors import is_broken_off
from app.vectors.protocol import VectorStore, vector_checksum

VECTORS_AT_ONCE = 1_000
"""Vectors that are read and compared at a time: the engine holds the interpreter some 20 ms."""
_SHOWN_DAMAGE = 3


def verify_ledger(store: VectorStore) -> LedgerReport:
    """Look for anything that breaks I1, I2 or I3."""
    with get_sync_engine().connect() as conn:
        problems = [
            *_check_file(conn),
            *_check_counters(conn),
            *_check_evidence(conn),
            *_check_completed(conn),
        ]
        models = conn.execute(select(EmbeddingModel)).all()
    for model in models:
        problems += _check_vectors(store, model)
    with get_sync_engine().connect() as conn:
        return LedgerReport(
            problems=problems,
            sessions=_total(conn, TrainingSession),
            jobs=_total(conn, TrainingJob),
            evidence=_total(conn, TrainingEvidence),
            vectors=_total(conn, AssetVector),
        )


def _total(conn: Connection, table: Any) -> int:
    return conn.scalar(select(func.count()).select_from(table)) or 0


def _check_file(conn: Connection) -> list[str]:
    """What SQLite says of its own file; a server looks after its files itself."""
    if conn.dialect.name != "sqlite":
        return []
    found = conn.exec_driver_sql(f"PRAGMA integrity_check({_SHOWN_DAMAGE})").scalars().all()
    return [f"The ledger's file is damaged: {line}." for line in found if line != "ok"]


def _check_counters(conn: Connection) -> list[str]:
    wrong = [
        session.id
        for session in conn.execute(select(TrainingSession)).all()
        if any(getattr(session, n) != v for n, v in sessions.recount(conn, session.id).items())
    ]
    problems = []
    for session_id in wrong:  # pictures may have been settled between the two looks
        with write_transaction() as locked:
            session = sessions.lock_session(locked, session_id)
            counted = sessions.recount(locked, session_id)
        problems += [
            f"I1: session {session_id} records {getattr(session, name)} {name}, but has {number}."
            for name, number in counted.items()
            if getattr(session, name) != number
        ]
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
    lost = conn.scalar(select(func.count()).select_from(completed_without_vector().subquery()))
    return [f"I2: {lost:,} completed pictures have no vector."] if lost else []


def completed_without_vector() -> Any:
    """The jobs that are done although the ledger has no vector of their picture."""
    has_vector = select(AssetVector.asset_id).where(
        AssetVector.asset_id == TrainingJob.asset_id,
        AssetVector.model_id == TrainingSession.model_id,
    )
    return (
        select(TrainingJob.id, TrainingJob.session_id)
        .join(TrainingSession, TrainingSession.id == TrainingJob.session_id)
        .where(TrainingJob.status == JobStatus.COMPLETED, ~has_vector.exists())
    )


def _check_vectors(store: VectorStore, model: Any) -> list[str]:
    problems = []
    differ = compare_ids(store, model.id, model.collection)
    if differ.extra:
        problems.append(f"I2: {len(differ.extra):,} vectors of {model.name} are not in the ledger.")
    if differ.missing:
        problems.append(f"I2: {len(differ.missing):,} vectors of {model.name} are missing.")
    if wrong := wrong_vectors(store, model.id, model.collection):
        problems.append(f"I2: {len(wrong):,} vectors of {model.name} are another picture's.")
    with get_sync_engine().connect() as conn:
        broken_off = conn.scalar(
            select(func.count()).where(AssetVector.model_id == model.id, is_broken_off())
        )
    if broken_off:
        problems.append(f"I2: {broken_off:,} vectors of {model.name} were never completely stored.")
    return problems


class IdDifference(NamedTuple):
    """Asset ids that only one of ledger and store has for a model, ascending."""

    extra: list[int]
    """Only the store has them."""
    missing: list[int]
    """Only the ledger has them."""


def compare_ids(store: VectorStore, model_id: int, collection: str) -> IdDifference:
    """Compare the two sets of ids of one model."""
    settled = _ids(model_id, settled=True)
    stored = _stored(store, collection)
    known = _ids(model_id)
    # what was removed, or begun anew, meanwhile is no loss
    missing = (settled - stored) & _ids(model_id, settled=True)
    return IdDifference(sorted(stored - known), sorted(missing))


def _stored(store: VectorStore, collection: str) -> set[int]:
    if collection not in store.collections():
        return set()
    return {asset_id for page in store.ids(collection) for asset_id in page}


def _ids(model_id: int, *, settled: bool = False) -> set[int]:
    query = select(AssetVector.asset_id).where(AssetVector.model_id == model_id)
    if settled:
        query = query.where(~IS_UNSETTLED)
    with get_sync_engine().connect() as conn:
        return set(conn.scalars(query))


def wrong_vectors(store: VectorStore, model_id: int, collection: str) -> list[int]:
    """Assets whose stored vector is not the one that was computed for them; ascending."""
    if collection not in store.collections():
        return []
    return [
        asset_id
        for page in _settled_pages(model_id)
        for asset_id in _wrong_of(store, model_id, collection, page)
    ]


def _settled_pages(model_id: int) -> Iterator[dict[int, tuple[str | None, int]]]:
    """By asset id, checksum and fence of settled vectors, page by page."""
    after = 0
    while True:
        query = (
            select(AssetVector.asset_id, AssetVector.checksum, AssetVector.fence)
            .where(
                AssetVector.model_id == model_id,
                AssetVector.asset_id > after,
                ~IS_UNSETTLED,
            )
            .order_by(AssetVector.asset_id)
            .limit(VECTORS_AT_ONCE)
        )
        with get_sync_engine().connect() as conn:
            rows = conn.execute(query).all()
        if not rows:
            return
        after = rows[-1].asset_id
        yield {row.asset_id: (row.checksum, row.fence) for row in rows}


def _wrong_of(
    store: VectorStore, model_id: int, collection: str, page: dict[int, tuple[str | None, int]]
) -> list[int]:
    vectors = store.vectors(collection, list(page))
    differ = [
        asset_id
        for asset_id, vector in vectors.items()
        if vector_checksum(vector) != page[asset_id][0]
    ]
    if not differ:
        return []
    with get_sync_engine().connect() as conn:  # stored anew between the two looks?
        rows = conn.execute(
            select(AssetVector.asset_id, AssetVector.checksum, AssetVector.fence).where(
                AssetVector.model_id == model_id, AssetVector.asset_id.in_(differ), ~IS_UNSETTLED
            )
        )
        return sorted(
            row.asset_id for row in rows if page[row.asset_id] == (row.checksum, row.fence)
        )
