"""One picture over all of the window: keys, zoom, details, and the way back."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from page_parts import Parts, save_picture
from PIL import ExifTags, Image
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QAction, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QPushButton

from app.api.library_schemas import CameraFacts
from app.ui.pictures.camera_words import camera_details, date_of
from app.ui.pictures.grid import HeldTiles, PictureGrid, Tile
from app.ui.pictures.preview import GONE
from app.ui.pictures.viewer import DRAG, TOO_SMALL, PictureViewer

Key = Qt.Key


class Shown:
    """A grid of files in a window of 1100 by 720, and its viewer."""

    def __init__(self, parts: Parts, tiles: list[Tile]) -> None:
        context = parts.context()
        self.grid = PictureGrid(HeldTiles(parts.poller), context.thumbnails, parent=parts.window)
        self.copied: list[bool] = []
        copy = QAction("Copy", self.grid)
        copy.setShortcut("Ctrl+C")
        copy.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        copy.triggered.connect(lambda: self.copied.append(True))
        self.viewer = PictureViewer(context, self.grid, lambda _: [("Score", "0.31")], [copy])
        self.grid.viewed.connect(self.viewer.open)
        parts.show(self.grid, 600, 400)
        parts.window.activateWindow()
        self.grid.tiles.show(tiles)

    @property
    def view(self) -> Any:
        return self.viewer.view

    def key(self, key: Qt.Key) -> None:
        QTest.keyClick(self.viewer if self.viewer.isVisible() else self.grid, key)


def pictures(folder: Path, number: int = 3) -> list[Tile]:
    found = []
    for at in range(number):
        path = save_picture(str(folder / f"{at}.jpg"), 3_000, 2_000)
        found.append(Tile(at, path, f"{at}.jpg", width=3_000, height=2_000))
    return found


def test_enter_shows_it_over_the_window_and_escape_leads_back(qt_loop, backend, tmp_path) -> None:
    async def steps() -> None:
        async with Parts(backend) as parts:
            shown = Shown(parts, pictures(tmp_path))
            shown.grid.select_row(0)
            shown.grid.selectAll()
            shown.grid.setFocus()
            shown.key(Key.Key_Return)
            viewer = shown.viewer
            assert viewer.isVisible()
            assert viewer.geometry() == parts.window.rect()
            assert viewer.name.full_text() == "0.jpg"
            assert viewer.place.text() == "1 of 3"
            assert viewer.accessibleDescription() == "0.jpg, 1 of 3"
            await qt_loop.until(lambda: not shown.view.picture.isNull())
            parts.window.resize(900, 650)
            assert viewer.geometry() == parts.window.rect()
            shown.key(Key.Key_Escape)
            assert not viewer.isVisible()
            assert shown.grid.hasFocus()
            assert shown.grid.selected_ranges() == [(0, 2)]  # nothing else was looked at

    qt_loop.run(steps())


def test_arrows_go_on_and_the_grid_goes_along(qt_loop, backend, tmp_path) -> None:
    async def steps() -> None:
        async with Parts(backend) as parts:
            shown = Shown(parts, pictures(tmp_path))
            shown.grid.select_row(0)
            shown.grid.viewed.emit(0)
            names = []
            for key in (Key.Key_Left, Key.Key_Right, Key.Key_Right, Key.Key_Right, Key.Key_PageUp):
                shown.key(key)
                names.append(shown.viewer.name.full_text())
            assert names == ["0.jpg", "1.jpg", "2.jpg", "2.jpg", "1.jpg"]
            assert shown.viewer.next.isEnabled()
            shown.viewer.next.click()
            assert not shown.viewer.next.isEnabled()
            shown.viewer.back.click()
            assert shown.grid.selected_ranges() == [(2, 2)]
            await qt_loop.until(lambda: not shown.view._reading)

    qt_loop.run(steps())


def test_it_is_zoomed_to_its_pixels_and_moved(qt_loop, backend, tmp_path) -> None:
    async def steps() -> None:
        async with Parts(backend) as parts:
            shown = Shown(parts, pictures(tmp_path, 1))
            view = shown.view
            shown.grid.viewed.emit(0)
            await qt_loop.until(lambda: not view.picture.isNull())
            assert view.fitted
            assert view.picture.width() < 3_000  # no more is read than is seen
            fitted = view.scale
            shown.key(Key.Key_1)
            assert view.scale == 1
            assert shown.viewer.scale.text() == "100 %"
            view.repaint()
            await qt_loop.until(lambda: view.picture.width() == 3_000)
            before = QPointF(view._middle)
            middle = view.rect().center()
            QTest.mousePress(view, Qt.MouseButton.LeftButton, pos=middle)
            QTest.mouseMove(view, middle - QPoint(300, 100))
            QTest.mouseRelease(view, Qt.MouseButton.LeftButton, pos=middle - QPoint(300, 100))
            assert view._middle.x() == pytest.approx(before.x() + 0.1, abs=0.01)
            assert view._middle.y() == pytest.approx(before.y() + 0.05, abs=0.01)
            shown.key(Key.Key_Plus)
            assert view.scale == pytest.approx(1.25)
            for _ in range(20):
                shown.key(Key.Key_Plus)
            assert view.scale == 8
            view.grab()
            shown.key(Key.Key_0)
            assert view.fitted
            assert view.scale == fitted

    qt_loop.run(steps())


def test_what_is_below_the_wheel_stays_there(qt_loop, backend, tmp_path) -> None:
    async def steps() -> None:
        async with Parts(backend) as parts:
            shown = Shown(parts, pictures(tmp_path, 1))
            view = shown.view
            shown.grid.viewed.emit(0)
            await qt_loop.until(lambda: not view.picture.isNull())
            view.show_pixels()
            at = QPointF(250, 200)

            def below() -> tuple[float, float]:
                place = view.place()
                left, top = at.x() - place.left(), at.y() - place.top()
                return left / place.width(), top / place.height()

            held = below()
            for turn in (120, 240, -120):
                none = Qt.KeyboardModifier.NoModifier
                wheel = QWheelEvent(
                    at, view.mapToGlobal(at), QPoint(), QPoint(0, turn), Qt.MouseButton.NoButton,
                    none, Qt.ScrollPhase.NoScrollPhase, False,
                )  # fmt: skip
                view.wheelEvent(wheel)
                assert below() == pytest.approx(held, abs=0.001)

    qt_loop.run(steps())


def test_details_say_how_it_was_taken(qt_loop, backend, tmp_path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Model] = "Pixel 9"
    path = str(tmp_path / "a.jpg")
    Image.new("RGB", (300, 200)).save(path, exif=exif)

    async def steps() -> None:
        async with Parts(backend) as parts:
            shown = Shown(parts, [Tile(1, path, "a.jpg")])
            shown.grid.viewed.emit(0)
            assert not shown.viewer.panel.isVisible()
            shown.key(Key.Key_I)
            assert shown.viewer.panel.isVisible()
            assert ("Score", "0.31") in shown.viewer.facts._shown
            await qt_loop.until(lambda: ("Camera", "Pixel 9") in shown.viewer.facts._shown)
            shown.key(Key.Key_I)
            assert not shown.viewer.panel.isVisible()

    qt_loop.run(steps())


def test_exposure_and_place_are_said_as_people_write_them() -> None:
    facts = CameraFacts(
        camera="X", exposureSeconds=0.004, aperture=2.8, iso=400, focalLength=35,
        latitude=-33.5, longitude=151.25,
    )  # fmt: skip
    assert camera_details(facts) == [
        ("Camera", "X"),
        ("Lens", ""),
        ("Exposure", "1/250 s, f/2.8, ISO 400, 35 mm"),
        ("Place", "33.5000° S, 151.2500° E"),
    ]
    assert camera_details(CameraFacts(exposureSeconds=2.5))[2] == ("Exposure", "2.5 s")


def test_keys_stay_in_the_viewer_and_those_of_pictures_work(qt_loop, backend, tmp_path) -> None:
    async def steps() -> None:
        async with Parts(backend) as parts:
            shown = Shown(parts, pictures(tmp_path, 2))
            shown.grid.viewed.emit(0)
            await qt_loop.until(shown.viewer.hasFocus)
            QTest.keyClick(shown.viewer, Key.Key_C, Qt.KeyboardModifier.ControlModifier)
            assert len(shown.copied) == 1
            stops = set()
            for _ in range(12):
                QTest.keyClick(QApplication.focusWidget(), Key.Key_Tab)
                focused = QApplication.focusWidget()
                assert shown.viewer.isAncestorOf(focused)
                stops.add(focused.accessibleName())
            buttons = shown.viewer.findChildren(QPushButton)
            assert stops == {part.accessibleName() for part in buttons if part.isEnabled()}
            shown.grid.hide()  # another page is shown
            assert not shown.viewer.isVisible()
            await qt_loop.until(lambda: not shown.view._reading)

    qt_loop.run(steps())


def test_full_screen_ends_with_the_viewer(qt_loop, backend, tmp_path) -> None:
    async def steps() -> None:
        async with Parts(backend) as parts:
            shown = Shown(parts, pictures(tmp_path, 1))
            shown.grid.viewed.emit(0)
            shown.key(Key.Key_F11)
            assert parts.window.isFullScreen()
            shown.key(Key.Key_Escape)
            assert not parts.window.isFullScreen()
            assert not shown.viewer.isVisible()
            await qt_loop.until(lambda: not shown.view._reading)

    qt_loop.run(steps())


def test_a_file_that_cannot_be_read_says_so(qt_loop, backend, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("no picture")

    async def steps() -> None:
        async with Parts(backend) as parts:
            shown = Shown(parts, [Tile(1, str(tmp_path / "a.jpg"), "a.jpg")])
            shown.grid.viewed.emit(0)
            await qt_loop.until(lambda: "thumbnail" in shown.viewer.note.text())
            assert shown.viewer.scale.text() == ""
            shown.key(Key.Key_Plus)
            shown.view.grab()
            shown.key(Key.Key_Escape)
            (tmp_path / "a.jpg").unlink()
            shown.grid.viewed.emit(0)
            await qt_loop.until(lambda: shown.viewer.note.text() == GONE)

    qt_loop.run(steps())


def test_selected_pictures_are_seen_side_by_side_and_zoomed_together(
    qt_loop, backend, tmp_path
) -> None:
    async def steps() -> None:
        async with Parts(backend) as parts:
            shown = Shown(parts, pictures(tmp_path))
            viewer = shown.viewer
            shown.grid.select_row(0)
            shown.grid.viewed.emit(0)
            assert not viewer.compare.isEnabled()
            shown.key(Key.Key_C)
            assert not viewer.compare.isChecked()
            shown.key(Key.Key_Escape)
            shown.grid.selectAll()
            shown.grid.viewed.emit(0)
            shown.key(Key.Key_C)
            views = viewer.compared.views
            assert [Path(view.path).name for view in views] == ["0.jpg", "1.jpg", "2.jpg"]
            viewer.grab()
            await qt_loop.until(lambda: not any(view.picture.isNull() for view in views))
            shown.key(Key.Key_Plus)
            assert not any(view.fitted for view in views)
            assert len({round(view.scale, 3) for view in views}) == 1
            shown.key(Key.Key_Right)  # there is no next one
            assert shown.grid.selected_ranges() == [(0, 2)]
            shown.key(Key.Key_C)
            assert viewer.name.full_text() == "0.jpg"
            shown.key(Key.Key_C)
            shown.key(Key.Key_Escape)
            assert not viewer.compared.views
            await qt_loop.until(lambda: not shown.view._reading)

    qt_loop.run(steps())


def test_pictures_side_by_side_can_be_made_smaller_again_and_buttons_say_what_can_be_done(
    qt_loop, backend, tmp_path
) -> None:
    async def steps() -> None:
        async with Parts(backend) as parts:
            shown = Shown(parts, pictures(tmp_path, 2))
            viewer = shown.viewer
            shown.grid.select_row(0)
            shown.grid.selectAll()
            viewer.open(0, side_by_side=True)
            views = viewer.compared.views
            assert viewer.name.full_text() == "2 pictures side by side"
            await qt_loop.until(lambda: not any(view.picture.isNull() for view in views))

            def can() -> tuple[bool, bool, bool]:
                return tuple(
                    part.isEnabled() for part in (viewer.nearer, viewer.further, viewer.fit)
                )

            assert can() == (True, False, False)
            viewer.nearer.click()
            assert can() == (True, True, True)
            before = [view.scale for view in views]
            while viewer.nearer.isEnabled():
                viewer.nearer.click()
            assert [view.scale for view in views] == [8, 8]
            assert can() == (False, True, True)
            viewer.further.click()
            assert can() == (True, True, True)
            assert all(was < view.scale < 8 for was, view in zip(before, views, strict=True))
            viewer.fit.click()
            assert can() == (True, False, False)
            assert all(view.fitted for view in views)
            QTest.keyClick(viewer, Key.Key_Plus)
            shown.key(Key.Key_C)  # the one that is seen then is fitted
            assert can() == (True, False, False)
            shown.key(Key.Key_Escape)
            await qt_loop.until(lambda: not shown.view._reading)

    qt_loop.run(steps())


def test_one_that_cannot_be_read_does_not_keep_the_others_from_being_zoomed(
    qt_loop, backend, tmp_path
) -> None:
    (tmp_path / "broken.jpg").write_text("no picture")
    broken = Tile(9, str(tmp_path / "broken.jpg"), "broken.jpg")

    async def steps() -> None:
        async with Parts(backend) as parts:
            shown = Shown(parts, [broken, *pictures(tmp_path, 1)])
            viewer = shown.viewer
            shown.grid.select_row(0)
            shown.grid.selectAll()
            viewer.open(0, side_by_side=True)
            _, view = viewer.compared.views
            await qt_loop.until(lambda: not view.picture.isNull())
            assert viewer.nearer.isEnabled()
            viewer.nearer.click()
            assert not view.fitted
            assert viewer.further.isEnabled()
            viewer.close_viewer()

    qt_loop.run(steps())


def test_a_picture_that_no_camera_dated_shows_the_date_of_its_file() -> None:
    taken = datetime(2019, 6, 3, 14, 5, tzinfo=UTC)
    assert date_of(taken, 5) == ("Taken", "3 June 2019, 14:05")
    written = datetime(2021, 3, 9, 8, 7)  # by the clock of this computer
    assert date_of(None, int(written.timestamp()) * 10**9) == ("File date", "9 March 2021, 08:07")
    assert date_of(None, 0) == ("Taken", "")


def drag(view: Any, begin: QPoint, end: QPoint) -> None:
    """A rectangle drawn with the mouse."""
    QTest.mousePress(view, Qt.MouseButton.LeftButton, pos=begin)
    QTest.mouseMove(view, (begin + end) / 2)
    QTest.mouseMove(view, end)
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton, pos=end)


def test_a_rectangle_dragged_on_a_picture_is_the_part_to_search_for(
    qt_loop, backend, tmp_path
) -> None:
    async def steps() -> None:
        async with Parts(backend) as parts:
            shown = Shown(parts, pictures(tmp_path, 1))
            viewer, wanted = shown.viewer, []
            viewer.part_wanted.connect(lambda tile, region: wanted.append((tile, region)))
            shown.grid.viewed.emit(0)
            await qt_loop.until(lambda: not shown.view.picture.isNull())
            shown.key(Key.Key_S)
            assert viewer.part.isChecked()
            assert viewer.note.text() == DRAG
            place = shown.view.place()
            corner = place.topLeft().toPoint()
            begin = corner + QPoint(round(place.width() / 4), round(place.height() / 2))
            drag(viewer.picker, begin, corner - QPoint(300, 300))  # out over the edge
            ((tile, region),) = wanted
            assert tile.path == str(tmp_path / "0.jpg")
            assert region == pytest.approx((0, 0, 0.25, 0.5), abs=0.01)
            assert not viewer.isVisible()

    qt_loop.run(steps())


def test_a_part_that_is_too_small_is_refused_and_escape_gives_up(
    qt_loop, backend, tmp_path
) -> None:
    async def steps() -> None:
        async with Parts(backend) as parts:
            shown = Shown(parts, pictures(tmp_path, 1))
            viewer, wanted = shown.viewer, []
            viewer.part_wanted.connect(lambda *part: wanted.append(part))
            shown.grid.viewed.emit(0)
            await qt_loop.until(lambda: not shown.view.picture.isNull())
            viewer.part.click()
            middle = viewer.picker.rect().center()
            drag(viewer.picker, middle, middle + QPoint(2, 2))  # a click is no rectangle
            assert viewer.note.text() == DRAG
            drag(viewer.picker, middle, middle + QPoint(80, 6))  # some 18 pixels of the picture
            assert viewer.note.text() == TOO_SMALL
            assert viewer.picker.isVisible()
            shown.key(Key.Key_Escape)
            assert viewer.isVisible()
            assert not viewer.picker.isVisible()
            shown.key(Key.Key_Escape)
            assert not viewer.isVisible()
            assert wanted == []

    qt_loop.run(steps())


def test_plain_keys_of_actions_work_here_too(qt_loop, backend, tmp_path) -> None:
    async def steps() -> None:
        async with Parts(backend) as parts:
            shown = Shown(parts, pictures(tmp_path, 1))
            done: list[bool] = []
            mark = QAction("Mark", shown.grid)
            mark.setShortcut("T")
            mark.triggered.connect(lambda: done.append(True))
            shown.grid.set_actions([mark])
            shown.viewer.addAction(mark)
            shown.grid.viewed.emit(0)
            await qt_loop.until(shown.viewer.hasFocus)
            shown.key(Key.Key_T)
            assert done == [True]
            shown.viewer.close_viewer()

    qt_loop.run(steps())
