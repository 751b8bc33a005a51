"""``worker``: serve the queues in this terminal, or as the child of a window."""

from __future__ import annotations

import json
import logging
import os
import sys
import threading

import psutil

from app.db.errors import DATABASE_ERRORS, ledger_error
from app.db.reconcile import release
from app.errors import AppError
from app.logs import log_app_error, log_unforeseen, set_up_logs
from app.runtime.ending import END_WITHIN_S, end_queue_server, leave, leave_within
from app.runtime.parent_watch import ParentWatch
from app.runtime.redis_server import ensure_redis
from app.runtime.supervisor import TICK_S, QueueWatch
from app.runtime.worker_process import EXIT_ELSEWHERE, EXIT_FAILED
from app.worker.context import context
from app.worker.serving import WorkerElsewhereError, work_until_stopped

log = logging.getLogger(__name__)

NICENESS = 10
"""How far behind other processes a worker in the background stands; 0 is not, 19 is most."""
LET_GO_WITHIN_S = 0.6


def run(parent: ParentWatch | None) -> int:
    """Work until stopped, or until the parent is gone; the exit code tells it why this ended."""
    child = parent is not None
    # Before torch is loaded: its idle threads sleep instead of spinning on cores that decode.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    set_up_logs("worker", to_terminal=not child)
    stop = context().stop  # made here: two threads at once would make two of it
    threading.Thread(target=_end_in_time, args=(stop,), name="ending", daemon=True).start()
    if parent is not None:
        _stay_behind()
        parent.then(stop.set)
    try:
        code = _work(child)
    except AppError as error:
        if not child:
            raise
        log_app_error(error)
        print(json.dumps({"message": error.message, "hint": error.hint}), flush=True)
        code = EXIT_ELSEWHERE if isinstance(error, WorkerElsewhereError) else EXIT_FAILED
    finally:
        end_queue_server(LET_GO_WITHIN_S)
    leave(code)  # the model's libraries take their time to be taken down


def _work(child: bool) -> int:
    try:
        ensure_redis()
        if not child:  # nobody else looks after the queue's server
            threading.Thread(target=_keep_queue, name="queue-watch", daemon=True).start()
        work_until_stopped()
    except DATABASE_ERRORS as error:
        raise ledger_error(error) or log_unforeseen(error) from error
    return 0


def _keep_queue() -> None:
    watch, stop = QueueWatch(), context().stop
    while not stop.wait(TICK_S):
        try:
            watch.look()
        except Exception:  # whatever it was, the next look may go well
            log.exception("the queue server could not be looked after")


def _end_in_time(stop: threading.Event) -> None:
    """Once told to stop, end also where a picture, the store or a server keeps the process."""
    stop.wait()
    leave_within(END_WITHIN_S, 0, _let_go, LET_GO_WITHIN_S)


def _let_go() -> None:
    """What a worker owes to others that cannot end in order."""
    threading.Thread(target=release, args=(context().name,), daemon=True).start()
    end_queue_server(LET_GO_WITHIN_S)


def _stay_behind() -> None:
    """Let whatever a person is doing on this computer go first, the window included."""
    if sys.platform == "win32":
        psutil.Process().nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
    else:
        os.nice(NICENESS)
