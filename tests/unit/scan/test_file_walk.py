"""The walk finds every picture, opens none, and survives what folders hold."""

from __future__ import annotations

import os
import socket
from collections import Counter
from pathlib import Path

import pytest

from app.db.types import text_to_path
from app.scan.exclusions import BY_PATTERN, OF_PROGRAMS, Exclusions
from app.scan.file_walk import WalkReport, left_out_text, walk

NAMES = ["plain.jpg", "UPPER.JPG", "😀 emoji.jpg", "new\nline.jpg", "dot.dot.jpeg"]


def names(
    folder: Path, recursive: bool = True, extensions: tuple[str, ...] = ("jpg", "jpeg")
) -> tuple[set[str], Counter[str]]:
    report = WalkReport()
    found = walk(str(folder), extensions, recursive, report)
    return {os.path.relpath(text_to_path(file.path), folder) for file in found}, report.skipped


def test_every_name_is_found_whatever_it_holds(tmp_path: Path) -> None:
    for name in NAMES:
        (tmp_path / name).write_bytes(b"x")
    raw = os.path.join(os.fsencode(tmp_path), b"caf\xe9.jpg")
    with open(raw, "wb"):
        pass
    found, _ = names(tmp_path)
    assert found == {*NAMES, os.fsdecode(b"caf\xe9.jpg")}


def test_size_and_time_come_from_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"12345")
    os.utime(path, ns=(1, 1_700_000_000_123_456_789))
    (file,) = walk(str(tmp_path), ("jpg",), True, WalkReport())
    assert (file.size, file.mtime_ns) == (5, 1_700_000_000_123_456_789)


def test_subfolders_are_walked_only_where_asked(tmp_path: Path) -> None:
    (tmp_path / "sub" / "deep").mkdir(parents=True)
    (tmp_path / "top.jpg").touch()
    (tmp_path / "sub" / "deep" / "low.jpg").touch()
    assert names(tmp_path)[0] == {"top.jpg", "sub/deep/low.jpg"}
    assert names(tmp_path, recursive=False)[0] == {"top.jpg"}


def test_what_is_left_out_is_counted_by_reason(tmp_path: Path) -> None:
    (tmp_path / "film.mp4").touch()
    (tmp_path / "notes.txt").touch()
    (tmp_path / "README").touch()
    (tmp_path / ".hidden.jpg").touch()
    (tmp_path / ".cache").mkdir()
    (tmp_path / "folder.jpg").mkdir()
    found, skipped = names(tmp_path)
    assert found == set()
    assert skipped == {".mp4": 1, ".txt": 1, "without a file type": 1, "hidden": 2}


def test_links_to_folders_make_no_loop_and_links_to_files_count(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "link.jpg").symlink_to(tmp_path / "a.jpg")
    (tmp_path / "broken.jpg").symlink_to(tmp_path / "nowhere.jpg")
    found, skipped = names(tmp_path)
    assert found == {"a.jpg", "link.jpg"}
    assert skipped == {"links to folders": 1, "not regular files": 1}


def test_a_pipe_and_a_socket_are_not_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    monkeypatch.chdir(tmp_path)  # the address of a socket must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.jpg")
        found, skipped = names(tmp_path)
    assert (found, skipped) == (set(), {"not regular files": 2})


def test_a_folder_that_vanishes_is_counted_and_the_rest_goes_on(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.jpg").touch()
    report = WalkReport()
    files = walk(str(tmp_path), ("jpg",), True, report)
    first = Path(next(files).path).parent
    other = tmp_path / ("b" if first.name == "a" else "a")
    (other / "x.jpg").unlink()
    other.rmdir()
    assert list(files) == []
    assert report.skipped == {"folders that cannot be read": 1}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_without_permission_is_counted(tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0)
    assert names(tmp_path)[1] == {"folders that cannot be read": 1}


def test_a_path_too_long_for_the_system_is_survived(tmp_path: Path) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(20):  # deeper than PATH_MAX, made step by step
        os.mkdir("d" * 240, dir_fd=here)
        deeper = os.open("d" * 240, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = deeper
    os.close(here)
    (tmp_path / "a.jpg").touch()
    found, skipped = names(tmp_path)
    assert found == {"a.jpg"}
    assert skipped["folders that cannot be read"] + skipped["files that cannot be read"] == 1


def test_a_chosen_folder_that_is_not_there_is_unreadable_one_that_vanished_below_is_not(
    tmp_path: Path,
) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.jpg").touch()
    report = WalkReport()
    files = walk(str(tmp_path), ("jpg",), True, report)
    next(files)
    (tmp_path / "sub").rmdir()
    assert list(files) == []
    assert report.unreadable == []
    list(walk(str(tmp_path / "sub"), ("jpg",), True, report))
    assert report.unreadable == [str(tmp_path / "sub")]


def test_folders_of_other_programs_and_what_matches_a_pattern_are_counted(tmp_path: Path) -> None:
    for name in ("2024/a.jpg", "2024/@eaDir/a.jpg/THUMB_XL.jpg", "2024/b.jpg", "Exports/c.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    report = WalkReport()
    exclusions = Exclusions(str(tmp_path), ["Exports/", "B.*"])
    found = list(walk(str(tmp_path), ("jpg",), True, report, exclusions))
    assert [os.path.basename(file.path) for file in found] == ["a.jpg"]
    assert report.skipped == {OF_PROGRAMS: 1, BY_PATTERN: 2}


def test_a_chosen_folder_is_walked_whatever_its_name_but_not_against_a_pattern(
    tmp_path: Path,
) -> None:
    chosen = tmp_path / "#recycle"
    chosen.mkdir()
    (chosen / "a.jpg").touch()
    assert names(chosen)[0] == {"a.jpg"}
    report = WalkReport()
    exclusions = Exclusions(str(tmp_path), ["#recycle"])
    assert list(walk(str(chosen), ("jpg",), True, report, exclusions)) == []
    assert report.skipped == {BY_PATTERN: 1}


def test_what_was_left_out_is_told_the_most_frequent_first() -> None:
    skipped = {".mp4": 1200, "hidden": 1, ".txt": 30}
    assert left_out_text(skipped) == "1,200 × .mp4, 30 × .txt, 1 × hidden"
    assert left_out_text({f".{number}": 1 for number in range(6)}).endswith("and others")
