"""Sessions of the whole program: pictures for them, and how far they are."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from drawing import Scene, draw, random_scene

from app.api.training_schemas import LedgerReport, TrainingProgress
from app.config import get_settings
from app.db.engine import get_sync_session
from app.db.models import TrainingSession
from app.runtime.supervisor import Supervisor
from app.services.backend import Backend
from app.vectors.factory import open_store
from app.worker.context import context
from app.worker.maintenance.ledger_check import verify_ledger


def draw_pictures(folder: Path, number: int, seed: str) -> list[Scene]:
    """Fill a folder with drawn pictures; what they show."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random(seed)
    scenes = [random_scene(rng) for _ in range(number)]
    for index, scene in enumerate(scenes):
        draw(scene, 96).save(folder / f"{index:05}.jpg")
    return scenes


async def until(
    condition: Callable[[], Awaitable[bool]], within: float = 90.0, every: float = 0.1
) -> None:
    """Wait until ``condition`` holds, and fail after ``within`` seconds."""
    deadline = time.monotonic() + within
    while not await condition():
        assert time.monotonic() < deadline, "it took too long"
        await asyncio.sleep(every)


async def progress_of(backend: Backend, session_id: int) -> TrainingProgress:
    async with backend.db() as db:
        return await backend.training.get_session_progress(db, session_id)


async def finished(backend: Backend, session_id: int, within: float = 120.0) -> TrainingProgress:
    """Wait for the end of a session."""

    def status() -> str:  # the whole progress takes ten times as much of the processor
        with get_sync_session() as db:
            return db.get_one(TrainingSession, session_id).status

    async def done() -> bool:
        return await asyncio.to_thread(status) not in ("pending", "running")

    await until(done, within)
    return await progress_of(backend, session_id)


@asynccontextmanager
async def worker_beside() -> AsyncIterator[None]:
    """Somebody else's worker, as that of an open window, which takes the work of commands."""
    runtime = Supervisor(lambda name: None)
    runtime.start()

    async def ready() -> bool:
        return runtime.status().worker == "ready"

    try:
        await until(ready)
        yield
    finally:
        await asyncio.to_thread(runtime.stop)


def verify_with_own_store() -> LedgerReport:
    """Check the ledger from this process; no worker may own the store."""
    store = open_store(get_settings())
    try:
        return verify_ledger(store)
    finally:
        store.close()
        context.cache_clear()
