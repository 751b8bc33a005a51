"""How soon the first vector is there after a click on Start, with a ViT-B/32."""

from __future__ import annotations

import asyncio
import statistics
import time
from pathlib import Path

from program import progress_of, running_program, start_session, until, until_done
from random_model import random_model
from surroundings import drawn_pictures, empty_data_folder

from app.services.backend import Backend

ROUNDS = 3
FIRST, COLD, WARM = 24, 32, 40
"""Pictures of the sessions; those of each number differ from all others."""


def first_vector_cold_seconds() -> tuple[float, float]:
    """From Start to the first stored vector, the medians of some rounds.

    Returns:
        with a worker that has just said that it is ready, on a computer where this model ran
        before; and in the session after that.
    """
    model = random_model()
    with empty_data_folder():
        asyncio.run(_measure_the_model(model))
        rounds = [asyncio.run(_open_and_start(model, number)) for number in range(ROUNDS)]
    cold, warm = zip(*rounds, strict=True)
    return statistics.median(cold), statistics.median(warm)


async def _measure_the_model(model: Path) -> None:
    async with running_program() as backend:
        await until_done(backend, await start_session(backend, drawn_pictures(FIRST), str(model)))


async def _open_and_start(model: Path, number: int) -> tuple[float, float]:
    async with running_program() as backend:
        cold = await _seconds(backend, drawn_pictures(COLD + number), model)
        return cold, await _seconds(backend, drawn_pictures(WARM + number), model)


async def _seconds(backend: Backend, folder: Path, model: Path) -> float:
    began = time.perf_counter()
    session_id = await start_session(backend, folder, str(model))

    async def stored() -> bool:
        return (await progress_of(backend, session_id)).jobsSummary.completed > 0

    await until(stored, every_s=0.01)
    seconds = time.perf_counter() - began
    await until_done(backend, session_id)
    return seconds


if __name__ == "__main__":
    print(first_vector_cold_seconds())
