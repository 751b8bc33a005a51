"""Models as the service sees them: on disk, in the ledger, under way; no worker runs."""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from drawn_model import DRAWN_MODEL
from huggingface_hub import constants
from local_hub import LocalHub, local_hub
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.api.model_schemas import ModelDownload, ModelRow
from app.config import BUILTIN_MODEL, get_settings
from app.db.engine import write_transaction
from app.db.models import (
    AssetVector,
    EmbeddingModel,
    ImageAsset,
    JobStatus,
    SessionStatus,
    TrainingJob,
    TrainingSession,
)
from app.db.sessions import recount
from app.db.types import utc_now
from app.embedding import weights
from app.embedding.catalogue import CURATED, RECOMMENDED
from app.errors import AppError
from app.queue.ask import WorkerAwayError
from app.services.model_service import ModelService

FIRST, SECOND = CURATED[0], CURATED[1]
WEIGHTS = Path(DRAWN_MODEL, "open_clip_model.safetensors").read_bytes()


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    with local_hub(monkeypatch) as hub:
        for choice in (FIRST, SECOND):
            hub.files[f"{choice.hub_path}open_clip_model.safetensors"] = WEIGHTS
        yield hub


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """A model folder of a person's own."""
    return str(shutil.copytree(DRAWN_MODEL, tmp_path / "my model"))


async def row_of(db: AsyncSession, spec: str, service: ModelService | None = None) -> ModelRow:
    rows = await (service or ModelService()).list(db)
    return next(row for row in rows if row.spec == spec)


async def until(condition: Callable[[], bool], within: float = 30.0) -> None:
    """Wait until ``condition()`` holds."""
    end = time.monotonic() + within
    await asyncio.sleep(0)
    while not await asyncio.to_thread(condition):
        assert time.monotonic() < end, "it did not come true in time"
        await asyncio.sleep(0.01)


def add_model(spec: str, pictures: int = 0, **values: object) -> int:
    """A model of the ledger with vectors for the first pictures."""
    with write_transaction() as conn:
        row = {
            "name": spec,
            "version": "1",
            "weights_digest": "0" * 64,
            "dimension": 8,
            "collection": spec,
            "spec": spec,
            "created_at": utc_now(),
        }
        table = EmbeddingModel.__table__
        model_id = int(conn.execute(table.insert().values(row | values)).inserted_primary_key[0])
        assets = list(conn.execute(select(ImageAsset.id).order_by(ImageAsset.id)).scalars())
        for asset_id in assets[:pictures]:
            conn.execute(
                AssetVector.__table__.insert().values(
                    asset_id=asset_id, model_id=model_id, size=1, mtime_ns=1, sha256="0" * 64
                )
            )
    return model_id


def add_session(
    status: str, model: str = BUILTIN_MODEL, pictures: int = 3, **values: object
) -> int:
    """A session whose pictures are completed, the first of them as reused; the last one failed."""
    with write_transaction() as conn:
        session = {
            "name": "Photos",
            "root_path": "/photos",
            "subdirectories": [],
            "config": {},
            "status": status,
            "model": model,
            "skipped": {},
            "created_at": utc_now(),
            "discovered_at": utc_now(),
        }
        table = TrainingSession.__table__
        inserted = conn.execute(table.insert().values(session | values)).inserted_primary_key
        session_id = int(inserted[0])
        for number in range(pictures):
            asset = {"path": f"/photos/{session_id}-{number}.jpg", "folder": "/photos"}
            asset_id = conn.execute(
                ImageAsset.__table__.insert().values(**asset, size=1, mtime_ns=1)
            ).inserted_primary_key[0]
            last = number == pictures - 1
            conn.execute(
                TrainingJob.__table__.insert().values(
                    session_id=session_id,
                    asset_id=asset_id,
                    status=(JobStatus.FAILED if last else JobStatus.COMPLETED).value,
                    reused=number == 0,
                    finished_at=utc_now(),
                )
            )
        counters = recount(conn, session_id)
        conn.execute(table.update().where(table.c.id == session_id).values(counters))
    return session_id


def session_row(session_id: int) -> TrainingSession:
    from app.db.engine import get_sync_session

    with get_sync_session() as db:
        session = db.get(TrainingSession, session_id)
        assert session is not None
        return session


# --- the list -----------------------------------------------------------------------------------


async def test_the_recommended_models_are_listed_with_what_is_here(
    db: AsyncSession, hub: LocalHub
) -> None:
    rows = await ModelService().list(db)
    assert [row.spec for row in rows] == [choice.spec for choice in CURATED]
    builtin = rows[-1]
    assert (builtin.kind, builtin.state) == ("builtin", "ready")
    assert (builtin.inUse, builtin.removable) == (True, False)
    first = rows[0]
    assert (first.kind, first.state, first.diskBytes, first.folder) == ("hub", "absent", 0, "")
    assert (first.recommended, first.downloadMb, first.dimension) == (True, 605, 512)
    assert first.speed is None


async def test_what_the_ledger_knows_is_on_the_list(db: AsyncSession, hub: LocalHub) -> None:
    add_session("completed", "ViT-B-16/openai")
    add_session("running", "ViT-B-16/openai", 2)
    add_session("cancelled", "ViT-B-16/openai", 5)
    old = add_model("ViT-B-16/openai", 7, weights_digest="1" * 64, collection="old")
    new = add_model("ViT-B-16/openai", 4, pictures_per_second=38.2, measured_on="cpu")
    other = add_model("/gone/model", 0)
    rows = {row.spec: row for row in await ModelService().list(db)}
    row = rows["ViT-B-16/openai"]
    assert (row.title, row.languages, row.downloadMb) == ("ViT-B-16 · openai", "", 0)
    assert (row.sessions, row.pictures, row.indexing) == (2, 5, True)
    assert [index.modelId for index in row.indexes] == [new, old]
    assert [index.vectors for index in row.indexes] == [4, 7]
    assert [index.inSearch for index in row.indexes] == [False, True]
    assert row.vectors == 7
    assert row.speed is not None
    assert (row.speed.picturesPerSecond, row.speed.measuredOn) == (38.2, "cpu")
    gone = rows["/gone/model"]
    assert (gone.kind, gone.state) == ("folder", "unavailable")
    assert "no folder /gone/model" in gone.reason
    assert gone.indexes[0].modelId == other


# --- downloads ----------------------------------------------------------------------------------


async def test_a_download_ends_on_disk(db: AsyncSession, hub: LocalHub) -> None:
    service = ModelService()
    assert not await service.on_disk(FIRST.spec)
    state = await service.download(FIRST.spec)
    assert (state.phase, state.message) == ("done", "")
    assert service.downloads() == {}
    assert await service.on_disk(FIRST.spec)
    row = await row_of(db, FIRST.spec)
    assert (row.state, row.diskBytes, row.removable) == ("ready", len(WEIGHTS), True)
    assert await service.remove(FIRST.spec) == len(WEIGHTS)
    assert (await row_of(db, FIRST.spec)).state == "absent"


async def test_one_download_runs_and_the_others_wait(db: AsyncSession, hub: LocalHub) -> None:
    service = ModelService()
    hub.hold_after = 1_000_000
    first = asyncio.create_task(service.download(FIRST.spec))
    assert await asyncio.to_thread(hub.held.wait, 30)
    second = asyncio.create_task(service.download(SECOND.spec))
    await until(lambda: service.downloads()[FIRST.spec].phase == "downloading")
    assert SECOND.spec in service.downloads()
    states = service.downloads()
    assert states[FIRST.spec].totalBytes == len(WEIGHTS)
    assert states[SECOND.spec] == ModelDownload(
        phase="waiting", totalBytes=SECOND.download_mb * 1_000_000
    )
    # asking again for one that is under way changes nothing
    assert (await service.download(FIRST.spec)).phase == "downloading"
    with pytest.raises(AppError, match="is being downloaded"):
        await asyncio.to_thread(weights.remove, FIRST.spec)
    # one that waits can be stopped at once, and asked for again
    service.stop_download(SECOND.spec)
    assert SECOND.spec not in service.downloads()
    third = asyncio.create_task(service.download(SECOND.spec))
    hub.go_on.set()
    assert [(await task).phase for task in (first, second, third)] == ["done", "stopped", "done"]


async def test_a_stopped_download_is_partly_here_and_goes_on(
    db: AsyncSession, hub: LocalHub
) -> None:
    service = ModelService()
    hub.hold_after = 2_000_000
    task = asyncio.create_task(service.download(FIRST.spec))
    assert await asyncio.to_thread(hub.held.wait, 30)
    await until(lambda: service.downloads()[FIRST.spec].doneBytes > 0)
    service.stop_download(FIRST.spec)
    hub.go_on.set()
    assert (await task).phase == "stopped"
    assert service.downloads() == {}
    row = await row_of(db, FIRST.spec)
    assert row.state == "partial"
    assert row.removable
    assert 0 < row.diskBytes < len(WEIGHTS)
    hub.requests.clear()
    hub.hold_after = None
    assert (await service.download(FIRST.spec)).phase == "done"
    assert hub.ranges() == [f"bytes={row.diskBytes}-"]


async def test_a_cancelled_task_ends_the_download(db: AsyncSession, hub: LocalHub) -> None:
    """The window closes: the thread ends by itself, what is here stays."""
    service = ModelService()
    hub.hold_after = 2_000_000
    task = asyncio.create_task(service.download(FIRST.spec))
    assert await asyncio.to_thread(hub.held.wait, 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    hub.go_on.set()
    assert service.downloads() == {}

    def removed() -> bool:
        try:
            weights.remove(FIRST.spec)
        except AppError:  # the lock is free as soon as the thread has ended
            return False
        return True

    await until(removed)


async def test_a_failed_download_says_why_until_it_is_tried_again(
    db: AsyncSession, hub: LocalHub
) -> None:
    service = ModelService()
    hub.status = 503
    state = await service.download(FIRST.spec)
    assert state.phase == "failed"
    assert "503" in state.message
    assert state.hint
    assert service.downloads() == {FIRST.spec: state}
    assert not state.active
    hub.status = 200
    assert (await service.download(FIRST.spec)).phase == "done"
    assert service.downloads() == {}


async def test_where_an_unlisted_model_is_to_be_had_only_the_worker_knows(
    db: AsyncSession, hub: LocalHub
) -> None:
    state = await ModelService().download("ViT-B-16/openai")
    assert state.phase == "failed"
    assert hub.requests == []


async def test_what_is_not_ours_is_not_deleted(
    db: AsyncSession, hub: LocalHub, folder: str, tmp_path: Path
) -> None:
    service = ModelService()
    with pytest.raises(AppError, match="a part of the program"):
        await service.remove(BUILTIN_MODEL)
    await service.add_folder(folder)
    await service.remove(folder)
    assert sorted(path.name for path in Path(folder).iterdir())
    repository = tmp_path / "hub" / "models--laion--CLIP-ViT-B-32-256x256-DataComp-s34B-b86K"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("c0ffee")
    (repository / "snapshots" / "c0ffee").mkdir(parents=True)
    cached = repository / "snapshots" / "c0ffee" / "open_clip_model.safetensors"
    cached.write_bytes(WEIGHTS)
    row = await row_of(db, FIRST.spec)
    assert (row.state, row.removable, row.folder) == ("ready", False, str(cached.parent))
    with pytest.raises(AppError, match="downloaded by another program"):
        await service.remove(FIRST.spec)
    assert cached.exists()


# --- choosing -----------------------------------------------------------------------------------


async def test_a_model_is_chosen_for_new_sessions(
    db: AsyncSession, hub: LocalHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = ModelService()
    await service.use("vit-b-32-256/datacomp-s34b-b86k")
    assert get_settings().model == RECOMMENDED.spec
    assert (await row_of(db, RECOMMENDED.spec)).inUse
    assert not (await row_of(db, BUILTIN_MODEL)).inUse
    with pytest.raises(AppError, match="has no model"):
        await service.use("nonsense/none")
    monkeypatch.setenv("AFTERIMAGE_MODEL", BUILTIN_MODEL)
    with pytest.raises(AppError, match="variable AFTERIMAGE_MODEL"):
        await service.use(BUILTIN_MODEL)


async def test_a_folder_of_ones_own_stays_on_the_list(
    db: AsyncSession, hub: LocalHub, folder: str, data_dir: Path
) -> None:
    service = ModelService()
    assert await service.add_folder(folder) == folder
    assert await service.add_folder(folder) == folder
    row = await row_of(db, folder)
    assert (row.kind, row.state, row.title, row.removable) == ("folder", "ready", "my model", False)
    assert (row.folder, row.diskBytes) == (folder, len(WEIGHTS))
    assert json.loads((data_dir / "models" / "folders.json").read_text()) == [folder]
    with pytest.raises(AppError, match="not an OpenCLIP model"):
        await service.add_folder(str(data_dir))
    await service.remove(folder)
    assert folder not in [row.spec for row in await service.list(db)]
    (data_dir / "models" / "folders.json").write_text("{")
    assert len(await service.list(db)) == len(CURATED)


async def test_without_a_worker_a_question_says_so(db: AsyncSession) -> None:
    with pytest.raises(WorkerAwayError):
        await ModelService().measure(BUILTIN_MODEL)
    with pytest.raises(WorkerAwayError):
        await ModelService().remove_index(1)


# --- changing over ------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["completed", "paused", "failed"])
async def test_a_session_changes_over_whole(
    db: AsyncSession, folder: str, status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rung: list[int] = []
    monkeypatch.setattr(
        "app.services.training_service.enqueue_session", lambda number: rung.append(number) or "job"
    )
    session_id = add_session(status, pictures=4)
    model_id = add_model(BUILTIN_MODEL, 3)
    with write_transaction() as conn:
        table = TrainingSession.__table__
        conn.execute(table.update().values(model_id=model_id, error_message="It stopped."))
    assert await ModelService().switch_sessions(db, folder) == 1
    session = session_row(session_id)
    assert (session.model, session.model_id, session.status) == (folder, None, "running")
    assert (session.completed_images, session.reused_images, session.failed_images) == (0, 0, 1)
    assert session.error_message is None
    assert session.running_since is not None
    with write_transaction() as conn:
        counted = recount(conn, session_id)
        assert {name: getattr(session, name) for name in counted} == counted
        jobs = conn.execute(select(TrainingJob.status, TrainingJob.finished_at)).all()
        vectors = conn.execute(select(AssetVector.asset_id)).all()
    assert sorted(job.status for job in jobs) == ["failed", "pending", "pending", "pending"]
    assert all(job.finished_at is None for job in jobs if job.status == "pending")
    assert len(vectors) == 3  # the old index is still there to search in
    assert rung == [session_id]
    # a second time changes nothing
    assert await ModelService().switch_sessions(db, folder) == 0


async def test_a_session_that_never_ran_only_gets_the_model(db: AsyncSession, folder: str) -> None:
    session_id = add_session("pending", pictures=0, discovered_at=None)
    assert await ModelService().switch_sessions(db, folder, [session_id]) == 1
    session = session_row(session_id)
    assert (session.model, session.status) == (folder, SessionStatus.PENDING)


async def test_sessions_that_cannot_change_keep_all_from_changing(
    db: AsyncSession, folder: str
) -> None:
    still = add_session("completed")
    running = add_session("running")
    with pytest.raises(AppError, match="is being indexed"):
        await ModelService().switch_sessions(db, folder)
    assert session_row(still).model == BUILTIN_MODEL
    with write_transaction() as conn:  # paused, but a worker still holds a picture
        table, jobs = TrainingSession.__table__, TrainingJob.__table__
        conn.execute(table.update().where(table.c.id == running).values(status="paused"))
        first = select(TrainingJob.id).where(TrainingJob.session_id == running).limit(1)
        conn.execute(
            jobs.update().where(jobs.c.id == first.scalar_subquery()).values(status="running")
        )
    with pytest.raises(AppError, match="wait until its current pictures"):
        await ModelService().switch_sessions(db, folder, [still, running])
    assert session_row(still).model == BUILTIN_MODEL
    assert session_row(still).completed_images == 2
    cancelled = add_session("cancelled")
    with pytest.raises(AppError, match="was cancelled"):
        await ModelService().switch_sessions(db, folder, [cancelled])
    with pytest.raises(AppError, match="no session 99"):
        await ModelService().switch_sessions(db, folder, [99])
    with pytest.raises(AppError, match="no folder"):
        await ModelService().switch_sessions(db, "/no/such/folder")


async def test_a_queue_that_is_away_loses_nothing(
    db: AsyncSession, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.queue import enqueue

    monkeypatch.setattr(
        "app.services.training_service.enqueue_session",
        lambda number: enqueue.enqueue_session(number, within_s=0),
    )
    session_id = add_session("completed")
    with pytest.raises(AppError) as caught:
        await ModelService().switch_sessions(db, folder)
    assert "Nothing is lost" in caught.value.hint
    session = session_row(session_id)
    assert (session.model, session.status, session.completed_images) == (folder, "running", 0)
