"""Put everything right after a death, a power cut or a lost queue; cheap, done all the time.

The ledger's half is in :mod:`app.db.reconcile`; here workers are woken for what is left to do.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from redis.exceptions import RedisError

from app.db.engine import get_sync_engine
from app.db.reconcile import reconcile_ledger
from app.db.schedule import due_sessions
from app.db.vectors import any_broken_off, any_stale_payload
from app.errors import AppError
from app.queue.connection import get_redis
from app.queue.enqueue import (
    enqueue_duplicate_scan,
    enqueue_payload_refresh,
    enqueue_session_if_possible,
    enqueue_undo_of_broken_stores,
    enqueue_update,
)

log = logging.getLogger(__name__)


def reconcile(dead_workers: Sequence[str] = ()) -> None:
    """Take back what dead workers held, finish what is done, and wake workers for what is not.

    Args:
        dead_workers: workers that somebody saw end by themselves.
    """
    waiting = reconcile_ledger(dead_workers)
    if not _queue_answers():  # asked once, as each job would wait for its answer
        return
    for session_id in waiting:
        enqueue_session_if_possible(session_id)
    with get_sync_engine().connect() as conn:
        stale, broken_off = any_stale_payload(conn), any_broken_off(conn)
    if stale:
        enqueue_payload_refresh()
    if broken_off:
        enqueue_undo_of_broken_stores()
    enqueue_duplicate_scan()
    for session_id in due_sessions():
        enqueue_update(session_id)


def _queue_answers() -> bool:
    try:
        get_redis().ping()
    except (RedisError, AppError) as error:
        log.warning("no worker could be woken: %s", error)
        return False
    return True
