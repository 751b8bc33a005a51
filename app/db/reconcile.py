"""Put the ledger right after a death or a power cut; cheap, done all the time."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial

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
    SessionStatus,
    TrainingJob,
    TrainingSession,
    WorkerRecord,
)
from app.db.settle import expire_leases

log = logging.getLogger(__name__)

_clock = SteadyClock()
_RUNNING = select(WorkerRecord.name).where(WorkerRecord.stopped_at.is_(None))


def reconcile_ledger(dead_workers: Sequence[str] = ()) -> list[int]:
    """Take back what dead workers held, and finish what is done.

    Args:
        dead_workers: workers that somebody saw end by themselves.

    Returns:
        the running sessions that have pictures left to claim.
    """
    proved = [name for name in _running_workers() if has_died(name)]
    taken_back = in_transaction(lambda conn: _take_back(conn, dead_workers, proved))
    if taken_back:
        log.warning("%d pictures were held by a worker that is gone", taken_back)
    for name in proved:
        forget_proof(name)
    return _settle_sessions()


def _running_workers() -> list[str]:
    with get_sync_session() as db:
        return list(db.scalars(_RUNNING))


def _take_back(conn: Connection, dead_workers: Sequence[str], proved: Sequence[str]) -> int:
    lost = set(proved)
    if steady := _clock.is_steady(ledger_now(conn)):
        lost |= silent_workers(conn)
    _note_stopped(conn, [*lost, *dead_workers])
    take_back_scans(conn, set(conn.scalars(_RUNNING)))
    return expire_leases(conn, dead_workers=[*lost, *dead_workers], by_time=steady)


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
        conn, dead_workers=[name for name in {*running, *holding} if name], by_time=False
    )


def release(worker: str) -> None:
    """Hand back what a worker held that was ended on purpose: no picture is to blame for that."""

    def work(conn: Connection) -> None:
        holding = select(TrainingJob.session_id).where(IS_HELD, TrainingJob.worker == worker)
        for session_id in sorted(set(conn.scalars(holding))):
            jobs.release_all(conn, session_id, worker)
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
