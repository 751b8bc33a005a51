"""Updates, pruning and relocation, without a worker."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.api.training_schemas import SessionConfig, TrainingSessionCreate
from app.api.update_schemas import FolderSettings
from app.db import sessions
from app.db.engine import get_sync_engine, write_transaction
from app.db.models import AssetVector, EmbeddingModel, ImageAsset, TrainingJob, TrainingSession
from app.errors import AppError
from app.queue.questions import RemoveVectorsRequest
from app.services import update_service
from app.services.asset_discovery import AssetDiscoveryService
from app.services.training_service import TrainingService
from app.services.update_service import UpdateService

service = UpdateService()


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[int, list[int]]]:
    """What the worker was asked to forget; nobody is rung for."""
    calls: list[dict[int, list[int]]] = []

    def remove(request: RemoveVectorsRequest) -> int:
        calls.append(request.vectors)
        return 0

    monkeypatch.setattr(update_service, "remove_vectors", remove)
    monkeypatch.setattr(update_service, "enqueue_session_if_possible", lambda _: None)
    monkeypatch.setattr("app.scan.session_walk.enqueue_session_if_possible", lambda _: None)
    return calls


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for number in range(6):
        path = tmp_path / "root" / f"album {number % 2}" / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * (number + 1))
    return tmp_path / "root"


async def indexed(db: AsyncSession, root: Path, **more: object) -> int:
    """A finished session whose pictures have vectors and content hashes."""
    session = await TrainingService().create_session(
        db, TrainingSessionCreate(rootPath=str(root), **more)
    )
    session_id = session.id
    await AssetDiscoveryService().discover_assets(db, session_id)
    finish(session_id)
    return session_id


def finish(session_id: int) -> None:
    with write_transaction() as conn:
        model_id = conn.scalar(select(EmbeddingModel.id))
        if model_id is None:
            model_id = conn.execute(
                EmbeddingModel.__table__.insert().values(
                    name="m", version="v", weights_digest="d", dimension=4, collection="c", spec=""
                )
            ).inserted_primary_key[0]
        conn.execute(AssetVector.__table__.delete())
        for asset in conn.execute(select(ImageAsset)).all():
            content = str(asset.size)
            conn.execute(update(ImageAsset).where(ImageAsset.id == asset.id).values(sha256=content))
            conn.execute(
                AssetVector.__table__.insert().values(
                    asset_id=asset.id,
                    model_id=model_id,
                    size=asset.size,
                    mtime_ns=asset.mtime_ns,
                    sha256=content,
                )
            )
        conn.execute(update(TrainingJob).values(status="completed"))
        conn.execute(
            update(TrainingSession)
            .where(TrainingSession.id == session_id)
            .values(status="completed", model_id=model_id, **sessions.recount(conn, session_id))
        )


def total(table: type) -> int:
    with get_sync_engine().connect() as conn:
        return conn.scalar(select(func.count()).select_from(table)) or 0


# --- update -----------------------------------------------------------------------------------


async def test_an_update_tells_how_far_it_is_and_can_be_stopped(
    db: AsyncSession, root: Path
) -> None:
    session_id = await indexed(db, root)
    steps: list[int] = []
    summary = await service.update(db, session_id, steps.append)
    assert (steps[0], summary.unchanged) == (6, 6)
    stopped = await service.update(db, session_id, stop=lambda: True)
    assert stopped.message.startswith("Stopped")
    progress = await TrainingService().get_session_progress(db, session_id)
    assert (progress.status, progress.lastUpdate) == ("completed", stopped)


@pytest.mark.parametrize(
    ("status", "sentence"),
    [("pending", "not been started"), ("running", "is running"), ("cancelled", "was cancelled")],
)
async def test_what_cannot_be_updated_says_why(
    db: AsyncSession, root: Path, status: str, sentence: str
) -> None:
    session_id = await indexed(db, root)
    with write_transaction() as conn:
        conn.execute(update(TrainingSession).values(status=status))
    with pytest.raises(AppError, match=sentence):
        await service.update(db, session_id)


async def test_the_settings_of_a_folder_are_kept_beside_the_others(
    db: AsyncSession, root: Path
) -> None:
    config = SessionConfig(recursive=False, batch_size=7)
    session_id = await indexed(db, root, subdirectories=[str(root / "album 0")], config=config)
    assert await service.watched(db) == []
    wanted = FolderSettings(watch=True, update_every_hours=24)
    await service.change_settings(db, session_id, wanted)
    assert await service.settings(db, session_id) == wanted
    (watched,) = await service.watched(db)
    assert (watched.folders, watched.recursive) == ([str(root / "album 0")], False)
    session = await db.get(TrainingSession, session_id, populate_existing=True)
    assert session is not None
    assert session.config["batch_size"] == 7


# --- missing pictures -------------------------------------------------------------------------


async def test_pruning_removes_what_is_gone_and_leaves_every_file(
    db: AsyncSession, root: Path, asked: list[dict[int, list[int]]]
) -> None:
    session_id = await indexed(db, root)
    (root / "album 0" / "0.jpg").unlink()
    (root / "album 1" / "1.jpg").unlink()
    await service.update(db, session_id)
    preview = await service.preview_missing(db, session_id)
    assert (preview.missing, preview.total, preview.root_reachable) == (2, 6, True)
    left = sorted(root.rglob("*.jpg"))
    assert await service.prune(db, session_id) == 2
    assert sorted(root.rglob("*.jpg")) == left
    assert (total(ImageAsset), total(TrainingJob), total(AssetVector)) == (4, 4, 4)
    ((ids,),) = [list(vectors.values()) for vectors in asked]
    assert len(ids) == 2
    progress = await TrainingService().get_session_progress(db, session_id)
    assert progress.progress.total == progress.jobsSummary.completed == 4
    assert progress.lastUpdate is not None
    assert progress.lastUpdate.gone == 0


async def test_a_picture_that_is_back_is_not_pruned(db: AsyncSession, root: Path) -> None:
    session_id = await indexed(db, root)
    path = root / "album 0" / "0.jpg"
    content = path.read_bytes()
    path.unlink()
    await service.update(db, session_id)
    path.write_bytes(content)
    assert await service.prune(db, session_id) == 0
    assert total(ImageAsset) == 6


async def test_nothing_is_pruned_while_the_root_is_away_or_too_much_is_missing(
    db: AsyncSession, root: Path
) -> None:
    session_id = await indexed(db, root)
    with write_transaction() as conn:
        conn.execute(update(ImageAsset).where(ImageAsset.id < 5).values(missing_since=func.now()))
    shutil.rmtree(root / "album 0")
    shutil.rmtree(root / "album 1")
    with pytest.raises(AppError, match="4 of 6 pictures are not there"):
        await service.prune(db, session_id)
    shutil.rmtree(root)
    assert not (await service.preview_missing(db, session_id)).root_reachable
    with pytest.raises(AppError, match="does not exist"):
        await service.prune(db, session_id)
    assert total(ImageAsset) == 6


async def test_renamed_pictures_do_not_count_as_lost(db: AsyncSession, root: Path) -> None:
    session_id = await indexed(db, root)
    for turn in range(2):
        for path in list(root.rglob("*.jpg")):
            path.rename(path.with_stem(f"{turn} {path.stem}"))
        await service.update(db, session_id)
        finish(session_id)
    preview = await service.preview_missing(db, session_id)
    assert (preview.missing, preview.moved, preview.total) == (12, 12, 18)
    assert await service.prune(db, session_id) == 12
    assert total(ImageAsset) == 6


async def test_a_worker_that_is_away_does_not_undo_what_the_ledger_forgot(
    db: AsyncSession, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise AppError("The indexing process does not answer.")

    monkeypatch.setattr(update_service, "remove_vectors", away)
    session_id = await indexed(db, root)
    (root / "album 0" / "0.jpg").unlink()
    await service.update(db, session_id)
    assert await service.prune(db, session_id) == 1


# --- relocation -------------------------------------------------------------------------------


async def test_a_moved_root_is_found_by_its_pictures_and_nothing_is_new(
    db: AsyncSession, root: Path, tmp_path: Path
) -> None:
    odd = root / os.fsdecode(b"caf\xe9 100%_\n")
    odd.mkdir()
    (odd / os.fsdecode(b"\xff.jpg")).write_bytes(b"odd")
    session_id = await indexed(db, root)
    new = tmp_path / os.fsdecode(b"new \xfe 50%_")
    root.rename(new)
    preview = await service.preview_relocation(db, session_id, str(new))
    assert (preview.found, preview.sampled, preview.pictures) == (7, 7, 7)
    assert await service.relocate(db, session_id, str(new)) == 7
    summary = await service.update(db, session_id)
    assert (summary.unchanged, summary.new, summary.missing) == (7, 0, 0)
    session = await db.get(TrainingSession, session_id, populate_existing=True)
    assert session is not None
    assert (session.root_path, session.status) == (str(new), "completed")
    with get_sync_engine().connect() as conn:
        assert conn.scalar(select(func.count()).where(AssetVector.payload_stale)) == 7


async def test_a_folder_without_the_pictures_is_refused(
    db: AsyncSession, root: Path, tmp_path: Path
) -> None:
    session_id = await indexed(db, root)
    (tmp_path / "empty").mkdir()
    with pytest.raises(AppError, match="None of 6 pictures"):
        await service.relocate(db, session_id, str(tmp_path / "empty"))
    with pytest.raises(AppError, match="does not exist"):
        await service.relocate(db, session_id, str(tmp_path / "nowhere"))
    with pytest.raises(AppError, match="already"):
        await service.relocate(db, session_id, str(root))


async def test_other_pictures_of_the_same_names_are_not_found(
    db: AsyncSession, root: Path, tmp_path: Path
) -> None:
    session_id = await indexed(db, root)
    shutil.copytree(root, tmp_path / "other")
    for path in (tmp_path / "other").rglob("[0-3].jpg"):
        path.write_bytes(b"of another size")
    preview = await service.preview_relocation(db, session_id, str(tmp_path / "other"))
    assert (preview.found, preview.sampled) == (2, 6)


async def test_nothing_moves_while_one_of_the_sessions_is_running(
    db: AsyncSession, root: Path, tmp_path: Path
) -> None:
    session_id = await indexed(db, root)
    other = await indexed(db, root / "album 0")
    with write_transaction() as conn:
        conn.execute(
            update(TrainingSession).where(TrainingSession.id == other).values(status="running")
        )
    shutil.copytree(root, tmp_path / "new")
    with pytest.raises(AppError, match="is running"):
        await service.relocate(db, session_id, str(tmp_path / "new"))
