"""The years beside a grid: where it is, and where one goes by mouse and keys."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from app.queue.thumbnail_requests import ThumbnailRequests
from app.ui.parts.poller import Poller
from app.ui.pictures.grid import PictureGrid, Tile, TileModel, tile_for
from app.ui.pictures.justified import Heading
from app.ui.pictures.thumbnails import ThumbnailLoader
from app.ui.pictures.timeline import BesideTimeline, Timeline

Key = Qt.Key
MONTHS = [
    Heading(f"{name} {year}", 5_000)
    for year in range(2026, 2006, -1)
    for name in ("December", "June")
]


@pytest.fixture
def asked() -> list[int]:
    return []


@pytest.fixture
def shown(qt_loop, qapp, asked: list[int]) -> Iterator[tuple[PictureGrid, Timeline]]:
    """200,000 pictures in forty months."""
    loader = ThumbnailLoader(ThumbnailRequests())
    poller = Poller()

    async def fetch(offset: int, limit: int) -> list[Tile]:
        asked.append(offset)
        return [tile_for(row, f"/gone/{row}.jpg") for row in range(offset, offset + limit)]

    grid = PictureGrid(TileModel(poller), loader)
    timeline = Timeline(grid)
    both = BesideTimeline(grid, timeline)
    both.resize(900, 600)

    async def begin() -> None:
        grid.tiles.set_source(fetch, sum(month.pictures for month in MONTHS))
        grid.set_headings(MONTHS)
        timeline.show_months(MONTHS)
        both.show()
        await qt_loop.until(lambda: grid.tiles.row(0))

    qt_loop.run(begin())
    yield grid, timeline
    both.close()
    qt_loop.run(poller.close())
    loader.close()
    loader.deleteLater()


def month(grid: PictureGrid) -> str:
    return MONTHS[grid.heading_in_sight()].text


def test_it_stands_in_for_the_scroll_bar_while_there_are_months(shown) -> None:
    grid, timeline = shown
    assert timeline.isVisible()
    assert not grid.verticalScrollBar().isVisible()
    timeline.grab()
    timeline.show_months([])
    assert not timeline.isVisible()
    assert grid.verticalScrollBarPolicy() == Qt.ScrollBarPolicy.ScrollBarAsNeeded


def test_a_drag_goes_through_all_pictures_and_fetches_only_what_is_seen(
    qt_loop, shown, asked
) -> None:
    grid, timeline = shown
    left = Qt.MouseButton.LeftButton

    async def steps() -> None:
        QTest.mousePress(timeline, left, pos=QPoint(20, 12))
        for y in range(12, 590, 6):
            QTest.mouseMove(timeline, QPoint(20, y))
        QTest.mouseRelease(timeline, left, pos=QPoint(20, 589))
        await qt_loop.until(lambda: not grid.tiles.loading)
        assert month(grid) == "June 2007"
        middle = QPoint(20, timeline.height() // 2)
        QTest.mouseClick(timeline, left, pos=middle)
        await qt_loop.until(lambda: not grid.tiles.loading)
        assert month(grid) in ("December 2016", "June 2017", "December 2017", "June 2016")

    qt_loop.run(steps())
    assert len(asked) < 400  # of 1,000 pages


def test_keys_go_by_months_and_years(qt_loop, shown) -> None:
    grid, timeline = shown

    async def steps() -> None:
        timeline.setFocus()
        seen = []
        keys = (Key.Key_Down, Key.Key_Down, Key.Key_Up, Key.Key_PageDown, Key.Key_PageUp)
        for key in (*keys, Key.Key_End):
            QTest.keyClick(timeline, key)
            await qt_loop.until(lambda: not grid.tiles.loading)
            seen.append(month(grid))
        assert seen == [
            "June 2026",
            "December 2025",
            "June 2026",
            "December 2025",
            "December 2026",
            "June 2007",
        ]

    qt_loop.run(steps())


def test_a_screen_reader_hears_the_month(qt_loop, shown) -> None:
    grid, timeline = shown

    async def steps() -> None:
        assert timeline.accessibleName() == "Timeline"
        assert timeline.accessibleDescription() == "December 2026"
        grid.verticalScrollBar().setValue(grid.verticalScrollBar().maximum())
        assert timeline.accessibleDescription() == "June 2007"
        assert timeline.value() == timeline.maximum()
        await qt_loop.until(lambda: not grid.tiles.loading)

    qt_loop.run(steps())
