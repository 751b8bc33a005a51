"""Two models side by side, with a real worker: changing over, measuring, removing an index."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from drawn_model import DRAWN_MODEL
from following import draw_pictures, finished, progress_of, until
from local_hub import LocalHub, local_hub
from warm_processes import run_app

from app.api.model_schemas import ModelRow
from app.api.search_schemas import SearchQuery, SearchTerm
from app.api.training_schemas import TrainingSessionCreate
from app.db.engine import get_sync_session, write_transaction
from app.db.models import SessionStatus, TrainingSession
from app.db.sessions import move_session
from app.db.switching import switch_model
from app.embedding.catalogue import RECOMMENDED
from app.errors import AppError
from app.queue.enqueue import enqueue_session
from app.runtime.supervisor import Supervisor
from app.services import training_service
from app.services.backend import Backend
from app.worker.context import WorkerContext
from app.worker.indexing.run import SessionRun
from app.worker.maintenance.ledger_check import verify_ledger

NUMBER = 12


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """A second model: the same weights in a folder of their own, so vectors of their own."""
    return str(shutil.copytree(DRAWN_MODEL, tmp_path / "mine"))


@pytest.fixture
async def indexed(backend: Backend, supervisor: Supervisor, tmp_path: Path) -> int:
    """A finished session with the drawn model, and one picture that failed."""
    draw_pictures(tmp_path / "pictures", NUMBER, "models")
    (tmp_path / "pictures" / "broken.jpg").write_bytes(b"no picture")
    async with backend.db() as db:
        data = TrainingSessionCreate(rootPath=str(tmp_path / "pictures"), model=DRAWN_MODEL)
        session = await backend.training.create_session(db, data)
        await backend.training.enqueue_training(db, session.id)
    progress = await finished(backend, session.id)
    assert (progress.jobsSummary.completed, progress.jobsSummary.failed) == (NUMBER, 1)
    return session.id


async def row_of(backend: Backend, spec: str) -> ModelRow:
    async with backend.db() as db:
        return next(row for row in await backend.models.list(db) if row.spec == spec)


async def searched_with(backend: Backend) -> tuple[int, int]:
    """Which model answers a search, and how many pictures it finds."""
    query = SearchQuery(terms=[SearchTerm(text="a red circle")])
    async with backend.db() as db:
        page = await Backend().search.search(db, query)
    return page.modelId, len(page.hits)


async def answers(backend: Backend) -> bool:
    """Whether the worker is there."""
    try:
        await problems(backend)
    except AppError:
        return False
    return True


async def problems(backend: Backend) -> list[str]:
    return (await backend.system.verify()).problems


async def test_a_session_changes_over_and_is_searched_all_the_while(
    backend: Backend, indexed: int, folder: str
) -> None:
    old = (await row_of(backend, DRAWN_MODEL)).indexes[0]
    assert (old.vectors, old.sessions, old.inSearch, old.only) == (NUMBER, 1, True, True)
    with pytest.raises(AppError, match="1 session uses"):
        await backend.models.remove_index(old.modelId)

    async with backend.db() as db:
        assert await backend.models.switch_sessions(db, folder, [indexed]) == 1
    assert await searched_with(backend) == (old.modelId, NUMBER)
    progress = await finished(backend, indexed)
    assert (progress.jobsSummary.completed, progress.jobsSummary.failed) == (NUMBER, 1)
    assert progress.jobsSummary.reused == 0
    assert progress.model == folder
    assert await problems(backend) == []

    new = (await row_of(backend, folder)).indexes[0]
    assert (new.vectors, new.sessions, new.inSearch) == (NUMBER, 1, True)
    assert await searched_with(backend) == (new.modelId, NUMBER)
    old = (await row_of(backend, DRAWN_MODEL)).indexes[0]
    assert (old.vectors, old.sessions, old.inSearch, old.only) == (NUMBER, 0, False, False)

    # back again costs nothing, as the old vectors are still there
    async with backend.db() as db:
        assert await backend.models.switch_sessions(db, DRAWN_MODEL) == 1
    progress = await finished(backend, indexed)
    assert progress.jobsSummary.reused == NUMBER
    assert await problems(backend) == []

    # and then the other index is the one that can go
    assert await backend.models.remove_index(new.modelId) == NUMBER
    assert await problems(backend) == []
    assert (await row_of(backend, DRAWN_MODEL)).indexes[0].only
    async with backend.db() as db:
        assert folder not in [row.spec for row in await backend.models.list(db)]
    assert await searched_with(backend) == (old.modelId, NUMBER)
    assert await backend.models.remove_index(new.modelId) == 0
    with pytest.raises(AppError, match="1 session uses"):
        await backend.models.remove_index(old.modelId)


async def test_a_worker_that_dies_in_the_middle_of_a_change_finishes_it(
    backend: Backend, supervisor: Supervisor, indexed: int, folder: str, data_dir: Path
) -> None:
    async with backend.db() as db:
        await backend.models.switch_sessions(db, folder)
    state = json.loads((data_dir / "run" / "worker.json").read_text())
    os.kill(state["pid"], signal.SIGKILL)
    progress = await finished(backend, indexed)
    assert (progress.jobsSummary.completed, progress.jobsSummary.failed) == (NUMBER, 1)
    await until(lambda: answers(backend))
    assert await problems(backend) == []
    assert (await row_of(backend, folder)).vectors == NUMBER


async def test_the_speed_is_measured_by_the_worker_and_kept(
    backend: Backend, supervisor: Supervisor, folder: str
) -> None:
    await until(lambda: answers(backend))
    speed = await backend.models.measure(folder)
    assert speed.picturesPerSecond > 0
    assert speed.measuredOn == "cpu"
    row = await row_of(backend, folder)
    assert row.speed is not None
    assert row.speed.picturesPerSecond == speed.picturesPerSecond
    assert row.vectors == 0
    assert await problems(backend) == []
    with pytest.raises(AppError, match="no weights called"):
        await backend.models.measure("ViT-B-32/nonsense")


async def test_nothing_is_measured_while_pictures_are_indexed(
    backend: Backend, supervisor: Supervisor, tmp_path: Path
) -> None:
    draw_pictures(tmp_path / "many", 400, "many")
    async with backend.db() as db:
        data = TrainingSessionCreate(rootPath=str(tmp_path / "many"), model=DRAWN_MODEL)
        data.config.batch_size = 1
        session = await backend.training.create_session(db, data)
        await backend.training.enqueue_training(db, session.id)

    async def begun() -> bool:
        return (await progress_of(backend, session.id)).jobsSummary.completed > 0

    await until(begun)
    async with backend.db() as db:
        with pytest.raises(AppError, match="is being indexed"):
            await backend.models.switch_sessions(db, "ViT-B-32/openai")
    with pytest.raises(AppError, match="being indexed"):
        await backend.models.measure(DRAWN_MODEL)
    async with backend.db() as db:
        await backend.training.cancel(db, session.id)
    await finished(backend, session.id)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "huggingface"))
    with local_hub(monkeypatch) as hub:
        weights = Path(DRAWN_MODEL, "open_clip_model.safetensors").read_bytes()
        for repository in (RECOMMENDED.hub_path, "timm/vit_base_patch32_clip_224.openai/"):
            hub.files[f"{repository}open_clip_model.safetensors"] = weights
        yield hub


async def run(*arguments: str, code: int = 0) -> str:
    done = await asyncio.to_thread(run_app, "models", *arguments)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout if code == 0 else done.stderr


@pytest.mark.early
async def test_the_command_line_does_all_of_it(
    hub: LocalHub, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = RECOMMENDED.spec
    monkeypatch.delenv("AFTERIMAGE_MODEL")  # it can then be set
    assert "not downloaded; 605 MB" in await run()
    hub.break_after = [1_000_000, 0, 0, 0, 0]
    assert "resumes from there" in await run("download", spec, code=1)
    assert "partly downloaded" in await run()
    hub.requests.clear()
    assert json.loads(await run("download", spec, "--json"))["state"] == "ready"
    assert hub.ranges() == ["bytes=1000000-"]
    assert "already" in await run("download", spec)
    assert "New sessions use" in await run("use", spec)
    rows = {row["spec"]: row for row in json.loads(await run("--json"))}
    assert (rows[spec]["state"], rows[spec]["inUse"]) == ("ready", True)
    assert "6 MB freed" in await run("remove", spec)
    assert "nothing to delete" in await run("remove", spec)
    assert "is on this computer now" in await run("download", "ViT-B-32/openai")
    measured = json.loads(await run("measure", folder, "--json"))
    assert measured["picturesPerSecond"] > 0
    assert "pictures a second on cpu" in await run()
    assert "needs its name" in await run("download", code=1)
    assert "has no model" in await run("use", "none/none", code=1)
    assert "checksum" in await wrong_checksum(hub, spec)


async def wrong_checksum(hub: LocalHub, spec: str) -> str:
    hub.etag = "0" * 64
    return await run("download", spec, code=1)


async def test_a_run_with_the_old_model_takes_nothing_after_a_change(
    backend: Backend, folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that loads the old model while its session is paused and changed hands over."""
    draw_pictures(tmp_path / "pictures", NUMBER, "race")
    monkeypatch.setattr(training_service, "enqueue_session", partial(enqueue_session, within_s=0))
    async with backend.db() as db:
        data = TrainingSessionCreate(rootPath=str(tmp_path / "pictures"), model=DRAWN_MODEL)
        session = await backend.training.create_session(db, data)
        with suppress(AppError):  # no queue runs, the ledger has it all the same
            await backend.training.enqueue_training(db, session.id)
    await asyncio.to_thread(change_during_a_run, session.id, folder)


def change_during_a_run(session_id: int, folder: str) -> None:
    def row() -> TrainingSession:
        with get_sync_session() as db:
            return db.get_one(TrainingSession, session_id)

    worker = WorkerContext()
    try:
        SessionRun(session_id, worker).run()
        with write_transaction() as conn:
            move_session(conn, session_id, SessionStatus.RUNNING)
        old = SessionRun(session_id, worker)
        old._open(row())
        with write_transaction() as conn:
            move_session(conn, session_id, SessionStatus.PAUSED)
            assert switch_model(conn, session_id, folder)
        with old._stages.threads() as old._decoders:
            old._work()
        assert old.out_of_time
        assert (row().completed_images, row().running_images, row().model_id) == (0, 0, None)
        SessionRun(session_id, worker).run()
        assert (row().completed_images, row().status) == (NUMBER, SessionStatus.COMPLETED)
        assert verify_ledger(worker.store).problems == []
    finally:
        worker.close()
