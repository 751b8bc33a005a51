"""Changes of watched folders are told, or why they cannot be."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from ledgers import fresh_ledger
from sqlalchemy import update

from app.api.update_schemas import WatchedFolder
from app.db.engine import write_transaction
from app.db.models import ImageAsset, TrainingJob, TrainingSession
from app.scan import folder_watch
from app.scan.folder_watch import FolderWatch


@pytest.fixture(autouse=True)
def _ledger() -> None:
    fresh_ledger()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for number in range(6):
        path = tmp_path / "root" / f"album {number % 2}" / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * (number + 1))
    return tmp_path / "root"


class Heard:
    """What a watch told, and its end."""

    def __init__(self, folder: Path, **more: object) -> None:
        self.number, self.problem = 0, ""
        item = {"session_id": 1, "folders": [str(folder)], "extensions": ["jpg"], "recursive": True}
        item |= {"root": str(folder), "exclude": ["Rejects/", "*_edit.jpg"]}
        self.watch = FolderWatch(WatchedFolder.model_validate(item | more), self._count, self._fail)

    def _count(self, number: int) -> None:
        self.number = number

    def _fail(self, text: str) -> None:
        self.problem = text

    async def until(self, holds: Callable[[], object]) -> None:
        async with asyncio.timeout(30):
            while not holds():  # noqa: ASYNC110 - the thread of the watch changes it
                await asyncio.sleep(0.01)


async def watching(heard: Heard, folder: Path) -> None:
    """Wait until the system tells of changes; files until then are not counted."""
    for number in range(100):
        (folder / f"begin {number}.jpg").touch()
        await asyncio.sleep(0.3)
        if heard.number:
            break
    await asyncio.sleep(1)  # what is still on its way
    heard.watch.forget()
    heard.number = 0


async def test_new_pictures_are_counted_once_each_and_nothing_else_is(root: Path) -> None:
    heard = Heard(root)
    try:
        await watching(heard, root)
        (root / "notes.txt").touch()
        (root / ".hidden.jpg").touch()
        (root / ".cache").mkdir()
        (root / ".cache" / "a.jpg").touch()
        (root / "a_edit.jpg").touch()
        for left_out in ("@eaDir", "Rejects"):
            (root / left_out).mkdir()
            (root / left_out / "a.jpg").touch()
        (root / "album 0" / "new.JPG").touch()
        (root / "album 0" / "0.jpg").write_bytes(b"changed")
        await heard.until(lambda: heard.number == 2)
        (root / "album 0" / "new.JPG").write_bytes(b"again")
        (root / "third.jpg").touch()
        await heard.until(lambda: heard.number == 3)
        (root / "third.jpg").unlink()
        await heard.until(lambda: heard.number == 2)
    finally:
        heard.watch.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("watch")]


def enter(path: Path) -> None:
    """Have session 1 know a file as it is."""
    status = path.stat()
    row = {"path": str(path), "size": status.st_size, "mtime_ns": status.st_mtime_ns}
    with write_transaction() as conn:
        session = {"id": 1, "name": "s", "root_path": "/", "model": "builtin"}
        conn.execute(TrainingSession.__table__.insert().prefix_with("OR IGNORE").values(session))
        asset = conn.execute(ImageAsset.__table__.insert().values(row)).inserted_primary_key[0]
        conn.execute(TrainingJob.__table__.insert().values(session_id=1, asset_id=asset))


def rename(old: Path, new: Path) -> None:
    """Move a file and have the ledger go along, as an act on files does."""
    old.rename(new)
    with write_transaction() as conn:
        conn.execute(update(ImageAsset).where(ImageAsset.path == str(old)).values(path=str(new)))


async def test_what_the_program_moved_itself_is_not_new(root: Path) -> None:
    for number in (0, 2):
        enter(root / "album 0" / f"{number}.jpg")
    heard = Heard(root)
    try:
        await watching(heard, root)
        rename(root / "album 0" / "0.jpg", root / "album 1" / "0.jpg")
        (root / "new.jpg").touch()
        await heard.until(lambda: heard.number == 1)
        assert heard.watch._seen == {str(root / "new.jpg")}
        (root / "album 1" / "0.jpg").write_bytes(b"edited since")
        await heard.until(lambda: heard.number == 2)
    finally:
        heard.watch.close()


async def test_what_the_ledger_learns_later_is_no_longer_new(root: Path) -> None:
    heard = Heard(root)
    try:
        await watching(heard, root)
        for number in (6, 7):
            (root / f"{number}.jpg").touch()
        await heard.until(lambda: heard.number == 2)
        enter(root / "7.jpg")
        await asyncio.to_thread(heard.watch.look_again)
        assert heard.number == 1
        os.utime(root / "7.jpg", (1, 1))
        await heard.until(lambda: heard.number == 2)
    finally:
        heard.watch.close()


async def test_pictures_of_a_folder_that_was_moved_here_are_counted(
    root: Path, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    for number in range(5):
        (tmp_path / "elsewhere" / f"{number}.jpg").touch()
    (tmp_path / "elsewhere" / "@eaDir").mkdir()
    (tmp_path / "elsewhere" / "@eaDir" / "thumb.jpg").touch()
    heard = Heard(root)
    try:
        await watching(heard, root)
        (tmp_path / "elsewhere").rename(root / "moved here")
        await heard.until(lambda: heard.number == 5)
    finally:
        heard.watch.close()


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (OSError('OS file watch limit reached. about ["/p"]'), "fs.inotify.max_user_watches"),
        (FileNotFoundError("No path was found."), "does not exist"),
        (OSError(5, "Input/output error"), "cannot be watched: Input/output error"),
    ],
)
async def test_what_cannot_be_watched_says_why_in_one_sentence(
    root: Path, monkeypatch: pytest.MonkeyPatch, error: OSError, sentence: str
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(folder_watch, "watch", refuse)
    heard = Heard(root)
    await heard.until(lambda: heard.problem)
    heard.watch.close()
    assert sentence in heard.problem


async def test_any_failure_of_the_library_is_told_and_does_not_end_the_watch(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Internal(RuntimeError):
        """As the library has it, which is no OSError."""

    def refuse(*_: object, **__: object) -> None:
        raise Internal("error in underlying watcher: Too many open files (os error 24)")

    monkeypatch.setattr(folder_watch, "watch", refuse)
    monkeypatch.setattr(folder_watch, "POLL_EVERY_S", 0.05)
    heard = Heard(root)
    await heard.until(lambda: "max_user_instances" in heard.problem)
    await heard.until(lambda: heard.watch._known is not None)
    (root / "new.jpg").touch()
    await heard.until(lambda: heard.number == 1)
    heard.watch.close()


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "fuse.sshfs", "9p"])
async def test_a_network_folder_is_looked_through(
    root: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    mounts = [
        SimpleNamespace(mountpoint="/", fstype="ext4"),
        SimpleNamespace(mountpoint=str(root), fstype=kind),
    ]
    monkeypatch.setattr(folder_watch.psutil, "disk_partitions", lambda all: mounts)
    monkeypatch.setattr(folder_watch, "POLL_EVERY_S", 0.05)
    monkeypatch.setattr(folder_watch, "watch", lambda *_, **__: [][0])
    heard = Heard(root / "album 0")
    try:
        await heard.until(lambda: heard.watch._known is not None)
        (root / "album 0" / "new.JPG").touch()
        (root / "album 0" / "0.jpg").write_bytes(b"changed")
        (root / "album 0" / "notes.txt").touch()
        (root / "album 0" / "a_edit.jpg").touch()
        await heard.until(lambda: heard.number == 2)
        (root / "album 0" / "new.JPG").unlink()
        await heard.until(lambda: heard.number == 1)
        heard.watch.forget()
        await heard.until(lambda: heard.watch._known is not None)
        heard.number = -1
        (root / "album 0" / "one more.jpg").touch()
        await heard.until(lambda: heard.number == 1)
        enter(root / "album 0" / "one more.jpg")
        await heard.until(lambda: heard.number == 0)
    finally:
        heard.watch.close()
    assert heard.problem == ""


def test_a_folder_on_a_disk_tells_of_its_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts = [
        SimpleNamespace(mountpoint="/", fstype="nfs"),
        SimpleNamespace(mountpoint=str(tmp_path), fstype="fuseblk"),
        SimpleNamespace(mountpoint=f"{tmp_path}/a", fstype="nfs"),
    ]
    monkeypatch.setattr(folder_watch.psutil, "disk_partitions", lambda all: mounts)
    assert not folder_watch.sends_no_events(str(tmp_path))
    assert not folder_watch.sends_no_events(str(tmp_path / "about"))
    assert folder_watch.sends_no_events(str(tmp_path / "a" / "b"))
    assert folder_watch.sends_no_events("/elsewhere")
