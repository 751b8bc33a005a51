"""The large picture beside a grid, and what is said where there is none."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from ledger_rows import add_pictures, add_session
from page_parts import Parts, save_picture
from PIL import Image
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel

from app.db.engine import write_transaction
from app.db.models import TrainingEvidence
from app.pictures.colour_profiles import profile_of_nclx
from app.ui.pictures import large_picture
from app.ui.pictures.grid import HeldTiles, PictureGrid, tile_for
from app.ui.pictures.large_picture import read_picture
from app.ui.pictures.preview import GONE, SMALL, PicturePreview
from app.worker.thumbnails import make_thumbnails


class Shown:
    """A preview beside a grid of these files."""

    def __init__(self, parts: Parts, paths: list[str]) -> None:
        context = parts.context()
        self.grid = PictureGrid(HeldTiles(parts.poller), context.thumbnails, parent=parts.window)
        self.grid.tiles.show([tile_for(number + 1, path) for number, path in enumerate(paths)])
        action = QAction("&Open\tEnter", parts.window)
        self.preview = PicturePreview(context, self.grid, [action])
        self.preview.setParent(parts.window)
        self.grid.resize(400, 600)
        parts.show(self.preview, 500, 600)

    def show(self, row: int) -> None:
        self.grid.select_row(row)
        tile = self.grid.tiles.row(row)
        assert tile is not None
        self.preview.show_tile(tile, [("Score", "0.31"), ("Taken", "")])

    def said(self) -> list[str]:
        labels = self.preview.findChildren(QLabel)
        return [part.text() for part in labels if part.text() and part.isVisible()]


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "bmp"])
def test_a_picture_is_scaled_and_never_enlarged(qapp, tmp_path: Path, ending: str) -> None:
    path = save_picture(str(tmp_path / f"a.{ending}"), 400, 200)
    assert read_picture(path, 40).size() == QSize(40, 20)
    assert read_picture(path, 4_000).size() == QSize(400, 200)


def test_a_picture_is_shown_in_the_colours_of_its_profile(qapp, tmp_path: Path) -> None:
    # linear light, which is much lighter than its numbers look
    profile = profile_of_nclx({"transfer_characteristics": 8})
    Image.new("RGB", (9, 9), (128, 128, 128)).save(tmp_path / "a.png", icc_profile=profile)
    assert read_picture(str(tmp_path / "a.png"), 9).pixelColor(4, 4).red() == pytest.approx(
        188, abs=2
    )


def test_what_is_no_picture_gives_none(qapp, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.jpg").write_text("not a picture")
    (tmp_path / "drawing.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg" width="9"/>')
    (tmp_path / "folder.jpg").mkdir()
    os.mkfifo(tmp_path / "pipe.jpg")
    for name in ("empty.jpg", "text.jpg", "drawing.svg", "folder.jpg", "pipe.jpg", "gone.jpg"):
        assert read_picture(str(tmp_path / name), 40).isNull(), name
    large = save_picture(str(tmp_path / "large.png"), 100, 100)
    monkeypatch.setattr(large_picture, "MAX_WHOLE_PIXELS", 9_999)
    assert read_picture(large, 40).isNull()
    monkeypatch.setattr(large_picture, "MAX_WHOLE_PIXELS", 10_000)
    monkeypatch.setattr(large_picture, "MAX_FILE_BYTES", 100)
    assert read_picture(large, 40).isNull()


def test_the_picture_is_read_beside_and_only_the_last_one_wanted(
    qt_loop, backend, tmp_path: Path, monkeypatch
) -> None:
    odd = os.path.join(str(tmp_path), os.fsdecode(b"caf\xe9 \xff.png"))
    paths = [save_picture(str(tmp_path / f"{number}.png"), 300, 200) for number in range(5)]
    os.rename(save_picture(str(tmp_path / "odd.png"), 200, 300), odd)
    read: list[str] = []
    reading = large_picture.read_picture

    def watched(path: str, edge: int) -> Any:
        read.append(path)
        return reading(path, edge)

    monkeypatch.setattr(large_picture, "read_picture", watched)

    async def steps() -> None:
        async with Parts(backend) as parts:
            shown = Shown(parts, [*paths, odd])
            for row in range(6):
                shown.show(row)
                shown.preview.grab()
            await qt_loop.until(lambda: not shown.preview.picture.picture.isNull())
            assert shown.preview.picture.picture.size() == QSize(200, 300)
            assert read == [odd]
            assert shown.preview.name.full_text() == "caf\ufffd \ufffd.png"
            assert shown.preview.folder.full_text() == str(tmp_path)
            assert "Taken" not in shown.said()
            assert "0.31" in shown.said()
            assert not shown.preview.note.isVisible()

    qt_loop.run(steps())


def test_what_cannot_be_read_is_shown_from_its_thumbnail_and_says_so(
    qt_loop, backend, tmp_path: Path, monkeypatch
) -> None:
    path = save_picture(str(tmp_path / "a.png"), 300, 200, "red")
    make_thumbnails([path], 256)
    monkeypatch.setattr(large_picture, "FORMATS", frozenset())

    async def steps() -> None:
        async with Parts(backend) as parts:
            shown = Shown(parts, [path])
            shown.show(0)
            await qt_loop.until(shown.preview.note.isVisible)
            assert shown.preview.note.text() == SMALL
            middle = shown.preview.picture.rect().center()

            def colour() -> str:
                return shown.preview.picture.grab().toImage().pixelColor(middle).name()

            await qt_loop.until(lambda: colour().startswith("#f"))

    qt_loop.run(steps())


def test_a_file_that_is_gone_is_said(qt_loop, backend, tmp_path: Path) -> None:
    there = save_picture(str(tmp_path / "a.png"))

    async def steps() -> None:
        async with Parts(backend) as parts:
            shown = Shown(parts, [str(tmp_path / "gone.jpg"), there])
            shown.show(0)
            await qt_loop.until(lambda: shown.preview.note.text() == GONE)
            shown.show(1)
            assert not shown.preview.note.isVisible()
            await qt_loop.until(lambda: not shown.preview.picture.picture.isNull())
            shown.preview.clear()
            assert shown.preview.name.full_text() == ""
            shown.preview.grab()

    qt_loop.run(steps())


def test_details_are_asked_for_when_they_are_wanted(qt_loop, backend, tmp_path: Path) -> None:
    path = save_picture(str(tmp_path / "a.png"))
    session_id = add_session("One", "completed", str(tmp_path))
    jobs = add_pictures(session_id, {"completed": [path, str(tmp_path / "b.png")]})
    with write_transaction() as conn:
        for attempt in (1, 2):
            conn.execute(
                TrainingEvidence.__table__.insert().values(
                    job_id=jobs[0], asset_id=1, session_id=session_id, attempt=attempt
                )
            )

    async def steps() -> None:
        async with Parts(backend) as parts:
            shown = Shown(parts, [path, str(tmp_path / "b.png")])
            shown.show(0)
            assert not shown.preview.attempts.isVisible()
            shown.preview.details_button.click()
            await qt_loop.until(lambda: "Attempt 2" in shown.said())
            assert "Attempt 1" in shown.said()
            shown.show(1)
            assert "Attempt 1" not in shown.said()
            await qt_loop.until(
                lambda: "Nothing is recorded about this picture yet." in shown.said()
            )

    qt_loop.run(steps())


def test_escape_and_space_close_and_arrows_go_on(qt_loop, backend, qtbot, tmp_path: Path) -> None:
    async def steps() -> None:
        async with Parts(backend) as parts:
            shown = Shown(parts, ["/gone/a.jpg", "/gone/b.jpg"])
            shown.show(0)
            for key in (Qt.Key.Key_Escape, Qt.Key.Key_Space):
                with qtbot.waitSignal(shown.preview.closed, timeout=0):
                    QTest.keyClick(shown.preview, key)
            QTest.keyClick(shown.preview, Qt.Key.Key_Right)
            assert shown.grid.selected_ranges() == [(1, 1)]
            assert shown.preview.buttons[0].accessibleName()
            await qt_loop.until(shown.preview.note.isVisible)

    qt_loop.run(steps())
