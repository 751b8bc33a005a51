"""The moves of scans for pictures that look alike, each inside the caller's transaction.

    waiting → running → done | failed          asked for, claimed by a worker, at its end
    running → waiting                          it gives way, or its worker is gone
    waiting | running → stopped                a person does not want it any more

Every move is one guarded UPDATE. Whoever runs a scan holds a token, and writes nothing without it.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, select, update

from app.db.clock import ledger_now
from app.db.files import upsert
from app.db.models import DuplicateScan
from app.db.statuses import ScanState

SILENT_AFTER = timedelta(seconds=60)
"""Whoever runs a scan says so every second; after this, it is taken for dead."""

_ACTIVE = DuplicateScan.state.in_([ScanState.WAITING.value, ScanState.RUNNING.value])


@dataclass(frozen=True, slots=True)
class ClaimedScan:
    """A scan that this worker runs."""

    model_id: int
    threshold: float
    requested_at: datetime
    """With the model, which scan it is."""
    token: str


def request_scan(conn: Connection, model_id: int, threshold: float) -> None:
    """Have a model's pictures compared, unless that is to be done already."""
    values = {
        "state": ScanState.WAITING.value,
        "threshold": threshold,
        "share": 0.0,
        "error": "",
        "requested_at": ledger_now(conn),
        "started_at": None,
        "ended_at": None,
    }
    statement = upsert(conn, DuplicateScan).values(model_id=model_id, **values)
    statement = statement.on_conflict_do_update(
        index_elements=[DuplicateScan.model_id], set_=values, where=~_ACTIVE
    )
    conn.execute(statement)


def stop_scan(conn: Connection, model_id: int) -> bool:
    """End a scan that waits or runs; whoever runs it notices at its next sign of life."""
    return _move(conn, (DuplicateScan.model_id == model_id) & _ACTIVE, ScanState.STOPPED)


def claim_scan(conn: Connection, worker: str) -> ClaimedScan | None:
    """Take the scan that waits longest, unless one runs."""
    one, running = DuplicateScan, select(DuplicateScan.model_id)
    running = running.where(DuplicateScan.state == ScanState.RUNNING)
    if conn.scalar(running.limit(1)) is not None:
        return None
    waits = one.state == ScanState.WAITING
    first = select(one.model_id).where(waits).order_by(one.requested_at).limit(1)
    now, token = ledger_now(conn), secrets.token_hex(16)
    row = conn.execute(
        update(one)
        .where(one.model_id == first.scalar_subquery(), waits)
        .values(state=ScanState.RUNNING.value, worker=worker, token=token, beat_at=now, error="")
        .returning(one.model_id, one.threshold, one.requested_at, one.started_at)
    ).one_or_none()
    if row is None:
        return None
    if row.started_at is None:
        conn.execute(update(one).where(one.token == token).values(started_at=now))
    return ClaimedScan(row.model_id, row.threshold, row.requested_at, token)


def report_scan(conn: Connection, claim: ClaimedScan, share: float) -> bool:
    """Note how much is done, 0 to 1; False where the scan is no longer this claim's."""
    return _change(conn, _held(claim), share=share, beat_at=ledger_now(conn))


def release_scan(conn: Connection, claim: ClaimedScan, share: float, error: str = "") -> bool:
    """Let a scan wait for its next turn.

    Args:
        share: what need not be done again.
        error: why it could not go on, as sentences.
    """
    return _move(conn, _held(claim), ScanState.WAITING, share=share, error=error)


def finish_scan(conn: Connection, claim: ClaimedScan) -> bool:
    """Note that a scan is done; its result belongs into the same transaction."""
    return _move(conn, _held(claim), ScanState.DONE, share=1.0)


def fail_scan(conn: Connection, claim: ClaimedScan, error: str) -> bool:
    """Note that a scan broke off, and why."""
    return _move(conn, _held(claim), ScanState.FAILED, error=error)


def take_back_scans(conn: Connection, alive: Collection[str]) -> bool:
    """Have what a dead or silent worker ran wait for another one.

    Args:
        alive: names of the workers that are not dead.
    """
    lost = DuplicateScan.worker.not_in(alive) | (
        DuplicateScan.beat_at < ledger_now(conn) - SILENT_AFTER
    )
    which = (DuplicateScan.state == ScanState.RUNNING) & lost
    return _move(conn, which, ScanState.WAITING, share=0.0)


def scan_waits(conn: Connection) -> bool:
    """Whether any scan is to be done."""
    waiting = select(DuplicateScan.model_id).where(DuplicateScan.state == ScanState.WAITING)
    return conn.scalar(waiting.limit(1)) is not None


def _held(claim: ClaimedScan) -> ColumnElement[bool]:
    return (DuplicateScan.state == ScanState.RUNNING) & (DuplicateScan.token == claim.token)


def _move(conn: Connection, which: ColumnElement[bool], state: ScanState, **values: Any) -> bool:
    ended_at = None if state is ScanState.WAITING else ledger_now(conn)
    values |= {"state": state.value, "ended_at": ended_at, "worker": None, "token": None}
    return _change(conn, which, **values)


def _change(conn: Connection, which: ColumnElement[bool], **values: Any) -> bool:
    return bool(conn.execute(update(DuplicateScan).where(which).values(values)).rowcount)
