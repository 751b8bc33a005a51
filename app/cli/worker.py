"""``worker``: serve the queues in this terminal, or as the child of a window."""

from __future__ import annotations

import json
import sys

from app.errors import AppError
from app.logs import set_up_logs
from app.queue.context import context
from app.queue.worker_main import WorkerElsewhereError, work_until_stopped
from app.runtime.parent_watch import watch_parent
from app.runtime.redis_server import ensure_redis, stop_redis

ELSEWHERE = 3
FAILED = 4


def run(*, child: bool) -> int:
    """Work until stopped; the exit code tells a supervising parent why it ended.

    Args:
        child: end when standard input does, and then end the embedded Redis too, because the
            parent that would have done it is gone.
    """
    set_up_logs("worker", to_terminal=not child)
    if child:
        watch_parent(context().stop.set)
    try:
        ensure_redis()
        work_until_stopped()
    except WorkerElsewhereError as error:
        if not child:
            raise
        print(error)
        return ELSEWHERE
    except AppError as error:
        if not child:
            raise
        print(json.dumps({"message": error.message, "hint": error.hint}), flush=True)
        return FAILED
    finally:
        if child and context().stop.is_set():
            stop_redis()
    sys.stdout.flush()
    return 0
