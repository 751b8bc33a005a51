"""A command that needs a worker: start one unless one runs, watch the session, end cleanly."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tqdm import tqdm

from app.api.training_schemas import StartResponse, TrainingProgress
from app.config import get_settings
from app.errors import AppError
from app.queue.reconcile import reconcile
from app.runtime.supervisor import Supervisor
from app.runtime.worker_process import is_worker_elsewhere
from app.services.backend import Backend

POLL_S = 0.3
WORKER_READY_WITHIN_S = 120


@asynccontextmanager
async def working(backend: Backend, *, wait_until_ready: bool = False) -> AsyncIterator[bool]:
    """Have a worker for the length of the block; True where it is somebody else's.

    Raises:
        AppError: no worker could be started.
    """
    if await _has_worker(backend):
        yield True
        return
    supervisor = Supervisor(lambda name: reconcile([name]))
    supervisor.start()
    try:
        await _until(supervisor, redis_only=not wait_until_ready)
        yield False
    finally:
        await asyncio.to_thread(supervisor.stop)


async def _has_worker(backend: Backend) -> bool:
    """Whether somebody else's worker runs; on the embedded store its lock says so at once."""
    if not get_settings().qdrant_url:
        return await asyncio.to_thread(is_worker_elsewhere)
    async with backend.db() as db:
        status = await backend.system.status(db)
    return any(worker.alive for worker in status.workers)


async def _until(supervisor: Supervisor, *, redis_only: bool) -> None:
    for _ in range(round(WORKER_READY_WITHIN_S / POLL_S)):
        status = supervisor.status()
        if "failed" in (status.redis, status.worker):
            raise AppError(status.message, "The log in the data folder says more.")
        if status.redis == "ready" and (redis_only or status.worker in ("ready", "elsewhere")):
            return
        await asyncio.sleep(POLL_S)
    raise AppError("The indexing process did not start in time.", "See its log.")


async def follow(
    backend: Backend,
    session_id: int,
    start: asyncio.Task[StartResponse] | None,
    *,
    show: bool,
) -> TrainingProgress:
    """Watch a session until it ends or is paused; Ctrl-C pauses it.

    Raises:
        AppError: it could not be started.
    """
    with tqdm(unit=" pictures", disable=not show, file=sys.stderr, dynamic_ncols=True) as bar:
        try:
            while True:
                if start is not None and start.done():
                    start.result()  # raises why it could not start
                progress = await _poll(backend, session_id)
                _draw(bar, progress)
                begun = start is None or start.done() or progress.status != "pending"
                if begun and progress.status not in ("pending", "running"):
                    return progress
                await asyncio.sleep(POLL_S)
        except asyncio.CancelledError:
            async with backend.db() as db:
                await backend.training.pause(db, session_id)
            tqdm.write(f"Paused. Go on with: resume {session_id}", file=sys.stderr)
            raise


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
