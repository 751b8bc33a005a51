"""The model that comes with the program finds things in photographs."""

from __future__ import annotations

from pathlib import Path

import pytest
from following import finished

from app.api.search_schemas import SearchQuery, SearchTerm
from app.api.training_schemas import TrainingSessionCreate
from app.bundled import RESOURCES
from app.config import BUILTIN_MODEL
from app.services.backend import Backend

PHOTOGRAPHS = RESOURCES / "samples" / "photographs"
QUERIES = {
    "cat": "cat",
    "a pet": "cat",
    "a cup of coffee": "coffee",
    "pictures of cats": "cat",
    "a temple": "temple",
    "spacecraft": "spacecraft",
    "beach": "beach",
    "mountains": "mountains",
    "a pier": "sunset",
}


@pytest.mark.usefixtures("supervisor")
async def test_photographs_are_found_by_what_they_show(backend: Backend) -> None:
    async with backend.db() as db:
        data = TrainingSessionCreate(rootPath=str(PHOTOGRAPHS), model=BUILTIN_MODEL)
        session = await backend.training.create_session(db, data)
        await backend.training.enqueue_training(db, session.id)
    assert (await finished(backend, session.id)).jobsSummary.completed == 13

    found = {}
    for text in QUERIES:
        query = SearchQuery(terms=[SearchTerm(text=text)])
        async with backend.db() as db:
            page = await backend.search.search(db, query, offset=0, limit=1)
        found[text] = Path(page.hits[0].path).stem
    assert found == QUERIES
