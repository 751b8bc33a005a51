"""Thumbs up and down: by mouse, by key, for one or many, and back."""

from __future__ import annotations

from typing import Any

from page_parts import Parts
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest

from app.api.search_schemas import MAX_MARKED
from app.ui.pictures.grid import HeldTiles, PictureGrid, Tile
from app.ui.pictures.thumbs import ThumbActions, Thumbs, thumb_places

Key, Modifier = Qt.Key, Qt.KeyboardModifier


def test_a_thumb_is_given_and_taken_back(qapp: Any) -> None:
    thumbs, changes = Thumbs(), []
    thumbs.changed.connect(lambda: changes.append(thumbs.describe()))
    thumbs.toggle([1, 2], True)
    thumbs.toggle([3], False)
    thumbs.toggle([2], False)  # the other one takes its place
    thumbs.toggle([1], True)
    thumbs.toggle([], True)
    assert (thumbs.liked, thumbs.disliked) == ([], [2, 3])
    thumbs.clear()
    thumbs.clear()
    assert changes == ["like 2", "like 2, unlike 1", "like 1, unlike 2", "unlike 2", ""]


def test_of_several_those_without_one_get_it_first(qapp: Any) -> None:
    thumbs = Thumbs()
    thumbs.toggle([1], True)
    thumbs.toggle([1, 2], True)
    assert thumbs.liked == [1, 2]
    thumbs.toggle([1, 2], True)
    assert thumbs.liked == []


def test_too_many_are_refused_in_a_sentence(qapp: Any) -> None:
    thumbs, said = Thumbs(), []
    thumbs.refused.connect(lambda error: said.append(error.message))
    thumbs.toggle(range(MAX_MARKED + 1), True)
    assert said == [f"At most {MAX_MARKED} pictures can have a thumb."]
    assert thumbs.liked == []


class Shown:
    """A grid of three pictures whose thumbs can be clicked."""

    def __init__(self, parts: Parts) -> None:
        context = parts.context()
        self.grid = PictureGrid(HeldTiles(parts.poller), context.thumbnails, parent=parts.window)
        self.thumbs = Thumbs(parts.window)
        self.actions = ThumbActions(self.grid, self.thumbs)
        self.grid.set_thumbs(self.thumbs)
        self.viewed: list[int] = []
        self.grid.viewed.connect(self.viewed.append)
        parts.show(self.grid, 900, 400)
        parts.window.activateWindow()
        self.grid.tiles.show(
            [Tile(n, f"/p/{n}.jpg", f"{n}.jpg", "", "", 400, 300) for n in (7, 8, 9)]
        )

    def place(self, row: int, up: bool) -> QPoint:
        box = self.grid.visualRect(self.grid.tiles.index(row, 0))
        return thumb_places(box)[up].center()

    def click(self, row: int, up: bool) -> None:
        QTest.mouseClick(self.grid.viewport(), Qt.MouseButton.LeftButton, pos=self.place(row, up))

    def image(self) -> QImage:
        return self.grid.viewport().grab().toImage()


def test_a_click_on_a_thumb_marks_and_does_not_select(qt_loop: Any, backend: Any) -> None:
    async def steps() -> None:
        async with Parts(backend) as parts:
            shown = Shown(parts)
            plain = shown.image()
            shown.click(1, True)
            shown.click(2, False)
            assert (shown.thumbs.liked, shown.thumbs.disliked) == ([8], [9])
            assert shown.grid.selected_count() == 0
            assert shown.image() != plain
            QTest.mouseDClick(
                shown.grid.viewport(), Qt.MouseButton.LeftButton, pos=shown.place(1, True)
            )
            assert shown.viewed == []
            shown.thumbs.clear()
            QTest.mouseMove(parts.window, QPoint(1, 700))
            assert shown.image() == plain

    qt_loop.run(steps())


def test_keys_mark_all_that_is_selected(qt_loop: Any, backend: Any) -> None:
    async def steps() -> None:
        async with Parts(backend) as parts:
            shown = Shown(parts)
            shown.grid.setFocus()
            await qt_loop.until(shown.grid.hasFocus)
            assert not shown.actions.up.isEnabled()
            shown.grid.selectAll()
            QTest.keyClick(shown.grid, Key.Key_T)
            assert shown.thumbs.liked == [7, 8, 9]
            assert shown.actions.up.isChecked()
            shown.grid.select_row(1)
            QTest.keyClick(shown.grid, Key.Key_T, Modifier.ShiftModifier)
            assert (shown.thumbs.liked, shown.thumbs.disliked) == ([7, 9], [8])
            assert shown.actions.down.isChecked()
            assert not shown.actions.up.isChecked()
            QTest.keyClick(shown.grid, Key.Key_T, Modifier.ShiftModifier)
            assert shown.thumbs.disliked == []

    qt_loop.run(steps())
