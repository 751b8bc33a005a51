"""The log of acts on files and a ledger that goes along, on SQLite and on PostgreSQL."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import insert, select

from app.db import file_acts
from app.db.engine import get_sync_engine, write_transaction
from app.db.file_acts import PlannedFile, SettledFile
from app.db.models import FileAct, ImageAsset, TrainingJob, TrainingSession, in_trash
from app.db.statuses import ActKind
from app.db.types import utc_now

pytestmark = pytest.mark.usefixtures("ledger")


def add(path: str, **values: Any) -> int:
    row = {"path": path, "folder": path.rpartition("/")[0], "size": 10, "mtime_ns": 5}
    row |= {"excluded": False} | values
    with write_transaction() as conn:
        made = conn.execute(insert(ImageAsset).values(row).returning(ImageAsset.id))
        return int(made.scalar_one())


def begin(kind: ActKind, number: int, source: str, target: str | None = None) -> int:
    with write_transaction() as conn:
        return file_acts.begin(
            conn, "act", "here", kind, [PlannedFile(number, source, target, 10, 5)]
        )[0]


def settle(row: int, target: str | None = None, **values: Any) -> None:
    folder = (target or "").rpartition("/")[0]
    with write_transaction() as conn:
        file_acts.settle(conn, [SettledFile(row, target=target, folder=folder, **values)])


def asset(number: int) -> Any:
    with get_sync_engine().connect() as conn:
        return conn.execute(select(ImageAsset.__table__).where(ImageAsset.id == number)).one()


def states() -> list[str]:
    with get_sync_engine().connect() as conn:
        return list(conn.scalars(select(FileAct.state).order_by(FileAct.id)))


def test_a_picture_follows_its_file_once() -> None:
    odd = "/b/caf\udce9.jpg"
    number = add("/a/1.jpg")
    row = begin(ActKind.MOVE, number, "/a/1.jpg", odd)
    settle(row, odd, mtime_ns=7)
    settle(row, "/c/1.jpg")  # settled already
    found = asset(number)
    assert (found.path, found.folder, found.mtime_ns) == (odd, "/b", 7)
    assert states() == ["done"]


def test_a_file_that_had_changed_is_left_for_an_update_to_see() -> None:
    number = add("/a/1.jpg", size=99)
    settle(begin(ActKind.MOVE, number, "/a/1.jpg", "/b/1.jpg"), "/b/1.jpg", mtime_ns=7)
    assert (asset(number).path, asset(number).mtime_ns) == ("/b/1.jpg", 5)


def test_what_was_not_done_changes_nothing_but_the_log() -> None:
    number = add("/a/1.jpg")
    settle(begin(ActKind.MOVE, number, "/a/1.jpg", "/b/1.jpg"), "/b/1.jpg", message="No.")
    assert asset(number).path == "/a/1.jpg"
    assert states() == ["failed"]


def test_a_picture_that_is_long_gone_gives_its_path_away() -> None:
    gone = add("/b/1.jpg", missing_since=utc_now())
    number = add("/a/1.jpg")
    settle(begin(ActKind.MOVE, number, "/a/1.jpg", "/b/1.jpg"), "/b/1.jpg")
    assert (asset(number).path, asset(gone).path) == ("/b/1.jpg", "/a/1.jpg")
    assert (asset(number).folder, asset(gone).folder) == ("/b", "/a")


def test_where_an_update_was_quicker_the_old_one_is_missing() -> None:
    number, newer = add("/a/1.jpg"), add("/b/1.jpg")
    settle(begin(ActKind.MOVE, number, "/a/1.jpg", "/b/1.jpg"), "/b/1.jpg")
    assert asset(number).missing_since is not None
    assert (asset(newer).path, asset(newer).missing_since) == ("/b/1.jpg", None)


def test_what_is_in_the_trash_is_known_until_it_is_back() -> None:
    number, other = add("/a/1.jpg"), add("/a/2.jpg", missing_since=utc_now())

    def trashed() -> list[int]:
        with get_sync_engine().connect() as conn:
            return list(conn.scalars(select(ImageAsset.id).where(in_trash())))

    row = begin(ActKind.TRASH, number, "/a/1.jpg")
    assert trashed() == []
    settle(row, "/trash/files/1.jpg")
    assert trashed() == [number] != [other]
    back = begin(ActKind.RESTORE, number, "/trash/files/1.jpg", "/a/1.jpg")
    settle(back, "/a/1.jpg")
    assert trashed() == []
    with write_transaction() as conn:
        file_acts.undone(conn, [row])
        assert not file_acts.begun_files(conn, "here")
        assert [done.id for done in file_acts.done_files(conn, "act")] == [back]


def test_pictures_in_a_workers_hands_are_told_apart() -> None:
    held, free = add("/a/1.jpg"), add("/a/2.jpg")
    with write_transaction() as conn:
        conn.execute(
            insert(TrainingSession).values(id=1, name="s", root_path="/a", model="builtin")
        )
        for number, status in ((held, "running"), (free, "completed")):
            conn.execute(insert(TrainingJob).values(session_id=1, asset_id=number, status=status))
    with get_sync_engine().connect() as conn:
        assert file_acts.held_assets(conn, [held, free]) == {held}
