"""Put the ledger right after a death, a power cut or a lost queue; cheap, done all the time."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from sqlalchemy import select, update

from app.db import jobs, sessions
from app.db.engine import get_sync_session, write_transaction
from app.db.models import (
    IS_HELD,
    IS_UNSETTLED,
    AssetVector,
    SessionStatus,
    TrainingJob,
    TrainingSession,
    WorkerRecord,
)
from app.db.settle import expire_leases
from app.db.types import utc_now
from app.db.vectors import is_broken_off
from app.queue.doorbell import ring_if_possible, ring_once_if_possible
from app.queue.liveness import is_alive
from app.queue.schedule import ring_for_due_sessions
from app.queue.worker import QUEUE_LOW

log = logging.getLogger(__name__)


def reconcile(dead_workers: Sequence[str] = ()) -> None:
    """Take back what dead workers held, finish what is done, and ring for what is not.

    Args:
        dead_workers: workers known to be gone, whose leases need not run out first.
    """
    silent = {record.name for record in _workers() if not is_alive(record)}
    with write_transaction() as conn:
        conn.execute(
            update(WorkerRecord)
            .where(WorkerRecord.name.in_(dead_workers))
            .values(stopped_at=utc_now())
        )
        taken_back = expire_leases(conn, dead_workers=[*silent, *dead_workers])
    if taken_back:
        log.warning("%d pictures were held by a worker that is gone", taken_back)
    for session_id, status, left in _unsettled_sessions():
        if status == SessionStatus.CANCELLED:
            with write_transaction() as conn:
                jobs.cancel_pending(conn, session_id)
                sessions.stop_clock(conn, session_id)
            continue
        with write_transaction() as conn:
            finished = sessions.finish_session(conn, session_id)
        if left and not finished:
            ring_if_possible(session_id)
    _ring_for_stale_payloads()
    _ring_for_broken_stores()
    ring_for_due_sessions()


def release(worker: str) -> None:
    """Hand back what a worker held that was ended on purpose: no picture is to blame for that."""
    held = select(TrainingJob.session_id).where(IS_HELD, TrainingJob.worker == worker)
    with write_transaction() as conn:
        for session_id in conn.scalars(held.distinct()).all():
            jobs.hand_back_all(conn, session_id, worker)
        conn.execute(
            update(WorkerRecord).where(WorkerRecord.name == worker).values(stopped_at=utc_now())
        )


def _ring_for_stale_payloads() -> None:
    with get_sync_session() as db:
        stale = db.scalar(
            select(AssetVector.asset_id).where(AssetVector.payload_stale, ~IS_UNSETTLED).limit(1)
        )
    if stale is not None:
        ring_once_if_possible(QUEUE_LOW, "app.queue.payloads.refresh_payloads", "refresh-payloads")


def _ring_for_broken_stores() -> None:
    with get_sync_session() as db:
        found = db.scalar(select(AssetVector.asset_id).where(is_broken_off()).limit(1))
    if found is not None:
        ring_once_if_possible(
            QUEUE_LOW, "app.queue.ledger_repair.undo_broken_stores", "undo-broken-stores"
        )


def _workers() -> Sequence[WorkerRecord]:
    with get_sync_session() as db:
        return db.scalars(select(WorkerRecord)).all()


def _unsettled_sessions() -> list[tuple[int, str, int]]:
    """Running sessions, and cancelled ones with pictures left; with how many are left."""
    table = TrainingSession
    left = (
        table.total_images
        - table.running_images
        - table.completed_images
        - table.failed_images
        - table.cancelled_images
    )
    with get_sync_session() as db:
        rows = db.execute(
            select(table.id, table.status, left).where(
                (table.status == SessionStatus.RUNNING)
                | ((table.status == SessionStatus.CANCELLED) & (left > 0))
            )
        )
        return [(row[0], row[1], row[2]) for row in rows]
