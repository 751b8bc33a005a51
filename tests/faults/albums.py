"""Folders of pictures that a scene works on, and what must become of every file in them."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

Fate = Literal["indexed", "failed", "left out", "any"]
"""``left out``: it is no picture to be indexed, so it is failed or not in the ledger at all."""

FORMATS = ("jpg", "png", "webp", "bmp", "gif", "tiff")
COPIES = 3
ODD_NAMES = (
    b"not utf-8 \xff\xfe.png",
    b"line\nbreak.png",
    "ÿ".encode() * 125 + b".png",  # 254 bytes
    b"x" * 251 + b".png",  # 255, the longest there is
    "\u202eright to left \u05d0\u05d1.png".encode(),
    "emoji 👩‍👩‍👧 🏖️.png".encode(),
    b"--leading-dashes.png",
    b"trailing space .png",
    b"tab\tand \x01 control.png",
    b"quote ' \" ` $HOME %s {} ; #1?.png",
    b"back\\slash //d800 // .png",
    "composed é.png".encode(),
    "decomposed é.png".encode(),
    b"CASE.png",
    b"case.PNG",
)


@dataclass(slots=True)
class Album:
    """One folder, and the fate of each file in it."""

    folder: Path
    seed: int
    fates: dict[str, Fate] = field(default_factory=dict)
    """By path, as ``os.fspath`` gives it."""
    _seen: dict[str, tuple[str, int]] = field(default_factory=dict)

    def indexed(self) -> list[str]:
        """The paths of the pictures that must have their vector."""
        return [path for path, fate in self.fates.items() if fate == "indexed"]

    def remember(self) -> None:
        """Note content and time of every file, as they are now, to compare with later."""
        self._seen = self._look()

    def touched(self) -> list[str]:
        """Files that differ from what was remembered."""
        now = self._look()
        return sorted(path for path in self._seen | now if self._seen.get(path) != now.get(path))

    def _look(self) -> dict[str, tuple[str, int]]:
        seen = {}
        for parent, _, names in os.walk(self.folder):
            for name in names:
                path = os.path.join(parent, name)
                if os.path.isfile(path) and not os.path.islink(path):
                    with open(path, "rb") as file:
                        digest = hashlib.file_digest(file, "sha256").hexdigest()
                    seen[path] = (digest, os.stat(path).st_mtime_ns)
        return seen


def make_album(folder: Path, seed: int, plain: int = 24, *, odd: bool = True) -> Album:
    """Draw a folder of distinct pictures; with copies, broken files and odd names if wanted."""
    album = Album(folder, seed)
    rng = random.Random(seed)
    for number in range(plain):
        suffix = FORMATS[number % len(FORMATS)]
        _add(album, folder / f"day {number % 3 + 1}" / f"{number:04}.{suffix}", rng)
    if odd:
        for name in ODD_NAMES:
            _add(album, Path(os.fsdecode(os.fsencode(folder / "odd names ") + b"/" + name)), rng)
        _add_copies(album, rng)
        _add_broken(album, rng)
    album.remember()
    return album


def save_picture(path: Path, seed: int, side: int = 96) -> None:
    """A picture of 16 coloured fields, unlike that of any other seed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fields = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    picture = Image.fromarray(fields.repeat(side // 4, 0).repeat(side // 4, 1))
    kind = {"jpg": "JPEG", "tif": "TIFF"}.get(suffix := path.suffix[1:].lower(), suffix.upper())
    with path.open("wb") as file:
        picture.save(file, kind)


def _add(album: Album, path: Path, rng: random.Random) -> None:
    save_picture(path, rng.getrandbits(32))
    album.fates[os.fspath(path)] = "indexed"


def _add_copies(album: Album, rng: random.Random) -> None:
    for number, source in enumerate(rng.sample(album.indexed(), COPIES)):
        copy = album.folder / "copies" / f"copy {number}{Path(source).suffix}"
        copy.parent.mkdir(exist_ok=True)
        shutil.copy2(source, copy)
        album.fates[os.fspath(copy)] = "indexed"


def _add_broken(album: Album, rng: random.Random) -> None:
    folder = album.folder / "broken"
    folder.mkdir()
    save_picture(folder / "cut.jpg", rng.getrandbits(32))
    data = (folder / "cut.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(data[: len(data) // 4])
    (folder / "empty.png").write_bytes(b"")
    (folder / "text.jpg").write_bytes(b"not a picture\n" * 20)
    (folder / "noise.webp").write_bytes(rng.randbytes(5_000))
    for name in ("cut.jpg", "empty.png", "text.jpg", "noise.webp"):
        album.fates[os.fspath(folder / name)] = "failed"
    os.mkfifo(folder / "pipe.jpg")
    (folder / "loop.jpg").symlink_to(folder / "loop.jpg")
    (folder / "nowhere.jpg").symlink_to(folder / "not there.jpg")
    (folder / "folder.jpg").mkdir()
    for name in ("pipe.jpg", "loop.jpg", "nowhere.jpg", "folder.jpg"):
        album.fates[os.fspath(folder / name)] = "left out"
