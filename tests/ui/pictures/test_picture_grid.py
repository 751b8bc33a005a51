"""The grid of pictures: any number of rows, keys, selection, files dragged out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from page_parts import save_picture
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QAccessible, QAction
from PySide6.QtTest import QTest

from app.queue.thumbnail_requests import ThumbnailRequests
from app.ui.parts import paged_model
from app.ui.parts.poller import Poller
from app.ui.pictures import grid as picture_grid
from app.ui.pictures.grid import HeldTiles, PictureGrid, Tile, TileModel, tile_for
from app.ui.pictures.justified import Heading
from app.ui.pictures.thumbnails import ThumbnailLoader
from app.ui.pictures.tiles import TILE_ROLE
from app.worker.thumbnails import make_thumbnails

Key = Qt.Key


def tiles(number: int, first: int = 0) -> list[Tile]:
    return [tile_for(row, f"/gone/{row:05}.jpg") for row in range(first, first + number)]


@pytest.fixture
def loader(qapp) -> Iterator[ThumbnailLoader]:
    loader = ThumbnailLoader(ThumbnailRequests())
    yield loader
    loader.close()
    loader.deleteLater()


@pytest.fixture
def grid(qtbot, loader: ThumbnailLoader) -> PictureGrid:
    """900 pixels wide: four tiles of unknown shape beside each other."""
    grid = PictureGrid(HeldTiles(Poller()), loader)
    qtbot.addWidget(grid)
    grid.resize(900, 600)
    grid.show()
    return grid


def shown(grid: PictureGrid, number: int) -> PictureGrid:
    assert isinstance(grid.tiles, HeldTiles)
    grid.tiles.show(tiles(number))
    return grid


def test_tiles_lie_in_lines_and_are_found_where_they_are(grid) -> None:
    shown(grid, 12)
    rects = [grid.visualRect(grid.tiles.index(row, 0)) for row in range(12)]
    assert len({rect.top() for rect in rects}) == 3
    assert rects[0].left() == rects[4].left()
    assert not any(one.intersects(other) for one in rects for other in rects if one is not other)
    assert [grid.indexAt(rect.center()).row() for rect in rects] == list(range(12))
    assert not grid.indexAt(QPoint(3, rects[11].bottom() + 90)).isValid()


def test_arrow_keys_follow_the_lines(grid) -> None:
    shown(grid, 12).select_row(0)
    rows = []
    for key in (Key.Key_Right, Key.Key_Down, Key.Key_Down, Key.Key_Down, Key.Key_Left, Key.Key_Up):
        QTest.keyClick(grid, key)
        rows.append(grid.currentIndex().row())
    assert rows == [1, 5, 9, 9, 8, 4]
    QTest.keyClick(grid, Key.Key_End)
    assert grid.currentIndex().row() == 11
    QTest.keyClick(grid, Key.Key_Home)
    assert grid.currentIndex().row() == 0


def test_down_from_a_full_line_ends_on_the_last_tile(grid) -> None:
    shown(grid, 7).select_row(3)
    QTest.keyClick(grid, Key.Key_Down)
    assert grid.currentIndex().row() == 6


def test_shift_selects_like_words_across_lines(grid) -> None:
    shown(grid, 12).select_row(3)
    QTest.keyClick(grid, Key.Key_Down, Qt.KeyboardModifier.ShiftModifier)
    assert grid.selected_ranges() == [(3, 7)]
    assert [tile.asset_id for tile in grid.selected_tiles()] == [3, 4, 5, 6, 7]


def test_a_click_selects_one_and_control_adds_another(grid) -> None:
    shown(grid, 12)
    where = [grid.visualRect(grid.tiles.index(row, 0)).center() for row in (2, 7)]
    QTest.mouseClick(grid.viewport(), Qt.MouseButton.LeftButton, pos=where[0])
    QTest.mouseClick(
        grid.viewport(),
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.ControlModifier,
        pos=where[1],
    )
    assert grid.selected_ranges() == [(2, 2), (7, 7)]
    assert grid.selected_count() == 2


def test_a_rubber_band_selects_what_it_touches(grid) -> None:
    shown(grid, 12)
    first, last = (grid.visualRect(grid.tiles.index(row, 0)).center() for row in (1, 7))
    touched = grid._touched(picture_grid.QRect(first, last))
    assert sorted(index.row() for index in touched.indexes()) == [1, 2, 3, 5, 6, 7]


def test_enter_and_a_double_click_view_and_space_previews(qtbot, grid) -> None:
    shown(grid, 3).select_row(1)
    with qtbot.waitSignal(grid.viewed) as viewed:
        QTest.keyClick(grid, Key.Key_Return)
    assert viewed.args == [1]
    with qtbot.waitSignal(grid.previewed) as previewed:
        QTest.keyClick(grid, Key.Key_Space)
    assert previewed.args == [1]
    with qtbot.waitSignal(grid.viewed) as viewed:
        where = grid.visualRect(grid.tiles.index(2, 0)).center()
        QTest.mouseClick(grid.viewport(), Qt.MouseButton.LeftButton, pos=where)
        QTest.mouseDClick(grid.viewport(), Qt.MouseButton.LeftButton, pos=where)
    assert viewed.args == [2]


def test_space_after_tab_acts_on_what_is_selected(qtbot, grid) -> None:
    shown(grid, 3)
    grid.activateWindow()
    qtbot.waitUntil(grid.hasFocus)
    grid.clearFocus()
    grid.setFocus(Qt.FocusReason.TabFocusReason)
    assert grid.selected_ranges() == [(0, 0)]
    with qtbot.waitSignal(grid.previewed) as previewed:
        QTest.keyClick(grid, Key.Key_Space)
    assert previewed.args == [0]


def test_the_selection_survives_appended_tiles(grid) -> None:
    shown(grid, 12).select_row(9)
    top = grid.verticalScrollBar().value()
    grid.tiles.adjust(tiles(212))
    assert grid.selected_ranges() == [(9, 9)]
    assert grid.current_tile() == tiles(1, first=9)[0]
    assert grid.verticalScrollBar().value() == top


def test_the_current_tile_is_told_once(grid) -> None:
    told: list[Tile | None] = []
    grid.current_changed.connect(told.append)
    shown(grid, 3).select_row(2)
    grid.tiles.adjust(tiles(6))
    grid.tiles.show([])
    assert [tile and tile.asset_id for tile in told] == [2, None]


def test_more_is_asked_for_near_the_end_only(grid) -> None:
    shown(grid, 1_000)
    asked: list[int] = []
    grid.near_end.connect(lambda: asked.append(grid.verticalScrollBar().value()))
    grid.verticalScrollBar().setValue(5_000)
    assert not asked
    grid.verticalScrollBar().setValue(grid.verticalScrollBar().maximum())
    assert asked


def test_what_is_at_the_top_stays_there_when_the_width_changes(grid) -> None:
    shown(grid, 1_000)
    grid.scrollTo(grid.tiles.index(500, 0), grid.ScrollHint.PositionAtTop)
    for width in (1_300, 500, 900):
        grid.resize(width, 600)
        place = grid.visualRect(grid.tiles.index(500, 0))
        assert -place.height() <= place.top() < 2 * place.height(), width


def test_pages_up_and_down_go_by_what_is_seen(grid) -> None:
    shown(grid, 1_000).select_row(0)
    QTest.keyClick(grid, Key.Key_PageDown)
    first = grid.currentIndex().row()
    assert 8 <= first <= 16
    QTest.keyClick(grid, Key.Key_PageUp)
    assert grid.currentIndex().row() == 0


def test_headings_stand_above_their_pictures_and_stay_in_sight(grid) -> None:
    shown(grid, 100)
    grid.set_headings([Heading("June 2019", 3), Heading("May 2019", 97)])
    first, second = grid.heading_tops()
    assert first == 0
    below = grid.visualRect(grid.tiles.index(3, 0))
    assert below.left() == 0
    assert second < below.top()
    assert grid.heading_in_sight() == 0
    grid.select_row(90)
    assert grid.heading_in_sight() == 1
    grid.select_row(20)
    place = grid.visualRect(grid.tiles.index(20, 0))
    assert place.top() >= 40  # not below the heading that stays at the top
    grid.grab()


def test_larger_pictures_are_fewer_beside_each_other_and_the_place_is_kept(grid) -> None:
    shown(grid, 1_000)
    grid.scrollTo(grid.tiles.index(500, 0), grid.ScrollHint.PositionAtTop)
    before = grid.visualRect(grid.tiles.index(500, 0)).width()
    grid.set_picture_height(360)
    after = grid.visualRect(grid.tiles.index(500, 0))
    assert after.width() > 1.5 * before
    assert -after.height() <= after.top() < after.height()


def test_a_screen_reader_finds_each_picture_with_its_name_place_and_state(grid) -> None:
    shown(grid, 12).select_row(3)
    grid.tiles.set_state(4, "missing")
    grid.activateWindow()
    grid.setFocus()
    told = QAccessible.queryAccessibleInterface(grid)
    assert told.role() == QAccessible.Role.List
    assert told.childCount() == 12
    children = [told.child(row) for row in range(12)]
    Said = QAccessible.Text
    assert children[0].role() == QAccessible.Role.ListItem
    assert children[4].text(Said.Name) == "00004.jpg, Missing"
    assert children[4].text(Said.Description) == "5 of 12"
    for row, child in enumerate(children):
        place = grid.visualRect(grid.tiles.index(row, 0))
        assert child.rect() == place.translated(grid.viewport().mapToGlobal(QPoint(0, 0)))
    at = children[3].rect().center()
    assert told.childAt(at.x(), at.y()).text(Said.Name) == "00003.jpg"
    assert [bool(child.state().selected) for child in children] == [row == 3 for row in range(12)]
    assert children[3].state().focused
    assert children[3].state().selectable
    assert told.focusChild().text(Said.Name) == "00003.jpg"


def test_a_badge_is_changed_in_place(qtbot, grid) -> None:
    shown(grid, 3)
    with qtbot.waitSignal(grid.tiles.dataChanged):
        grid.tiles.set_state(1, "missing")
    index = grid.tiles.index(1, 0)
    assert index.data(TILE_ROLE).state == "missing"
    assert index.data(Qt.ItemDataRole.AccessibleTextRole) == "00001.jpg, Missing"
    grid.repaint()


def test_actions_make_the_menu_and_their_keys_work_in_the_grid(qtbot, grid) -> None:
    copy = QAction("Copy path", grid)
    copy.setShortcut("Ctrl+C")
    grid.set_actions([copy])
    shown(grid, 1)
    grid.activateWindow()
    grid.setFocus()
    with qtbot.waitSignal(copy.triggered):
        QTest.keyClick(grid, Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert grid.contextMenuPolicy() == Qt.ContextMenuPolicy.ActionsContextMenu
    assert grid.actions() == [copy]


def test_more_than_can_be_dragged_is_refused_with_a_word(qtbot, grid, monkeypatch) -> None:
    monkeypatch.setattr(picture_grid.PictureGrid.selected_tiles, "__defaults__", (2,))
    shown(grid, 3).selectAll()
    with qtbot.waitSignal(grid.too_many_dragged, timeout=0):
        grid.startDrag(Qt.DropAction.CopyAction)


def test_a_thumbnail_is_drawn_when_it_comes(qtbot, loader, grid, tmp_path: Path) -> None:
    path = save_picture(str(tmp_path / "a.png"), 300, 300, "red")
    make_thumbnails([path], 256)
    grid.tiles.show([tile_for(1, path)])
    where = grid.visualRect(grid.tiles.index(0, 0)).topLeft() + QPoint(80, 80)
    qtbot.waitUntil(lambda: grid.viewport().grab().toImage().pixelColor(where).name() == "#ff0000")


def test_what_scrolled_out_of_sight_is_not_read(qtbot, loader, grid) -> None:
    shown(grid, 10_000)
    for value in range(0, 100_000, 700):
        grid.verticalScrollBar().setValue(value)
        grid.viewport().repaint()
    assert loader.pending <= 40
    qtbot.waitUntil(lambda: loader.pending == 0)


def test_a_million_rows_are_asked_for_only_where_they_are_seen(qt_loop, qapp, loader) -> None:
    asked: list[int] = []

    async def fetch(offset: int, limit: int) -> list[Tile]:
        asked.append(offset)
        return tiles(limit, first=offset)

    async def steps() -> None:
        poller = Poller()
        grid = PictureGrid(TileModel(poller), loader)
        grid.resize(900, 600)
        grid.show()
        grid.tiles.set_source(fetch, 1_000_000)
        await qt_loop.until(lambda: grid.tiles.row(0))
        grid.selectAll()
        assert grid.selected_count() == 1_000_000
        grid.select_row(999_999)
        assert grid.current_tile() is None
        told: list[Tile | None] = []
        grid.current_changed.connect(told.append)
        await qt_loop.until(grid.current_tile)
        assert told == tiles(1, first=999_999)
        await qt_loop.until(lambda: not grid.tiles.loading)
        assert set(asked) <= {0, 999_800}
        assert all(offset % paged_model.PAGE == 0 for offset in asked)
        grid.close()
        await poller.close()

    qt_loop.run(steps())


def test_what_is_at_the_top_stays_while_shapes_become_known(qt_loop, qapp, loader) -> None:
    async def fetch(offset: int, limit: int) -> list[Tile]:
        found = tiles(limit, first=offset)
        return [replace(tile, width=100, height=100 + tile.asset_id % 90) for tile in found]

    async def steps() -> None:
        poller = Poller()
        grid = PictureGrid(TileModel(poller), loader)
        grid.resize(900, 600)
        grid.show()
        grid.tiles.set_source(fetch, 100_000)
        bar = grid.verticalScrollBar()
        for value in (bar.maximum() // 2, bar.maximum() // 3):
            bar.setValue(value)
            top = grid._layout.row_at(bar.value() + 90)
            await qt_loop.until(lambda top=top: grid.tiles.row(top) and not grid.tiles.loading)
            assert abs(grid._layout.row_at(bar.value() + 90) - top) < 8
            for _ in range(60):  # up, through blocks that were never seen
                before = grid._layout.row_at(bar.value() + 300)
                bar.setValue(bar.value() - 200)
                await qt_loop.until(lambda: not grid.tiles.loading)
                assert 0 <= before - grid._layout.row_at(bar.value() + 300) < 20
        grid.close()
        await poller.close()

    qt_loop.run(steps())
