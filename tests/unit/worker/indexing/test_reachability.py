"""A folder that cannot be reached is waited for; a picture that is gone from it is not."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from ledgers import fresh_ledger
from sqlalchemy import insert

from app.api.error_kinds import ErrorKind
from app.db.engine import get_sync_session, write_transaction
from app.db.files import FoundFile, register_files
from app.db.jobs import ClaimedJob, create_jobs_for_paths
from app.db.models import TrainingSession
from app.db.settle import Outcome
from app.errors import AppError
from app.worker.context import context
from app.worker.indexing import reachability
from app.worker.indexing.picture import Picture
from app.worker.indexing.reachability import Places

NAMES = ("a/1.jpg", "a/2.jpg", "b/3.jpg", "b/4.jpg")


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    fresh_ledger()
    root = tmp_path / "root"
    for name in NAMES:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"picture")
    yield root
    context().seen_on.clear()


def places_of(root: Path, *chosen: str) -> Places:
    files = [FoundFile(str(root / name), str((root / name).parent), 7, 1) for name in NAMES]
    with write_transaction() as conn:
        session_id = conn.execute(
            insert(TrainingSession)
            .values(
                name="s",
                root_path=str(root),
                subdirectories=[str(root / folder) for folder in chosen],
                model="builtin",
                status="running",
            )
            .returning(TrainingSession.id)
        ).scalar_one()
        register_files(conn, files)
        create_jobs_for_paths(conn, session_id, [file.path for file in files])
    with get_sync_session() as db:
        session = db.get(TrainingSession, session_id)
        assert session is not None
        return Places(session)


def read(job: ClaimedJob) -> Picture:
    """As the stages do, as far as the file goes."""
    picture = Picture(Outcome(job))
    try:
        Path(job.path).read_bytes()
    except FileNotFoundError:
        picture.fail(ErrorKind.MISSING, "gone")
    except OSError:
        picture.fail(ErrorKind.UNREADABLE, "unreadable")
    return picture


def batch(root: Path, *names: str) -> list[Picture]:
    return [read(ClaimedJob(n, n, 1, str(root / name))) for n, name in enumerate(names)]


def kinds(pictures: list[Picture]) -> list[ErrorKind | None]:
    return [picture.outcome.error_kind for picture in pictures]


def test_a_deleted_picture_is_blamed_while_others_are_there(root: Path) -> None:
    (root / "a/1.jpg").unlink()
    found = places_of(root)
    assert kinds(found.judged(batch(root, "a/1.jpg", "a/2.jpg"), read)) == [ErrorKind.MISSING, None]
    assert kinds(found.judged(batch(root, "a/1.jpg"), read)) == [ErrorKind.MISSING]


def test_a_deleted_folder_is_blamed_while_others_are_there(root: Path) -> None:
    found = places_of(root)
    found.judged(batch(root, *NAMES), read)
    for name in NAMES[:2]:
        (root / name).unlink()
    (root / "a").rmdir()
    assert set(kinds(found.judged(batch(root, *NAMES[:2]), read))) == {ErrorKind.MISSING}


def test_a_root_that_is_gone_is_waited_for(root: Path) -> None:
    found, pictures = places_of(root), batch(root, *NAMES)
    found.judged(pictures, read)
    found.require()
    root.rename(root.with_name("away"))
    with pytest.raises(AppError, match="cannot be reached") as away:
        found.judged(batch(root, "b/3.jpg"), read)
    assert away.value.transient
    with pytest.raises(AppError, match="continues on its own") as away:
        found.require()
    assert away.value.transient


@pytest.mark.parametrize("left", [(), ("lost+found",)], ids=["empty", "with other things"])
def test_a_mount_point_that_is_left_behind_is_waited_for(root: Path, left: tuple[str, ...]) -> None:
    found = places_of(root)
    root.rename(root.with_name("away"))
    root.mkdir()
    for name in left:
        (root / name).mkdir()
    with pytest.raises(AppError) as away:
        found.judged(batch(root, *NAMES), read)
    assert away.value.transient


def test_a_chosen_folder_that_is_gone_is_waited_for(root: Path) -> None:
    found = places_of(root, "a", "b")
    (root / "a").rename(root / "away")
    with pytest.raises(AppError, match="/a cannot be reached") as away:
        found.judged(batch(root, *NAMES), read)
    assert away.value.transient
    assert kinds(found.judged(batch(root, "b/3.jpg"), read)) == [None]


def test_a_disk_below_the_root_that_is_gone_is_waited_for(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.stat

    def two_disks(path: str, **how: object) -> os.stat_result:
        found = list(real(path, **how))  # type: ignore[call-overload]
        if str(path).startswith(str(root / "a")):
            found[2] += 1  # another device
        return os.stat_result(found)

    monkeypatch.setattr(reachability.os, "stat", two_disks)
    found = places_of(root)
    found.judged(batch(root, *NAMES), read)
    (root / "a").rename(root.with_name("away"))
    with pytest.raises(AppError, match="/a cannot be reached: its disk is gone"):
        found.judged(batch(root, *NAMES), read)


def test_a_disk_that_was_away_for_a_moment_costs_nothing(root: Path) -> None:
    root.rename(root.with_name("away"))
    pictures = batch(root, *NAMES)
    assert set(kinds(pictures)) == {ErrorKind.MISSING}
    root.with_name("away").rename(root)
    found = places_of(root)
    assert kinds(found.judged(pictures, read)) == [None] * 4


@pytest.mark.parametrize("code", ["ESTALE", "ENOTCONN", "EHOSTDOWN", "ENODEV"])
def test_what_no_file_can_be_the_cause_of_is_waited_for(
    root: Path, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    number = getattr(reachability.errno, code)
    found, pictures = places_of(root), batch(root, *NAMES)
    pictures[0].fail(ErrorKind.UNREADABLE, "an error of the network")
    monkeypatch.setattr(reachability, "_trouble", lambda _path: number)
    with pytest.raises(AppError, match="cannot be reached") as away:
        found.judged(pictures, read)
    assert away.value.transient


def test_a_file_that_may_not_be_read_is_blamed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found, pictures = places_of(root), batch(root, *NAMES)
    pictures[0].fail(ErrorKind.UNREADABLE, "its permissions do not allow it")
    monkeypatch.setattr(reachability, "_trouble", lambda _path: reachability.errno.EACCES)
    assert kinds(found.judged(pictures, read)) == [ErrorKind.UNREADABLE, None, None, None]
