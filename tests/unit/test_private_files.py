"""Folders that only this user can enter, and names that stay inside theirs."""

from __future__ import annotations

import errno
import os
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.errors import AppError
from app.private_files import child, make_private_folder, replace_file, socket_folder

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="rights are another matter there")

LONG = "a folder with a long name " * 4


@pytest.fixture
def short() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="s", dir="/tmp") as folder:
        yield Path(folder)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.mark.parametrize(
    "name", ["a", "a.b", "..a", "ViT-B-32--laion2b", "Bücher #1 100%?", "\udcff"]
)
def test_a_name_stays_in_its_folder(tmp_path: Path, name: str) -> None:
    assert child(tmp_path, name) == tmp_path / name


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "/", "/etc", "a/b", "a/../../b", "../b", "a\\b", "..\\b", "a\0b", "a\nb"],
)
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(AppError, match="is not the name of anything in"):
        child(tmp_path, name)


def test_a_link_that_leads_elsewhere_is_refused(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    (inside / "link").symlink_to(outside)
    with pytest.raises(AppError, match="is not the name of anything in"):
        child(inside, "link")
    (tmp_path / "by-link").symlink_to(inside)
    assert child(tmp_path / "by-link", "a").name == "a"


def test_a_folder_loses_the_rights_of_others(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    make_private_folder(folder)
    assert mode(folder) == 0o700


def test_the_run_folder_takes_the_sockets(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="s", dir="/tmp") as data:
        assert socket_folder(Path(data)) == Path(data, "run")
        assert mode(Path(data, "run")) == 0o700
        assert not list(Path(data, "run").iterdir())


@pytest.mark.parametrize("name", [LONG, "line\nbreak", "\udcff"])
def test_another_folder_takes_them_where_the_path_does_not_fit(
    short: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short))
    data = short / name
    folder = socket_folder(data)
    assert folder.parent == short
    assert mode(folder) == 0o700
    assert socket_folder(data) == folder
    assert socket_folder(short / (name + "2")) != folder


def test_without_a_folder_of_the_session_it_lies_among_temporary_files(
    short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(short))
    folder = socket_folder(short / LONG)
    assert folder.parent == short
    assert str(os.getuid()) in folder.name


def test_what_somebody_planted_there_is_not_used(
    short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short))
    folder = socket_folder(short / LONG)
    folder.rmdir()
    (short / "elsewhere").mkdir(mode=0o700)
    folder.symlink_to(short / "elsewhere")
    with pytest.raises(AppError, match="is not private to you"):
        socket_folder(short / LONG)
    folder.unlink()
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(AppError, match="is not private to you"):
        socket_folder(short / LONG)


def test_a_folder_of_the_session_that_others_can_enter_is_not_used(
    short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short.chmod(0o755)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short))
    with tempfile.TemporaryDirectory(prefix="t", dir="/tmp") as temporary:
        monkeypatch.setattr(tempfile, "tempdir", temporary)
        assert socket_folder(short / LONG).parent == Path(temporary)


def test_a_file_system_without_sockets_is_passed_over(
    short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short))
    bind, data = socket.socket.bind, short / "data"

    class NoSockets(socket.socket):
        def bind(self, address: object) -> None:
            if str(address).startswith(str(data)):
                raise PermissionError(1, "Operation not permitted")
            bind(self, address)

    monkeypatch.setattr(socket, "socket", NoSockets)
    assert socket_folder(data).parent == short


def test_a_file_is_written_whole_or_stays_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "settings.json"
    replace_file(file, "one")
    assert mode(file) == 0o600

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("app.private_files.os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        replace_file(file, "two")
    assert file.read_text() == "one"
    assert list(tmp_path.iterdir()) == [file]
