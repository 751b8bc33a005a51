"""Which workers are alive, from their heartbeats in the ledger."""

from __future__ import annotations

from datetime import timedelta

from app.db.models import WorkerRecord
from app.db.types import utc_now

BEAT_EVERY_S = 2.0
DEAD_AFTER = timedelta(seconds=20)


def is_alive(record: WorkerRecord) -> bool:
    """Not stopped, and a heartbeat lately."""
    return record.stopped_at is None and utc_now() - record.beat_at < DEAD_AFTER
