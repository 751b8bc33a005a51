"""The library: states, folders, dates and duplicates, read in pages."""

from __future__ import annotations

import csv
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.api.library_schemas import (
    FolderPictures,
    LibraryGroup,
    LibraryOrder,
    MonthPictures,
    Section,
)
from app.api.search_schemas import SearchFilter
from app.db.engine import write_transaction
from app.db.models import (
    AssetVector,
    EmbeddingModel,
    ImageAsset,
    NearDuplicate,
    TrainingJob,
    TrainingSession,
)
from app.db.types import utc_now
from app.errors import AppError
from app.services.library_listing import PAGE_IDS
from app.services.library_service import LibraryService
from app.services.search_service import _hits

MODEL, OTHER_MODEL = 1, 2
library = LibraryService()


@pytest.fixture(autouse=True)
def models(db: AsyncSession) -> None:
    with write_transaction() as conn:
        for number in (MODEL, OTHER_MODEL):
            conn.execute(
                insert(EmbeddingModel).values(
                    id=number,
                    name="m",
                    version=str(number),
                    weights_digest="x",
                    dimension=4,
                    collection=f"c{number}",
                    spec="builtin",
                )
            )
        for number in (1, 2):
            conn.execute(
                insert(TrainingSession).values(
                    id=number, name="s", root_path="/p", status="completed", model="builtin"
                )
            )


def add(path: str, *, vector: str = "", jobs: tuple[str, ...] = (), **values: Any) -> int:
    """A picture; its id.

    Args:
        vector: of the model: ``now`` of the file as it is, ``old`` of how it was.
        jobs: statuses in the sessions 1 and 2.
    """
    asset = {"path": path, "folder": path.rpartition("/")[0] or "/", "size": 100, "mtime_ns": 5}
    with write_transaction() as conn:
        asset |= values
        number: int = conn.execute(insert(ImageAsset).values(asset)).inserted_primary_key[0]
        if vector:
            conn.execute(
                insert(AssetVector).values(
                    asset_id=number,
                    model_id=MODEL,
                    size=asset["size"],
                    mtime_ns=asset["mtime_ns"] - (vector == "old"),
                    sha256="x",
                )
            )
        for session, status in enumerate(jobs, 1):
            conn.execute(
                insert(TrainingJob).values(session_id=session, asset_id=number, status=status)
            )
    return number


async def paths(db: AsyncSession, *wanted: Any, model: int | None = MODEL) -> list[str]:
    listing = await library.listing(db, model, *wanted)
    pictures = await library.page(db, model, listing, 0, max(listing.count, 1))
    assert len(pictures) == listing.count
    return [picture.path for picture in pictures]


def taken(year: int, month: int = 1, day: int = 1) -> datetime:
    return datetime(year, month, day, 12, tzinfo=UTC)


def written(year: int, month: int = 1, day: int = 1) -> int:
    """A file's time, in nanoseconds."""
    return int(taken(year, month, day).timestamp()) * 10**9


async def test_each_picture_is_in_one_state(db: AsyncSession) -> None:
    now = utc_now()
    expected = {
        "/p/indexed": ("indexed", {"vector": "now", "jobs": ("completed",)}),
        "/p/indexed-then-failed": ("indexed", {"vector": "now", "jobs": ("completed", "failed")}),
        "/p/changed": ("changed", {"vector": "old"}),
        "/p/changed-and-failed": ("changed", {"vector": "old", "jobs": ("failed",)}),
        "/p/new": ("waiting", {}),
        "/p/pending": ("waiting", {"jobs": ("pending",)}),
        "/p/failed": ("failed", {"jobs": ("failed",)}),
        "/p/failed-at-last": ("failed", {"jobs": ("cancelled", "failed")}),
        "/p/tried-again": ("waiting", {"jobs": ("failed", "pending")}),
        "/p/gone": ("missing", {"vector": "now", "missing_since": now}),
        "/p/gone-and-failed": ("missing", {"jobs": ("failed",), "missing_since": now}),
        "/p/excluded": ("excluded", {"jobs": ("cancelled",), "excluded": True}),
        "/p/excluded-and-gone": ("excluded", {"excluded": True, "missing_since": now}),
    }
    for path, (_, values) in expected.items():
        add(path, **values)
    listing = await library.listing(db, MODEL)
    pictures = await library.page(db, MODEL, listing, 0, 50)
    assert {picture.path: picture.state for picture in pictures} == {
        path: state for path, (state, _) in expected.items()
    }
    counts = await library.counts(db, MODEL)
    assert sum(counts.values()) == len(expected)
    for state, number in counts.items():
        assert len(await paths(db, LibraryGroup(), state)) == number
    assert set(await paths(db, LibraryGroup(), "failed")) == {"/p/failed", "/p/failed-at-last"}


async def test_the_state_is_that_of_the_model_that_is_asked_about(db: AsyncSession) -> None:
    add("/p/a", vector="now")
    assert await library.counts(db, MODEL) == {"indexed": 1}
    assert await library.counts(db, OTHER_MODEL) == {"waiting": 1}
    assert await library.counts(db, None) == {"waiting": 1}


async def test_pages_join_to_the_whole_in_the_order_of_paths(db: AsyncSession) -> None:
    names = [f"/p/{number * 7919 % 1000:04}.jpg" for number in range(2 * PAGE_IDS + 30)]
    for name in names:
        add(name)
    listing = await library.listing(db, MODEL, order="folder")
    assert listing.count == len(names)
    for limit in (200, 77):
        read = []
        for offset in range(0, listing.count, limit):
            read += await library.page(db, MODEL, listing, offset, limit)
        assert [picture.path for picture in read] == sorted(names)
    assert await library.page(db, MODEL, listing, listing.count, 200) == []


async def test_a_page_shows_pictures_as_they_are_now(db: AsyncSession) -> None:
    first, second = add("/p/a"), add("/p/b")
    listing = await library.listing(db, MODEL)
    with write_transaction() as conn:
        conn.execute(ImageAsset.__table__.delete().where(ImageAsset.id == first))
        conn.execute(update(ImageAsset).where(ImageAsset.id == second).values(excluded=True))
    page = await library.page(db, MODEL, listing, 0, 200)
    assert [(picture.assetId, picture.state) for picture in page] == [(second, "excluded")]


async def test_an_empty_library_is_no_error(db: AsyncSession) -> None:
    assert await library.folders(db) == []
    assert await library.months(db) == []
    assert await library.counts(db, None) == {}
    listing = await library.listing(db, None)
    assert listing.count == 0
    assert await library.page(db, None, listing, 0, 200) == []
    assert (await library.duplicates.groups(db, None, "exact")).count == 0


async def test_folders_are_counted_without_their_subfolders(db: AsyncSession) -> None:
    for path in ("/p/a/1", "/p/a/2", "/p/a/b/3", "/q/4"):
        add(path)
    assert sorted(await library.folders(db), key=lambda item: item.path) == [
        FolderPictures("/p/a", 2),
        FolderPictures("/p/a/b", 1),
        FolderPictures("/q", 1),
    ]


NOT_UTF8 = "\udcff"


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("/p/a", ["/p/a/1", "/p/a/b/2", f"/p/a/{NOT_UTF8}x/3"]),
        ("/p/a/b", ["/p/a/b/2"]),
        (f"/p/a/{NOT_UTF8}x", [f"/p/a/{NOT_UTF8}x/3"]),
        (f"/p/a{NOT_UTF8}", [f"/p/a{NOT_UTF8}/5"]),
        ("/p/100%_", ["/p/100%_/6"]),
        ("/p/A", ["/p/A/7"]),
        ("/P", []),
    ],
)
async def test_a_folder_has_the_pictures_below_it_and_no_others(
    db: AsyncSession, folder: str, expected: list[str]
) -> None:
    for path in (
        "/p/a/1",
        "/p/a/b/2",
        f"/p/a/{NOT_UTF8}x/3",
        "/p/ab/4",
        f"/p/a{NOT_UTF8}/5",
        "/p/100%_/6",
        "/p/A/7",
        "/p/100xx/8",
        "/p/a",
    ):
        add(path)
    assert sorted(await paths(db, LibraryGroup(folder=folder))) == sorted(expected)
    counts = await library.counts(db, MODEL, LibraryGroup(folder=folder))
    assert counts == ({"waiting": len(expected)} if expected else {})


async def test_the_root_of_the_file_system_is_a_folder_too(db: AsyncSession) -> None:
    for path in ("/1", "/p/2"):
        add(path)
    assert await paths(db, LibraryGroup(folder="/")) == ["/p/2", "/1"]


async def test_months_are_those_of_the_camera_else_of_the_file(db: AsyncSession) -> None:
    for number, moment in enumerate(
        (taken(2024, 5), taken(2024, 5, 31), taken(2024, 12, 31), taken(1999), None)
    ):
        add(f"/p/{number}", taken_at=moment, mtime_ns=written(2024, 5))
    assert await library.months(db) == [
        MonthPictures(2024, 12, 1),
        MonthPictures(2024, 5, 3),
        MonthPictures(1999, 1, 1),
    ]


async def test_pictures_of_a_time_come_the_newest_first(db: AsyncSession) -> None:
    last = datetime(2024, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    moments = {"/p/a": taken(2024, 5), "/p/b": last, "/p/c": taken(2024, 5, 2), "/p/d": taken(2025)}
    for path, moment in moments.items():
        add(path, taken_at=moment)
    add("/p/e", mtime_ns=written(2024, 5, 3))
    add("/p/f", mtime_ns=written(2023))
    assert await paths(db, LibraryGroup(year=2024)) == ["/p/b", "/p/e", "/p/c", "/p/a"]
    assert await paths(db, LibraryGroup(year=2024, month=5)) == ["/p/e", "/p/c", "/p/a"]
    assert await paths(db, LibraryGroup(year=2024, month=12)) == ["/p/b"]
    assert await paths(db, LibraryGroup(year=2024, month=5), "failed") == []
    assert await paths(db, LibraryGroup(year=2023), "waiting") == ["/p/f"]


async def ordered(db: AsyncSession, order: LibraryOrder) -> tuple[list[str], tuple[Section, ...]]:
    listing = await library.listing(db, MODEL, order=order)
    pictures = await library.page(db, MODEL, listing, 0, listing.count)
    return [picture.path for picture in pictures], listing.sections


async def test_pictures_come_in_any_order_with_what_they_have_in_common(db: AsyncSession) -> None:
    add("/p/b/Two", size=20, taken_at=taken(2019, 6, 2))
    add(
        "/p/b/one", size=30, mtime_ns=written(2019, 6, 3)
    )  # its camera did not date it: its file does
    add("/p/a/three", size=10, taken_at=taken(2024, 12, 31))
    assert await ordered(db, "date") == (
        ["/p/a/three", "/p/b/one", "/p/b/Two"],
        (Section(1, 2024, 12), Section(2, 2019, 6)),
    )
    assert await ordered(db, "folder") == (
        ["/p/a/three", "/p/b/Two", "/p/b/one"],
        (Section(1, folder="/p/a"), Section(2, folder="/p/b")),
    )
    assert await ordered(db, "name") == (["/p/b/one", "/p/a/three", "/p/b/Two"], ())
    assert await ordered(db, "size") == (["/p/b/one", "/p/b/Two", "/p/a/three"], ())


async def test_numbers_in_names_are_sorted_by_their_value(db: AsyncSession) -> None:
    names = (
        "IMG_2.jpg",
        "img_3.jpg",
        "IMG_010.jpg",
        "IMG_20190612_9.jpg",
        "Trip (2).jpg",
        "Trip (10).jpg",
    )
    for number, name in enumerate(reversed(names)):
        add(f"/p/{number}/{name}")
    found, _ = await ordered(db, "name")
    assert [path.rpartition("/")[2] for path in found] == list(names)


async def test_a_time_before_1970_has_its_month(db: AsyncSession) -> None:
    add("/p/old", taken_at=taken(1931, 2))
    add("/p/older", mtime_ns=-86_400 * 10**9 * 365)
    _, sections = await ordered(db, "date")
    assert sections == (Section(1, 1969, 1), Section(1, 1931, 2))


@pytest.mark.parametrize(
    ("only", "expected"),
    [
        (SearchFilter(folder="/p/Norway"), {"/p/Norway/1", "/p/Norway/fjord/IMG_12.jpg"}),
        (SearchFilter(inFolders=["norway"]), {"/p/Norway/1", "/p/Norway/fjord/IMG_12.jpg"}),
        (SearchFilter(inFolders=["NORWAY", "fjo"]), {"/p/Norway/fjord/IMG_12.jpg"}),
        (SearchFilter(inFolders=["Norway/fj"]), {"/p/Norway/fjord/IMG_12.jpg"}),
        (SearchFilter(inFolders=["fjord"], folder="/p/Norway"), {"/p/Norway/fjord/IMG_12.jpg"}),
        (SearchFilter(inFolders=["fjord"], folder="/p/Spain"), set()),
        (SearchFilter(inFolders=["nowhere"]), set()),
        (SearchFilter(names=["img_12"]), {"/p/Norway/fjord/IMG_12.jpg"}),
        (SearchFilter(names=["norway"]), set()),
        (SearchFilter(names=["%"]), {"/p/Spain/50%.jpg"}),
        (SearchFilter(takenFrom=date(2019, 6, 1), takenTo=date(2019, 6, 30)), {"/p/Norway/1"}),
        (SearchFilter(takenTo=date(2018, 12, 31)), {"/p/Spain/50%.jpg"}),
        (SearchFilter(formats=["HEIF"]), {"/p/Spain/50%.jpg"}),
        (SearchFilter(orientation="portrait"), {"/p/Spain/50%.jpg"}),
        (SearchFilter(sessionId=1), {"/p/Norway/1"}),
    ],
)
async def test_a_filter_lets_through_what_it_says(
    db: AsyncSession, only: SearchFilter, expected: set[str]
) -> None:
    add("/p/Norway/1", taken_at=taken(2019, 6, 30), jobs=("completed",))
    add("/p/Norway/fjord/IMG_12.jpg", mtime_ns=written(2021, 3), jobs=())
    add("/p/Spain/50%.jpg", mtime_ns=written(2018, 3), format="HEIF", width=30, height=40)
    assert set(await paths(db, LibraryGroup(), None, only)) == expected
    counts = await library.counts(db, MODEL, LibraryGroup(), only)
    assert sum(counts.values()) == len(expected)


async def test_excluded_pictures_are_taken_back(db: AsyncSession) -> None:
    excluded, other = add("/p/a", excluded=True), add("/p/b")
    assert await library.include(db, [excluded, other, 99]) == 1
    assert await library.counts(db, MODEL) == {"waiting": 2}


async def test_the_mark_changes_with_the_ledger(db: AsyncSession) -> None:
    before = await library.change_mark(db)
    assert await library.change_mark(db) == before
    number = add("/p/a")
    after = await library.change_mark(db)
    assert after != before
    with write_transaction() as conn:
        conn.execute(
            update(ImageAsset).where(ImageAsset.id == number).values(missing_since=utc_now())
        )
    assert await library.change_mark(db) != after


# Duplicates


def add_copies(*names: str, sha: str, **values: Any) -> list[int]:
    return [add(name, sha256=sha * 64, **values) for name in names]


async def groups(db: AsyncSession, kind: Any = "exact", order: Any = "size") -> list[list[str]]:
    listing = await library.duplicates.groups(db, MODEL, kind, order)
    page = await library.duplicates.page(db, MODEL, kind, listing, 0, 200)
    assert len(page) == listing.count
    found = []
    for group in page:
        members = await library.duplicates.pictures(db, MODEL, kind, group.groupId)
        assert len(members) == group.pictures
        assert members[0] == group.best
        assert sum(member.size for member in members[1:]) == group.spare
        found.append([member.path for member in members])
    return found


async def test_files_with_the_same_content_are_a_group(db: AsyncSession) -> None:
    add_copies("/p/b", "/p/a", sha="1")
    add_copies("/p/alone", sha="2")
    add("/p/unread")
    add("/p/unread too")
    assert await groups(db) == [["/p/a", "/p/b"]]


async def test_the_best_copy_is_not_called_one_lies_less_deep_and_is_older(
    db: AsyncSession,
) -> None:
    add_copies("/p/a (Kopie).jpg", "/p/sub/folder/a.jpg", sha="1")
    add_copies("/p/b copy.jpg", "/p/longer b.jpg", sha="2")
    add_copies("/p/c(1).jpg", "/q/sub/c.jpg", sha="3")
    add_copies("/p/照片副本.jpg", "/q/sub/照片.jpg", sha="4")
    add_copies("/p/sub/d.jpg", "/p/d.jpg", sha="5")
    add("/p/e1.jpg", sha256="6" * 64, mtime_ns=2)
    add("/p/e2.jpg", sha256="6" * 64, mtime_ns=1)
    add_copies("/p/copyright.jpg", "/p/sub/longer.jpg", sha="7")
    best = {group[0] for group in await groups(db)}
    assert best == {
        "/p/sub/folder/a.jpg",
        "/p/longer b.jpg",
        "/q/sub/c.jpg",
        "/q/sub/照片.jpg",
        "/p/d.jpg",
        "/p/e2.jpg",
        "/p/copyright.jpg",
    }


async def test_what_is_found_says_which_pictures_are_alike_and_begins_with_originals(
    db: AsyncSession,
) -> None:
    add_copies("/p/sea copy.jpg", "/p/sea.jpg", "/p/a sea far away.jpg", sha="1")
    add_alike({"/p/sea 1.jpg": {}, "/p/sea 2.jpg": {}})
    ids = {
        path: await db.scalar(select(ImageAsset.id).where(ImageAsset.path == path))
        for path in ("/p/sea copy.jpg", "/p/a sea far away.jpg", "/p/sea.jpg", "/p/sea 1.jpg")
    }
    hits = await _hits(db, [(number, 0.5) for number in ids.values()], SearchFilter(), MODEL)
    assert [(hit.path, hit.content) for hit in hits[:3]] == [
        (path, "1" * 64) for path in ("/p/sea.jpg", "/p/a sea far away.jpg", "/p/sea copy.jpg")
    ]
    assert hits[3].alike is not None
    (other,) = await _hits(db, [(ids["/p/sea 1.jpg"], 0.5)], SearchFilter(), OTHER_MODEL)
    assert other.alike is None


async def test_what_all_copies_take_is_added_up(db: AsyncSession) -> None:
    assert await library.duplicates.spare(db, MODEL, "exact") == 0
    add_copies("/p/a1", "/p/a2", "/p/a3", sha="1", size=500)
    add_copies("/p/b1", "/p/b2", sha="2", size=7)
    add("/p/alone", size=10_000)
    assert await library.duplicates.spare(db, MODEL, "exact") == 1_007


async def test_missing_files_are_no_copies(db: AsyncSession) -> None:
    add_copies("/p/a", "/p/b", sha="1")
    gone = add_copies("/p/c", "/p/d", sha="2")[0]
    listing = await library.duplicates.groups(db, MODEL, "exact")
    with write_transaction() as conn:
        conn.execute(
            update(ImageAsset).where(ImageAsset.id == gone).values(missing_since=utc_now())
        )
    assert await groups(db) == [["/p/a", "/p/b"]]
    # a page of an older listing shows what is left
    old = await library.duplicates.page(db, MODEL, "exact", listing, 0, 10)
    assert [group.pictures for group in old] == [2, 1]


async def test_groups_are_ordered_by_room_or_by_time(db: AsyncSession) -> None:
    add_copies("/p/a1", "/p/a2", sha="1", size=500, mtime_ns=1)
    add_copies("/p/b1", "/p/b2", "/p/b3", sha="2", size=400, mtime_ns=2)
    add_copies("/p/c1", "/p/c2", sha="3", size=1, mtime_ns=3)
    assert [group[0] for group in await groups(db)] == ["/p/b1", "/p/a1", "/p/c1"]
    newest = await groups(db, order="newest")
    assert [group[0] for group in newest] == ["/p/c1", "/p/b1", "/p/a1"]


def add_alike(group: dict[str, dict[str, Any]], model: int = MODEL) -> None:
    numbers = [add(path, **values) for path, values in group.items()]
    with write_transaction() as conn:
        for number in numbers:
            conn.execute(
                insert(NearDuplicate).values(
                    model_id=model, asset_id=number, group_id=min(numbers), score=0.97
                )
            )


async def test_the_best_picture_of_a_group_comes_first(db: AsyncSession) -> None:
    add_alike(
        {
            "/p/small": {"width": 10, "height": 10, "size": 900},
            "/p/unknown": {"size": 999},
            "/p/large-z": {"width": 30, "height": 20, "size": 500},
            "/p/large-a": {"width": 20, "height": 30, "size": 500},
            "/p/large-heavy": {"width": 30, "height": 20, "size": 501},
        }
    )
    assert await groups(db, "similar") == [
        ["/p/large-heavy", "/p/large-a", "/p/large-z", "/p/small", "/p/unknown"]
    ]


async def test_alike_pictures_are_those_of_the_model_and_present(db: AsyncSession) -> None:
    add_alike({"/p/a": {}, "/p/b": {}})
    add_alike({"/p/c": {}, "/p/d": {}}, model=OTHER_MODEL)
    add_alike({"/p/e": {}, "/p/f": {"missing_since": utc_now()}})
    assert await groups(db, "similar") == [["/p/a", "/p/b"]]
    assert (await library.duplicates.groups(db, None, "similar")).count == 0


async def test_groups_are_exported_as_a_table(db: AsyncSession, tmp_path: Path) -> None:
    add_copies("/p/a", "/p/b", sha="1", size=9, taken_at=taken(2024, 5))
    target = tmp_path / "copies.csv"
    assert await library.duplicates.export(db, MODEL, "exact", str(target)) == 2
    rows = list(csv.reader(target.read_text(encoding="utf-8").splitlines()))
    assert rows[1:] == [
        ["1", "/p/a", "best", "9", "", "", "2024-05-01"],
        ["1", "/p/b", "", "9", "", "", "2024-05-01"],
    ]
    with pytest.raises(AppError, match="could not be written"):
        await library.duplicates.export(db, MODEL, "exact", str(tmp_path))


async def test_a_scan_is_asked_for_and_stopped_without_a_queue(db: AsyncSession) -> None:
    duplicates = library.duplicates
    assert (await duplicates.scan_status(MODEL)).state == "never"
    assert (await duplicates.scan_status(None)).state == "never"
    await duplicates.scan(MODEL)
    assert (await duplicates.scan_status(MODEL)).state == "waiting"
    assert (await duplicates.scan_status(OTHER_MODEL)).state == "never"
    await duplicates.stop_scan(MODEL)
    assert (await duplicates.scan_status(MODEL)).state == "stopped"
