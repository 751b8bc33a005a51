"""Unpacks a wheel as the binary distribution format says, without its scripts and headers."""

from __future__ import annotations

import os
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

_PIECE = 1 << 20
_PACKAGES = ("purelib", "platlib")
"""What of ``NAME.data`` belongs among the packages; the rest is for programs and compilers."""


def unpack(wheel: Path, folder: Path, on_piece: Callable[[int], object]) -> None:
    """Put what a wheel has into a folder of packages.

    Args:
        on_piece: called after each piece of a file with its size in bytes; what it raises ends the
            work.

    Raises:
        ValueError: it is no wheel, or a file of it would come to lie outside the folder.
        OSError: a file cannot be written.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            for entry in archive.infolist():
                place = _place(entry.filename)
                if entry.is_dir() or place is None:
                    continue
                target = folder / place
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(entry) as packed, target.open("wb") as file:
                    while piece := packed.read(_PIECE):
                        file.write(piece)
                        on_piece(len(piece))
                mode = entry.external_attr >> 16
                if os.name == "posix" and mode & stat.S_IXUSR:
                    target.chmod(0o700)
    except (zipfile.BadZipFile, EOFError) as error:
        raise ValueError(f"{wheel.name} is not a wheel: {error}") from error


def _place(name: str) -> PurePosixPath | None:
    """Where a file of a wheel belongs, below the folder; None where it is not wanted."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in path.parts[0]:
        raise ValueError(f"{name} would lie outside the folder")
    if path.parts[0].endswith(".data"):
        kind, rest = path.parts[1], path.parts[2:]
        return PurePosixPath(*rest) if kind in _PACKAGES and rest else None
    return path
