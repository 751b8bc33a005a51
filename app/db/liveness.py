"""What workers are called, and which are alive: by their signs of life in the ledger, and by proof.

A sign of life is judged by the ledger's own clock, so that machines whose clocks differ agree. A
worker that is silent may be asleep; that one is dead is proved by a lock that it held.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
import stat
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path

from filelock import FileLock, Timeout
from sqlalchemy import Connection, Select, select

from app.db.clock import ledger_now
from app.db.models import WorkerRecord

BEAT_EVERY_S = 2.0
LOCK_NAME = "worker.lock"
"""In the run folder; held by the one worker that an embedded vector store has room for."""
STATE_NAME = "worker.json"
"""In the run folder; pid and name of a worker that is ready."""
DEAD_AFTER = timedelta(seconds=60)
"""Long, because a worker on a busy computer may be late; whoever has proof need not wait."""
STEADY_WITHIN_S = 10.0
"""Two clocks that went so differently between two looks did not both go on."""
FORGOTTEN_AFTER = timedelta(days=7)

log = logging.getLogger(__name__)


@lru_cache(maxsize=1)
def process_name() -> str:
    """What this process is called. No other one is, on this machine or another, now or later: a
    process id comes again, in a container soon."""
    return f"{socket.gethostname()[:40]}-{secrets.token_hex(6)}"


def is_alive(record: WorkerRecord, now: datetime) -> bool:
    """Not stopped, and a heartbeat lately.

    Args:
        now: by the ledger's clock.
    """
    return record.stopped_at is None and now - record.beat_at < DEAD_AFTER


def alive_workers(conn: Connection) -> set[str]:
    """The names of all workers that are alive."""
    names: Iterable[str] = conn.scalars(
        _running().where(WorkerRecord.beat_at > ledger_now(conn) - DEAD_AFTER)
    )
    return {name for name in names if not has_died(name)}


def silent_workers(conn: Connection) -> set[str]:
    """The names of those that have given no sign of life for long, and did not say goodbye."""
    return set(
        conn.scalars(_running().where(WorkerRecord.beat_at <= ledger_now(conn) - DEAD_AFTER))
    )


def _running() -> Select[str]:
    return select(WorkerRecord.name).where(WorkerRecord.stopped_at.is_(None))


class SteadyClock:
    """Tells whether the ledger's clock went on as this process's own.

    After a computer slept, or when somebody sets its clock, all signs of life look old at once;
    those who are alive give another one within seconds.
    """

    def __init__(self) -> None:
        self._before: tuple[datetime, float] | None = None
        self._doubtful_until = 0.0

    def is_steady(self, now: datetime) -> bool:
        """Whether signs of life may be judged by ``now``, the ledger's clock; ask at each look."""
        own = time.monotonic()
        if self._before is not None:
            went = (now - self._before[0]).total_seconds() - (own - self._before[1])
            if abs(went) > STEADY_WITHIN_S:
                self._doubtful_until = own + DEAD_AFTER.total_seconds() / 2
        self._before = now, own
        return own >= self._doubtful_until


# --- proof --------------------------------------------------------------------------------------


@contextmanager
def proof_of_life() -> Iterator[None]:
    """Hold this process's lock, which every process of this user on this machine can try."""
    path = _proof(process_name())
    lock = FileLock(path, timeout=0, fallback_to_soft=False, thread_local=False)
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        if not _is_ours(path.parent):
            raise PermissionError(f"{path.parent} belongs to another user")
        lock.acquire()
    except (OSError, Timeout) as error:  # without proof, others wait until it is silent for long
        log.warning("no proof of life: %s", error)
        yield
        return
    try:
        yield
    finally:
        path.unlink(missing_ok=True)  # while it is held, so that it is never taken for a dead one's
        lock.release()


def has_died(name: str) -> bool:
    """Whether this process is known to have died on this machine: the system let go of its lock."""
    path = _proof(name)
    # no file: it ended as it should, or runs elsewhere
    if name == process_name() or not path.is_file() or not _is_ours(path.parent):
        return False
    try:
        with FileLock(path, timeout=0, fallback_to_soft=False):
            return True
    except (OSError, Timeout):
        return False


def forget_proof(name: str) -> None:
    """Remove what :func:`has_died` looks at, once what the process held is taken back."""
    _proof(name).unlink(missing_ok=True)


def _proof(name: str) -> Path:
    """A file in a folder that every process of this user on this machine finds, and no other."""
    user = str(os.getuid()) if sys.platform != "win32" else "workers"
    return Path(tempfile.gettempdir()) / f"afterimage-{user}" / f"{name}.lock"


def _is_ours(folder: Path) -> bool:
    """Everybody may put things into the folder for temporary files, links to our files too."""
    if sys.platform == "win32":
        return True  # there it is the user's own
    found = folder.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077
