"""A worker process, from its start to its end."""

from __future__ import annotations

import ctypes
import json
import logging
import os
import platform
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from filelock import FileLock, Timeout

from app.config import get_settings
from app.db.engine import write_transaction
from app.db.errors import DATABASE_ERRORS
from app.db.jobs import renew_leases
from app.db.liveness import LOCK_NAME, STATE_NAME, proof_of_life
from app.db.migrate import migrate
from app.db.reconcile import forget_old_workers, take_over
from app.engine.place import MISSING, find_engine, remove_others
from app.errors import AppError, first_line
from app.imports import importing
from app.locks import holders
from app.private_files import replace_file
from app.queue.queues import QUEUES
from app.queue.reconcile import reconcile
from app.worker.context import WorkerContext, context
from app.worker.loops import RECONCILE_EVERY_S, run_worker
from app.worker.maintenance.ledger_repair import repair_if_counts_differ

log = logging.getLogger(__name__)

LOCK_WITHIN_S = 0.5
"""Longer than somebody takes to look whether the lock is held."""


LOOK_ENDS_WITHIN_S = 0.3

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
"""Names of glibc's malloc.h, see mallopt(3)."""
KEPT_MEMORY = 256 * 2**20
"""Bytes that were given back and are kept for what is needed next."""


class WorkerElsewhereError(AppError):
    """Another process works on this data folder, whose store has room for one."""


def work_until_stopped() -> None:
    """Serve the queues until SIGTERM, SIGINT or ``context().stop``.

    Raises:
        WorkerElsewhereError: another worker owns the embedded vector store.
        AppError: the ledger or the store cannot be opened.
    """
    _keep_memory()
    worker = context()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop_on_signal)
    settings = get_settings()
    with proof_of_life(), _sole_owner():
        migrate()
        forget_old_workers()
        if not settings.qdrant_url:
            take_over(worker.name)
        sys.setswitchinterval(0.001)  # the vector engine holds the interpreter lock in every call
        if not settings.qdrant_url and (repaired := repair_if_counts_differ(worker.store)):
            log.warning("%d entries of ledger and vector store did not agree", repaired)
        worker.beat()
        _announce()
        threading.Thread(target=_warm_up, name="warm-up", daemon=True).start()
        print(f"Processing queues in order: {list(QUEUES)}", flush=True)
        looks = threading.Thread(
            target=_look_around, args=(worker.stop,), name="looks", daemon=True
        )
        looks.start()
        try:
            run_worker(worker.name, worker.stop, _Beat(worker))
        finally:
            worker.stop.set()
            looks.join(LOOK_ENDS_WITHIN_S)
            worker.close()
            worker.beat(stopped=True)
            (settings.run_dir / STATE_NAME).unlink(missing_ok=True)


def _keep_memory() -> None:
    """Use memory again instead of fetching it from the system anew, page by page.

    A model's layers give back what the next ones need, in large pieces: with glibc's own settings
    each batch costs a tenth more time of the processor.
    """
    if sys.platform == "linux" and platform.libc_ver()[0] == "glibc":
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_ARENA_MAX, 1)  # other arenas are too small for such pieces
        mallopt(_MMAP_THRESHOLD, 2**30)
        mallopt(_TRIM_THRESHOLD, KEPT_MEMORY)


def _stop_on_signal(_number: int, _frame: FrameType | None) -> None:
    context().stop.set()


@contextmanager
def _sole_owner() -> Iterator[None]:
    """Hold the lock on the embedded store's one place; a Qdrant server has room for many."""
    settings = get_settings()
    if settings.qdrant_url:
        yield
        return
    settings.run_dir.mkdir(parents=True, exist_ok=True)
    path = settings.run_dir / LOCK_NAME
    lock = FileLock(path, timeout=LOCK_WITHIN_S, fallback_to_soft=False)
    try:
        lock.acquire()
    except Timeout as error:
        raise WorkerElsewhereError(
            f"Another worker already uses the data folder {settings.data_dir}: {holders(path)}.",
            "End it, or set AFTERIMAGE_QDRANT_URL to a Qdrant server, which several workers can "
            "share.",
        ) from error
    try:
        yield
    finally:
        lock.release()


def _announce() -> None:
    """Tell whoever started this process that it is ready."""
    state = {"pid": os.getpid(), "name": context().name, "ready": True}
    path = get_settings().run_dir / STATE_NAME
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, json.dumps(state))


def _warm_up() -> None:
    """Import what the first picture needs while nothing else is to be done."""
    remove_others()
    if not find_engine():
        log.warning("%s", MISSING)
        return
    begin = time.perf_counter()
    with importing():
        import app.embedding.loading  # noqa: F401

    log.info("model library ready after %.1f s", time.perf_counter() - begin)


class _Beat:
    """A sign of life, for the worker and for every picture that it holds, whatever it does."""

    def __init__(self, worker: WorkerContext) -> None:
        self._worker = worker

    def __call__(self) -> None:
        self._worker.beat()
        with write_transaction() as conn:
            renew_leases(conn, self._worker.name)


def _look_around(stop: threading.Event) -> None:
    """See now and then whether everything is right; apart from the signs of life, as the queue may
    be slow to answer."""
    while not stop.is_set():
        try:
            reconcile()
        except DATABASE_ERRORS as error:
            log.warning("the ledger does not answer: %s", first_line(error))
        except Exception:  # whatever it is, the next look may get further
            log.exception("a look failed")
        stop.wait(RECONCILE_EVERY_S)
