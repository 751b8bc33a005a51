"""What is measured with a model that answers at once runs as it does with any other."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest
from drawing import distinct_scenes, draw
from instant_model import InstantModel

from app.api.training_schemas import TrainingSessionCreate
from app.scan.session_walk import STARTED, SessionWalk
from app.services.backend import Backend
from app.worker.context import WorkerContext, context
from app.worker.indexing.run import SessionRun

pytestmark = pytest.mark.usefixtures("own_worker")


async def test_a_session_with_it_is_completed(
    backend: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(WorkerContext, "encoder", lambda *_: InstantModel())
    for number, scene in enumerate(distinct_scenes(5, random.Random(1))):
        draw(scene, 32).save(tmp_path / f"{number}.png")
    async with backend.db() as db:
        data = TrainingSessionCreate(rootPath=str(tmp_path))
        session = await backend.training.create_session(db, data)
    await asyncio.to_thread(lambda: list(SessionWalk(session.id, STARTED).steps()))
    counts = await asyncio.to_thread(lambda: SessionRun(session.id, context()).run())
    assert (counts["processed"], counts["failed"]) == (5, 0)
    assert context().store.count(InstantModel.collection) == 5
