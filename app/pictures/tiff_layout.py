"""Where in a TIFF file, and in the camera RAW files built like one, the pictures' data lie.

Only numbers that tell where things are are read. Nothing here raises on damaged data: what makes
no sense is left out.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from app.pictures.iso_media import Extent

TIFF_STARTS = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
TIFF_LIKE_STARTS = (b"IIRO", b"IIRS", b"MMOR", b"IIU\x00")  # Olympus, Panasonic

_SUB_DIRECTORIES = 330
_PLACES = ((273, 279), (324, 325), (513, 514), (280, 279))
"""Tags of offsets and of lengths: strips, tiles, a JPEG file, Panasonic's sensor data."""
_WANTED = frozenset({_SUB_DIRECTORIES, *(tag for pair in _PLACES for tag in pair)})
_LETTERS = {1: "B", 3: "H", 4: "I", 13: "I"}  # of whole numbers, by their type in TIFF
_KNOWN_TYPES = range(1, 14)
_MOST_DIRECTORIES = 64
_MOST_VALUES = 100_000
_CANON_RAW = 12  # bytes from the start of a CR2 file, where its sensor data's directory is named


class TiffLayout(NamedTuple):
    pictures: list[list[Extent]]
    """The pieces of each picture in the file."""
    whole: bool
    """Whether every directory that is named is there."""


def first_tags(data: bytes) -> dict[int, int]:
    """The first directory: its tags, each with its value if that is one number."""
    order = "<" if data[:2] == b"II" else ">"
    if len(data) < 8 or data[2:4] not in (b"*\x00", b"\x00*"):  # BigTIFF is laid out differently
        return {}
    (start,) = struct.unpack_from(f"{order}I", data, 4)
    if start + 2 > len(data):
        return {}
    (count,) = struct.unpack_from(f"{order}H", data, start)
    tags = {}
    for at in range(start + 2, min(start + 2 + 12 * count, len(data) - 11), 12):
        tag, kind = struct.unpack_from(f"{order}HH", data, at)
        (tags[tag],) = struct.unpack_from(f"{order}{'H' if kind == 3 else 'I'}", data, at + 8)
    return tags


def read_layout(data: bytes) -> TiffLayout:
    """Follow all directories; of BigTIFF, which no camera writes, nothing is told."""
    if not data.startswith((*TIFF_STARTS[:2], *TIFF_LIKE_STARTS)) or len(data) < 16:
        return TiffLayout([], True)
    order = "<" if data[:2] == b"II" else ">"
    waiting = [*struct.unpack_from(f"{order}I", data, 4)]
    if data[8:10] == b"CR":
        waiting += struct.unpack_from(f"{order}I", data, _CANON_RAW)
    seen, pictures, whole = set[int](), [], True
    while waiting and len(seen) < _MOST_DIRECTORIES:
        start = waiting.pop(0)
        if start == 0 or start in seen:
            continue
        seen.add(start)
        if start + 2 > len(data):
            whole = False
            continue
        (count,) = struct.unpack_from(f"{order}H", data, start)
        tags = _tags(data, start + 2, count, order)
        if tags is None:  # no directory: some cameras keep other things under the same numbers
            continue
        whole = whole and start + 2 + 12 * count <= len(data)
        waiting += tags.get(_SUB_DIRECTORIES, ())
        waiting += _next(data, start + 2 + 12 * count, order)
        for offsets, lengths in _PLACES:
            pieces = zip(tags.get(offsets, ()), tags.get(lengths, ()), strict=False)
            if picture := [Extent(*piece) for piece in pieces if piece[0] != 0xFFFFFFFF]:
                pictures.append(picture)
    return TiffLayout(pictures, whole)


def _tags(data: bytes, at: int, count: int, order: str) -> dict[int, tuple[int, ...]] | None:
    """The values of the tags that are wanted; None where this can be no directory."""
    tags: dict[int, tuple[int, ...]] = {}
    for entry in range(at, min(at + 12 * count, len(data) - 11), 12):
        tag, kind, number = struct.unpack_from(f"{order}HHI", data, entry)
        if kind not in _KNOWN_TYPES:
            return None
        if tag not in _WANTED or kind not in _LETTERS or number > _MOST_VALUES:
            continue
        values = f"{order}{number}{_LETTERS[kind]}"
        if struct.calcsize(values) <= 4:
            tags[tag] = struct.unpack_from(values, data, entry + 8)
            continue
        (place,) = struct.unpack_from(f"{order}I", data, entry + 8)
        if place + struct.calcsize(values) <= len(data):
            tags[tag] = struct.unpack_from(values, data, place)
        else:  # whatever they are, what they name is not known to be there
            tags[tag] = (place,) * min(number, 1)
    return tags


def _next(data: bytes, at: int, order: str) -> tuple[int, ...]:
    return struct.unpack_from(f"{order}I", data, at) if at + 4 <= len(data) else ()
