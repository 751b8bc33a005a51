"""Whether descriptions find their pictures, pictures find themselves, and filters hold.

Through the whole program: 5,000 drawn pictures are indexed by the worker, and every question goes
the way that the window's questions go.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
from dataclasses import dataclass
from pathlib import Path

from program import running_program, start_session, until_done
from surroundings import CACHE, use_drawing_code
from unknown_words import Honesty, honesty

from app.api.search_schemas import SearchFilter, SearchHit, SearchQuery, SearchTerm
from app.services.backend import Backend

PICTURES = 5_000
QUERIES = 200
FOLDERS = 10
TOP = 10
FILTERED_QUERIES = 5


@dataclass(frozen=True, slots=True)
class Relevance:
    """What was found, as shares of what should have been."""

    recall_at_10: float
    self_retrieval: float
    filter_errors: int
    """Pictures that a filter let through or held back wrongly."""
    honesty: Honesty


def relevance() -> Relevance:
    """Index the pictures and ask."""
    folder, captions = _gallery()
    return asyncio.run(_measure(folder, captions))


async def _measure(folder: Path, captions: list[str]) -> Relevance:
    async with running_program() as backend:
        await until_done(backend, await start_session(backend, folder))
        chosen = random.Random(1).sample(range(PICTURES), QUERIES)
        found = 0
        for index in chosen:
            hits = await _ask(backend, SearchTerm(text=captions[index]), limit=TOP)
            found += any(_number(hit) == index for hit in hits)
        everything = await _ask(backend, SearchTerm(text="a shape"), limit=PICTURES)
        themselves = 0
        for hit in everything:
            alike = await _ask(backend, SearchTerm(assetId=hit.assetId), limit=1)
            themselves += alike[0].assetId == hit.assetId
        errors = 0
        for index in chosen[:FILTERED_QUERIES]:
            errors += await _filter_errors(backend, captions[index])
        told = await honesty(backend, [captions[index] for index in chosen])
    return Relevance(found / QUERIES, themselves / PICTURES, errors, told)


async def _filter_errors(backend: Backend, text: str) -> int:
    """Compare filtered answers with the unfiltered one, filtered here by what the ledger knows."""
    term = SearchTerm(text=text)
    everything = await _ask(backend, term, limit=PICTURES)
    folder = os.path.dirname(everything[0].path)
    errors = 0
    for wanted, holds in (
        (SearchFilter(folder=folder), lambda hit: os.path.dirname(hit.path) == folder),
        (SearchFilter(formats=["PNG"]), lambda hit: hit.format == "PNG"),
        (SearchFilter(orientation="portrait"), lambda hit: hit.height > hit.width),
        (SearchFilter(sessionId=1), lambda hit: True),
        (SearchFilter(sessionId=2), lambda hit: False),
        (
            SearchFilter(folder=folder, formats=["JPEG"], orientation="landscape", sessionId=1),
            lambda hit: (
                os.path.dirname(hit.path) == folder
                and hit.format == "JPEG"
                and hit.width > hit.height
            ),
        ),
    ):
        expected = {hit.assetId for hit in everything if holds(hit)}
        found = await _ask(backend, term, limit=PICTURES, restriction=wanted)
        errors += len(expected ^ {hit.assetId for hit in found})
    return errors


async def _ask(
    backend: Backend, term: SearchTerm, limit: int, restriction: SearchFilter | None = None
) -> list[SearchHit]:
    query = SearchQuery(terms=[term], filter=restriction or SearchFilter())
    async with backend.db() as db:
        return (await backend.search.search(db, query, limit=limit)).hits


def _number(hit: SearchHit) -> int:
    return int(Path(hit.path).stem)


def _gallery() -> tuple[Path, list[str]]:
    """Distinct drawn pictures, kept for the next time, and what each of them shows."""
    use_drawing_code()
    from drawing import captions, distinct_scenes, draw

    rng = random.Random(PICTURES)
    scenes = distinct_scenes(PICTURES, rng)
    folder = CACHE / f"gallery-{PICTURES}"
    if not folder.is_dir():
        partial = folder.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        for index, scene in enumerate(scenes):
            parent = partial / f"folder {index % FOLDERS}"
            parent.mkdir(parents=True, exist_ok=True)
            size = (rng.randint(180, 360), rng.randint(180, 360))
            suffix = "png" if index % 4 == 0 else "jpg"
            draw(scene, size).save(parent / f"{index:06}.{suffix}")
        partial.rename(folder)
    return folder, [captions(scene)[0] for scene in scenes]
