"""What is done to files because a person asked for it, with real files, a real trash, no worker."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from own_trash import own_trash
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.api.file_schemas import ActProgress, ActResult, ChosenFile
from app.api.training_schemas import TrainingSessionCreate
from app.db import file_acts, sessions
from app.db.engine import get_sync_engine, write_transaction
from app.db.file_acts import PlannedFile
from app.db.models import (
    AssetVector,
    EmbeddingModel,
    FileAct,
    ImageAsset,
    TrainingEvidence,
    TrainingJob,
    TrainingSession,
)
from app.db.statuses import ActKind
from app.errors import AppError
from app.services import file_act, file_moves
from app.services.asset_discovery import AssetDiscoveryService
from app.services.file_service import FileService
from app.services.library_service import LibraryService
from app.services.training_service import TrainingService
from app.services.update_service import UpdateService

service = FileService()


@pytest.fixture(autouse=True)
def nobody_is_rung_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.services.update_service.enqueue_session_if_possible", lambda _: None)
    monkeypatch.setattr("app.scan.session_walk.enqueue_session_if_possible", lambda _: None)
    monkeypatch.setattr("app.scan.session_walk.enqueue_cleanup", lambda: None)
    monkeypatch.setattr("app.scan.session_walk.enqueue_forgetting_of_moved", lambda: None)
    monkeypatch.setattr(file_act, "enqueue_payload_refresh", lambda: None)


@pytest.fixture(autouse=True)
def trash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return own_trash(tmp_path, monkeypatch)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for number in range(4):
        path = tmp_path / "root" / f"album {number % 2}" / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * (number + 1))
        os.utime(path, ns=(1, 1_600_000_000_123_456_789 + number))
    return tmp_path / "root"


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """A folder on another file system."""
    for place in ("/dev/shm", tempfile.gettempdir(), os.path.expanduser("~"), "/var/tmp"):
        if os.path.isdir(place) and os.stat(place).st_dev != tmp_path.stat().st_dev:
            folder = Path(tempfile.mkdtemp(prefix="afterimage-acts-", dir=place))
            yield folder
            shutil.rmtree(folder)
            return
    pytest.skip("everything lies on one file system here")


async def indexed(db: AsyncSession, root: Path) -> int:
    """A finished session whose pictures have vectors and evidence."""
    session = await TrainingService().create_session(db, TrainingSessionCreate(rootPath=str(root)))
    session_id = session.id
    await AssetDiscoveryService().discover_assets(db, session_id)
    with write_transaction() as conn:
        model_id = conn.execute(
            EmbeddingModel.__table__.insert().values(
                name="m", version="v", weights_digest="d", dimension=4, collection="c", spec=""
            )
        ).inserted_primary_key[0]
        for job in conn.execute(
            select(TrainingJob.id, TrainingJob.asset_id, ImageAsset.size, ImageAsset.mtime_ns)
            .join(ImageAsset, ImageAsset.id == TrainingJob.asset_id)
            .order_by(TrainingJob.id)
        ).all():
            vector = {"asset_id": job.asset_id, "model_id": model_id, "size": job.size}
            vector |= {"mtime_ns": job.mtime_ns, "sha256": str(job.size)}
            conn.execute(AssetVector.__table__.insert().values(vector))
            conn.execute(
                TrainingEvidence.__table__.insert().values(
                    job_id=job.id, asset_id=job.asset_id, session_id=session_id, attempt=1
                )
            )
        conn.execute(update(TrainingJob).values(status="completed"))
        conn.execute(
            update(TrainingSession).values(
                status="completed", model_id=model_id, **sessions.recount(conn, session_id)
            )
        )
    return session_id


def chosen(*paths: Path) -> list[ChosenFile]:
    return [ChosenFile(asset(path).id, str(path)) for path in paths]


def asset(path: Path) -> Any:
    with get_sync_engine().connect() as conn:
        query = select(ImageAsset.__table__).where(ImageAsset.path == str(path))
        return conn.execute(query).one()


def paths_known(*, missing: bool = False) -> set[str]:
    gone = ImageAsset.missing_since.is_not(None)
    with get_sync_engine().connect() as conn:
        return set(conn.scalars(select(ImageAsset.path).where(gone if missing else ~gone)))


def in_work(session_id: int) -> tuple[str, int, list[str]]:
    """A session's status, how many pictures it has, and those that wait for a worker."""
    waiting = (
        select(ImageAsset.path)
        .join(TrainingJob, TrainingJob.asset_id == ImageAsset.id)
        .where(TrainingJob.session_id == session_id, TrainingJob.status == "pending")
        .order_by(ImageAsset.id)
    )
    query = select(TrainingSession).where(TrainingSession.id == session_id)
    with get_sync_engine().connect() as conn:
        session: Any = conn.execute(query).one()
        return session.status, session.total_images, list(conn.scalars(waiting))


def logged() -> list[tuple[str, str, str, str | None]]:
    columns = FileAct.kind, FileAct.state, FileAct.source, FileAct.target
    with get_sync_engine().connect() as conn:
        return [tuple(row) for row in conn.execute(select(*columns).order_by(FileAct.id))]


def stale_payloads() -> int:
    with get_sync_engine().connect() as conn:
        stale = select(func.count()).where(AssetVector.payload_stale)
        return conn.scalar(stale) or 0


async def move(db: AsyncSession, files: list[ChosenFile], folder: Path) -> ActResult:
    return await service.move(db, files, str(folder), ActProgress())


async def undo(db: AsyncSession, result: ActResult) -> ActResult:
    return await service.undo(db, result.act, ActProgress())


# --- move -----------------------------------------------------------------------------------------


async def test_the_index_goes_along_with_a_moved_file(db: AsyncSession, root: Path) -> None:
    session_id = await indexed(db, root)
    before, folder = asset(root / "album 0" / "0.jpg"), root / "album 1"
    progress = ActProgress()
    result = await service.move(db, chosen(root / "album 0" / "0.jpg"), str(folder), progress)
    assert (result.done, result.failed, result.left) == ((before.id,), (), 0)
    assert (progress.done, progress.total, progress.share) == (1, 1, 1.0)
    after = asset(folder / "0.jpg")
    assert (after.id, after.folder, after.mtime_ns) == (before.id, str(folder), before.mtime_ns)
    assert stale_payloads() == 1
    summary = await UpdateService().update(db, session_id)
    assert (summary.unchanged, summary.new, summary.missing, summary.moved) == (4, 0, 0, 0)


async def test_a_file_that_leaves_the_folders_of_its_session_stays_known(
    db: AsyncSession, root: Path, tmp_path: Path
) -> None:
    session_id = await indexed(db, root)
    (tmp_path / "best").mkdir()
    await move(db, chosen(root / "album 0" / "0.jpg"), tmp_path / "best")
    summary = await UpdateService().update(db, session_id)
    assert (summary.missing, summary.left_out) == (0, 0)
    assert str(tmp_path / "best" / "0.jpg") in paths_known()


async def test_no_name_is_overwritten_and_each_file_says_why_it_was_not_moved(
    db: AsyncSession, root: Path
) -> None:
    for number in range(3):
        (root / f"{number}").mkdir()
        (root / f"{number}" / "same.jpg").write_bytes(b"%d" % number)
    await indexed(db, root)
    folder = root / "album 1"
    files = chosen(
        *(root / f"{number}" / "same.jpg" for number in range(3)),
        root / "album 0" / "0.jpg",
        root / "album 0" / "2.jpg",
        folder / "1.jpg",
    )
    (root / "album 0" / "0.jpg").unlink()
    (root / "album 0" / "2.jpg").unlink()
    (root / "album 0" / "2.jpg").symlink_to(folder / "3.jpg")
    result = await move(db, files, folder)
    assert [(folder / f"same{end}.jpg").read_bytes() for end in ("", " (2)", " (3)")] == [
        b"0", b"1", b"2",
    ]  # fmt: skip
    assert [reason for _, reason in result.failed] == [
        "It is no longer there.",
        "It is a link to a file that lies elsewhere.",
        "It is in that folder already.",
    ]
    assert (folder / "3.jpg").read_bytes() == b"xxxx"
    assert (root / "album 0" / "2.jpg").is_symlink()


async def test_another_file_system_gets_a_copy_that_is_compared_before_the_original_goes(
    db: AsyncSession, root: Path, elsewhere: Path
) -> None:
    session_id = await indexed(db, root)
    large = root / "album 0" / "0.jpg"
    before = asset(large)
    (elsewhere / "0.jpg").write_bytes(b"another")
    result = await move(db, chosen(large), elsewhere)
    assert not result.failed
    assert (elsewhere / "0.jpg").read_bytes() == b"another"
    assert (elsewhere / "0 (2).jpg").read_bytes() == b"x"
    assert sorted(os.listdir(elsewhere)) == ["0 (2).jpg", "0.jpg"]
    assert not large.exists()
    assert asset(elsewhere / "0 (2).jpg").id == before.id
    assert not (await undo(db, result)).failed
    assert asset(large).mtime_ns == large.stat().st_mtime_ns == before.mtime_ns
    assert (await UpdateService().update(db, session_id)).unchanged == 4


async def test_where_the_original_cannot_go_no_copy_stays(
    db: AsyncSession, root: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await indexed(db, root)
    unlink = os.unlink

    def refuse(path: str) -> None:
        if path == str(root / "album 0" / "0.jpg"):  # a test may be root, who is refused nothing
            raise PermissionError(13, "Permission denied")
        unlink(path)

    monkeypatch.setattr(file_moves.os, "unlink", refuse)
    result = await move(db, chosen(root / "album 0" / "0.jpg"), elsewhere)
    assert [reason for _, reason in result.failed] == [
        "You are not allowed to change it or its folder."
    ]
    assert os.listdir(elsewhere) == []
    assert str(root / "album 0" / "0.jpg") in paths_known()


async def test_a_name_that_a_missing_picture_had_is_free(db: AsyncSession, root: Path) -> None:
    session_id = await indexed(db, root)
    gone, moving = root / "album 1" / "1.jpg", root / "album 0" / "0.jpg"
    gone.unlink()
    await UpdateService().update(db, session_id)
    lost, kept = asset(gone).id, asset(moving).id
    moving.rename(moving.with_name("1.jpg"))
    with write_transaction() as conn:
        conn.execute(
            update(ImageAsset)
            .where(ImageAsset.id == kept)
            .values(path=str(moving.with_name("1.jpg")))
        )
    await move(db, chosen(moving.with_name("1.jpg")), root / "album 1")
    assert (asset(gone).id, asset(gone).missing_since) == (kept, None)
    assert asset(moving.with_name("1.jpg")).id == lost


async def test_an_update_that_is_quicker_leaves_one_picture(db: AsyncSession, root: Path) -> None:
    session_id = await indexed(db, root)
    old, new = root / "album 0" / "0.jpg", root / "album 1" / "0.jpg"
    plan = PlannedFile(asset(old).id, str(old), str(new), 1, asset(old).mtime_ns)
    with write_transaction() as conn:
        file_acts.begin(conn, "act", os.uname().nodename, ActKind.MOVE, [plan])
    old.rename(new)  # and the program is cut off here
    summary = await UpdateService().update(db, session_id)
    assert (summary.moved, summary.new, summary.missing) == (1, 0, 0)
    (found,) = await service.settle_interrupted(db)
    assert (found.done, found.failed) == ((asset(old).id,), ())
    assert paths_known(missing=True) == {str(old)}
    assert str(new) in paths_known()
    assert logged()[0][1] == "done"


async def test_a_picture_in_a_workers_hands_is_not_moved(db: AsyncSession, root: Path) -> None:
    await indexed(db, root)
    busy, idle = root / "album 0" / "0.jpg", root / "album 0" / "2.jpg"
    with write_transaction() as conn:
        conn.execute(
            update(TrainingJob)
            .where(TrainingJob.asset_id == asset(busy).id)
            .values(status="running")
        )
    result = await move(db, chosen(busy, idle), root / "album 1")
    assert result.failed == ((str(busy), "It is being indexed at this moment."),)
    assert busy.exists()
    assert not idle.exists()


async def test_names_that_are_no_text_move_too(db: AsyncSession, root: Path) -> None:
    odd = root / "album 0" / os.fsdecode(b"caf\xe9 100%.jpg")
    odd.write_bytes(b"odd")
    await indexed(db, root)
    result = await move(db, chosen(odd), root / "album 1")
    assert (root / "album 1" / odd.name).read_bytes() == b"odd"
    assert not (await undo(db, result)).failed
    assert odd.read_bytes() == b"odd"
    assert str(odd) in paths_known()


# --- copy -----------------------------------------------------------------------------------------


async def test_a_copy_has_the_content_and_the_times_and_is_a_new_picture(
    db: AsyncSession, root: Path
) -> None:
    session_id = await indexed(db, root)
    source = root / "album 0" / "2.jpg"
    result = await service.copy(db, chosen(source), str(root / "album 0"), ActProgress())
    copy = root / "album 0" / "2 (2).jpg"
    assert copy.read_bytes() == source.read_bytes()
    assert copy.stat().st_mtime_ns == source.stat().st_mtime_ns
    assert str(copy) in paths_known()
    assert in_work(session_id) == ("running", 5, [str(copy)])
    undone = await undo(db, result)
    assert (len(undone.done), copy.exists(), source.exists()) == (1, False, True)
    assert in_work(session_id) == ("running", 4, [])  # no worker looks for it
    assert str(copy) not in paths_known() | paths_known(missing=True)


async def test_a_copy_that_was_indexed_is_in_the_trash_when_it_is_undone(
    db: AsyncSession, root: Path
) -> None:
    await indexed(db, root)
    source = root / "album 0" / "2.jpg"
    result = await service.copy(db, chosen(source), str(root), ActProgress())
    copy = asset(root / "2.jpg")
    with write_transaction() as conn:
        vector = {"asset_id": copy.id, "model_id": 1, "size": 3, "mtime_ns": 1, "sha256": "3"}
        conn.execute(AssetVector.__table__.insert().values(vector))
    await undo(db, result)
    assert paths_known(missing=True) == {copy.path}
    assert (await LibraryService().listing(db, None)).count == 4


async def test_a_file_that_moves_into_a_sessions_folder_is_its_picture_at_once(
    db: AsyncSession, root: Path, tmp_path: Path
) -> None:
    await indexed(db, root)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "first.jpg").write_bytes(b"first")
    session = await TrainingService().create_session(
        db, TrainingSessionCreate(rootPath=str(tmp_path / "other"))
    )
    session_id = session.id
    await AssetDiscoveryService().discover_assets(db, session_id)
    with write_transaction() as conn:
        other = update(TrainingSession).where(TrainingSession.id == session_id)
        conn.execute(other.values(status="completed"))
    await move(db, chosen(root / "album 0" / "0.jpg"), tmp_path / "other")
    assert in_work(session_id)[1] == 2
    assert str(tmp_path / "other" / "0.jpg") in in_work(session_id)[2]


async def test_a_copy_that_was_changed_since_is_not_undone(db: AsyncSession, root: Path) -> None:
    await indexed(db, root)
    result = await service.copy(
        db, chosen(root / "album 0" / "2.jpg"), str(root / "album 1"), ActProgress()
    )
    (root / "album 1" / "2.jpg").write_bytes(b"edited")
    undone = await undo(db, result)
    assert [reason for _, reason in undone.failed] == ["It was changed since."]
    assert (root / "album 1" / "2.jpg").read_bytes() == b"edited"


async def test_a_copy_that_is_stopped_leaves_nothing_half(db: AsyncSession, root: Path) -> None:
    for number in range(3):
        (root / f"large {number}.jpg").write_bytes(bytes(3 * file_moves.BLOCK))
    await indexed(db, root)
    (root / "to").mkdir()
    progress = StopsAfterOneFile()
    result = await service.copy(
        db, chosen(*(root / f"large {number}.jpg" for number in range(3))), str(root / "to"),
        progress,
    )  # fmt: skip
    assert (len(result.done), result.left, result.failed) == (1, 2, ())
    assert os.listdir(root / "to") == ["large 0.jpg"]
    assert [state for _, state, _, _ in logged()] == ["done", "failed", "failed"]


class StopsAfterOneFile(ActProgress):
    """Is stopped by a person within the second file."""

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)
        if name == "share" and value > 0.4:
            self.stop.set()


async def test_a_folder_that_cannot_take_them_is_one_sentence(
    db: AsyncSession, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await indexed(db, root)
    files = chosen(root / "album 0" / "0.jpg")
    with pytest.raises(AppError, match="no longer there"):
        await move(db, files, root / "nowhere")
    usage = shutil.disk_usage(root)._replace(free=0)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(AppError, match="no room"):
        await service.copy(db, files, str(root / "album 1"), ActProgress())
    assert logged() == []


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 400 KB."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", place], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("only root may mount a small file system")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


async def test_a_disk_that_gets_full_ends_the_act_and_says_so(
    db: AsyncSession, root: Path, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        (root / f"{number}.jpg").write_bytes(bytes(250_000))
    await indexed(db, root)
    usage = shutil.disk_usage(small)._replace(free=10**9)  # somebody else fills it meanwhile
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    result = await move(db, chosen(*(root / f"{number}.jpg" for number in range(3))), small)
    assert (len(result.done), result.left) == (1, 2)
    assert "is full" in result.ended
    assert os.listdir(small) == ["0.jpg"]
    assert (root / "1.jpg").exists()


# --- trash ----------------------------------------------------------------------------------------


async def test_a_trashed_picture_is_gone_at_once_and_comes_back(
    db: AsyncSession, root: Path, trash: Path
) -> None:
    await indexed(db, root)
    library, path = LibraryService(), root / "album 0" / "0.jpg"
    result = await service.trash(db, chosen(path), ActProgress())
    assert (path.exists(), (trash / "files" / "0.jpg").exists()) == (False, True)
    assert (result.bytes, result.can_undo) == (1, True)
    assert (await library.listing(db, None)).count == 3
    assert sum((await library.counts(db, None)).values()) == 3
    assert sum(item.pictures for item in await library.folders(db)) == 3
    assert sum(item.pictures for item in await library.months(db)) == 3
    mark = await library.change_mark(db)
    undone = await undo(db, result)
    assert (undone.failed, undone.can_undo, path.read_bytes()) == ((), False, b"x")
    assert os.listdir(trash / "info") == os.listdir(trash / "files") == []
    assert (await library.listing(db, None)).count == 4
    assert await library.change_mark(db) != mark
    assert [row[:2] for row in logged()] == [("trash", "undone"), ("restore", "done")]


async def test_of_files_with_one_name_each_comes_back_to_its_own_place(
    db: AsyncSession, root: Path, trash: Path
) -> None:
    places = [root / f"place {number}" / "same.jpg" for number in range(3)]
    for number, place in enumerate(places):
        place.parent.mkdir()
        place.write_bytes(b"%d" % number)
    await indexed(db, root)
    first = await service.trash(db, chosen(places[0]), ActProgress())
    places[0].write_bytes(b"newer")
    second = await service.trash(db, chosen(*places[1:]), ActProgress())
    assert len(os.listdir(trash / "files")) == 3
    assert not (await undo(db, second)).failed
    assert [place.read_bytes() for place in places] == [b"newer", b"1", b"2"]
    await undo(db, first)
    assert places[0].with_name("same (2).jpg").read_bytes() == b"0"
    assert str(places[0].with_name("same (2).jpg")) in paths_known()


async def test_what_somebody_took_out_of_the_trash_is_not_restored(
    db: AsyncSession, root: Path, trash: Path
) -> None:
    await indexed(db, root)
    result = await service.trash(db, chosen(root / "album 0" / "0.jpg"), ActProgress())
    (trash / "files" / "0.jpg").unlink()
    assert [reason for _, reason in (await undo(db, result)).failed] == ["It is no longer there."]


async def test_a_check_can_keep_a_file_at_the_last_moment(db: AsyncSession, root: Path) -> None:
    await indexed(db, root)
    path = root / "album 0" / "0.jpg"
    result = await service.trash(
        db, chosen(path), ActProgress(), lambda file: f"No: {Path(file.path).name}."
    )
    assert (result.failed, path.exists()) == (((str(path), "No: 0.jpg."),), True)


# --- a power cut ----------------------------------------------------------------------------------


def begin(kind: ActKind, path: Path, target: Path | None) -> int:
    """Announce an act, as right before the power goes."""
    found = asset(path)
    plan = PlannedFile(
        found.id, str(path), None if target is None else str(target), found.size, found.mtime_ns
    )
    with write_transaction() as conn:
        return file_acts.begin(conn, "act", os.uname().nodename, kind, [plan])[0]


@pytest.mark.parametrize(
    "cut",
    ["before", "name taken", "moved", "half a copy", "not replaced", "both", "copied"],
)
async def test_a_cut_in_a_move_leaves_one_picture_and_a_true_log(
    db: AsyncSession, root: Path, cut: str
) -> None:
    session_id = await indexed(db, root)
    old, new = root / "album 0" / "2.jpg", root / "album 1" / "2.jpg"
    number = asset(old).id
    row = begin(ActKind.MOVE, old, new)
    partial = Path(file_act.partial_of(str(new), row))
    if cut == "name taken":
        new.touch()
    elif cut == "moved":
        old.rename(new)
    elif cut == "half a copy":
        new.touch()
        partial.write_bytes(b"x")
    elif cut in ("both", "copied"):
        shutil.copy2(old, new)
    if cut in ("copied", "not replaced"):
        with write_transaction() as conn:
            file_acts.note_copied(conn, row)
    if cut == "not replaced":
        new.touch()
        shutil.copy2(old, partial)
    (found,) = await service.settle_interrupted(db)
    assert await service.settle_interrupted(db) == []
    moved = cut in ("moved", "copied")
    assert (len(found.done), len(found.failed)) == (int(moved), int(not moved))
    assert (found.kind, found.folder, found.can_undo) == ("move", str(new.parent), False)
    assert logged()[0][1] == ("done" if moved else "failed")
    assert asset(new if moved else old).id == number
    assert (old.exists(), new.exists()) == (not moved, moved or cut == "both")
    assert not partial.exists()
    summary = await UpdateService().update(db, session_id)
    assert (summary.missing, summary.moved, summary.new) == (0, 0, int(cut == "both"))


@pytest.mark.parametrize("which", ["old", "new"])
async def test_a_file_that_was_edited_after_a_cut_is_kept_beside_its_copy(
    db: AsyncSession, root: Path, which: str
) -> None:
    await indexed(db, root)
    old, new = root / "album 0" / "2.jpg", root / "album 1" / "2.jpg"
    row = begin(ActKind.MOVE, old, new)
    with write_transaction() as conn:
        file_acts.note_copied(conn, row)
    shutil.copy2(old, new)
    edited = old if which == "old" else new
    edited.write_bytes(bytes(len(edited.read_bytes())))
    (found,) = await service.settle_interrupted(db)
    assert [reason for _, reason in found.failed] == [
        "It was changed since it was copied, so both files were kept."
    ]
    assert old.exists()
    assert new.exists()
    assert str(old) in paths_known()


async def test_a_place_that_is_the_same_under_another_name_loses_nothing(
    db: AsyncSession, root: Path
) -> None:
    await indexed(db, root)
    old = root / "album 0" / "2.jpg"
    (root / "link").symlink_to(old.parent)
    row = begin(ActKind.MOVE, old, root / "link" / "2.jpg")
    with write_transaction() as conn:
        file_acts.note_copied(conn, row)
    (found,) = await service.settle_interrupted(db)
    assert (found.done, old.exists()) == ((), True)


async def test_a_process_that_is_killed_between_two_disks_leaves_one_picture(
    db: AsyncSession, root: Path, elsewhere: Path
) -> None:
    session_id = await indexed(db, root)
    (file,) = chosen(root / "album 0" / "2.jpg")
    killed = "import os, signal; os.unlink = lambda _: os.kill(os.getpid(), signal.SIGKILL)"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", f"{killed}\n{MOVER}", str(elsewhere), stdin=asyncio.subprocess.PIPE
    )
    await process.communicate(f"{file.asset_id} {file.path}\n".encode())
    assert process.returncode == -signal.SIGKILL
    assert Path(file.path).exists()
    assert os.listdir(elsewhere) == ["2.jpg"]
    (found,) = await service.settle_interrupted(db)
    assert (found.done, found.failed) == ((file.asset_id,), ())
    assert not Path(file.path).exists()
    assert (elsewhere / "2.jpg").read_bytes() == b"xxx"
    assert asset(elsewhere / "2.jpg").id == file.asset_id
    summary = await UpdateService().update(db, session_id)
    assert (summary.unchanged, summary.new, summary.missing) == (3, 0, 0)


async def test_a_cut_in_a_trashing_is_seen_from_where_the_file_is(
    db: AsyncSession, root: Path
) -> None:
    await indexed(db, root)
    gone, there = root / "album 0" / "0.jpg", root / "album 0" / "2.jpg"
    for path in (gone, there):
        begin(ActKind.TRASH, path, None)
    gone.unlink()
    (found,) = await service.settle_interrupted(db)
    assert (found.kind, len(found.done), len(found.failed)) == ("trash", 1, 1)
    assert [row[1] for row in logged()] == ["done", "failed"]
    assert paths_known(missing=True) == {str(gone)}


MOVER = """
import asyncio, sys
from app.api.file_schemas import ActProgress, ChosenFile
from app.db.engine import open_db
from app.services import file_act
from app.services.file_service import FileService

file_act.enqueue_payload_refresh = lambda: None


async def move():
    lines = [line.split(" ", 1) for line in sys.stdin.read().splitlines()]
    files = [ChosenFile(int(number), path) for number, path in lines]
    async with open_db() as db:
        await FileService().move(db, files, sys.argv[1], ActProgress())


asyncio.run(move())
"""


def wait_for_files(folder: Path, number: int) -> None:
    while len(os.listdir(folder)) < number:
        pass


@pytest.mark.parametrize("moved", [1, 150])
async def test_a_process_that_is_killed_while_it_moves_files_loses_none(
    db: AsyncSession, tmp_path: Path, moved: int
) -> None:
    root = tmp_path / "many"
    (root / "to").mkdir(parents=True)
    for number in range(300):
        (root / f"{number}.jpg").write_bytes(b"%03d" % number)
        os.utime(root / f"{number}.jpg", (1, 1_600_000_000 + number))
    session_id = await indexed(db, root)
    files = chosen(*(root / f"{number}.jpg" for number in range(300)))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", MOVER, str(root / "to"), stdin=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    process.stdin.write("".join(f"{file.asset_id} {file.path}\n" for file in files).encode())
    process.stdin.close()
    await asyncio.to_thread(wait_for_files, root / "to", moved)
    with suppress(ProcessLookupError):
        process.kill()
    await process.wait()
    await service.settle_interrupted(db)
    contents = sorted(path.read_bytes() for path in root.rglob("*") if path.is_file())
    assert contents == [b"%03d" % number for number in range(300)]
    with get_sync_engine().connect() as conn:
        known = {row.path: row.id for row in conn.execute(select(ImageAsset.__table__))}
        assert not set(conn.scalars(select(FileAct.state))) & {"begun"}
    assert sorted(known) == sorted(str(path) for path in root.rglob("*.jpg"))
    assert {known[path] for path in known} == {file.asset_id for file in files}
    summary = await UpdateService().update(db, session_id)
    assert (summary.unchanged, summary.new, summary.missing) == (300, 0, 0)


async def test_what_another_machine_has_begun_is_left_alone(db: AsyncSession, root: Path) -> None:
    await indexed(db, root)
    path = root / "album 0" / "0.jpg"
    plan = PlannedFile(1, str(path), None, 1, 1)
    with write_transaction() as conn:
        file_acts.begin(conn, "act", "another", ActKind.TRASH, [plan])
    assert await service.settle_interrupted(db) == []
    assert [row[1] for row in logged()] == ["begun"]
