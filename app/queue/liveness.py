"""What workers are called, and which are alive, from their heartbeats in the ledger."""

from __future__ import annotations

import socket
from datetime import timedelta

from app.db.models import WorkerRecord
from app.db.types import utc_now

BEAT_EVERY_S = 2.0
LOCK_NAME = "worker.lock"
"""In the run folder; held by the one worker that an embedded vector store has room for."""
STATE_NAME = "worker.json"
"""In the run folder; the pid of a worker that is ready."""
DEAD_AFTER = timedelta(seconds=60)
"""Long, because a worker on a busy computer may be late; a parent that sees it end says so."""


def is_alive(record: WorkerRecord) -> bool:
    """Not stopped, and a heartbeat lately."""
    return record.stopped_at is None and utc_now() - record.beat_at < DEAD_AFTER


def worker_name(pid: int) -> str:
    """The name of the worker with this process id on this machine."""
    return f"{socket.gethostname()}-{pid}"
