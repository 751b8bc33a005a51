"""The boxes of an ISO base media file (HEIF, AVIF, CR3), and where in it the picture's data lie.

Only what tells where things are is read; a decoder reads the rest. Nothing here raises on damaged
data: what makes no sense is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

_TOP_LEVEL = frozenset(
    {b"ftyp", b"styp", b"meta", b"meco", b"mdat", b"moov", b"moof", b"mfra", b"sidx", b"free"}
    | {b"skip", b"wide", b"uuid", b"pdin", b"emsg", b"prft", b"jumb", b"mpvd", b"sefd"}
)
"""What may stand in a file; anything else is foreign data behind its end."""
_TRANSPARENCY = frozenset(
    {b"urn:mpeg:hevc:2015:auxid:1", b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha"}
)
_DATA = frozenset({b"mdat", b"moov"})


class Extent(NamedTuple):
    """A piece of a file."""

    start: int
    length: int
    """Both in bytes."""

    @property
    def end(self) -> int:
        return self.start + self.length


class Box(NamedTuple):
    name: bytes
    start: int
    """Where its content begins, in bytes from the start of the file."""
    end: int
    """Perhaps behind the end of the file."""


def brands(data: bytes) -> set[bytes]:
    """The major and the compatible brands; empty for anything but an ISO base media file."""
    if data[4:8] != b"ftyp":
        return set()
    end = min(int.from_bytes(data[:4], "big"), 4096)
    return {data[8:12], *(data[at : at + 4] for at in range(16, end, 4))}


def boxes_end(data: bytes) -> int | None:
    """Where the last of the file's boxes ends, in bytes; None where that is not said."""
    end, has_data = 0, False
    for box in _boxes(data, 0, len(data)):
        if box.name not in _TOP_LEVEL:
            return end
        if box.end == box.start:  # up to the end of the file, wherever that is
            return None
        end, has_data = box.end, has_data or box.name in _DATA
    return end if has_data else max(end, len(data)) + 8


def top_level(data: bytes, name: bytes) -> Box | None:
    """The first of the file's boxes with that name."""
    return next((box for box in _boxes(data, 0, len(data)) if box.name == name), None)


def picture_items(data: bytes) -> list[list[Extent]]:
    """Where the coded data of the primary picture are: the pieces of each item that it is made of.

    A telephone's picture is a grid of tiles, each an item of its own; any other derived picture is
    followed to what it is derived from in the same way. Its transparency is a picture beside it.
    Empty where the file does not say.
    """
    meta = top_level(data, b"meta")
    if meta is None:
        return []
    parts = {box.name: box for box in _boxes(data, meta.start + 4, min(meta.end, len(data)))}
    if not {b"pitm", b"iloc"} <= parts.keys():
        return []
    places = _item_places(data, parts[b"iloc"], parts.get(b"idat"))
    sources = _references(data, parts, b"dimg")
    pitm = parts[b"pitm"]
    primary = _number(data, pitm.start + 4, 2 if data[pitm.start : pitm.start + 1] == b"\0" else 4)
    waiting, seen, items = [primary, *_transparency_of(data, parts, primary)], set[int](), []
    while waiting:
        item = waiting.pop()
        if item in seen:
            continue
        seen.add(item)
        if item in sources:
            waiting += sources[item]
        elif item in places:
            items.append(places[item])
    return items


def _boxes(data: bytes, at: int, end: int) -> Iterator[Box]:
    while at + 8 <= end:
        size, name, head = _number(data, at, 4), data[at + 4 : at + 8], 8
        if size == 1:  # a 64-bit size follows the name
            size, head = _number(data, at + 8, 8), 16
        if size == 0:
            yield Box(name, at + head, at + head)
            return
        if size < head:
            return
        yield Box(name, at + head, at + size)
        at += size


def _item_places(data: bytes, iloc: Box, idat: Box | None) -> dict[int, list[Extent]]:
    """The pieces of each item, by the item's number."""
    version = _number(data, iloc.start, 1)
    sizes = _number(data, iloc.start + 4, 2)
    offset_size, length_size, base_size, index_size = (sizes >> by & 15 for by in (12, 8, 4, 0))
    wide = 4 if version == 2 else 2
    at = iloc.start + 6
    count, at = _number(data, at, wide), at + wide
    end = min(iloc.end, len(data))
    places: dict[int, list[Extent]] = {}
    while len(places) < count and at < end:
        item, at = _number(data, at, wide), at + wide
        method = 0
        if version:
            method, at = _number(data, at, 2) & 15, at + 2
        else:
            index_size = 0
        base, at = _number(data, at + 2, base_size), at + 2 + base_size
        number, at = _number(data, at, 2), at + 2
        extents = []
        for _ in range(number):
            if at >= end:
                break
            at += index_size
            start, at = base + _number(data, at, offset_size), at + offset_size
            length, at = _number(data, at, length_size), at + length_size
            if method == 1 and idat is not None:
                start += idat.start
            extents.append(Extent(start, length))
        places[item] = extents if method < 2 else []
    return places


def _transparency_of(data: bytes, parts: dict[bytes, Box], primary: int) -> list[int]:
    """The items that hold a picture's transparency, where no auxiliary item is anything else."""
    properties = [part for part in (parts.get(b"iprp"),) if part]
    for name in (b"ipco", b"auxC"):
        properties = [
            box
            for part in properties
            for box in _boxes(data, part.start, min(part.end, len(data)))
            if box.name == name
        ]
    kinds = {data[box.start + 4 : box.end].rstrip(b"\0") for box in properties}
    if not kinds or not kinds <= _TRANSPARENCY:
        return []
    return [item for item, of in _references(data, parts, b"auxl").items() if primary in of]


def _references(data: bytes, parts: dict[bytes, Box], kind: bytes) -> dict[int, list[int]]:
    """The numbers of the items that an item refers to, such as those that it is made of."""
    iref = parts.get(b"iref")
    if iref is None:
        return {}
    wide = 2 if _number(data, iref.start, 1) == 0 else 4
    sources = {}
    for box in _boxes(data, iref.start + 4, min(iref.end, len(data))):
        if box.name == kind:
            count = min(_number(data, box.start + wide, 2), (box.end - box.start) // wide)
            first = box.start + wide + 2
            sources[_number(data, box.start, wide)] = [
                _number(data, first + wide * place, wide) for place in range(count)
            ]
    return sources


def _number(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "big")
