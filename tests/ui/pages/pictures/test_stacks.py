"""Results that look alike are one stack that opens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from search_parts import Shown, hit

from app.ui.pages.pictures.results import _tile
from app.ui.pages.pictures.stacks import CLOSE, OPEN, Stacks
from app.ui.pages.pictures.terms import Term
from app.ui.pictures.tiles import stack_badge


def alike(number: int, content: str | None = None, group: int | None = None) -> Any:
    return hit(number).model_copy(update={"content": content, "alike": group})


def rows(stacks: Stacks) -> list[tuple[int, int]]:
    return [(tile.asset_id, tile.stack) for tile in stacks.tiles()]


def test_copies_and_near_duplicates_are_behind_the_best_of_them() -> None:
    stacks = Stacks(_tile)
    stacks.begin([alike(1, "x"), alike(2, "y", 9), alike(3, "x"), alike(4), alike(5, "z", 9)])
    assert rows(stacks) == [(1, 2), (2, 2), (4, 0)]
    stacks.add([alike(6, "z"), alike(7, "w")])  # a copy of one that is behind another
    assert rows(stacks) == [(1, 2), (2, 3), (4, 0), (7, 0)]


def test_a_stack_opens_stays_open_and_closes() -> None:
    stacks = Stacks(_tile)
    hits = [alike(1), alike(2, "x"), alike(3, "x")]
    stacks.begin(hits)
    assert stacks.toggle(1) is None  # there is none
    assert stacks.toggle(3) == 2
    assert rows(stacks) == [(1, 0), (2, 2), (3, 1)]
    stacks.begin(hits)
    assert rows(stacks) == [(1, 0), (2, 2), (3, 1)]
    assert stacks.toggle(3) == 2
    assert rows(stacks) == [(1, 0), (2, 2)]


def test_the_next_one_takes_the_place_of_a_picture_that_is_gone() -> None:
    stacks = Stacks(_tile)
    stacks.begin([alike(1, "x"), alike(2, "x"), alike(3, "x"), alike(4, "y")])
    stacks.without({1, 4})
    assert rows(stacks) == [(2, 2)]
    stacks.without({2, 3})
    stacks.add([alike(5, "x")])
    assert rows(stacks) == [(5, 0)]


def test_ten_thousand_results_are_added_page_by_page_at_once() -> None:
    stacks = Stacks(_tile)
    for page in range(50):
        stacks.add(alike(page * 200 + at, f"{(page * 200 + at) % 3_000}") for at in range(200))
    assert len(stacks.tiles()) == 3_000
    assert stacks.tiles()[0] is stacks.tiles()[0]  # what did not change is not made anew


def test_a_click_on_the_number_or_a_key_opens_a_stack(qt_loop, backend, tmp_path: Path) -> None:
    async def steps() -> None:
        async with Shown(backend, tmp_path) as shown:
            shown.service.hits = [alike(1), *(alike(number, "x") for number in (2, 3, 4)), alike(5)]
            await qt_loop.until(lambda: shown.place() != "loading")
            shown.page.bar.search_for([Term("a boat")])
            await qt_loop.until(shown.found)
            grid, model = shown.grid, shown.page.results.model
            assert model.rowCount() == 3
            said = model.index(1, 0).data(Qt.ItemDataRole.AccessibleTextRole)
            assert said.endswith("3 alike")
            index = model.index(1, 0)
            badge = stack_badge(grid.picture_rect(index), model.row(1))
            QTest.mouseClick(grid.viewport(), Qt.MouseButton.LeftButton, pos=badge.center())
            assert [model.row(row).asset_id for row in range(5)] == [1, 2, 3, 4, 5]
            assert grid.currentIndex().row() == 1
            assert shown.page.results.opener.action.text() == CLOSE
            grid.select_row(3)
            QTest.keyClick(grid, Qt.Key.Key_G, Qt.KeyboardModifier.ControlModifier)
            assert model.rowCount() == 3
            assert grid.current_tile().asset_id == 2
            assert shown.page.results.opener.action.text() == OPEN
            grid.select_row(2)
            assert not shown.page.results.opener.action.isVisible()

    qt_loop.run(steps())


def test_a_page_that_is_all_behind_others_is_followed_by_the_next(
    qt_loop, backend, tmp_path: Path
) -> None:
    async def steps() -> None:
        async with Shown(backend, tmp_path) as shown:
            shown.service.hits = [alike(number, "x") for number in range(401)] + [alike(500)]
            await qt_loop.until(lambda: shown.place() != "loading")
            shown.page.bar.search_for([Term("a boat")])
            await qt_loop.until(shown.found)
            await qt_loop.until(lambda: shown.page.results.model.rowCount() == 2)
            assert shown.page.results.model.row(0).stack == 401

    qt_loop.run(steps())
