"""The queue functions of ``docs/training-system.md``: a worker does what they say."""

from __future__ import annotations

from collections.abc import Sequence

from app.queue.jobs import JobName, function_of


def train_session(session_id: int) -> dict[str, int]:
    """Work through a session until it is done, paused or cancelled.

    Returns:
        ``processed``, ``failed``, ``reused`` and ``batches``.
    """
    counts: dict[str, int] = function_of(JobName.TRAIN_SESSION)(session_id)
    return counts


def train_batch(session_id: int, asset_ids: Sequence[int], batch_num: int) -> dict[str, int]:
    """Work on these assets of a running session as one batch; ``batch_num`` is for the log."""
    counts: dict[str, int] = function_of(JobName.TRAIN_BATCH)(session_id, asset_ids, batch_num)
    return counts


def train_single_asset(job_id: int, asset_id: int, session_id: int) -> dict[str, int]:
    """A batch of one; ``job_id`` is for the log, the ledger knows the job by its asset."""
    counts: dict[str, int] = function_of(JobName.TRAIN_SINGLE_ASSET)(job_id, asset_id, session_id)
    return counts
