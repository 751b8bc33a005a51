"""What a thousand pictures cost when the ledger and the store hold ever more.

The model is replaced by one that answers at once, so that what is left is the program's own work:
claim, read, decode, store, settle.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from program import running_program
from sqlalchemy import Integer, String, cast, insert, literal, select, update
from surroundings import HERE, drawn_pictures, empty_data_folder

from app.api.training_schemas import TrainingSessionCreate
from app.config import BUILTIN_MODEL, get_settings
from app.db.engine import write_transaction
from app.db.migrate import migrate
from app.db.models import (
    AssetVector,
    EmbeddingModel,
    ImageAsset,
    JobStatus,
    SessionStatus,
    TrainingEvidence,
    TrainingJob,
    TrainingSession,
)
from app.services.asset_discovery import AssetDiscoveryService
from app.services.backend import Backend
from app.vectors.embedded import EmbeddedStore
from app.vectors.protocol import VectorPoint
from app.worker.context import WorkerContext, context
from app.worker.indexing.run import SessionRun

sys.path.append(str(HERE.parent))

from instant_model import DIMENSION, InstantModel, unit_vectors

PICTURES = 3_000
AT_ONCE = 10_000
FIRST_ID = 10_000_000
"""Ids of what is there already begin behind those of the pictures that are worked on."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What ``rows`` pictures that were indexed before cost those who come after them."""

    per_thousand_s: float
    """Seconds for 1,000 pictures of a session."""
    start_up_s: float
    """Seconds from the start of queue and worker until they take work."""


def cost(rows: int) -> Cost:
    """Index some pictures with ``rows`` pictures in ledger and store, then start the program."""
    pictures = drawn_pictures(PICTURES)
    with empty_data_folder():
        migrate()
        _enter(rows)
        _fill(rows)
        session_id = asyncio.run(_discover(pictures))
        with patch.object(WorkerContext, "encoder", lambda *_: InstantModel()):
            context().store.count(InstantModel.collection)  # opened, as the model is loaded
            os.sync()  # the disk is done with what was filled in before
            began = time.perf_counter()
            counts = SessionRun(session_id, context()).run()
            seconds = time.perf_counter() - began
        context().close()
        context.cache_clear()
        start_up = asyncio.run(_start_up_seconds())
        if counts["processed"] != PICTURES or counts["failed"]:
            raise RuntimeError(f"the session did not go well: {counts}")
        return Cost(1000 * seconds / PICTURES, start_up)


async def _start_up_seconds() -> float:
    began = time.perf_counter()
    async with running_program():
        return time.perf_counter() - began


async def _discover(folder: Path) -> int:
    """Enter the pictures of a running session; no worker is called."""
    backend = Backend()
    async with backend.db() as db:
        data = TrainingSessionCreate(rootPath=str(folder), model=BUILTIN_MODEL)
        session = await backend.training.create_session(db, data)
        await AssetDiscoveryService().discover_assets(db, session.id)
    with write_transaction() as conn:
        conn.execute(
            update(TrainingSession)
            .where(TrainingSession.id == session.id)
            .values(status=SessionStatus.RUNNING)
        )
    from app.db.engine import get_async_engine

    await get_async_engine().dispose()
    get_async_engine.cache_clear()
    return session.id


def _enter(rows: int) -> None:
    """A completed session of ``rows`` pictures, with evidence and vectors, straight by SQL."""
    first = select(literal(FIRST_ID, Integer).label("number")).cte("numbers", recursive=True)
    numbers = first.union_all(
        select(first.c.number + 1).where(first.c.number < FIRST_ID + rows - 1)
    )
    number = numbers.c.number
    text = cast(number, String)
    with write_transaction() as conn:
        model_id = conn.execute(
            insert(EmbeddingModel)
            .values(
                name="instant",
                version="1",
                weights_digest="0" * 64,
                dimension=DIMENSION,
                collection="instant",
                spec=BUILTIN_MODEL,
            )
            .returning(EmbeddingModel.id)
        ).scalar_one()
        session_id = conn.execute(
            insert(TrainingSession)
            .values(
                name="Before",
                root_path="/before",
                status=SessionStatus.COMPLETED,
                model=BUILTIN_MODEL,
                model_id=model_id,
                total_images=rows,
                completed_images=rows,
            )
            .returning(TrainingSession.id)
        ).scalar_one()
        for table, columns, values in (
            (
                ImageAsset,
                ["id", "path", "folder", "size", "mtime_ns", "sha256"],
                (number, "/before/" + text + ".jpg", literal("/before"), number, number, text),
            ),
            (
                TrainingJob,
                ["id", "session_id", "asset_id", "status", "attempts"],
                (
                    number,
                    literal(session_id),
                    number,
                    literal(str(JobStatus.COMPLETED)),
                    literal(1),
                ),
            ),
            (
                TrainingEvidence,
                ["job_id", "asset_id", "session_id", "attempt"],
                (number, number, literal(session_id), literal(1)),
            ),
            (
                AssetVector,
                ["asset_id", "model_id", "size", "mtime_ns", "sha256"],
                (number, literal(model_id), number, number, text),
            ),
        ):
            conn.execute(insert(table).from_select(columns, select(*values)))


def _fill(rows: int) -> None:
    store = EmbeddedStore(get_settings().vector_dir)
    store.ensure_collection("instant", DIMENSION)
    for points in _points(rows):
        store.upsert("instant", points)
    store.flush()
    store.close()


def _points(rows: int) -> Iterator[list[VectorPoint]]:
    for start in range(0, rows, AT_ONCE):
        vectors = unit_vectors(min(AT_ONCE, rows - start))
        yield [VectorPoint(FIRST_ID + start + i, vector, {}) for i, vector in enumerate(vectors)]
