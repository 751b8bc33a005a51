"""What an engine consists of: exact files with their checksums, as ``resources/engine.json`` says.

``packaging/lock_engine.py`` writes that file. It has one entry for each variant, system and version
of Python; an entry lists everything that is not part of the program itself.
"""

from __future__ import annotations

import hashlib
import json
import platform
import sys
from functools import lru_cache

from pydantic import BaseModel, ConfigDict

from app.bundled import RESOURCES
from app.engine.place import PYTHON

LOCK_FILE = RESOURCES / "engine.json"
TITLES = {"cpu": "Processor", "cuda": "NVIDIA card", "rocm": "AMD card"}
"""What a person reads for a variant."""


class Wheel(BaseModel):
    """One file to be got and unpacked."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: str
    index: str
    """A name of :attr:`Lock.indexes`."""
    sha256: str
    size: int
    """Bytes to download."""
    unpacked: int
    """Bytes on the disk."""

    @property
    def project(self) -> str:
        """As an index lists it: lower case, with hyphens."""
        return self.file.split("-")[0].lower().replace("_", "-").replace(".", "-")

    @property
    def version(self) -> str:
        return self.file.split("-")[1]


class Variant(BaseModel):
    """One engine, for one kind of computer."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    """``cpu``, ``cuda`` or ``rocm``."""
    system: str
    """As Python's ``sys.platform`` has it."""
    machine: str
    """``x86_64`` or ``arm64``, whatever a system calls it."""
    python: str
    """``3.11``"""
    driver: str = ""
    """The oldest driver of the graphics card that it works with; empty where none is needed."""
    wheels: tuple[Wheel, ...]

    @property
    def version(self) -> str:
        """PyTorch's, and a mark of all files: another set of them is another engine."""
        torch = next(wheel for wheel in self.wheels if wheel.project == "torch")
        mark = hashlib.sha256("".join(wheel.sha256 for wheel in self.wheels).encode())
        return f"{torch.version.partition('+')[0]}.{mark.hexdigest()[:8]}"

    @property
    def download(self) -> int:
        """Bytes."""
        return sum(wheel.size for wheel in self.wheels)

    @property
    def unpacked(self) -> int:
        """Bytes on the disk."""
        return sum(wheel.unpacked for wheel in self.wheels)


class Lock(BaseModel):
    """All engines that this version of the program knows."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    indexes: dict[str, str]
    """Addresses of package indexes (PEP 503), by the names that the wheels use."""
    variants: tuple[Variant, ...]

    def for_this_computer(self) -> list[Variant]:
        """Those that this system and this version of Python can load, as they are listed."""
        here = (sys.platform, machine(), PYTHON)
        return [each for each in self.variants if (each.system, each.machine, each.python) == here]


def machine() -> str:
    """``x86_64`` or ``arm64``, whatever this system calls it."""
    name = platform.machine().lower()
    return {"amd64": "x86_64", "aarch64": "arm64"}.get(name, name)


@lru_cache(maxsize=1)
def shipped_lock() -> Lock:
    """The list that came with the program."""
    return Lock.model_validate(json.loads(LOCK_FILE.read_text(encoding="utf-8")))
