"""What people may ask for, and the sentence they get when it cannot be."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import pytest
from pydantic import ValidationError
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.api.training_schemas import SessionConfig, TrainingSessionCreate
from app.config import get_settings
from app.db.models import ImageAsset, SessionStatus, TrainingSession
from app.errors import AppError
from app.queue.enqueue import enqueue_session
from app.services import training_service
from app.services.asset_discovery import AssetDiscoveryService
from app.services.training_service import TrainingService

service = TrainingService()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("a/one.jpg", "a/inner/two.jpg", "b/three.jpg"):
        path = tmp_path / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return tmp_path / "root"


async def create(db: AsyncSession, root: Path, *folders: Path, **more: object) -> TrainingSession:
    return await service.create_session(
        db,
        TrainingSessionCreate(rootPath=str(root), subdirectories=[str(f) for f in folders], **more),
    )


async def assets(db: AsyncSession, session: TrainingSession) -> set[str]:
    found = await AssetDiscoveryService().discover_assets(db, session.id)
    return {os.path.basename(asset.path) for asset in found}


async def test_a_session_without_subfolders_covers_the_whole_root(
    db: AsyncSession, root: Path
) -> None:
    assert await assets(db, await create(db, root)) == {"one.jpg", "two.jpg", "three.jpg"}


async def test_only_the_chosen_subfolders_are_walked(db: AsyncSession, root: Path) -> None:
    assert await assets(db, await create(db, root, root / "b")) == {"three.jpg"}


async def test_overlapping_subfolders_count_each_picture_once(db: AsyncSession, root: Path) -> None:
    session = await create(db, root, root / "a", root / "a" / "inner", root / "a")
    assert session.subdirectories == [str(root / "a")]
    assert await assets(db, session) == {"one.jpg", "two.jpg"}
    assert session.total_images == 2


async def test_without_recursion_nested_subfolders_are_kept_apart(
    db: AsyncSession, root: Path
) -> None:
    config = SessionConfig(recursive=False)
    session = await create(db, root, root / "a", root / "a" / "inner", config=config)
    assert await assets(db, session) == {"one.jpg", "two.jpg"}


async def test_what_nobody_chose_is_as_the_settings_have_it(
    db: AsyncSession, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AFTERIMAGE_EXCLUDE", "inner/, *.png")
    monkeypatch.setenv("AFTERIMAGE_UPDATE_EVERY_HOURS", "24")
    get_settings.cache_clear()
    session = await create(db, root)
    assert session.config["exclude"] == ["inner/", "*.png"]
    assert session.config["update_every_hours"] == 24
    assert await assets(db, session) == {"one.jpg", "three.jpg"}
    chosen = await create(db, root, config=SessionConfig(exclude=[], update_every_hours=0))
    assert (chosen.config["exclude"], chosen.config["update_every_hours"]) == ([], 0)
    monkeypatch.setenv("AFTERIMAGE_EXCLUDE", "*")
    get_settings.cache_clear()
    with pytest.raises(AppError, match="“Exclude” in the settings would skip everything"):
        await create(db, root)


async def test_a_name_is_taken_from_the_folder_where_none_is_given(
    db: AsyncSession, root: Path
) -> None:
    assert (await create(db, root)).name == "root"
    assert (await create(db, root, name="  Holiday ")).name == "Holiday"


@pytest.mark.parametrize(
    ("folder", "sentence"),
    [("missing", "does not exist"), ("b/three.jpg", "is a file, not a folder")],
)
async def test_a_root_that_cannot_be_walked_is_refused(
    db: AsyncSession, root: Path, folder: str, sentence: str
) -> None:
    with pytest.raises(AppError, match=sentence):
        await create(db, root / folder)
    assert await db.scalar(select(func.count()).select_from(TrainingSession)) == 0


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
async def test_an_unreadable_root_is_refused(db: AsyncSession, root: Path) -> None:
    root.chmod(0)
    with pytest.raises(AppError, match="do not have permission"):
        await create(db, root)
    root.chmod(0o700)


async def test_a_subfolder_outside_the_root_is_refused(db: AsyncSession, root: Path) -> None:
    with pytest.raises(AppError, match="is not inside"):
        await create(db, root / "a", root / "b")
    sibling = root.with_name("root-2")
    sibling.mkdir()
    with pytest.raises(AppError, match="is not inside"):
        await create(db, root, sibling)


async def test_an_unknown_model_is_refused_with_the_nearest_names(
    db: AsyncSession, root: Path
) -> None:
    with pytest.raises(AppError, match="ViT-B-32"):
        await create(db, root, model="ViT-B-33/openai")


@pytest.mark.parametrize("size", [0, 10_000])
def test_a_batch_size_out_of_range_is_refused(size: int) -> None:
    with pytest.raises(ValidationError, match="batch_size"):
        SessionConfig(batch_size=size)


@pytest.mark.parametrize("extensions", [[], [""], [" . "]])
def test_no_file_types_are_refused(extensions: list[str]) -> None:
    with pytest.raises(ValidationError, match="at least one file type"):
        SessionConfig(extensions=extensions)


def test_file_types_are_taken_with_or_without_dot_in_any_case() -> None:
    assert SessionConfig(extensions=[".JPG", "png ", "jpg"]).extensions == ["jpg", "png"]


async def test_starting_an_empty_folder_says_what_was_left_out(
    db: AsyncSession, tmp_path: Path
) -> None:
    (tmp_path / "films").mkdir()
    (tmp_path / "films" / "a.mp4").touch()
    session = await create(db, tmp_path / "films")
    with pytest.raises(AppError, match=r"no pictures .* 1 × \.mp4"):
        await service.enqueue_training(db, session.id)
    await db.refresh(session)
    assert session.status == SessionStatus.PENDING


async def test_a_folder_that_vanished_before_the_start_is_named(
    db: AsyncSession, tmp_path: Path
) -> None:
    (tmp_path / "gone").mkdir()
    session = await create(db, tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(AppError, match="does not exist"):
        await service.enqueue_training(db, session.id)


async def test_a_file_name_that_is_no_text_survives_to_the_answer(
    db: AsyncSession, root: Path
) -> None:
    name = os.fsdecode(b"caf\xe9\n.jpg")
    Path(root, name).touch()
    await AssetDiscoveryService().discover_assets(db, (await create(db, root)).id)
    paths = set(await db.scalars(select(ImageAsset.path)))
    assert os.path.join(root, name) in paths


async def test_without_a_queue_the_start_says_so_and_loses_nothing(
    db: AsyncSession, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_service, "enqueue_session", partial(enqueue_session, within_s=0))
    session = await create(db, root)
    with pytest.raises(AppError, match="Nothing is lost"):
        await service.enqueue_training(db, session.id)
    progress = await service.get_session_progress(db, session.id)
    assert (progress.status, progress.jobsSummary.pending) == ("running", 3)


async def test_what_cannot_be_paused_says_why(db: AsyncSession, root: Path) -> None:
    session = await create(db, root)
    with pytest.raises(AppError, match="is pending"):
        await service.pause(db, session.id)
    await service.cancel(db, session.id)
    await service.cancel(db, session.id)  # once more changes nothing
    with pytest.raises(AppError, match="cancelled"):
        await service.enqueue_training(db, session.id)


async def test_a_session_that_does_not_exist_is_named(db: AsyncSession) -> None:
    with pytest.raises(AppError, match="no session 99"):
        await service.get_session_progress(db, 99)


async def test_a_pattern_with_a_whole_path_is_kept_as_one_from_the_root_on(
    db: AsyncSession, root: Path
) -> None:
    config = SessionConfig(exclude=[str(root / "a" / "inner"), "three.*"])
    session = await create(db, root, config=config)
    assert session.config["exclude"] == ["/a/inner", "three.*"]
    assert await assets(db, session) == {"one.jpg"}


async def test_one_folder_that_is_away_keeps_no_other_session_from_resuming(
    db: AsyncSession, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_service, "enqueue_session", lambda _: "job")
    away = root.with_name("away")
    (root / "a").rename(away)
    first, second = await create(db, away), await create(db, root / "b")
    for session in (first, second):
        session.status = SessionStatus.RUNNING.value
    await db.commit()
    away.rename(root / "a")

    assert await service.resume_interrupted(db) == [second.id]
    await db.refresh(first)
    assert first.status == "running"
    assert "does not exist" in (first.waiting_for or "")

    (root / "a").rename(away)
    assert await service.resume_interrupted(db) == [first.id, second.id]
    await db.refresh(first)
    assert (first.waiting_for, first.total_images) == (None, 2)


async def test_what_nobody_foresaw_at_one_session_keeps_no_other_from_resuming(
    db: AsyncSession, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = await create(db, root / "a"), await create(db, root / "b")
    for session in (first, second):
        session.status = SessionStatus.RUNNING.value
    await db.commit()

    async def enqueue(_db: AsyncSession, session_id: int) -> str:
        return "job" if session_id == second.id else [][session_id]

    monkeypatch.setattr(service, "enqueue_training", enqueue)
    assert await service.resume_interrupted(db) == [second.id]
    await db.refresh(first)
    assert "IndexError" in (first.waiting_for or "")
