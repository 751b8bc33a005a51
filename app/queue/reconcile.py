"""Put the ledger right after a death, a power cut or a lost queue; cheap, done all the time."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial

from redis.exceptions import RedisError
from sqlalchemy import Connection, delete, select, update

from app.db import jobs, sessions
from app.db.clock import ledger_now
from app.db.duplicate_scans import take_back_scans
from app.db.engine import get_sync_session, in_transaction, write_transaction
from app.db.liveness import (
    FORGOTTEN_AFTER,
    SteadyClock,
    forget_proof,
    has_died,
    silent_workers,
)
from app.db.models import (
    IS_HELD,
    IS_UNSETTLED,
    AssetVector,
    SessionStatus,
    TrainingJob,
    TrainingSession,
    WorkerRecord,
)
from app.db.schedule import ring_for_due_sessions
from app.db.settle import expire_leases
from app.db.vectors import is_broken_off
from app.errors import AppError
from app.queue.connection import get_redis
from app.queue.enqueue import ring_if_possible, ring_once_if_possible
from app.services.duplicate_scan import ring_for_scans
from app.worker.loops import QUEUE_LOW

log = logging.getLogger(__name__)

_clock = SteadyClock()
_RUNNING = select(WorkerRecord.name).where(WorkerRecord.stopped_at.is_(None))


def reconcile(dead_workers: Sequence[str] = ()) -> None:
    """Take back what dead workers held, finish what is done, and ring for what is not.

    Args:
        dead_workers: workers that somebody saw end by themselves.
    """
    proved = [name for name in _running_workers() if has_died(name)]
    taken_back = in_transaction(lambda conn: _take_back(conn, dead_workers, proved))
    if taken_back:
        log.warning("%d pictures were held by a worker that is gone", taken_back)
    for name in proved:
        forget_proof(name)
    waiting = _settle_sessions()
    if not _queue_answers():  # asked once, as each ring would wait for its answer
        return
    for session_id in waiting:
        ring_if_possible(session_id)
    _ring_for_stale_payloads()
    _ring_for_broken_stores()
    ring_for_scans()
    ring_for_due_sessions()


def _running_workers() -> list[str]:
    with get_sync_session() as db:
        return list(db.scalars(_RUNNING))


def _take_back(conn: Connection, dead_workers: Sequence[str], proved: Sequence[str]) -> int:
    lost = set(proved)
    if steady := _clock.is_steady(ledger_now(conn)):
        lost |= silent_workers(conn)
    _note_stopped(conn, [*lost, *dead_workers])
    take_back_scans(conn, set(conn.scalars(_RUNNING)))
    return expire_leases(conn, dead_workers=dead_workers, lost_workers=[*lost], by_time=steady)


def _note_stopped(conn: Connection, names: Sequence[str]) -> None:
    if names:
        conn.execute(
            update(WorkerRecord)
            .where(WorkerRecord.name.in_(names), WorkerRecord.stopped_at.is_(None))
            .values(stopped_at=ledger_now(conn))
        )


def take_over(sole_worker: str) -> None:
    """Take back what all other workers held: the lock of the embedded store proves them dead."""
    taken_back = in_transaction(lambda conn: _take_over(conn, sole_worker))
    if taken_back:
        log.warning("%d pictures were held by earlier workers", taken_back)


def _take_over(conn: Connection, sole_worker: str) -> int:
    others = WorkerRecord.name != sole_worker
    running = conn.scalars(
        select(WorkerRecord.name).where(others, WorkerRecord.stopped_at.is_(None))
    ).all()
    holding = conn.scalars(
        select(TrainingJob.worker).where(IS_HELD, TrainingJob.worker != sole_worker)
    ).all()
    _note_stopped(conn, running)
    return expire_leases(
        conn, lost_workers=[name for name in {*running, *holding} if name], by_time=False
    )


def release(worker: str) -> None:
    """Hand back what a worker held that was ended on purpose: no picture is to blame for that."""

    def work(conn: Connection) -> None:
        holding = select(TrainingJob.session_id).where(IS_HELD, TrainingJob.worker == worker)
        for session_id in sorted(set(conn.scalars(holding))):
            jobs.hand_back_all(conn, session_id, worker)
        _note_stopped(conn, [worker])

    in_transaction(work)


def forget_old_workers() -> None:
    """Remove the rows of workers that have been gone for long."""
    with write_transaction() as conn:
        long_ago = ledger_now(conn) - FORGOTTEN_AFTER
        conn.execute(delete(WorkerRecord).where(WorkerRecord.beat_at < long_ago))


def _settle_sessions() -> list[int]:
    """Finish what is done; the running sessions that have pictures left to claim."""
    waiting = []
    for session_id, status, left in _unsettled_sessions():
        if status == SessionStatus.CANCELLED:
            in_transaction(partial(_cancel_rest, session_id=session_id))
        elif not in_transaction(partial(sessions.finish_session, session_id=session_id)):
            waiting += [session_id] if left else []
    return waiting


def _cancel_rest(conn: Connection, session_id: int) -> None:
    jobs.cancel_pending(conn, session_id)
    sessions.stop_clock(conn, session_id)


def _queue_answers() -> bool:
    try:
        get_redis().ping()
    except (RedisError, AppError) as error:
        log.warning("no worker could be woken: %s", error)
        return False
    return True


def _ring_for_stale_payloads() -> None:
    with get_sync_session() as db:
        stale = db.scalar(
            select(AssetVector.asset_id).where(AssetVector.payload_stale, ~IS_UNSETTLED).limit(1)
        )
    if stale is not None:
        ring_once_if_possible(
            QUEUE_LOW, "app.worker.maintenance.payloads.refresh_payloads", "refresh-payloads"
        )


def _ring_for_broken_stores() -> None:
    with get_sync_session() as db:
        found = db.scalar(select(AssetVector.asset_id).where(is_broken_off()).limit(1))
    if found is not None:
        ring_once_if_possible(
            QUEUE_LOW,
            "app.worker.maintenance.ledger_repair.undo_broken_stores",
            "undo-broken-stores",
        )


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
