"""``worker``: serve the queues in this terminal, or as the child of a window."""

from __future__ import annotations

import json
import os
import sys

import psutil

from app.errors import AppError
from app.logs import set_up_logs
from app.queue.context import context
from app.queue.worker_main import WorkerElsewhereError, work_until_stopped
from app.runtime.parent_watch import watch_parent
from app.runtime.redis_server import ensure_redis, stop_redis
from app.runtime.worker_process import EXIT_ELSEWHERE, EXIT_FAILED

NICENESS = 10
"""How far behind other processes a worker in the background stands; 0 is not, 19 is most."""


def run(*, child: bool) -> int:
    """Work until stopped; the exit code tells a supervising parent why it ended.

    Args:
        child: end when standard input does, because then the parent is gone.
    """
    # Before torch is loaded: its idle threads sleep instead of spinning on cores that decode.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    set_up_logs("worker", to_terminal=not child)
    if child:
        _stay_behind()
        watch_parent(context().stop.set)
    try:
        ensure_redis()
        work_until_stopped()
    except AppError as error:
        if not child:
            raise
        print(json.dumps({"message": error.message, "hint": error.hint}), flush=True)
        return EXIT_ELSEWHERE if isinstance(error, WorkerElsewhereError) else EXIT_FAILED
    finally:
        stop_redis()
    return 0


def _stay_behind() -> None:
    """Let whatever a person is doing on this computer go first, the window included."""
    if sys.platform == "win32":
        psutil.Process().nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
    else:
        os.nice(NICENESS)
