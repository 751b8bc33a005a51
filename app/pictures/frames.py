"""Which frame of an animation stands for it: the first that shows something."""

from __future__ import annotations

import struct
from enum import IntEnum
from itertools import takewhile

import numpy as np
import pillow_heif
from PIL import Image, ImageFile

from app.pictures.pixels import on_white, resampled

_ANIMATED = frozenset({"GIF", "WEBP", "PNG", "AVIF", "HEIF"})
"""Formats whose further pictures are frames; those of TIFF are pages."""
_MOST_FRAMES = 24
_MOST_PIXELS = 100_000_000
"""Of all frames that are looked at, together."""
_SMALL = (64, 64)  # pixels; what cannot be seen in as many cannot be found by either
_GIF_FRAME, _GIF_EXTENSION = 0x2C, 0x21
_ALIKE = 8
"""Levels by which the pixels of one colour may differ, as they do after compression."""


class _Shows(IntEnum):
    NOTHING = 0
    """All is transparent, black, white or grey."""
    A_COLOUR = 1
    SOMETHING = 2


def go_to_frame_that_shows_something(picture: ImageFile.ImageFile, data: bytes, kind: str) -> None:
    """Many animations fade in from one colour, or from nothing at all.

    Args:
        picture: loaded, at its first frame. It stays there where no frame within reach shows more.
        data: its file's content.
        kind: its format, as :func:`app.pictures.diagnosis.identify` names it.
    """
    if kind not in _ANIMATED or not getattr(picture, "is_animated", False):
        return
    best, shown = picture.tell(), _shows(picture)
    if shown == _Shows.SOMETHING:
        return
    for frame in range(_within_reach(picture, data, kind)):
        try:
            picture.seek(frame)
            picture.load()
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001 - there is no such frame, or it is damaged
            break
        if (more := _shows(picture)) > shown:
            best, shown = frame, more
        if shown == _Shows.SOMETHING:
            return
    if picture.tell() != best:
        picture.seek(best)
        picture.load()


def _within_reach(picture: ImageFile.ImageFile, data: bytes, kind: str) -> int:
    """How many frames, from the first, take no more memory each than the first does."""
    pixels = picture.width * picture.height
    reach = min(_MOST_FRAMES, _MOST_PIXELS // pixels)
    if kind == "GIF":
        return _gif_frames_on_canvas(data, reach)
    if kind == "HEIF":
        sizes = (wide * high for wide, high in (each.size for each in pillow_heif.open_heif(data)))
        return min(reach, sum(1 for _ in takewhile(lambda size: size <= pixels, sizes)))
    return reach


def _gif_frames_on_canvas(data: bytes, most: int) -> int:
    """How many frames, from the first, lie within the picture; for any other it would grow."""
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    at, frames = 13 + _colour_table(flags), 0
    while frames < most and at + 10 < len(data):
        block = data[at]
        if block == _GIF_FRAME:
            left, top, wide, high, flags = struct.unpack_from("<HHHHB", data, at + 1)
            if left + wide > width or top + high > height:
                break
            frames += 1
            at += 11 + _colour_table(flags)
        elif block == _GIF_EXTENSION:
            at += 2
        else:
            break
        while at < len(data) and data[at]:  # pieces, each with its length, up to one of none
            at += 1 + data[at]
        at += 1
    return frames


def _colour_table(flags: int) -> int:
    """Its length in bytes."""
    return 3 * 2 ** ((flags & 7) + 1) if flags & 128 else 0


def _shows(picture: Image.Image) -> _Shows:
    small = resampled(picture, _SMALL, (0.0, 0.0, *picture.size))
    pixels = np.asarray(on_white(small))
    if np.ptp(pixels, axis=(0, 1)).max() > _ALIKE:
        return _Shows.SOMETHING
    return _Shows.A_COLOUR if np.ptp(pixels) > _ALIKE else _Shows.NOTHING
