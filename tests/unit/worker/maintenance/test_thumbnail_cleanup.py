"""Only thumbnails of files that are noted as missing, and are, are removed."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from ledgers import fresh_ledger
from PIL import Image

from app.db.engine import write_transaction
from app.db.models import ImageAsset, TrainingJob, TrainingSession
from app.db.types import utc_now
from app.pictures.thumbnail_paths import failure_file, remove_thumbnails, thumbnail_file
from app.queue.enqueue import enqueue_cleanup
from app.worker.maintenance import thumbnail_cleanup
from app.worker.maintenance.thumbnail_cleanup import clean_thumbnails
from app.worker.thumbnails import make_thumbnails


@pytest.fixture
def ledger() -> None:
    fresh_ledger()


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, object]]:
    """What the cleaning would put into the queue."""
    found: list[tuple[int, object]] = []
    monkeypatch.setattr(
        thumbnail_cleanup,
        "enqueue_cleanup",
        lambda after, begun: found.append((after, begun.isoformat())),
    )
    return found


@pytest.fixture
def shown(ledger: None, tmp_path: Path) -> Callable[..., str]:
    """Makes a picture with thumbnails and enters it into the ledger."""
    with write_transaction() as conn:
        session = conn.execute(
            TrainingSession.__table__.insert().values(
                name="One", root_path=str(tmp_path / "root"), model="builtin"
            )
        ).inserted_primary_key[0]

    def make(name: str, *, gone: bool, missing: bool, ago: timedelta = timedelta()) -> str:
        path = tmp_path / "root" / name
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (30, 20)).save(path)
        make_thumbnails([str(path)], 256)
        make_thumbnails([str(path)], 512)
        os.makedirs(os.path.dirname(failure_file(str(path))), exist_ok=True)
        Path(failure_file(str(path))).touch()
        if gone:
            path.unlink()
        with write_transaction() as conn:
            asset = conn.execute(
                ImageAsset.__table__.insert().values(
                    path=str(path),
                    folder=str(path.parent),
                    size=1,
                    mtime_ns=1,
                    missing_since=utc_now() - ago if missing else None,
                )
            ).inserted_primary_key[0]
            conn.execute(TrainingJob.__table__.insert().values(session_id=session, asset_id=asset))
        return str(path)

    return make


def left(path: str) -> int:
    return sum(map(os.path.exists, (thumbnail_file(path, 256), failure_file(path))))


def test_only_what_is_noted_as_missing_and_is_gone_loses_its_thumbnails(shown, jobs) -> None:
    gone = shown("gone.png", gone=True, missing=True)
    back = shown("back.png", gone=False, missing=True)
    there = shown("there.png", gone=False, missing=False)
    not_noted = shown("not noted.png", gone=True, missing=False)
    assert clean_thumbnails() == 3
    assert left(gone) == 0
    assert left(back) == left(there) == left(not_noted) == 2
    assert clean_thumbnails() == 0
    assert not jobs


def test_where_the_folder_is_away_nothing_is_removed(shown, jobs, tmp_path: Path) -> None:
    away = shown("away.png", gone=True, missing=True)
    (tmp_path / "root").rename(tmp_path / "elsewhere")
    assert clean_thumbnails() == 0
    assert left(away) == 2


def test_what_was_noted_before_the_last_cleaning_is_not_looked_at_again(
    shown, jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown("old.png", gone=True, missing=True, ago=timedelta(days=2))
    assert clean_thumbnails() == 3
    new = shown("new.png", gone=True, missing=True)
    looked_at: list[str] = []
    gone = thumbnail_cleanup._gone
    monkeypatch.setattr(
        thumbnail_cleanup,
        "_gone",
        lambda rows: looked_at.extend(path for _id, path, _root in rows) or gone(rows),
    )
    assert clean_thumbnails() == 3
    assert looked_at == [new]


def test_many_are_cleaned_some_at_a_time(shown, jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thumbnail_cleanup, "CHUNK", 2)
    paths = [shown(f"{number}.png", gone=True, missing=True) for number in range(5)]
    removed = clean_thumbnails()
    while jobs:
        removed += clean_thumbnails(*jobs.pop())
    assert removed == 15
    assert not any(map(left, paths))


def test_a_cleaning_that_broke_off_is_done_again_from_its_start(
    shown, jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thumbnail_cleanup, "CHUNK", 2)
    for number in range(5):
        shown(f"{number}.png", gone=True, missing=True, ago=timedelta(days=1))
    clean_thumbnails()
    jobs.clear()
    clean_thumbnails()
    assert len(jobs) == 1


def test_pictures_that_leave_the_ledger_lose_their_thumbnails(shown) -> None:
    path = shown("a.png", gone=True, missing=False)
    other = shown("b.png", gone=False, missing=False)
    assert remove_thumbnails([path, "/never/seen.png"]) == 3
    assert left(path) == 0
    assert left(other) == 2


def test_asking_without_a_queue_is_no_error() -> None:
    enqueue_cleanup()
