"""Thumbnails are made once, whole, for their owner only; a picture that kills is left alone."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

from app.api.error_kinds import ErrorKind
from app.config import get_settings
from app.pictures.decode import PictureError
from app.pictures.thumbnail import as_png, texts_of
from app.pictures.thumbnail_paths import (
    TRIES,
    description,
    failure_file,
    thumbnail_file,
    thumbnails_dir,
)
from app.worker import thumbnails
from app.worker.context import context
from app.worker.thumbnails import make_thumbnails


@pytest.fixture
def picture(tmp_path: Path) -> str:
    return saved(tmp_path / "pictures" / "a b.jpg")


def saved(path: Path, size: tuple[int, int] = (600, 300), colour: str = "teal") -> str:
    path.parent.mkdir(exist_ok=True)
    Image.new("RGB", size, colour).save(path)
    return str(path)


def files_in(folder: str) -> set[str]:
    return {
        os.path.join(place, name) for place, _folders, names in os.walk(folder) for name in names
    }


def colour_of(file: str) -> tuple[int, int, int]:
    with Image.open(file) as image:
        colour = image.convert("RGB").getpixel((0, 0))
        assert isinstance(colour, tuple)
        return colour


def test_a_thumbnail_says_what_the_standard_asks_for(picture: str) -> None:
    assert make_thumbnails([picture], 256) == 1
    file, status = thumbnail_file(picture, 256), os.stat(picture)
    assert texts_of(Path(file).read_bytes()) == {
        "Thumb::URI": "file://" + picture.replace(" ", "%20"),
        "Thumb::MTime": str(int(status.st_mtime)),
        "Thumb::Size": str(status.st_size),
        "Thumb::Mimetype": "image/jpeg",
        "Thumb::Image::Width": "600",
        "Thumb::Image::Height": "300",
        "Software": "Afterimage",
    }
    with Image.open(file) as image:
        assert image.size == (256, 128)
    assert files_in(thumbnails_dir()) == {file}


def test_nobody_else_may_look_at_it(picture: str) -> None:
    before = os.umask(0)
    try:
        make_thumbnails([picture], 512)
    finally:
        os.umask(before)
    file = thumbnail_file(picture, 512)
    assert stat.S_IMODE(os.stat(file).st_mode) == 0o600
    for folder in (os.path.dirname(file), thumbnails_dir()):
        assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700


def test_the_picture_is_not_touched(picture: str) -> None:
    before = (Path(picture).read_bytes(), os.stat(picture).st_mtime_ns)
    make_thumbnails([picture], 256)
    assert (Path(picture).read_bytes(), os.stat(picture).st_mtime_ns) == before
    assert os.listdir(os.path.dirname(picture)) == [os.path.basename(picture)]


def test_what_holds_is_not_made_again_and_what_is_stale_is(picture: str) -> None:
    assert make_thumbnails([picture, picture], 256) == 1
    assert make_thumbnails([picture], 256) == 0
    saved(Path(picture), colour="red")
    os.utime(picture, (1_000_000_000, 1_000_000_000))
    assert make_thumbnails([picture], 256) == 1
    assert colour_of(thumbnail_file(picture, 256))[0] > 200


@pytest.mark.parametrize("edge", [256, 512])
def test_a_thumbnail_of_another_program_is_enough(picture: str, edge: int) -> None:
    texts = description(picture, os.stat(picture))
    texts.pop("Thumb::Size")
    file = Path(thumbnail_file(picture, edge))
    file.parent.mkdir(parents=True)
    file.write_bytes(as_png(Image.new("RGB", (edge, 2), "red"), texts))
    assert make_thumbnails([picture], 256) == 0
    assert colour_of(str(file)) == (255, 0, 0)


def test_a_damaged_thumbnail_is_made_again(picture: str) -> None:
    make_thumbnails([picture], 256)
    file = Path(thumbnail_file(picture, 256))
    file.write_bytes(file.read_bytes()[:-60])
    assert make_thumbnails([picture], 256) == 1


def test_a_broken_picture_is_not_tried_again_until_it_changes(
    picture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path(picture).write_bytes(b"not a picture")
    os.utime(picture, (1_000_000_000, 1_000_000_000))
    assert make_thumbnails([picture], 256) == 0
    assert files_in(thumbnails_dir()) == {failure_file(picture)}
    texts = texts_of(Path(failure_file(picture)).read_bytes())
    assert texts is not None
    assert texts["Thumb::MTime"] == "1000000000"
    with monkeypatch.context() as patch:
        patch.setattr(thumbnails, "read_file", lambda _path: pytest.fail("it was tried again"))
        assert make_thumbnails([picture], 256) == 0
    saved(Path(picture))
    assert make_thumbnails([picture], 256) == 1
    assert files_in(thumbnails_dir()) == {thumbnail_file(picture, 256)}


@pytest.mark.parametrize("kind", [ErrorKind.BUSY, ErrorKind.UNREADABLE, ErrorKind.OUT_OF_MEMORY])
def test_what_may_be_better_next_time_is_tried_again(
    picture: str, monkeypatch: pytest.MonkeyPatch, kind: ErrorKind
) -> None:
    def fails(_path: str) -> None:
        raise PictureError(kind, "Not now.")

    with monkeypatch.context() as patch:
        patch.setattr(thumbnails, "read_file", fails)
        for _ in range(3):
            assert make_thumbnails([picture], 256) == 0
    assert files_in(thumbnails_dir()) == set()
    assert make_thumbnails([picture], 256) == 1


def test_a_huge_picture_is_tried_again_when_the_limit_is_raised(
    picture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved(Path(picture), (1100, 1000))
    monkeypatch.setenv("AFTERIMAGE_MAX_IMAGE_MEGAPIXELS", "1")
    get_settings.cache_clear()
    assert make_thumbnails([picture], 256) == 0
    monkeypatch.delenv("AFTERIMAGE_MAX_IMAGE_MEGAPIXELS")
    get_settings.cache_clear()
    assert make_thumbnails([picture], 256) == 1


def test_a_picture_that_kills_the_process_is_left_alone_after_two_tries(
    picture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    tried = 0

    def kills(_path: str) -> None:
        nonlocal tried
        tried += 1
        raise Killed

    monkeypatch.setattr(thumbnails, "read_file", kills)
    for _ in range(2):
        with pytest.raises(Killed):
            make_thumbnails([picture], 256)
    assert make_thumbnails([picture], 256) == 0
    assert tried == 2
    texts = texts_of(Path(failure_file(picture)).read_bytes())
    assert texts is not None
    assert texts[TRIES] == "2"


def test_a_picture_that_changes_meanwhile_gets_no_thumbnail_of_before(
    picture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = thumbnails.read_file

    def slow(path: str) -> object:
        saved(Path(path), (30, 20), "red")
        return read(path)

    monkeypatch.setattr(thumbnails, "read_file", slow)
    make_thumbnails([picture], 256)
    assert files_in(thumbnails_dir()) == set()


def test_one_bad_picture_keeps_no_other_from_its_thumbnail(tmp_path: Path) -> None:
    good = saved(tmp_path / "pictures" / "good.png")
    odd = os.path.join(os.fsencode(tmp_path), b"pictures", b"caf\xe9 \xff\n.png")
    os.rename(saved(tmp_path / "pictures" / "odd.png"), odd)
    (tmp_path / "pictures" / "empty.png").touch()
    os.mkfifo(tmp_path / "pictures" / "pipe.png")
    names = ["gone.png", "empty.png", "pipe.png", "", "nul\0.png"]
    paths = [str(tmp_path / "pictures" / name) for name in names]
    assert make_thumbnails([*paths, os.fsdecode(odd), good], 256) == 2


def test_what_nobody_foresaw_in_one_picture_keeps_no_other_from_its_thumbnail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = (saved(tmp_path / "pictures" / name) for name in ("bad.png", "good.png"))
    read = thumbnails.read_file
    tried = 0

    def fails(path: str) -> object:
        nonlocal tried
        if path == bad:
            tried += 1
            raise OverflowError("nobody thought of that")
        return read(path)

    monkeypatch.setattr(thumbnails, "read_file", fails)
    assert make_thumbnails([bad, good], 256) == 1
    for _ in range(3):
        assert make_thumbnails([bad], 256) == 0
    assert tried == 2


def test_no_thumbnail_is_made_of_a_thumbnail(picture: str) -> None:
    make_thumbnails([picture], 256)
    file = thumbnail_file(picture, 256)
    assert make_thumbnails([file], 256) == 0
    assert files_in(thumbnails_dir()) == {file}


def test_many_writers_leave_one_whole_file(picture: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: make_thumbnails([picture], 256), range(16)))
    file = thumbnail_file(picture, 256)
    assert texts_of(Path(file).read_bytes()) is not None
    assert files_in(thumbnails_dir()) - {failure_file(picture)} == {file}


def test_a_folder_that_cannot_be_written_is_no_error(picture: str) -> None:
    os.makedirs(os.path.dirname(thumbnails_dir()))
    Path(thumbnails_dir()).write_text("a file where the folder should be")
    assert make_thumbnails([picture], 256) == 0


def test_a_process_that_ends_makes_no_more(picture: str) -> None:
    context().stop.set()
    try:
        assert make_thumbnails([picture], 256) == 0
    finally:
        context().stop.clear()
