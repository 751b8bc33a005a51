"""The jobs of ``docs/training-system.md``: thin, ids in, counts out."""

from __future__ import annotations

from collections.abc import Sequence

from rq import get_current_job

from app.config import get_settings
from app.logs import log_context
from app.queue.enqueue import enqueue_successor
from app.worker.context import context
from app.worker.indexing.run import SessionRun

SHARE_OF_TIMEOUT = 0.9
"""After this share of its time a job hands the session over to a successor."""


def train_session(session_id: int) -> dict[str, int]:
    """Work through a session until it is done, paused or cancelled.

    Returns:
        ``processed``, ``failed``, ``reused`` and ``batches``.
    """
    job = get_current_job()
    timeout = (job.timeout if job is not None else None) or get_settings().job_timeout
    seconds = timeout * SHARE_OF_TIMEOUT if timeout > 0 else float("inf")
    with log_context(session=session_id, job=job.id if job else "-"):
        run = SessionRun(session_id, context(), seconds)
        counts = run.run()
        if run.out_of_time:
            enqueue_successor(session_id)
        return counts


def train_batch(session_id: int, asset_ids: Sequence[int], batch_num: int) -> dict[str, int]:
    """Work on these assets of a running session as one batch; ``batch_num`` is for the log."""
    with log_context(session=session_id, batch=batch_num):
        return SessionRun(session_id, context()).run_batch(asset_ids)


def train_single_asset(job_id: int, asset_id: int, session_id: int) -> dict[str, int]:
    """A batch of one; ``job_id`` is for the log, the ledger knows the job by its asset."""
    with log_context(session=session_id, job=job_id):
        return SessionRun(session_id, context()).run_batch([asset_id])
