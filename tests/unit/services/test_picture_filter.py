"""Pictures that are found by their names and those of their folders."""

from __future__ import annotations

import os

import pytest
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.api.search_schemas import SearchFilter
from app.db.engine import write_transaction
from app.db.models import ImageAsset, TrainingSession
from app.db.types import utc_now
from app.services.picture_filter import wanted_folders
from app.services.search_service import SearchService

NOT_UTF8 = os.fsdecode(b"caf\xe9")


def add(*paths: str, **values: object) -> None:
    with write_transaction() as conn:
        if not conn.execute(TrainingSession.__table__.select()).first():
            session = {"name": "s", "root_path": "/home/anna/Pictures", "model": "builtin"}
            conn.execute(insert(TrainingSession).values(session | {"status": "completed"}))
        for path in paths:
            asset = {"path": path, "folder": os.path.dirname(path), "size": 1, "mtime_ns": 1}
            conn.execute(insert(ImageAsset).values(asset | values))


async def named(db: AsyncSession, text: str, only: SearchFilter | None = None) -> list[str]:
    hits = await SearchService().named(db, text, only or SearchFilter())
    assert all(hit.named for hit in hits)
    return [hit.path.removeprefix("/home/anna/Pictures/") for hit in hits]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("beach", ["Beaches/3.jpg", "2019/my_beach.jpg"]),
        ("BEACH", ["Beaches/3.jpg", "2019/my_beach.jpg"]),
        ("cat", []),  # in the middle of "vacation" is no word
        ("vacation 2", ["vacation/2.jpg"]),
        ("anna", []),  # all pictures lie in that folder
        ("pictures", []),
        ("café", ["vacation/café.jpg"]),
        ("100%", []),
        ("", []),
    ],
)
async def test_words_are_found_at_the_beginning_of_words_in_names(
    db: AsyncSession, text: str, expected: list[str]
) -> None:
    root = "/home/anna/Pictures"
    add(f"{root}/2019/my_beach.jpg", f"{root}/vacation/2.jpg", f"{root}/vacation/café.jpg")
    add(f"{root}/Beaches/3.jpg", f"{root}/{NOT_UTF8}/4.jpg")
    assert await named(db, text) == expected


async def test_hidden_pictures_are_not_found_by_their_names(db: AsyncSession) -> None:
    add("/home/anna/Pictures/beach 1.jpg", missing_since=utc_now())
    add("/home/anna/Pictures/beach 2.jpg", excluded=True)
    add("/home/anna/Pictures/beach 3.jpg", "/home/anna/Pictures/a/beach 4.jpg")
    assert await named(db, "beach", SearchFilter(inFolders=["a"])) == [
        "a/beach 4.jpg",
        "beach 3.jpg",
    ]
    assert await named(db, "beach", SearchFilter(names=["4"])) == ["a/beach 4.jpg"]


async def test_folders_are_named_by_the_highest_that_has_the_name(db: AsyncSession) -> None:
    add("/p/Norway/a/1", "/p/Norway/b/2", "/p/x/norway 2/3", "/q/4", f"/p/Norway/{NOT_UTF8}/5")

    async def found(**values: object) -> list[str] | None:
        return await wanted_folders(db, SearchFilter.model_validate(values))

    assert await found() is None
    assert await found(folder="/p/../q/") == ["/q"]
    assert await found(inFolders=["norway"]) == ["/p/Norway", "/p/x/norway 2"]
    assert await found(inFolders=["norway", "b"]) == ["/p/Norway/b"]
    assert await found(inFolders=["norway"], folder="/p/x") == ["/p/x/norway 2"]
    assert await found(inFolders=["norway"], folder="/p/Norway/a") == ["/p/Norway/a"]
    assert await found(inFolders=["caf"]) == [f"/p/Norway/{NOT_UTF8}"]
    assert await found(inFolders=["spain"]) == []
