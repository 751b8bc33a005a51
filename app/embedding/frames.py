"""Which frame of an animation stands for it: the first that shows something."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from PIL import Image, ImageFile

from app.embedding.pixels import on_white

_ANIMATED = frozenset({"GIF", "WEBP", "PNG", "AVIF", "HEIF"})
"""Formats whose further pictures are frames; those of TIFF are pages."""
_MOST_FRAMES = 24
_MOST_PIXELS = 200_000_000
"""Of all frames that are looked at, together."""
_ALIKE = 8
"""Levels by which the pixels of one colour may differ, as they do after compression."""


class _Shows(IntEnum):
    NOTHING = 0
    """All is transparent, black, white or grey."""
    A_COLOUR = 1
    SOMETHING = 2


def go_to_frame_that_shows_something(picture: ImageFile.ImageFile, kind: str) -> None:
    """Many animations fade in from one colour, or from nothing at all.

    Args:
        picture: loaded, at its first frame. It stays there where no frame within reach shows more.
        kind: its format, as :func:`app.embedding.diagnosis.identify` names it.
    """
    if kind not in _ANIMATED or not getattr(picture, "is_animated", False):
        return
    best, shown = picture.tell(), _shows(picture)
    reach = min(_MOST_FRAMES, _MOST_PIXELS // (picture.width * picture.height))
    frame = -1
    while shown < _Shows.SOMETHING and (frame := frame + 1) < reach:
        try:
            picture.seek(frame)
            picture.load()
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001 - there is no such frame, or it is damaged
            break
        if (more := _shows(picture)) > shown:
            best, shown = frame, more
    if picture.tell() != best:
        picture.seek(best)
        picture.load()


def _shows(picture: Image.Image) -> _Shows:
    if picture.mode not in ("L", "RGB", "RGBA"):
        picture = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
    pixels = np.asarray(on_white(picture))
    if np.ptp(pixels, axis=(0, 1)).max() > _ALIKE:
        return _Shows.SOMETHING
    return _Shows.A_COLOUR if np.ptp(pixels) > _ALIKE else _Shows.NOTHING
