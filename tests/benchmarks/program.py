"""The program without its window: services in this process, queue and worker beside it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from app.api.training_schemas import TrainingProgress, TrainingSessionCreate
from app.db.migrate import migrate
from app.queue.reconcile import reconcile
from app.runtime.supervisor import Supervisor
from app.services.backend import Backend

LOOK_S = 0.05
POLL_S = 0.5
"""As often as the window: each look costs a little of what is measured."""
WITHIN_S = 900.0


async def until(condition: Callable[[], Awaitable[bool]], every_s: float = LOOK_S) -> None:
    """Wait for something that another process does.

    Raises:
        TimeoutError: it took too long.
    """
    deadline = time.monotonic() + WITHIN_S
    while not await condition():
        if time.monotonic() > deadline:
            raise TimeoutError("the program did not get there in time")
        await asyncio.sleep(every_s)


@asynccontextmanager
async def running_program() -> AsyncIterator[Backend]:
    """The services, with a worker that is ready."""
    await asyncio.to_thread(migrate)
    runtime = Supervisor(lambda name: reconcile([name]))
    runtime.start()
    try:

        async def ready() -> bool:
            return runtime.status().worker == "ready"

        await until(ready)
        yield Backend()
    finally:
        await asyncio.to_thread(runtime.stop)


async def start_session(backend: Backend, folder: Path, model: str | None = None) -> int:
    """Create and start a session over a folder; its id, once all its files are entered."""
    async with backend.db() as db:
        data = TrainingSessionCreate(rootPath=str(folder), model=model)
        session = await backend.training.create_session(db, data)
        await backend.training.enqueue_training(db, session.id)
        return session.id


async def progress_of(backend: Backend, session_id: int) -> TrainingProgress:
    async with backend.db() as db:
        return await backend.training.get_session_progress(db, session_id)


async def until_done(backend: Backend, session_id: int) -> TrainingProgress:
    """Wait for the end of a session.

    Raises:
        RuntimeError: it did not end well.
    """

    async def ended() -> bool:
        return (await progress_of(backend, session_id)).status not in ("pending", "running")

    await until(ended, POLL_S)
    progress = await progress_of(backend, session_id)
    if progress.status != "completed" or progress.jobsSummary.failed:
        raise RuntimeError(f"the session did not go well: {progress}")
    return progress
