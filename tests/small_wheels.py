"""An engine of two small wheels, and an index on this computer that has them."""

from __future__ import annotations

import hashlib
import sys
import zipfile
from pathlib import Path

import pytest
from local_hub import LocalHub

from app.engine import place
from app.engine.lock import Variant, Wheel, machine
from app.engine.place import PYTHON

NAMES = ("small_torch", "small_clip")
WORKS = {"small_torch/__init__.py": "answer = 42\n", "small_torch/data.bin": "x" * 300_000}
BROKEN = {"small_torch/__init__.py": "raise ImportError('libcuda.so is missing')\n"}
TEST = [
    *(sys.executable, "-I", "-S", "-c"),
    "import sys; sys.path.insert(0, sys.argv[1]); import small_torch, small_clip",
]
"""Starts the test of an engine in a folder, which comes last."""


def forget_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine that the tests run with is none of those that are looked for."""
    monkeypatch.setattr(place, "NEEDED", NAMES)
    monkeypatch.setattr(sys, "path", sys.path[:])
    for name in NAMES:
        monkeypatch.delitem(sys.modules, name, raising=False)


def build(folder: Path, project: str, version: str, files: dict[str, str]) -> Wheel:
    """A wheel in a folder, and what a lock says of it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{project}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
        archive.writestr(f"{project}-{version}.dist-info/METADATA", f"Name: {project}\n")
    data = path.read_bytes()
    return Wheel(
        file=path.name,
        index="local",
        sha256=hashlib.sha256(data).hexdigest(),
        size=len(data),
        unpacked=sum(len(text) for text in files.values()),
    )


def engine(folder: Path, version: str = "2.0", files: dict[str, str] = WORKS) -> Variant:
    """An engine for the processor of this computer, its wheels in a folder."""
    wheels = (
        build(folder, "torch", version, files),
        build(folder, "open_clip_torch", "3.0", {"small_clip/__init__.py": "\n"}),
    )
    return Variant(name="cpu", system=sys.platform, machine=machine(), python=PYTHON, wheels=wheels)


def serve(hub: LocalHub, folder: Path, address: str = "simple") -> None:
    """Have a server answer as an index that has every wheel of a folder.

    Args:
        address: of the index: a path of the server, or all of it where the server is a proxy.
    """
    for wheel in folder.glob("*.whl"):
        project = wheel.name.split("-")[0].replace("_", "-")
        link = f'<a href="../../files/{wheel.name.replace("+", "%2B")}#sha256=0">{wheel.name}</a>'
        page = f"{address}/{project}/"
        hub.files[page] = hub.files.get(page, b"<html>") + link.encode()
        place = f"{address.removesuffix('simple')}files/{wheel.name}"
        hub.files[place] = wheel.read_bytes()
