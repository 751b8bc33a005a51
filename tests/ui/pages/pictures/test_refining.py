"""Results moved by thumbs, and by a part of a picture."""

from __future__ import annotations

from typing import Any

import pytest
from page_parts import save_picture
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from search_parts import Shown, hit

from app.ui.pages.pictures.terms import Term, describe, term_from_json
from app.ui.pictures.thumbs import thumb_places

Key, Modifier = Qt.Key, Qt.KeyboardModifier


async def search(qt_loop: Any, shown: Shown, text: str = "a red circle") -> None:
    await qt_loop.until(lambda: shown.place() != "loading")
    shown.page.field.setText(text)
    await qt_loop.until(shown.found)


async def asked_again(qt_loop: Any, shown: Shown, before: int) -> Any:
    await qt_loop.until(lambda: len(shown.service.asked) > before and shown.found())
    return shown.service.asked[-1][0]


def chips(shown: Shown) -> list[str]:
    return [chip.text() for chip in shown.page.bar.filter_chips.chips]


def test_thumbs_are_in_the_next_question_and_a_chip_takes_them_back(
    qt_loop, backend, tmp_path
) -> None:
    async def steps() -> None:
        async with Shown(backend, tmp_path) as shown:
            await search(qt_loop, shown)
            box = shown.grid.visualRect(shown.grid.tiles.index(2, 0))
            place = thumb_places(box)[True].center()
            before = len(shown.service.asked)
            QTest.mouseClick(shown.grid.viewport(), Qt.MouseButton.LeftButton, pos=place)
            query = await asked_again(qt_loop, shown, before)
            assert (query.liked, query.disliked) == ([2], [])
            assert query.terms[0].text == "a red circle"
            shown.grid.select_row(0)
            shown.grid.setFocus()
            before = len(shown.service.asked)
            QTest.keyClick(shown.grid, Key.Key_T, Modifier.ShiftModifier)
            query = await asked_again(qt_loop, shown, before)
            assert (query.liked, query.disliked) == ([2], [0])
            assert chips(shown) == ["like 1, unlike 1"]
            before = len(shown.service.asked)
            shown.page.bar.filter_chips.chips[0].click()
            query = await asked_again(qt_loop, shown, before)
            assert (query.liked, query.disliked) == ([], [])
            assert chips(shown) == []

    qt_loop.run(steps())


def test_the_picture_that_got_a_thumb_stays_the_current_one(qt_loop, backend, tmp_path) -> None:
    async def steps() -> None:
        async with Shown(backend, tmp_path) as shown:
            await search(qt_loop, shown)
            shown.grid.select_row(5)
            shown.grid.setFocus()
            shown.service.hits = [hit(5), *(hit(number) for number in range(100, 130))]
            before = len(shown.service.asked)
            QTest.keyClick(shown.grid, Key.Key_T)
            await asked_again(qt_loop, shown, before)
            assert shown.grid.selected_ranges() == [(0, 0)]
            assert shown.grid.hasFocus()

    qt_loop.run(steps())


def test_without_words_pictures_with_a_thumb_are_the_question(qt_loop, backend, tmp_path) -> None:
    async def steps() -> None:
        async with Shown(backend, tmp_path) as shown:
            await search(qt_loop, shown)
            shown.page.bar.thumbs.toggle([3, 4], True)
            shown.page.field.clear()
            await qt_loop.until(lambda: shown.service.asked[-1][0].terms == [] and shown.found())
            assert shown.service.asked[-1][0].liked == [3, 4]
            shown.page.bar.thumbs.toggle([3, 4], False)  # unlike alone is nothing to look for
            await qt_loop.until(lambda: shown.place() == "pictures")
            assert chips(shown) == ["unlike 2"]
            shown.page.search_like(7)  # a new search begins without them
            await qt_loop.until(shown.found)
            assert shown.service.asked[-1][0].disliked == []
            assert chips(shown) == []

    qt_loop.run(steps())


def test_several_of_all_pictures_can_be_looked_for(qt_loop, backend, tmp_path) -> None:
    async def steps() -> None:
        async with Shown(backend, tmp_path, pictures=5) as shown:
            grid = shown.page.browser.pictures.grid
            await qt_loop.until(lambda: shown.place() == "pictures" and grid.tiles.row(0))
            grid.selectAll()
            grid.setFocus()
            QTest.keyClick(grid, Key.Key_T, Modifier.ShiftModifier)  # not offered here
            QTest.keyClick(grid, Key.Key_T)
            await qt_loop.until(shown.found)
            query = shown.service.asked[-1][0]
            assert (sorted(query.liked), query.disliked) == ([1, 2, 3, 4, 5], [])

    qt_loop.run(steps())


def test_while_pictures_are_viewed_their_order_stays(qt_loop, backend, tmp_path) -> None:
    async def steps() -> None:
        async with Shown(backend, tmp_path) as shown:
            await search(qt_loop, shown)
            before = len(shown.service.asked)
            shown.grid.select_row(1)
            shown.grid.viewed.emit(1)
            viewer = shown.page.results.viewer
            QTest.keyClick(viewer, Key.Key_T)
            QTest.keyClick(viewer, Key.Key_Right)
            QTest.keyClick(viewer, Key.Key_T, Modifier.ShiftModifier)
            assert viewer.name.full_text() == "00002.jpg"
            assert len(shown.service.asked) == before
            QTest.keyClick(viewer, Key.Key_Escape)
            query = await asked_again(qt_loop, shown, before)
            assert (query.liked, query.disliked) == ([1], [2])

    qt_loop.run(steps())


def test_pictures_that_the_model_does_not_know_are_named(qt_loop, backend, tmp_path) -> None:
    async def steps() -> None:
        async with Shown(backend, tmp_path) as shown:
            shown.service.unused = 1
            await search(qt_loop, shown)
            assert shown.page.results.notice.text.text() == (
                "1 picture with a thumb does not count: this model has not indexed it."
            )

    qt_loop.run(steps())


def test_a_part_of_a_picture_becomes_the_search(qt_loop, backend, tmp_path) -> None:
    path = save_picture(str(tmp_path / "sheet.png"), 900, 600)

    async def steps() -> None:
        async with Shown(backend, tmp_path) as shown:
            shown.service.hits = [hit(1, path)]
            await search(qt_loop, shown)
            shown.grid.viewed.emit(0)
            viewer = shown.page.results.viewer
            await qt_loop.until(lambda: not viewer.view.picture.isNull())
            before = len(shown.service.asked)
            QTest.keyClick(viewer, Key.Key_S)
            place = viewer.view.place().toRect()
            QTest.mousePress(viewer.picker, Qt.MouseButton.LeftButton, pos=place.center())
            QTest.mouseMove(viewer.picker, place.bottomRight())
            QTest.mouseRelease(
                viewer.picker, Qt.MouseButton.LeftButton, pos=place.bottomRight() + QPoint(9, 9)
            )
            query = await asked_again(qt_loop, shown, before)
            (term,) = query.terms
            assert term.path == path
            assert [round(share, 1) for share in term.region] == [0.5, 0.5, 1, 1]
            assert [chip.term.name for chip in shown.page.chips.chips] == ["Part of sheet.png"]
            assert shown.page.field.text() == ""
            shown.page.grab()

    qt_loop.run(steps())


def test_a_part_is_remembered_with_its_search() -> None:
    term = Term(path="/p/a.jpg", region=(0.0, 0.25, 0.5, 1.0))
    assert term_from_json(term.as_json()) == term
    assert describe([term]) == "like part of a.jpg"


@pytest.mark.parametrize("region", [(0.5, 0, 0.5, 1), (0, 0, 2, 1), "x"])
def test_a_remembered_part_that_is_none_is_refused(region: object) -> None:
    noted = Term(path="/p/a.jpg").as_json() | {"region": region}
    with pytest.raises(ValueError, match="region"):
        term_from_json(noted)
