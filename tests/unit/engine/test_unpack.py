"""What of a wheel lands where, and what never does."""

from __future__ import annotations

import os
import stat
import zipfile
from pathlib import Path

import pytest

from app.engine.wheel import unpack


def wheel(folder: Path, *names: str, mode: int = 0o644) -> Path:
    path = folder / "a-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (stat.S_IFREG | mode) << 16
            archive.writestr(entry, name)
    return path


def unpacked(path: Path) -> set[str]:
    folder = path.parent / "packages"
    unpack(path, folder, lambda _: None)
    return {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}


def test_packages_land_beside_each_other(tmp_path: Path) -> None:
    names = ("a/__init__.py", "a-1.dist-info/RECORD", "a-1.data/purelib/b.py")
    found = unpacked(wheel(tmp_path, *names, "a-1.data/platlib/c/d.so"))
    assert found == {"a/__init__.py", "a-1.dist-info/RECORD", "b.py", "c/d.so"}


def test_scripts_and_headers_are_left_out(tmp_path: Path) -> None:
    names = ("a.py", "a-1.data/scripts/run", "a-1.data/headers/a.h", "a-1.data/data/share/x")
    assert unpacked(wheel(tmp_path, *names)) == {"a.py"}


@pytest.mark.skipif(os.name != "posix", reason="other systems know no such right")
def test_programs_stay_programs(tmp_path: Path) -> None:
    unpacked(wheel(tmp_path, "a/bin/ptxas", mode=0o755))
    assert os.access(tmp_path / "packages/a/bin/ptxas", os.X_OK)


@pytest.mark.parametrize("name", ["../a.py", "/etc/a", "a/../../b", "C:/a", "a\\..\\b"])
def test_nothing_lands_outside(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="outside the folder"):
        unpacked(wheel(tmp_path, name))


def test_something_else_is_no_wheel(tmp_path: Path) -> None:
    path = tmp_path / "a-1-py3-none-any.whl"
    path.write_bytes(b"<html>")
    with pytest.raises(ValueError, match="is not a wheel"):
        unpacked(path)


def test_whoever_looks_on_can_end_it(tmp_path: Path) -> None:
    sizes: list[int] = []

    def stop(size: int) -> None:
        sizes.append(size)
        raise InterruptedError

    with pytest.raises(InterruptedError):
        unpack(wheel(tmp_path, "a.py", "b.py"), tmp_path / "packages", stop)
    assert sizes == [4]
