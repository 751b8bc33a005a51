"""Thumbnails come beside the window's thread, and never harm or wait for a file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from page_parts import save_picture
from PySide6.QtCore import QSize

from app.ui import thumbnails
from app.ui.thumbnails import ThumbnailLoader, read_thumbnail


@pytest.fixture
def loader(qapp):
    loader = ThumbnailLoader()
    yield loader
    loader.close()
    loader.deleteLater()


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "bmp"])
def test_a_picture_is_scaled_to_its_longest_side(qapp, tmp_path: Path, ending: str) -> None:
    path = save_picture(str(tmp_path / f"a.{ending}"), 400, 200)
    assert read_thumbnail(path, 40).size() == QSize(40, 20)


def test_a_small_picture_is_not_enlarged(qapp, tmp_path: Path) -> None:
    assert read_thumbnail(save_picture(str(tmp_path / "a.png"), 9, 5), 40).size() == QSize(9, 5)


def test_an_extreme_shape_keeps_at_least_one_pixel(qapp, tmp_path: Path) -> None:
    path = save_picture(str(tmp_path / "a.png"), 5000, 1)
    assert read_thumbnail(path, 40).size() == QSize(40, 1)


def test_what_is_no_picture_gives_none(qapp, tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.jpg").write_text("not a picture")
    (tmp_path / "drawing.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg" width="9"/>')
    (tmp_path / "folder.jpg").mkdir()
    os.mkfifo(tmp_path / "pipe.jpg")
    for name in ("empty.jpg", "text.jpg", "drawing.svg", "folder.jpg", "pipe.jpg", "gone.jpg"):
        assert read_thumbnail(str(tmp_path / name), 40).isNull(), name


def test_a_name_that_is_not_utf_8_is_read(qapp, tmp_path: Path) -> None:
    good = save_picture(str(tmp_path / "a.jpg"))
    odd = os.path.join(os.fsencode(tmp_path), b"caf\xe9 \xff.jpg")
    os.rename(good, odd)
    assert not read_thumbnail(os.fsdecode(odd), 40).isNull()


def test_a_file_over_the_limit_is_not_read(qapp, tmp_path: Path, monkeypatch) -> None:
    path = save_picture(str(tmp_path / "a.bmp"))
    monkeypatch.setattr(thumbnails, "MAX_FILE_BYTES", 100)
    assert read_thumbnail(path, 40).isNull()


def test_a_picture_over_the_pixel_limit_is_not_decoded(qapp, tmp_path: Path, monkeypatch) -> None:
    path = save_picture(str(tmp_path / "a.png"), 100, 100)
    monkeypatch.setattr(thumbnails, "MAX_WHOLE_PIXELS", 9_999)
    assert read_thumbnail(path, 40).isNull()


def test_a_thumbnail_comes_later_and_is_kept(qtbot, loader, tmp_path: Path) -> None:
    path = save_picture(str(tmp_path / "a.jpg"))
    with qtbot.waitSignal(loader.ready) as said:
        assert loader.get(path, 40) is None
    assert said.args == [path]
    found = loader.get(path, 40)
    assert found is not None
    assert not found.isNull()
    assert loader.pending == 0


def test_a_file_without_a_picture_is_asked_for_once(qtbot, loader, tmp_path: Path) -> None:
    path = str(tmp_path / "gone.jpg")
    with qtbot.waitSignal(loader.ready):
        loader.get(path, 40)
    found = loader.get(path, 40)
    assert found is not None
    assert found.isNull()


def test_what_scrolled_away_is_not_read(qtbot, loader, tmp_path: Path) -> None:
    paths = [save_picture(str(tmp_path / f"{number}.png")) for number in range(4)]
    gone = [str(tmp_path / f"gone {number}") for number in range(1_000)]
    came: list[str] = []
    loader.ready.connect(came.append)
    for path in [*gone, *paths]:
        loader.get(path, 40)
    qtbot.waitUntil(lambda: loader.pending == 0)
    assert set(paths) <= set(came)
    assert len(came) <= thumbnails.WAITING + thumbnails.THREADS
    loader.get(paths[0] + "x", 40)
    loader.get(paths[0] + "y", 40)
    loader.get(paths[0] + "z", 40)
    loader.cancel_waiting()
    assert loader.pending <= thumbnails.THREADS
    qtbot.waitUntil(lambda: loader.pending == 0)


def test_the_cache_stays_within_its_bounds(qtbot, loader, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(thumbnails, "CACHE_BYTES", 30_000)
    paths = [save_picture(str(tmp_path / f"{number}.png")) for number in range(8)]
    for path in paths:
        loader.get(path, 64)
    qtbot.waitUntil(lambda: loader.pending == 0)
    assert sum(loader.get(path, 64) is not None for path in paths) <= 2
    qtbot.waitUntil(lambda: loader.pending == 0)


def test_looking_changes_nothing(qapp, tmp_path: Path) -> None:
    path = save_picture(str(tmp_path / "a.jpg"))
    before = (os.stat(path).st_mtime_ns, Path(path).read_bytes())
    read_thumbnail(path, 40)
    assert (os.stat(path).st_mtime_ns, Path(path).read_bytes()) == before
