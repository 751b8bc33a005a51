"""A HEIF or AVIF picture of tiles for the tests, as telephones and cameras write it.

The tiles are what the encoder makes; the boxes around them are those of ISO/IEC 23008-12.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from drawn_pictures import encoded, photo

_SIDE, _ACROSS, _DOWN = 128, 2, 2
_FULL_VERSION = 2 << 24


class Tiles(NamedTuple):
    brand: bytes
    kind: bytes
    configuration: bytes
    """The box that tells a decoder how the tiles are coded; the same for all."""
    data: list[bytes]


def _boxes(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    while at + 8 <= end:
        size = int.from_bytes(data[at : at + 4], "big")
        yield data[at + 4 : at + 8], at + 8, at + size
        at += size


def _tiles(format: str, brand: bytes, kind: bytes, configuration: bytes) -> Tiles:
    whole = photo(_SIDE * _ACROSS, _SIDE * _DOWN)
    found, data = set(), []
    for number in range(_ACROSS * _DOWN):
        left, top = number % _ACROSS * _SIDE, number // _ACROSS * _SIDE
        file = encoded(whole.crop((left, top, left + _SIDE, top + _SIDE)), format, quality=70)
        boxes = {name: (start, end) for name, start, end in _boxes(file, 0, len(file))}
        start, end = boxes[b"meta"]
        for name in (b"iprp", b"ipco"):
            start, end = next(
                (a, b) for n, a, b in _boxes(file, start + 4 * (name == b"iprp"), end) if n == name
            )
        found.add(
            next(file[a - 8 : b] for n, a, b in _boxes(file, start, end) if n == configuration)
        )
        data.append(file[slice(*boxes[b"mdat"])])
    assert len(found) == 1
    return Tiles(brand, kind, found.pop(), data)


HEIF_TILES = _tiles("HEIF", b"heic", b"hvc1", b"hvcC")
AVIF_TILES = _tiles("AVIF", b"avif", b"av01", b"av1C")


def _box(name: bytes, body: bytes, version: int | None = None) -> bytes:
    head = b"" if version is None else struct.pack(">I", version)
    return struct.pack(">I", 8 + len(head + body)) + name + head + body


def grid(tiles: Tiles) -> bytes:
    """A whole file; its tiles come last, one after the other."""
    number = len(tiles.data)
    size = struct.pack(">HH", _ACROSS * _SIDE, _DOWN * _SIDE)
    data = [bytes([0, 0, _DOWN - 1, _ACROSS - 1]) + size, *tiles.data]
    kinds = [b"grid", *[tiles.kind] * number]
    infe = b"".join(
        _box(b"infe", struct.pack(">HH4sx", item, 0, kind), _FULL_VERSION)
        for item, kind in enumerate(kinds, 1)
    )
    properties = _box(
        b"ipco",
        tiles.configuration
        + _box(b"ispe", struct.pack(">II", _SIDE, _SIDE), 0)
        + _box(b"ispe", struct.pack(">II", _ACROSS * _SIDE, _DOWN * _SIDE), 0)
        + _box(b"pixi", bytes([3, 8, 8, 8]), 0),
    )
    of_grid = struct.pack(">HBBB", 1, 2, 3, 4)
    of_tiles = b"".join(struct.pack(">HBBBB", item, 3, 0x81, 2, 4) for item in range(2, number + 2))
    association = struct.pack(">I", number + 1) + of_grid + of_tiles
    made_of = struct.pack(f">HH{number}H", 1, number, *range(2, number + 2))

    def meta(start: int) -> bytes:
        places, at = b"", start
        for item, piece in enumerate(data, 1):
            places += struct.pack(">HHHII", item, 0, 1, at, len(piece))
            at += len(piece)
        parts = (
            _box(b"hdlr", struct.pack(">I4s12xx", 0, b"pict"), 0),
            _box(b"pitm", struct.pack(">H", 1), 0),
            _box(b"iloc", struct.pack(">HH", 0x4400, number + 1) + places, 0),
            _box(b"iinf", struct.pack(">H", number + 1) + infe, 0),
            _box(b"iref", _box(b"dimg", made_of), 0),
            _box(b"iprp", properties + _box(b"ipma", association, 0)),
        )
        return _box(b"meta", b"".join(parts), 0)

    head = _box(b"ftyp", tiles.brand + bytes(4) + b"mif1miaf" + tiles.brand)
    start = len(head) + len(meta(0)) + 8
    return head + meta(start) + _box(b"mdat", b"".join(data))
