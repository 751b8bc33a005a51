"""How long the window waits for an answer, by the size of the index, idle and while indexing.

The vectors are synthetic and go straight into the store; the model has random weights and the size
of a real one, so that a question costs what it costs a person: text to vector, ranking, ledger.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from program import progress_of, running_program, start_session, until
from random_model import random_model
from sqlalchemy import Integer, String, cast, insert, literal, select
from surroundings import drawn_pictures

from app.api.search_schemas import SearchQuery, SearchTerm
from app.config import get_settings
from app.db.engine import write_transaction
from app.db.migrate import migrate
from app.db.models import AssetVector, ImageAsset
from app.queue.ask import WorkerAwayError
from app.services.backend import Backend
from app.vectors.embedded import EmbeddedStore
from app.vectors.protocol import VectorPoint

CLUSTERS = 2_000
SPREAD = 0.7
AT_ONCE = 10_000
QUESTIONS = 60
RECALL_QUERIES = 50
TOP = 50
PICTURES = 6_000
FIRST_ID = 1_000_000
"""Ids of the synthetic pictures begin behind those of the session that runs meanwhile."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds from the window's call to its answer, and what the speed costs."""

    idle_p50: float
    idle_p95: float
    busy_p50: float
    busy_p95: float
    recall_at_10: float


def latency(vectors: int) -> Latency:
    """Fill an index with synthetic vectors, then ask, first idle and then during a session."""
    migrate()
    model = random_model()
    collection, dimension = _register(model, vectors)
    recall = _fill(collection, dimension, vectors)
    return asyncio.run(_measure(model, recall))


async def _measure(model: Path, recall: float) -> Latency:
    async with running_program() as backend:
        await _prepare(backend)
        texts = (f"picture number {number} of a hill" for number in itertools.count())
        idle = await _ask(backend, texts, QUESTIONS)
        pictures = drawn_pictures(PICTURES)
        session_id = await start_session(backend, pictures, str(model))

        async def begun() -> bool:
            return (await progress_of(backend, session_id)).jobsSummary.completed > 0

        await until(begun)
        busy = await _ask(backend, texts, QUESTIONS)
        if (await progress_of(backend, session_id)).status != "running":
            raise RuntimeError("the session ended before the questions did; give it more pictures")
        async with backend.db() as db:
            await backend.training.cancel(db, session_id)
    return Latency(*_percentiles(idle), *_percentiles(busy), recall)


async def _prepare(backend: Backend) -> None:
    """Have the model loaded, however long that takes."""
    while True:
        try:
            async with backend.db() as db:
                await backend.search.prepare(db)
            return
        except WorkerAwayError:
            await asyncio.sleep(0.1)


async def _ask(backend: Backend, texts: Iterator[str], questions: int) -> list[float]:
    """Milliseconds of each question, each one asked for the first time."""
    times = []
    for text in itertools.islice(texts, questions):
        query = SearchQuery(terms=[SearchTerm(text=text)])
        began = time.perf_counter()
        async with backend.db() as db:
            page = await backend.search.search(db, query, limit=TOP)
        times.append(1000 * (time.perf_counter() - began))
        if len(page.hits) != TOP:
            raise RuntimeError(f"{len(page.hits)} results instead of {TOP}")
        await asyncio.sleep(0.05)  # people do not ask without a break
    return times


def _percentiles(times: list[float]) -> tuple[float, float]:
    return float(np.percentile(times, 50)), float(np.percentile(times, 95))


def _register(model: Path, vectors: int) -> tuple[str, int]:
    """Enter the model, and as many pictures that are indexed with it; collection and dimension."""
    from app.embedding.loading import load_encoder
    from app.worker.context import register_model

    encoder = load_encoder(str(model), "cpu", "fp32")
    model_id = register_model(encoder, str(model))
    first = select(literal(FIRST_ID, Integer).label("number")).cte("numbers", recursive=True)
    numbers = first.union_all(
        select(first.c.number + 1).where(first.c.number < FIRST_ID + vectors - 1)
    )
    number = numbers.c.number
    path = literal("/pictures/") + cast(number, String) + ".jpg"
    with write_transaction() as conn:
        conn.execute(
            insert(ImageAsset).from_select(
                ["id", "path", "folder", "size", "mtime_ns"],
                select(number, path, literal("/pictures"), number, number),
            )
        )
        conn.execute(
            insert(AssetVector).from_select(
                ["asset_id", "model_id", "size", "mtime_ns", "sha256"],
                select(number, literal(model_id), number, number, cast(number, String)),
            )
        )
    return encoder.collection, encoder.dimension


def _fill(collection: str, dimension: int, vectors: int) -> float:
    """Store clustered vectors; the recall@10 of the store's ranking against an exact one."""
    store = EmbeddedStore(get_settings().vector_dir)
    try:
        store.ensure_collection(collection, dimension)
        everything = np.empty((vectors, dimension), np.float32)
        for start in range(0, vectors, AT_ONCE):
            some = _clustered(min(AT_ONCE, vectors - start), dimension, seed=start + 1)
            everything[start : start + len(some)] = some
            store.upsert(
                collection,
                [
                    VectorPoint(FIRST_ID + start + i, vector, _payload(start + i))
                    for i, vector in enumerate(some)
                ],
            )
        store.flush()
        queries = _clustered(RECALL_QUERIES, dimension, seed=0)
        exact = np.argsort(-(queries @ everything.T), axis=1)[:, :10] + FIRST_ID
        found = [{hit.asset_id for hit in store.query(collection, query, 10)} for query in queries]
        hits = sum(len(set(best.tolist()) & own) for best, own in zip(exact, found, strict=True))
        return hits / (10 * RECALL_QUERIES)
    finally:
        store.close()


def _clustered(number: int, dimension: int, seed: int) -> NDArray[np.float32]:
    """Unit vectors around common centres, as pictures of the same things are; one row each."""
    centres = np.random.default_rng(99).standard_normal((CLUSTERS, dimension), np.float32)
    rng = np.random.default_rng(seed)
    near = centres[rng.integers(0, CLUSTERS, number)]
    near += SPREAD * rng.standard_normal((number, dimension), np.float32)
    near /= np.linalg.norm(near, axis=1, keepdims=True)
    return near


def _payload(number: int) -> dict[str, object]:
    return {
        "session": [1],
        "folder": ["/", "/pictures", f"/pictures/{number % 500}"],
        "taken_at": 1_700_000_000 + number,
        "format": "JPEG",
        "orientation": "landscape" if number % 3 else "portrait",
    }
