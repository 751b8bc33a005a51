"""The whole program without its window: real Redis, real worker process, real store and model."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import psutil
import pytest
from drawing import Scene, draw, random_scene
from ledgers import fresh_ledger

from app.api.training_schemas import LedgerReport, TrainingProgress
from app.db.engine import close_engines
from app.queue.reconcile import reconcile
from app.runtime.supervisor import Supervisor
from app.services.backend import Backend
from app.vectors.factory import open_store
from app.worker.context import context
from app.worker.maintenance.ledger_check import verify_ledger


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder ``pictures`` with ``vacation`` and ``family``, twenty drawn pictures each."""
    root = tmp_path / "pictures"
    for folder in ("vacation", "family"):
        draw_pictures(root / folder, 20, seed=folder)
    return root


def draw_pictures(folder: Path, number: int, seed: str) -> list[Scene]:
    """Fill a folder with drawn pictures; what they show."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random(seed)
    scenes = [random_scene(rng) for _ in range(number)]
    for index, scene in enumerate(scenes):
        draw(scene, 96).save(folder / f"{index:05}.jpg")
    return scenes


@pytest.fixture
async def backend() -> AsyncIterator[Backend]:
    """The services on a fresh ledger."""
    fresh_ledger()
    yield Backend()
    await close_engines()


@pytest.fixture
def supervisor(backend: Backend) -> Iterator[Supervisor]:
    """Redis and a worker process, which are gone afterwards."""
    runtime = Supervisor(lambda name: reconcile([name]))
    runtime.start()
    yield runtime
    runtime.stop()
    left = psutil.Process().children(recursive=True)
    assert not [process for process in left if process.status() != psutil.STATUS_ZOMBIE]


async def until(
    condition: Callable[[], Awaitable[bool]], within: float = 90.0, every: float = 0.05
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

    async def done() -> bool:
        progress = await progress_of(backend, session_id)
        return progress.status not in ("pending", "running")

    await until(done, within)
    return await progress_of(backend, session_id)


def verify_with_own_store() -> LedgerReport:
    """Check the ledger from this process; no worker may own the store."""
    from app.config import get_settings

    store = open_store(get_settings())
    try:
        return verify_ledger(store)
    finally:
        store.close()
        context.cache_clear()
