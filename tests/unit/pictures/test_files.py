"""Reading files: names of every sort, and everything that is not a file to be read."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

import pytest

from app.api.error_kinds import ErrorKind
from app.pictures import files
from app.pictures.decode import PictureError, read_file
from app.scan.file_walk import WalkReport, walk

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="POSIX file system")


def test_content_hash_size_and_time_are_those_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"some bytes")
    os.utime(path, ns=(1, 1_700_000_000_123_456_700))

    read = read_file(str(path))

    assert read.data == b"some bytes"
    assert read.sha256 == hashlib.sha256(b"some bytes").hexdigest()
    assert read.size == 10
    assert read.mtime_ns == path.stat().st_mtime_ns


@pytest.mark.parametrize("seconds", [10_000_000_000, -10_000_000_000])
def test_a_time_that_no_ledger_holds_is_brought_within_its_limits(
    tmp_path: Path, seconds: int
) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"12345")
    os.utime(path, ns=(0, seconds * 1_000_000_000))
    if abs(path.stat().st_mtime) < 9_300_000_000:
        pytest.skip("this file system cannot hold such a time")
    (found,) = walk(str(tmp_path), ("jpg",), True, WalkReport())
    assert read_file(str(path)).mtime_ns == found.mtime_ns
    assert abs(found.mtime_ns) == 2**63 - 1


def test_the_file_is_left_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"some bytes")
    path.chmod(0o444)
    before = path.stat()

    read_file(str(path))

    after = path.stat()
    assert path.read_bytes() == b"some bytes"
    assert (after.st_mtime_ns, after.st_ctime_ns, after.st_mode, after.st_ino) == (
        before.st_mtime_ns,
        before.st_ctime_ns,
        before.st_mode,
        before.st_ino,
    )


@pytest.mark.parametrize(
    "name",
    [
        b"two\nlines.jpg",
        "smile 😀 ü 日本.jpg".encode(),
        pytest.param(b"not utf-8 \xff\xfe.jpg", marks=posix_only),
        b" leading and trailing .jpg ",
        b"n" * 250 + b".jpg",
    ],
)
def test_any_name_that_the_disk_can_hold_is_read(tmp_path: Path, name: bytes) -> None:
    path = os.path.join(os.fsencode(tmp_path), name)
    try:
        with open(path, "wb") as file:
            file.write(b"x")
    except OSError:
        pytest.skip("this file system refuses the name")

    assert read_file(os.fsdecode(path)).data == b"x"


def failure(path: Path | str) -> PictureError:
    with pytest.raises(PictureError) as caught:
        read_file(str(path))
    assert caught.value.message.endswith(".")
    return caught.value


@pytest.mark.parametrize("name", ["gone.jpg", "gone/a.jpg", "zero\0byte.jpg", "lone \ud800.jpg"])
def test_a_file_that_is_not_there_is_missing(tmp_path: Path, name: str) -> None:
    assert failure(f"{tmp_path}/{name}").kind is ErrorKind.MISSING


def test_a_file_where_a_folder_should_be_is_missing(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    assert failure(tmp_path / "a" / "b.jpg").kind is ErrorKind.MISSING


def test_an_empty_file_is_called_empty(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    assert failure(tmp_path / "a.jpg").kind is ErrorKind.EMPTY


@posix_only
def test_a_folder_called_jpg_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").mkdir()
    assert failure(tmp_path / "a.jpg").kind is ErrorKind.UNSUPPORTED


@posix_only
@pytest.mark.timeout(10)
def test_a_pipe_neither_blocks_nor_is_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.jpg")
    assert failure(tmp_path / "a.jpg").kind is ErrorKind.UNSUPPORTED


@posix_only
def test_a_link_to_a_device_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").symlink_to("/dev/zero")
    assert failure(tmp_path / "a.jpg").kind is ErrorKind.UNSUPPORTED


@posix_only
def test_a_link_that_leads_to_itself_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").symlink_to(tmp_path / "a.jpg")
    assert failure(tmp_path / "a.jpg").kind is ErrorKind.UNREADABLE


@posix_only
@pytest.mark.skipif(sys.platform != "win32" and os.geteuid() == 0, reason="root may read all")
def test_a_file_without_permission_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"x")
    (tmp_path / "a.jpg").chmod(0)
    assert failure(tmp_path / "a.jpg").kind is ErrorKind.UNREADABLE


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (PermissionError(13, "Permission denied"), ErrorKind.UNREADABLE),
        (OSError(5, "Input/output error"), ErrorKind.UNREADABLE),
        (OSError(16, "Device or resource busy"), ErrorKind.BUSY),
        (BlockingIOError(11, "Resource temporarily unavailable"), ErrorKind.BUSY),
        (MemoryError(), ErrorKind.OUT_OF_MEMORY),
    ],
)
def test_what_the_system_refuses_is_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, kind: ErrorKind
) -> None:
    def refuse(path: str, flags: int) -> int:
        raise error

    monkeypatch.setattr(files, "_open_read_only", refuse)
    refused = failure(tmp_path / "a.jpg")
    assert refused.kind is kind
    assert refused.kind.transient


def test_a_file_too_large_for_memory_is_refused(tmp_path: Path) -> None:
    with open(tmp_path / "a.jpg", "wb") as file:
        file.truncate(2 * 1024**3 + 1)  # takes no room on the disk
    assert failure(tmp_path / "a.jpg").kind is ErrorKind.TOO_LARGE


def test_a_file_that_grows_while_it_is_read_is_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"half a pict")

    def write_on(_: os.stat_result) -> None:
        with open(path, "ab") as file:
            file.write(b"ure")

    monkeypatch.setattr(files, "_check_file", write_on)
    assert failure(path).kind is ErrorKind.BUSY
