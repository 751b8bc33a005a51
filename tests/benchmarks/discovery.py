"""How fast 100,000 files get into the ledger, and how soon the first vector is there."""

from __future__ import annotations

import asyncio
import itertools
import os
import subprocess
import sys
import time
from pathlib import Path

from many_files import ROUNDS, listing_seconds, many_files
from program import progress_of, running_program, start_session, until, until_done
from surroundings import drawn_pictures, empty_data_folder, peak_mb

from app.api.training_schemas import TrainingSessionCreate
from app.db.migrate import migrate
from app.scan.discovery import take_steps
from app.scan.session_walk import STARTED, SessionWalk
from app.services.backend import Backend

FILES = 100_000
FOLDERS = 500
DIFFERENT = 2_000


def discovery_ratio() -> tuple[float, float]:
    """Files a second with their rows written ÷ those of a bare walk; and files a second."""
    root = many_files(FILES)
    listing, rounds = listing_seconds(root), []
    for _ in range(ROUNDS):
        with empty_data_folder():
            migrate()
            rounds.append(asyncio.run(_seconds_to_discover(root)))
    return listing / min(rounds), FILES / min(rounds)


def peak_mb_of_discovery(files: int) -> float:
    """The most memory, in megabytes of 10⁶ bytes, of a process that discovers so many files."""
    root = many_files(files)
    with empty_data_folder():
        migrate()
        command = [sys.executable, str(Path(__file__)), str(root)]
        return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def first_vector_seconds() -> float:
    """From Start to the first stored vector in a folder of 100,000 pictures, the model loaded."""
    with empty_data_folder() as folder:
        root = folder / "pictures"
        _many_pictures(root)
        return asyncio.run(_first_vector(root))


async def _first_vector(root: Path) -> float:
    async with running_program() as backend:
        await until_done(backend, await start_session(backend, drawn_pictures(200)))
        async with backend.db() as db:
            data = TrainingSessionCreate(rootPath=str(root))
            session = await backend.training.create_session(db, data)

        async def stored() -> bool:
            return (await progress_of(backend, session.id)).jobsSummary.completed > 0

        began = time.perf_counter()
        start = asyncio.create_task(_start(backend, session.id))
        await until(stored, every_s=0.01)
        seconds = time.perf_counter() - began
        async with backend.db() as db:
            await backend.training.cancel(db, session.id)
        await start
    return seconds


async def _start(backend: Backend, session_id: int) -> None:
    async with backend.db() as db:
        await backend.training.enqueue_training(db, session_id)


async def _seconds_to_discover(root: Path) -> float:
    backend = Backend()
    async with backend.db() as db:
        session = await backend.training.create_session(
            db, TrainingSessionCreate(rootPath=str(root))
        )
    began = time.perf_counter()
    await take_steps(SessionWalk(session.id, STARTED))  # what Start does in the window
    seconds = time.perf_counter() - began
    from app.db.engine import get_async_engine

    await get_async_engine().dispose()
    get_async_engine.cache_clear()
    return seconds


def _many_pictures(root: Path) -> None:
    """Links to drawn pictures, as many in each folder: 100,000 files on little space."""
    drawn = sorted(path for path in drawn_pictures(DIFFERENT).rglob("*.jpg"))
    sources = itertools.cycle(drawn)
    for number in range(FOLDERS):
        folder = root / f"album {number:03}"
        folder.mkdir(parents=True)
        for index in range(FILES // FOLDERS):
            source = next(sources)
            target = folder / f"IMG_{index:05}.jpg"
            try:
                os.link(source, target)
            except OSError:  # the cache lies on another disk
                os.symlink(source, target)


if __name__ == "__main__":
    asyncio.run(_seconds_to_discover(Path(sys.argv[1])))
    print(peak_mb())
