"""A command that needs a worker: see to it that one runs, watch the session, end cleanly."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from tqdm import tqdm

from app.api.training_schemas import StartResponse, TrainingProgress
from app.config import get_settings
from app.db.engine import get_sync_engine
from app.db.errors import LedgerError
from app.db.liveness import alive_workers
from app.errors import AppError
from app.queue.reconcile import reconcile
from app.runtime.supervisor import RuntimeStatus, Supervisor
from app.runtime.worker_process import is_worker_elsewhere
from app.services.backend import Backend

POLL_S = 0.3
WORKER_READY_WITHIN_S = 120
GIVE_UP_AFTER_S = 90.0
"""So long a command waits for a worker that fails, or a ledger that is away, before it ends."""
PAUSED_WITHIN_S = 0.3

Start = Callable[[], Awaitable[StartResponse]]


@asynccontextmanager
async def working(*, wait_until_ready: bool = False) -> AsyncIterator[Supervisor]:
    """See to it that a worker runs for the length of the block.

    While somebody else's does the work, it is left to that one; once that one is gone, because
    its window or its command has ended, one is started here.

    Raises:
        AppError: no worker could be started.
    """
    supervisor = Supervisor(lambda name: reconcile([name]), is_elsewhere=_is_elsewhere)
    supervisor.start()
    try:
        await _until(supervisor, redis_only=not wait_until_ready)
        yield supervisor
    finally:
        # not in the loop's threads: they may all be stuck on a disk that is away
        supervisor.stop()


def _is_elsewhere() -> bool:
    """Whether somebody else's worker runs; on the embedded store its lock says so at once."""
    if not get_settings().qdrant_url:
        return is_worker_elsewhere()
    with get_sync_engine().connect() as conn:
        return bool(alive_workers(conn))


async def _until(supervisor: Supervisor, *, redis_only: bool) -> None:
    waited = Waiting(supervisor)
    for _ in range(round(WORKER_READY_WITHIN_S / POLL_S)):
        status = supervisor.status()
        if "failed" in (status.redis, status.worker):
            raise AppError(status.message, "See the log in the data folder.")
        ready = status.worker in ("ready", "elsewhere")
        begun = ready or status.worker_pid is not None
        if status.redis == "ready" and (begun if redis_only else ready):
            return
        waited.report()
        await asyncio.sleep(POLL_S / 3)
    raise AppError("The indexing process did not start in time.", "See its log.")


class Waiting:
    """Says on the terminal what keeps a command waiting, each thing once."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._reported = ""
        self._since: float | None = None

    def report(self, problem: AppError | None = None) -> None:
        """Look at how it is now.

        Args:
            problem: what went wrong at this look, and may go well at the next.

        Raises:
            AppError: the problem, or that no worker starts, where it has stayed for too long.
        """
        status = self._supervisor.status()
        if problem is None and "failed" in (status.redis, status.worker):
            problem = AppError(status.message, "See the log in the data folder.")
        if problem is None:
            self._since = None
        elif self._since is None:
            self._since = time.monotonic()
        elif time.monotonic() - self._since > GIVE_UP_AFTER_S:
            raise problem
        sentence = problem.message if problem is not None else _sentence(status)
        if sentence and sentence != self._reported:
            tqdm.write(sentence, file=sys.stderr)
        self._reported = sentence


def _sentence(status: RuntimeStatus) -> str:
    """What the processes are doing, without the seconds that are counted down."""
    if status.worker == "starting" and status.worker_pid is None:
        return ""  # whether one has to be started here is not known yet
    return status.message.partition(" It starts again in")[0]


async def follow(
    backend: Backend,
    session_id: int,
    supervisor: Supervisor,
    start: Start | None = None,
    *,
    show: bool,
) -> TrainingProgress:
    """Watch a session until it ends or is paused; Ctrl-C pauses it.

    Args:
        start: called to begin with, and again where the ledger was away meanwhile.

    Raises:
        AppError: it could not be started, or what it needs has been away for too long.
    """
    waiting = Waiting(supervisor)
    begin = asyncio.ensure_future(start()) if start is not None else None
    with tqdm(unit=" pictures", disable=not show, file=sys.stderr, dynamic_ncols=True) as bar:
        try:
            while True:
                problem = None
                try:
                    if begin is not None and begin.done():
                        begin.result()  # raises why it could not start
                    progress = await _poll(backend, session_id)
                    _draw(bar, progress)
                    begun = begin is None or begin.done() or progress.status != "pending"
                    if begun and progress.status not in ("pending", "running"):
                        return progress
                except LedgerError as error:
                    if not error.transient:
                        raise
                    problem = error
                    if start is not None and begin is not None and _has_failed(begin):
                        begin = asyncio.ensure_future(start())
                waiting.report(problem)
                await asyncio.sleep(POLL_S)
        except asyncio.CancelledError:
            if begin is not None:
                begin.cancel()
            await _pause(backend, session_id)
            raise
        finally:
            if begin is not None:
                await asyncio.gather(begin, return_exceptions=True)


def _has_failed(task: asyncio.Future[StartResponse]) -> bool:
    return task.done() and not task.cancelled() and task.exception() is not None


async def _pause(backend: Backend, session_id: int) -> None:
    """Pause, unless the ledger takes longer than somebody who quits wants to wait."""

    async def pause() -> None:
        async with backend.db() as db:
            await backend.training.pause(db, session_id)

    pausing = asyncio.ensure_future(pause())
    # not wait_for, which also waits for a cancelled write to give up its lock
    await asyncio.wait({pausing}, timeout=PAUSED_WITHIN_S)
    pausing.cancel()
    try:
        pausing.result()
    except (AppError, asyncio.InvalidStateError):  # refused, or not yet done
        tqdm.write(f"Stopped. Continue with: start {session_id}", file=sys.stderr)
    else:
        tqdm.write(f"Paused. Continue with: resume {session_id}", file=sys.stderr)


async def _poll(backend: Backend, session_id: int) -> TrainingProgress:
    async with backend.db() as db:
        return await backend.training.get_session_progress(db, session_id)


def _draw(bar: tqdm, progress: TrainingProgress) -> None:
    bar.total = progress.progress.total or None
    doing = "Counting" if progress.discovering else progress.name
    bar.set_description(progress.waitingFor or doing, refresh=False)
    if failed := progress.jobsSummary.failed:
        bar.set_postfix_str(f"{failed:,} failed", refresh=False)
    bar.update(progress.progress.current - bar.n)
    bar.refresh()
