"""Which duplicates would go is seen first: rules, totals, the way into the trash and back."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from page_parts import save_picture
from search_parts import Shown

from app.api.library_schemas import CleanUpPlan, KnownFile
from app.db.engine import write_transaction
from app.db.models import ImageAsset
from app.ui.pages.pictures.clean_up import nothing_goes, total_text, where_text

pytestmark = pytest.mark.usefixtures("trash")


def add_copies(folder: Path, *names: str, colour: str) -> None:
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        save_picture(str(path), colour=colour)
        os.utime(path, ns=(1, 10**18 - number))
        status = path.stat()
        with write_transaction() as conn:
            conn.execute(
                ImageAsset.__table__.insert().values(
                    path=str(path), folder=str(path.parent), size=status.st_size,
                    mtime_ns=status.st_mtime_ns, sha256=colour, width=64, height=48,
                )
            )  # fmt: skip


def pictures(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*.png")}


def test_what_would_go_is_seen_and_then_goes_and_comes_back(qt_loop, backend, tmp_path) -> None:
    folder = tmp_path / "photos"
    add_copies(folder, "a/sea.png", "a/sea copy.png", "b/the same sea.png", colour="teal")
    add_copies(folder, "a/hill.png", "c/the same hill.png", colour="green")
    everything = pictures(folder)

    async def steps() -> None:
        async with Shown(backend, tmp_path, pictures=0) as shown:
            page = shown.page
            await qt_loop.until(lambda: shown.place() == "pictures")
            page.browser.tabs.setCurrentIndex(2)
            panel = page.browser.panel
            await qt_loop.until(panel.clean_up_button.isVisible)
            dialog = page.browser.duplicates.clean_up()
            await qt_loop.until(lambda: dialog.plan.going == 3)
            await qt_loop.until(lambda: dialog.model.row(0) is not None)
            tiles = [dialog.model.row(row) for row in range(dialog.model.rowCount())]
            assert [tile.state for tile in tiles] == ["kept", "going", "going", "kept", "going"]
            assert dialog.total.full_text().startswith("3 files go, ")
            assert dialog.yes_button.text() == "Move 3 files to the trash"
            dialog.keep_by("folder", str(folder / "b"))
            await qt_loop.until(lambda: dialog.plan.going == 2)
            assert dialog.where.full_text().startswith("1 group stays as before.")
            dialog.keep_by("folder", str(tmp_path / "nowhere"))
            await qt_loop.until(lambda: dialog.stack.currentWidget() is dialog.nothing)
            assert not dialog.yes_button.isVisible()
            dialog.keep_by("oldest")
            await qt_loop.until(lambda: dialog.plan.going == 3)
            await qt_loop.until(dialog.yes_button.isEnabled)
            dialog.yes_button.click()
            said = page.act_bar.text
            await qt_loop.until(lambda: said.text() == "3 pictures moved to the trash.")
            assert pictures(folder) == {"b/the same sea.png", "c/the same hill.png"}
            await qt_loop.until(lambda: panel.nothing.isVisible())
            page.act_bar.undo_button.click()
            await qt_loop.until(lambda: said.text() == "3 pictures restored.")
            assert pictures(folder) == everything
            await qt_loop.until(lambda: panel.model.rowCount() == 2)

    qt_loop.run(steps())


def plan(*groups: int, untouched: int = 0) -> CleanUpPlan:
    file = KnownFile(1, "/a.jpg", 1_000_000, 1)
    return CleanUpPlan(tuple((file,) * number for number in groups), untouched)


@pytest.mark.parametrize(
    ("planned", "total", "where"),
    [
        (plan(2), "1 file goes, 1.0 MB; 1 is kept.", "You find it in"),
        (plan(3, 2), "3 files go, 3.0 MB; 2 are kept.", "You find them in"),
        (plan(2, untouched=2), "1 file goes, 1.0 MB; 1 is kept.", "2 groups stay as before. You"),
    ],
)
def test_totals_are_said_plainly(planned: CleanUpPlan, total: str, where: str) -> None:
    assert total_text(planned) == total
    assert where_text(planned).startswith(where)


def test_where_nothing_goes_it_is_said_why() -> None:
    assert nothing_goes(plan())[0] == "There are no duplicates"
    assert "folder" in nothing_goes(plan(untouched=1))[0]


def test_many_groups_are_listed_as_quickly_as_few(qt_loop, backend, tmp_path) -> None:
    rows: list[dict[str, Any]] = [
        {
            "path": f"/photos/{number:05}.jpg", "folder": "/photos", "size": 1_000, "mtime_ns": 1,
            "sha256": f"{number % 2_000}",
        }
        for number in range(6_000)
    ]  # fmt: skip
    with write_transaction() as conn:
        conn.execute(ImageAsset.__table__.insert(), rows)

    async def steps() -> None:
        async with Shown(backend, tmp_path, pictures=0) as shown:
            await qt_loop.until(lambda: shown.place() == "pictures")
            shown.page.browser.tabs.setCurrentIndex(2)
            await qt_loop.until(shown.page.browser.panel.clean_up_button.isVisible)
            dialog = shown.page.browser.duplicates.clean_up()
            await qt_loop.until(lambda: dialog.plan.going == 4_000)
            dialog.grid.scrollToBottom()
            await qt_loop.until(lambda: dialog.model.row(5_999) is not None)
            dialog.reject()

    qt_loop.run(steps())
