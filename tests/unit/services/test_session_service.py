"""Sessions get other names and are removed, without a worker."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.api.training_schemas import SessionConfig, TrainingSessionCreate
from app.db.engine import get_sync_engine
from app.db.models import ImageAsset, TrainingSession
from app.errors import AppError
from app.services import session_service
from app.services.asset_discovery import AssetDiscoveryService
from app.services.session_service import SessionService
from app.services.training_service import TrainingService
from app.services.update_service import UpdateService

service = SessionService()


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Nobody is rung for; what would have been is noted."""
    rung: list[str] = []
    monkeypatch.setattr(session_service, "REMOVED_AT_ONCE", 2)
    monkeypatch.setattr(session_service, "enqueue_payload_refresh", lambda: rung.append("payloads"))
    return rung


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for number in range(5):
        path = tmp_path / "root" / f"album {number % 2}" / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return tmp_path / "root"


async def discovered(db: AsyncSession, root: Path, **more: object) -> int:
    data = TrainingSessionCreate(rootPath=str(root), **more)
    session = await TrainingService().create_session(db, data)
    session_id = session.id
    await AssetDiscoveryService().discover_assets(db, session_id)
    return session_id


def total(table: type) -> int:
    with get_sync_engine().connect() as conn:
        return conn.scalar(select(func.count()).select_from(table)) or 0


async def test_a_session_gets_another_name(db: AsyncSession, root: Path) -> None:
    session_id = await discovered(db, root)
    await service.rename(db, session_id, "  Sea \n and  sand ")
    progress = await TrainingService().get_session_progress(db, session_id)
    assert progress.name == "Sea and sand"
    with pytest.raises(AppError, match="needs a name"):
        await service.rename(db, session_id, "  ")
    with pytest.raises(AppError, match="There is no session"):
        await service.rename(db, 99, "x")


async def test_a_removal_says_before_what_it_does(
    db: AsyncSession, root: Path, small_steps: list[str]
) -> None:
    whole = await discovered(db, root, config=SessionConfig(watch=True, update_every_hours=1))
    part = await discovered(db, root / "album 0")
    preview = await service.preview_removal(db, whole)
    assert (preview.pictures, preview.kept) == (5, 3)
    assert await service.remove(db, whole) == 5
    assert (total(TrainingSession), total(ImageAsset)) == (1, 3)
    assert small_steps == ["payloads"]
    assert (await service.preview_removal(db, part)).kept == 0
    assert all(path.is_file() for path in root.glob("*/*.jpg"))
    with pytest.raises(AppError, match="There is no session"):
        await service.remove(db, whole)


async def test_a_removal_that_is_refused_ends_what_would_start_the_session_again(
    db: AsyncSession, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session_id = await discovered(db, root, config=SessionConfig(update_every_hours=1))
    real = session_service.remove_from_session

    def refused_later(conn: object, session_id: int, limit: int) -> object:
        if total(ImageAsset) < 5:
            raise AppError("The session is being indexed.")
        return real(conn, session_id, limit)  # type: ignore[arg-type]

    monkeypatch.setattr(session_service, "remove_from_session", refused_later)
    with pytest.raises(AppError):
        await service.remove(db, session_id)
    progress = await TrainingService().get_session_progress(db, session_id)
    assert progress.progress.total == 3
    assert (await UpdateService().settings(db, session_id)).update_every_hours == 0
