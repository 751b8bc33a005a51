"""Thumbnails come beside the window's thread; what is missing is asked for, a little at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from page_parts import save_picture
from PySide6.QtCore import QSize
from PySide6.QtGui import QColor, QImage

from app.errors import AppError
from app.pictures.thumbnail_paths import description, failure_file, thumbnail_file
from app.ui.pictures import thumbnails
from app.ui.pictures.thumbnail_files import read_thumbnail
from app.ui.pictures.thumbnails import BATCH, REQUESTS, ThumbnailLoader
from app.worker.thumbnails import make_thumbnails


class Service:
    """Stands in for the queue: makes thumbnails at once, or is away, or never answers."""

    def __init__(self) -> None:
        self.requests: list[list[str]] = []
        self.edges: list[int] = []
        self.open: set[str] = set()
        self.most_open = 0
        self.away = self.silent = False
        self.expired = False

    def request(self, paths: Sequence[str], edge: int) -> str:
        self._answer()
        self.requests.append(list(paths))
        self.edges.append(edge)
        request = str(len(self.requests))
        self.open.add(request)
        self.most_open = max(self.most_open, len(self.open))
        if not self.silent:
            make_thumbnails(paths, edge)
        return request

    def answered(self, requests: Sequence[str]) -> dict[str, bool]:
        self._answer()
        if self.silent and not self.expired:
            return {}
        self.open -= set(requests)
        return dict.fromkeys(requests, not self.expired)

    def _answer(self) -> None:
        if self.away:
            raise AppError("The queue is not running.")

    @property
    def paths(self) -> list[str]:
        return [path for request in self.requests for path in request]


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def loader(qapp, service: Service) -> Iterator[ThumbnailLoader]:
    loader = ThumbnailLoader(service)
    yield loader
    loader.close()
    loader.deleteLater()


@pytest.fixture
def several(tmp_path: Path) -> Callable[[int], list[str]]:
    """So many pictures that can be read."""

    def make(count: int) -> list[str]:
        paths = [save_picture(str(tmp_path / "0.png"))]
        for number in range(1, count):
            paths.append(str(tmp_path / f"{number}.png"))
            os.link(paths[0], paths[-1])
        return paths

    return make


def made(path: str, edge: int = 256) -> str:
    make_thumbnails([path], edge)
    return path


def write_as_another_program(path: str, file: str, colour: str, **texts: str) -> None:
    image = QImage(128, 64, QImage.Format.Format_RGB32)
    image.fill(QColor(colour))
    for key, text in {**description(path, os.stat(path)), **texts}.items():
        image.setText(key.replace("__", "::"), text)
    os.makedirs(os.path.dirname(file), exist_ok=True)
    assert image.save(file)


# What is read


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "bmp"])
def test_a_thumbnail_is_scaled_to_its_longest_side(qapp, tmp_path: Path, ending: str) -> None:
    path = made(save_picture(str(tmp_path / f"a.{ending}"), 400, 200))
    image = read_thumbnail(path, 40)
    assert image is not None
    assert image.size() == QSize(40, 20)


def test_a_small_picture_is_not_enlarged(qapp, tmp_path: Path) -> None:
    path = made(save_picture(str(tmp_path / "a.png"), 9, 5))
    image = read_thumbnail(path, 40)
    assert image is not None
    assert image.size() == QSize(9, 5)


def test_an_extreme_shape_keeps_at_least_one_pixel(qapp, tmp_path: Path) -> None:
    path = made(save_picture(str(tmp_path / "a.png"), 5000, 1))
    image = read_thumbnail(path, 40)
    assert image is not None
    assert image.size() == QSize(40, 1)


def test_transparent_pictures_lie_on_white(qapp, tmp_path: Path) -> None:
    image = QImage(50, 50, QImage.Format.Format_ARGB32)
    image.fill(QColor(0, 0, 0, 0))
    path = str(tmp_path / "a.png")
    assert image.save(path)
    shown = read_thumbnail(made(path), 40)
    assert shown is not None
    assert shown.pixelColor(5, 5) == QColor("white")


def test_what_another_program_made_is_used_while_it_holds(qapp, tmp_path: Path) -> None:
    path = save_picture(str(tmp_path / "a.jpg"), 400, 200)
    write_as_another_program(path, thumbnail_file(path, 128), "red")
    shown = read_thumbnail(path, 100)
    assert shown is not None
    assert shown.pixelColor(5, 5) == QColor("red")
    assert read_thumbnail(path, 200) is None
    write_as_another_program(path, thumbnail_file(path, 512), "blue")
    larger = read_thumbnail(path, 200)
    assert larger is not None
    assert larger.pixelColor(5, 5) == QColor("blue")
    os.utime(path, (1, 1))
    assert read_thumbnail(path, 100) is None


def test_a_thumbnail_of_another_size_of_the_file_is_stale(qapp, tmp_path: Path) -> None:
    path = save_picture(str(tmp_path / "a.jpg"))
    write_as_another_program(path, thumbnail_file(path, 256), "red", Thumb__Size="1")
    assert read_thumbnail(path, 40) is None


def test_a_damaged_thumbnail_counts_as_none(qapp, tmp_path: Path) -> None:
    path = made(save_picture(str(tmp_path / "a.jpg")))
    Path(thumbnail_file(path, 256)).write_bytes(b"\x89PNG\r\n\x1a\n and nothing more")
    assert read_thumbnail(path, 40) is None


def test_a_thumbnail_is_shown_as_it_is(qapp, tmp_path: Path) -> None:
    file = thumbnail_file(made(save_picture(str(tmp_path / "a.jpg"), 400, 200)), 256)
    shown = read_thumbnail(file, 40)
    assert shown is not None
    assert shown.size() == QSize(40, 20)


def test_where_there_can_be_none_nothing_is_waited_for(qapp, tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("not a picture")
    (tmp_path / "folder.jpg").mkdir()
    os.mkfifo(tmp_path / "pipe.jpg")
    made(str(tmp_path / "text.jpg"))
    for name in ("text.jpg", "folder.jpg", "pipe.jpg", "gone.jpg", "nul\0.jpg"):
        image = read_thumbnail(str(tmp_path / name), 40)
        assert image is not None, name
        assert image.isNull(), name


def test_a_picture_that_is_being_made_is_no_failure(qapp, tmp_path: Path, monkeypatch) -> None:
    path = save_picture(str(tmp_path / "a.jpg"))
    seen: list[object] = []
    read_file = make_thumbnails.__globals__["read_file"]

    def look_first(path: str) -> object:
        assert os.path.exists(failure_file(path))
        seen.append(read_thumbnail(path, 40))
        return read_file(path)

    monkeypatch.setitem(make_thumbnails.__globals__, "read_file", look_first)
    made(path)
    assert seen == [None]


def test_the_picture_itself_is_not_opened(qapp, tmp_path: Path, monkeypatch) -> None:
    path = made(save_picture(str(tmp_path / "a.jpg")))
    os.chmod(path, 0)
    before = os.stat(path).st_atime_ns
    assert read_thumbnail(path, 40) is not None
    assert os.stat(path).st_atime_ns == before


# What is asked for


def test_a_thumbnail_comes_later_and_is_kept(qtbot, loader, service, tmp_path: Path) -> None:
    path = made(save_picture(str(tmp_path / "a.jpg")))
    with qtbot.waitSignal(loader.ready) as said:
        assert loader.get(path, 40) is None
    assert said.args == [path]
    found = loader.get(path, 40)
    assert found is not None
    assert not found.isNull()
    assert loader.pending == 0
    assert not service.requests


def test_what_is_missing_is_made(qtbot, loader, service, tmp_path: Path) -> None:
    odd = os.fsdecode(os.path.join(os.fsencode(tmp_path), b"caf\xe9 \xff.jpg"))
    os.rename(save_picture(str(tmp_path / "a.jpg")), odd)
    with qtbot.waitSignal(loader.ready):
        loader.get(odd, 40)
    found = loader.get(odd, 40)
    assert found is not None
    assert not found.isNull()
    assert service.requests == [[odd]]


def test_a_file_without_a_picture_is_asked_for_once(qtbot, loader, service, tmp_path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_text("not a picture")
    for path in (str(broken), str(tmp_path / "gone.jpg")):
        with qtbot.waitSignal(loader.ready):
            loader.get(path, 40)
        for _ in range(3):
            found = loader.get(path, 40)
            assert found is not None
            assert found.isNull()
    assert service.paths == [str(broken)]


def test_one_paint_is_one_request_from_its_first_tile_on(qtbot, loader, service, several) -> None:
    paths = several(BATCH)
    for path in paths:
        loader.get(path, 40)
    qtbot.waitUntil(lambda: loader.pending == 0)
    assert sorted(service.paths) == sorted(paths)
    assert paths[0] in service.requests[0]
    assert len(service.requests) <= 2


def test_a_file_in_two_sizes_is_asked_for_one_after_the_other(
    qtbot, loader, service, several
) -> None:
    service.silent = True
    [path] = several(1)
    loader.get(path, 40)
    loader.get(path, 400)
    loader.get(path, 60)
    qtbot.waitUntil(lambda: len(service.requests) == 1)
    qtbot.wait(3 * thumbnails.TICK_MS)
    assert service.requests == [[path]]
    make_thumbnails([path], service.edges[0])
    service.silent = False
    qtbot.waitUntil(lambda: loader.pending == 0)
    assert set(service.edges) == {256, 512}
    for edge in (40, 60, 400):
        assert loader.get(path, edge) is not None


def test_scrolling_through_thousands_asks_for_little(qtbot, loader, service, several) -> None:
    service.silent = True
    for path in several(10_000):
        loader.get(path, 40)
    qtbot.waitUntil(lambda: len(service.requests) == REQUESTS)
    qtbot.wait(5 * thumbnails.TICK_MS)
    assert len(service.requests) == REQUESTS
    assert loader.pending <= thumbnails.WAITING + REQUESTS * BATCH + thumbnails.THREADS
    loader.cancel_waiting()
    assert loader.pending <= REQUESTS * BATCH + thumbnails.THREADS
    service.silent = False
    qtbot.waitUntil(lambda: loader.pending == 0)
    assert len(service.requests) <= REQUESTS + 1
    assert service.most_open <= REQUESTS


def test_what_scrolled_away_is_not_looked_at(qtbot, loader, several, tmp_path: Path) -> None:
    paths = several(4)
    came: list[str] = []
    loader.ready.connect(came.append)
    for path in [*(str(tmp_path / f"gone {number}") for number in range(1_000)), *paths]:
        loader.get(path, 40)
    qtbot.waitUntil(lambda: loader.pending == 0)
    assert set(paths) <= set(came)
    assert len(came) <= thumbnails.WAITING + thumbnails.THREADS


def test_without_a_worker_it_is_asked_again_until_one_is_there(
    qtbot, loader, service, several, monkeypatch
) -> None:
    loader._rest.setInterval(10)
    service.away = True
    [path] = several(1)
    for _ in range(3):
        with qtbot.waitSignal(loader.ready):
            assert loader.get(path, 40) is None
    assert not service.requests
    service.away = False
    qtbot.waitUntil(lambda: loader.get(path, 40) is not None)
    assert not loader.get(path, 40).isNull()


def test_a_request_that_died_is_made_again_for_what_is_still_seen(
    qtbot, loader, service, several
) -> None:
    loader._rest.setInterval(10)
    service.silent = service.expired = True
    seen, not_seen = several(2)
    loader.ready.connect(lambda path: loader.get(seen, 40) if path == seen else None)
    loader.get(seen, 40)
    loader.get(not_seen, 40)
    qtbot.waitUntil(lambda: service.paths.count(seen) > 3)
    assert service.paths.count(not_seen) == 1
    service.silent = service.expired = False
    qtbot.waitUntil(lambda: loader.pending == 0)
    assert loader.get(seen, 40) is not None


def test_a_changed_file_is_shown_anew_and_as_before_until_then(
    qtbot, loader, tmp_path: Path, monkeypatch
) -> None:
    path = save_picture(str(tmp_path / "a.png"))
    with qtbot.waitSignal(loader.ready):
        loader.get(path, 40)
    save_picture(path, colour="red")
    os.utime(path, (1, 1))
    monkeypatch.setattr(thumbnails, "FRESH_S", 0.0)
    with qtbot.waitSignal(loader.ready):
        before = loader.get(path, 40)
    assert before is not None
    assert before.toImage().pixelColor(5, 5) == QColor("teal")
    assert loader.get(path, 40).toImage().pixelColor(5, 5) == QColor("red")
    qtbot.waitUntil(lambda: loader.pending == 0)


def test_the_cache_stays_within_its_bounds(qtbot, loader, several, monkeypatch) -> None:
    monkeypatch.setattr(thumbnails, "CACHE_BYTES", 30_000)
    paths = several(8)
    for path in paths:
        loader.get(path, 64)
    qtbot.waitUntil(lambda: loader.pending == 0)
    assert sum(loader.get(path, 64) is not None for path in paths) <= 2
    qtbot.waitUntil(lambda: loader.pending == 0)


def test_nothing_goes_on_after_the_end(qtbot, loader, service, several) -> None:
    for path in several(20):
        loader.get(path, 40)
    loader.close()
    asked = len(service.requests)
    qtbot.wait(3 * thumbnails.TICK_MS)
    assert len(service.requests) == asked
    assert loader.pending == 0
