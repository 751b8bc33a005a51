"""Which sessions the worker is to update by itself."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from app.api.update_schemas import UpdateSummary
from app.db.clock import ledger_now
from app.db.engine import get_sync_engine
from app.db.models import SessionStatus, TrainingSession

SILENT_AFTER = timedelta(seconds=60)
"""A walk with work that gave no sign of life for so long has broken off."""


def due_sessions() -> list[int]:
    """Sessions whose next update by schedule is due, or whose last update broke off."""
    table = TrainingSession
    hours = table.config["update_every_hours"].as_integer()
    columns = table.id, table.status, table.discovered_at, table.discovery_beat_at
    with get_sync_engine().connect() as conn:
        rows = conn.execute(
            select(*columns, table.last_update, hours.label("hours")).where(
                ((table.status == SessionStatus.COMPLETED) & (hours > 0))
                | ((table.status == SessionStatus.RUNNING) & table.discovered_at.is_(None))
            )
        ).all()
        now = ledger_now(conn)
    return [row.id for row in rows if _is_due(row, now)]


def _is_due(row: Any, now: datetime) -> bool:
    last = UpdateSummary.model_validate(row.last_update) if row.last_update else None
    if row.status == SessionStatus.RUNNING:  # a first walk goes on where it was asked for
        beat = row.discovery_beat_at
        return last is not None and beat is not None and now - beat > SILENT_AFTER
    ended = last.at if last is not None else None
    looked = [moment for moment in (row.discovered_at, ended) if moment is not None]
    return not looked or now - max(looked) >= timedelta(hours=row.hours)
