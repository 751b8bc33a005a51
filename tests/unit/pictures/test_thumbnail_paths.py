"""Names and validity of thumbnails are those of the standard, to the byte."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from app.pictures import thumbnail_paths
from app.pictures.thumbnail_paths import (
    all_files,
    description,
    failure_file,
    file_uri,
    holds,
    is_thumbnail,
    made_edge,
    thumbnail_file,
    thumbnails_dir,
    usable_files,
)


def test_the_example_of_the_standard_has_its_name() -> None:
    assert file_uri("/home/jens/photos/me.png") == "file:///home/jens/photos/me.png"
    name = os.path.basename(thumbnail_file("/home/jens/photos/me.png", 128))
    assert name == "c6ee772d9e49320e97ec29a7eb5b1697.png"


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ("/a b", "file:///a%20b"),
        ("/caf\u00e9", "file:///caf%C3%A9"),
        (os.fsdecode(b"/caf\xe9 \xff"), "file:///caf%E9%20%FF"),
        ("/a\nb", "file:///a%0Ab"),
        ('/!"#$%&', "file:///!%22%23$%25&"),
        ("/'()*+,-.", "file:///'()*+,-."),
        ("/0:;<=>?@", "file:///0:%3B%3C=%3E%3F@"),
        ("/[\\]^_`{|}~", "file:///%5B%5C%5D%5E_%60%7B%7C%7D~"),
    ],
)
def test_names_are_escaped_as_glib_does(path: str, uri: str) -> None:
    assert file_uri(path) == uri


@pytest.mark.skipif(not shutil.which("gio"), reason="GLib's command line tool is not installed")
@pytest.mark.parametrize(
    "name", [bytes(range(33, 47)), bytes(range(58, 97)), bytes(range(123, 256)), b"a b\tc\n%41"]
)
def test_glib_itself_agrees(tmp_path: Path, name: bytes) -> None:
    path = os.path.join(os.fsencode(tmp_path), b"_" + name.replace(b"/", b""))
    open(path, "wb").close()
    said = subprocess.run(
        ["gio", "info", b"./" + os.path.basename(path)], cwd=tmp_path, capture_output=True
    )
    assert f"uri: {file_uri(os.fsdecode(path))}\n".encode() in said.stdout, said


def test_the_folder_follows_the_variable_unless_it_is_relative(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "elsewhere"))
    assert thumbnails_dir() == str(tmp_path / "elsewhere" / "thumbnails")
    monkeypatch.setenv("HOME", str(tmp_path))
    for value in ("", "relative"):
        monkeypatch.setenv("XDG_CACHE_HOME", value)
        assert thumbnails_dir() == str(tmp_path / ".cache" / "thumbnails")


@pytest.mark.parametrize("platform", ["win32", "darwin"])
def test_where_there_is_no_standard_they_lie_in_the_data_folder(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, platform: str
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    assert thumbnails_dir() == str(data_dir / "thumbnails")


def test_a_windows_path_becomes_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thumbnail_paths.os, "sep", "\\")
    assert file_uri("C:\\Pictures\\a b.jpg") == "file:///C:/Pictures/a%20b.jpg"


def test_a_view_gets_the_next_larger_size() -> None:
    assert [made_edge(edge) for edge in (40, 256, 257, 512, 1024, 5000)] == [
        256,
        256,
        512,
        512,
        1024,
        1024,
    ]
    folders = [Path(file).parent.name for file in usable_files("/a", 200)]
    assert folders == ["large", "x-large", "xx-large"]
    assert [Path(file).parent.name for file in usable_files("/a", 5000)] == ["xx-large"]


def test_a_file_inside_the_folder_is_a_thumbnail_also_by_another_way(tmp_path: Path) -> None:
    os.makedirs(thumbnails_dir())
    (tmp_path / "way").symlink_to(thumbnails_dir())
    assert is_thumbnail(thumbnail_file("/a.jpg", 256))
    assert is_thumbnail(str(tmp_path / "way" / "large" / "x.png"))
    assert not is_thumbnail(thumbnails_dir() + "-of-mine/a.jpg")


def test_a_thumbnail_holds_for_one_state_of_one_file(tmp_path: Path) -> None:
    path = str(tmp_path / "a.jpg")
    Path(path).write_bytes(b"12345")
    os.utime(path, ns=(0, 1_234_567_890_999_999_999))
    status = os.stat(path)
    texts = description(path, status)
    assert texts["Thumb::MTime"] == "1234567890"
    assert holds(texts, path, status)
    assert holds({**texts, "Thumb::MTime": "1234567890.5"}, path, status)
    assert holds({key: texts[key] for key in ("Thumb::URI", "Thumb::MTime")}, path, status)
    assert not holds({**texts, "Thumb::Size": "4"}, path, status)
    assert not holds({**texts, "Thumb::MTime": "1234567891"}, path, status)
    assert not holds(texts, path + "x", status)
    assert not holds({}, path, status)


def test_everything_about_a_file_is_found(tmp_path: Path) -> None:
    path = "/a.jpg"
    older = Path(thumbnails_dir(), "fail", "afterimage-0.0.1", Path(failure_file(path)).name)
    other = Path(thumbnails_dir(), "fail", "gimp-2.10", older.name)
    for file in (older, other, Path(failure_file(path))):
        file.parent.mkdir(parents=True)
        file.touch()
    found = all_files(path)
    assert {str(older), failure_file(path), *usable_files(path, 1)} == set(found)
