"""The group ``speed``: a whole session beside the hardware's limit and beside the plain way."""

from __future__ import annotations

import asyncio
import os
import shutil
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
from bare_loops import decode_cpu_seconds, forward_cpu_seconds
from figures import Figure, Target
from peer import PeerMissingError, ahead_of_peer
from photographs import photographs
from plain_way import plain_seconds
from program import progress_of, running_program, start_session, until, until_done
from random_model import random_model
from slow_disk import slow_disk
from surroundings import drawn_pictures, empty_data_folder, peak_mb

from app.api.training_schemas import TrainingProgress
from app.services.backend import Backend

WARM_UP_PICTURES = 200
ROUNDS = 3


@dataclass(frozen=True, slots=True)
class _Session:
    pictures_per_second: float
    read_ms: int
    pause_s: float
    worker_peak_mb: float
    shares: dict[str, float]
    """Of each stage in the time that the stages were busy."""


def measure() -> list[Figure]:
    """All figures of the group: the medians of some rounds, each with all that it compares."""
    files, model = sorted(photographs().iterdir()), random_model()
    rounds = [_round(files, model) for _ in range(ROUNDS)]
    targets = {
        "roofline_ratio": Target("≥", 0.92),
        "vs_plain_way": Target("≥", 9),
        "slow_disk_ratio": Target("≥", 0.9),
    }
    figures = [
        Figure(name, statistics.median(found[name] for found in rounds), targets.get(name))
        for name in rounds[0]
    ]
    return figures + _beside_the_peer()


def _beside_the_peer() -> list[Figure]:
    try:
        ahead = ahead_of_peer()
    except PeerMissingError as error:
        print(f"rclip cannot be installed, so vs_best_peer_* is left out: {error}", file=sys.stderr)
        return []
    targets = {"small": 2.0, "large": 2.0, "first_100": 1.3}
    return [
        Figure(f"vs_best_peer_{name}", times, Target("≥", targets[name]))
        for name, times in ahead.items()
    ]


def _round(files: list[Path], model: Path) -> dict[str, float]:
    decode, forwards = decode_cpu_seconds(files), forward_cpu_seconds(model)
    forward = min(forwards.values())
    limit = (os.cpu_count() or 1) / (decode + forward)
    with empty_data_folder() as folder:
        session = asyncio.run(_session(files, model, folder))
    with empty_data_folder() as folder, slow_disk(folder):
        slow = asyncio.run(_slow_session(files, model))
    if slow.stageTimes.readMs <= session.read_ms:
        raise RuntimeError("the slow disk was not slow: files are read elsewhere by now")
    with empty_data_folder():
        plain = 1 / plain_seconds(files, model)
    return {
        "roofline_ratio": session.pictures_per_second / limit,
        "vs_plain_way": session.pictures_per_second / plain,
        "slow_disk_ratio": len(files) / slow.activeSeconds / session.pictures_per_second,
        "pictures_per_second": session.pictures_per_second,
        "roofline_pictures_per_second": limit,
        "plain_pictures_per_second": plain,
        "decode_cpu_ms": 1000 * decode,
        "forward_cpu_ms": 1000 * forward,
        **{f"forward_cpu_ms_{precision}": 1000 * one for precision, one in forwards.items()},
        "read_share": session.shares["readMs"],
        "decode_share": session.shares["decodeMs"],
        "embed_share": session.shares["embedMs"],
        "store_share": session.shares["storeMs"],
        "pause_s": session.pause_s,
        "worker_peak_mb": session.worker_peak_mb,
    }


async def _session(files: list[Path], model: Path, folder: Path) -> _Session:
    async with running_program() as backend:
        done = await _indexed(backend, files, model)
        peak = _worker_peak_mb()
        again = folder / "again"
        copy_with_new_content(files, again)
        pause = await _pause_time(backend, again, model, len(files))
    stages = done.stageTimes.model_dump()
    shares = {name: ms / sum(stages.values()) for name, ms in stages.items()}
    return _Session(len(files) / done.activeSeconds, stages["readMs"], pause, peak, shares)


async def _slow_session(files: list[Path], model: Path) -> TrainingProgress:
    async with running_program() as backend:
        return await _indexed(backend, files, model)


async def _indexed(backend: Backend, files: list[Path], model: Path) -> TrainingProgress:
    """How a session over these files ended, with the model loaded and the store open before."""
    warm_up = await start_session(backend, drawn_pictures(WARM_UP_PICTURES), str(model))
    await until_done(backend, warm_up)
    return await until_done(backend, await start_session(backend, files[0].parent, str(model)))


async def _pause_time(backend: Backend, folder: Path, model: Path, number: int) -> float:
    """Seconds from the click on Pause until no picture is in work any more."""
    session_id = await start_session(backend, folder, str(model))

    async def half_done() -> bool:
        return (await progress_of(backend, session_id)).jobsSummary.completed > number / 2

    async def stopped() -> bool:
        return (await progress_of(backend, session_id)).jobsSummary.running == 0

    await until(half_done)
    began = time.perf_counter()
    async with backend.db() as db:
        await backend.training.pause(db, session_id)
    await until(stopped, every_s=0.01)
    return time.perf_counter() - began


def copy_with_new_content(files: list[Path], folder: Path) -> None:
    """The same pictures with other bytes behind their end, so that no vector is reused."""
    folder.mkdir()
    for file in files:
        target = folder / file.name
        shutil.copyfile(file, target)
        with target.open("ab") as end:
            end.write(b"again")


def _worker_peak_mb() -> float:
    """The largest resident size of the worker so far, in megabytes of 10⁶ bytes."""
    for child in psutil.Process().children(recursive=True):
        if "worker" in child.cmdline():
            return peak_mb(child.pid)
    raise RuntimeError("there is no worker")
