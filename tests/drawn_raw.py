"""A camera RAW file for the tests, written tag by tag: a small DNG that LibRaw really opens.

Its preview and its sensor data may show different things, so that a test can tell which of the
two it got. Tags and types are those of TIFF 6.0, EXIF and the DNG specification.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np
from drawn_pictures import encoded
from PIL import Image

_BYTE, _ASCII, _SHORT, _LONG, _RATIONAL, _SRATIONAL = 1, 2, 3, 4, 5, 10
_LETTERS = {_BYTE: "B", _SHORT: "H", _LONG: "I", _RATIONAL: "I", _SRATIONAL: "i"}
_PARTS = {_RATIONAL: 2, _SRATIONAL: 2}  # numerator and denominator
_UNCOMPRESSED, _JPEG = 1, 7
_OFFSET, _LENGTH = 273, 279  # of the strip that holds a directory's picture
_SUB_DIRECTORY, _EXIF_DIRECTORY = 330, 34665
_WHITE = 16_000  # of the sensor's 16 bits

_Tags = dict[int, tuple[int, bytes | Sequence[int]]]


def dng(
    sensor: Image.Image,
    preview: Image.Image | bytes | None = None,
    *,
    exif_orientation: int = 1,
    taken: str = "",
) -> bytes:
    """A DNG file, whose last part is what the sensor saw.

    Args:
        sensor: RGB, as it lies in the camera; width and height are even. It is stored as 16 bits
            for each pixel, of one colour only (RGGB), without compression.
        preview: RGB, stored as JPEG, or a JPEG file; None for none.
        exif_orientation: 1 to 8: how both are to be turned.
        taken: the time as EXIF writes it; ``""`` for none.
    """
    camera = _camera(exif_orientation)
    if preview is None:
        return _written([{**_sensor(sensor.size), **camera}], [_mosaic(sensor)], taken)
    data = preview if isinstance(preview, bytes) else encoded(preview, "JPEG", quality=95)
    size = (640, 480) if isinstance(preview, bytes) else preview.size
    directories = [{**_preview(size), **camera}, _sensor(sensor.size)]
    return _written(directories, [data, _mosaic(sensor)], taken)


def tiff_of_rows(width: int, height: int) -> bytes:
    """An ordinary TIFF picture, black, with a strip for each of its rows."""
    tags: _Tags = {**_picture((width, height), [8], _UNCOMPRESSED, 1), 278: (_LONG, [1])}
    tags |= {_OFFSET: (_LONG, [0] * height), _LENGTH: (_LONG, [width] * height)}
    start = 8 + len(_directory(tags, 8))
    tags[_OFFSET] = (_LONG, [start + width * row for row in range(height)])
    return struct.pack("<2sHI", b"II", 42, 8) + _directory(tags, 8) + bytes(width * height)


def _mosaic(sensor: Image.Image) -> bytes:
    """Of each pixel the one colour that its filter lets through, linear in the light."""
    light = (np.asarray(sensor) / 255.0) ** 2.2 * _WHITE
    seen = light[..., 1].copy()
    seen[::2, ::2] = light[::2, ::2, 0]
    seen[1::2, 1::2] = light[1::2, 1::2, 2]
    return seen.astype("<u2").tobytes()


def _picture(size: tuple[int, int], bits: Sequence[int], compression: int, colours: int) -> _Tags:
    return {
        256: (_LONG, [size[0]]),
        257: (_LONG, [size[1]]),
        258: (_SHORT, bits),
        259: (_SHORT, [compression]),
        262: (_SHORT, [colours]),
        277: (_SHORT, [len(bits)]),
        278: (_LONG, [size[1]]),
        284: (_SHORT, [1]),
    }


def _preview(size: tuple[int, int]) -> _Tags:
    ycbcr = 6
    return {254: (_LONG, [1]), **_picture(size, [8, 8, 8], _JPEG, ycbcr)}


def _sensor(size: tuple[int, int]) -> _Tags:
    colour_filter_array = 32803
    return {
        254: (_LONG, [0]),
        **_picture(size, [16], _UNCOMPRESSED, colour_filter_array),
        33421: (_SHORT, [2, 2]),  # CFARepeatPatternDim
        33422: (_BYTE, [0, 1, 1, 2]),  # CFAPattern: red, green, green, blue
        50714: (_SHORT, [0]),  # BlackLevel
        50717: (_LONG, [_WHITE]),  # WhiteLevel
    }


def _camera(exif_orientation: int) -> _Tags:
    from_xyz = [31339, -16169, -4906, -9788, 19161, 335, 719, -2290, 14052]  # of sRGB, in 1/10000
    return {
        271: (_ASCII, b"Afterimage\0"),
        272: (_ASCII, b"Drawn camera\0"),
        274: (_SHORT, [exif_orientation]),
        50706: (_BYTE, [1, 4, 0, 0]),  # DNGVersion
        50707: (_BYTE, [1, 1, 0, 0]),  # DNGBackwardVersion
        50708: (_ASCII, b"Afterimage drawn camera\0"),  # UniqueCameraModel
        50721: (_SRATIONAL, [part for value in from_xyz for part in (value, 10_000)]),
        50728: (_RATIONAL, [1, 1, 1, 1, 1, 1]),  # AsShotNeutral
        50778: (_SHORT, [21]),  # CalibrationIlluminant1: daylight
    }


def _written(directories: list[_Tags], strips: list[bytes], taken: str) -> bytes:
    """The first directory, the one below it if there are two, EXIF, and then the strips."""
    first = directories[0]
    if len(directories) > 1:
        first[_SUB_DIRECTORY] = (_LONG, [0])
    if taken:
        first[_EXIF_DIRECTORY] = (_LONG, [0])
        directories = [*directories, {36867: (_ASCII, taken.encode() + b"\0")}]
    for directory, strip in zip(directories, strips, strict=False):
        directory |= {_OFFSET: (_LONG, [0]), _LENGTH: (_LONG, [len(strip)])}
    starts = [8]
    for directory in directories:
        starts.append(starts[-1] + len(_directory(directory, 0)))
    at = starts[-1]
    for directory, strip in zip(directories, strips, strict=False):
        directory[_OFFSET] = (_LONG, [at])
        at += len(strip)
    if _SUB_DIRECTORY in first:
        first[_SUB_DIRECTORY] = (_LONG, [starts[1]])
    if _EXIF_DIRECTORY in first:
        first[_EXIF_DIRECTORY] = (_LONG, [starts[-2]])
    written = [_directory(tags, start) for tags, start in zip(directories, starts, strict=False)]
    return b"".join([struct.pack("<2sHI", b"II", 42, 8), *written, *strips])


def _directory(tags: _Tags, start: int) -> bytes:
    """A directory that begins at byte ``start`` of the file, with its longer values behind it."""
    entries, values = [], b""
    behind = start + 2 + 12 * len(tags) + 4
    for tag, (kind, value) in sorted(tags.items()):
        data = (
            value
            if isinstance(value, bytes)
            else struct.pack(f"<{len(value)}{_LETTERS[kind]}", *value)
        )
        count = len(value) // _PARTS.get(kind, 1)
        if len(data) > 4:
            data, values = struct.pack("<I", behind + len(values)), values + data
        entries.append(struct.pack("<HHI4s", tag, kind, count, data))
    return struct.pack("<H", len(tags)) + b"".join(entries) + bytes(4) + values
