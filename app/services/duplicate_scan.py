"""A scan for pictures that look alike: asked for, stopped, asked about.

What is to be done and how far it is stands in the ledger. The queue only wakes a worker: a job
that is lost is enqueued again with the next look at the ledger.
"""

from __future__ import annotations

from sqlalchemy import select

from app.api.library_schemas import ScanStatus
from app.db.clock import ledger_now
from app.db.duplicate_scans import SILENT_AFTER, request_scan, stop_scan
from app.db.engine import get_sync_engine, write_transaction
from app.db.models import DuplicateScan, EmbeddingModel
from app.db.statuses import ScanState
from app.errors import AppError
from app.queue.enqueue import enqueue_duplicate_scan

MEASURED = 0.0
"""In place of a threshold: the worker measures which one suits the model and its pictures."""


def start(model_id: int, threshold: float = MEASURED) -> None:
    """Have a worker look for pictures that look alike, unless that is to be done already.

    Args:
        threshold: the least cosine similarity, in [0.5, 1], or :data:`MEASURED`.

    Raises:
        AppError: the model was removed.
    """
    with write_transaction() as conn:
        if conn.scalar(select(EmbeddingModel.id).where(EmbeddingModel.id == model_id)) is None:
            raise AppError("This index was removed.", "Choose another one.")
        request_scan(conn, model_id, threshold)
    enqueue_duplicate_scan()


def stop(model_id: int) -> None:
    """End the scan, also one that is still waiting for its turn; the last result stays."""
    with write_transaction() as conn:
        stop_scan(conn, model_id)


def status(model_id: int) -> ScanStatus:
    """How far the scan is, or how and when the last one ended."""
    one = DuplicateScan
    with get_sync_engine().connect() as conn:
        silent = (one.state == ScanState.RUNNING) & (one.beat_at < ledger_now(conn) - SILENT_AFTER)
        query = select(one.state, one.share, one.ended_at, one.error, silent.label("silent"))
        row = conn.execute(query.where(one.model_id == model_id)).one_or_none()
    if row is None:
        return ScanStatus(state="never")
    if row.silent:  # its worker died, and there is no other one yet
        return ScanStatus(state="waiting")
    return ScanStatus(state=row.state, share=row.share, endedAt=row.ended_at, error=row.error)
