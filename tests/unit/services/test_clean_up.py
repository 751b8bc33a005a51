"""Duplicates go into the trash by a rule: real files, a real trash."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from own_trash import own_trash
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.api.file_schemas import ActProgress
from app.db.engine import write_transaction
from app.db.models import EmbeddingModel, ImageAsset, NearDuplicate
from app.services import clean_up
from app.services.clean_up import CleanUpService
from app.services.file_service import FileService

service = CleanUpService()
MODEL = 1


@pytest.fixture(autouse=True)
def trash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return own_trash(tmp_path, monkeypatch)


def add(path: Path, content: bytes, *, time: int = 1_600_000_000, **values: Any) -> int:
    """A picture file that the ledger knows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not os.path.lexists(path):
        path.write_bytes(content)
        os.utime(path, (time, time))
    status = path.stat()
    row = {"path": str(path), "folder": str(path.parent), "size": status.st_size}
    row |= {"mtime_ns": status.st_mtime_ns, "sha256": content.hex(), "excluded": False} | values
    with write_transaction() as conn:
        return int(conn.execute(insert(ImageAsset).values(row)).inserted_primary_key[0])


def add_alike(*asset_ids: int) -> None:
    with write_transaction() as conn:
        conn.execute(
            insert(EmbeddingModel).values(
                id=MODEL, name="m", version="v", weights_digest="d", dimension=4, collection="c",
                spec="",
            )
        )  # fmt: skip
        for number in asset_ids:
            row = {"model_id": MODEL, "asset_id": number, "group_id": asset_ids[0], "score": 0.99}
            conn.execute(insert(NearDuplicate).values(row))


async def planned(db: AsyncSession, rule: Any = "best", folder: Path | str = "") -> list[list[str]]:
    """Names by group, the kept one first."""
    plan = await service.plan(db, MODEL, "exact", rule, str(folder))
    return [[os.path.basename(file.path) for file in group] for group in plan.groups]


async def test_each_rule_keeps_one_of_each_group(db: AsyncSession, tmp_path: Path) -> None:
    add(tmp_path / "a" / "sea.jpg", b"1", time=2_000)
    add(tmp_path / "b" / "sea copy.jpg", b"1", time=1_000)
    add(tmp_path / "single.jpg", b"2")
    assert await planned(db) == [["sea.jpg", "sea copy.jpg"]]
    assert await planned(db, "oldest") == [["sea copy.jpg", "sea.jpg"]]
    assert await planned(db, "folder", tmp_path / "b") == [["sea copy.jpg", "sea.jpg"]]


async def test_the_largest_file_is_kept_of_pictures_that_look_alike(
    db: AsyncSession, tmp_path: Path
) -> None:
    best = add(tmp_path / "best.jpg", b"12", width=400, height=300)
    large = add(tmp_path / "large.jpg", b"123", width=40, height=30)
    add_alike(best, large)
    for rule, kept in (("best", "best.jpg"), ("largest", "large.jpg")):
        plan = await service.plan(db, MODEL, "similar", rule)  # type: ignore[arg-type]
        assert os.path.basename(plan.groups[0][0].path) == kept
        assert plan.going == 1


async def test_a_group_without_a_picture_in_the_folder_stays_whole(
    db: AsyncSession, tmp_path: Path
) -> None:
    for name in ("here/1.jpg", "there/1.jpg"):
        add(tmp_path / name, b"1")
    for name in ("there/2.jpg", "heretic/2.jpg"):
        add(tmp_path / name, b"2")
    plan = await service.plan(db, MODEL, "exact", "folder", str(tmp_path / "here"))
    assert [[file.path for file in group] for group in plan.groups] == [
        [str(tmp_path / "here/1.jpg"), str(tmp_path / "there/1.jpg")]
    ]
    assert (plan.going, plan.bytes, plan.untouched) == (1, 1, 1)


async def test_what_was_planned_goes_and_comes_back(
    db: AsyncSession, tmp_path: Path, trash: Path
) -> None:
    names = [tmp_path / f"{number}.jpg" for number in range(3)]
    for name in names:
        add(name, b"same")
    plan = await service.plan(db, MODEL, "exact", "best")
    later = tmp_path / "0 copy.jpg"
    add(later, b"same")  # nobody has seen that it would go
    result = await service.carry_out(db, plan, ActProgress())
    assert (len(result.done), result.bytes) == (2, 8)
    assert [name.exists() for name in (*names, later)] == [True, False, False, True]
    await FileService().undo(db, result.act, ActProgress())
    assert all(name.read_bytes() == b"same" for name in names)


async def test_nothing_goes_that_is_the_kept_one_or_was_changed_since(
    db: AsyncSession, tmp_path: Path
) -> None:
    for name in ("one", "two", "three"):
        add(tmp_path / name / "kept.jpg", name.encode())
    (tmp_path / "linked").symlink_to(tmp_path / "one")
    add(tmp_path / "linked" / "kept.jpg", b"one")
    changed = tmp_path / "two" / "longer name.jpg"
    add(changed, b"two")
    add(tmp_path / "three" / "longer name.jpg", b"three")
    plan = await service.plan(db, MODEL, "exact", "best")
    changed.write_bytes(b"edited")
    (tmp_path / "three" / "kept.jpg").unlink()
    result = await service.carry_out(db, plan, ActProgress())
    assert sorted(reason for _, reason in result.failed) == sorted(
        [clean_up.THE_SAME, clean_up.CHANGED, clean_up.KEPT_IS_GONE]
    )
    assert not result.done
    assert (tmp_path / "one" / "kept.jpg").read_bytes() == b"one"


async def test_a_page_of_a_plan_has_its_pictures_in_order(db: AsyncSession, tmp_path: Path) -> None:
    for name in ("b.jpg", "a longer name.jpg"):
        add(tmp_path / name, b"1")
    plan = await service.plan(db, MODEL, "exact", "best")
    page = await service.page(db, MODEL, plan.groups[0])
    assert [os.path.basename(picture.path) for picture in page] == ["b.jpg", "a longer name.jpg"]
