"""What is left of a picture whose file is cut off or damaged.

The measure is honest about what was decoded, not about bytes: a picture is read twice in such a
way that the two readings differ exactly where the data is missing. Pillow's switch for truncated
files (``ImageFile.LOAD_TRUNCATED_IMAGES``) is not used: it holds for all threads at once, and it
does not tell how much was there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from app.pictures.completeness import declared_size

Open = Callable[[bytes], ImageFile.ImageFile]
"""Opens a picture of the format at hand, without loading it."""

_JPEG_END = b"\xff\xd9"
_JPEG_SCAN = b"\xff\xda"
_NONSENSE = bytes(range(1, 33))  # enough to change what a decoder makes of the row it is in
_STRIP = 256  # rows compared at a time, so that large pictures are not copied whole
_GREY: dict[str, int | tuple[int, ...]] = {
    "L": 128,
    "RGB": (128, 128, 128),
    "RGBA": (128, 128, 128, 255),
}
_OTHER_INK = 255  # differs from every grey above, and from 0, in the first band


class Rescued(NamedTuple):
    picture: Image.Image
    share: float
    """How much of the picture was there, 0 to 1: rows with data, of all rows."""


def rescue(data: bytes, kind: str, open_picture: Open) -> Rescued | None:
    """Decode what there is of a picture that does not load; the rest is grey.

    Args:
        data: the file's content.
        kind: its format, as :func:`app.pictures.diagnosis.identify` names it.
        open_picture: opens ``data``, or a little more or less than it; for WEBP it adds zeros up
            to the length that the file should have.

    Returns:
        None where the format allows no reading in part (HEIF, AVIF).

    Raises:
        Exception: whatever Pillow raises where not even the first row can be decoded.
    """
    if kind in ("HEIF", "AVIF"):
        return None
    if kind == "JPEG":
        return _rescue_jpeg(data, open_picture)
    if kind == "WEBP":
        return _rescue_webp(data, open_picture)
    return _rescue_row_by_row(data, open_picture)


def _rescue_jpeg(data: bytes, open_picture: Open) -> Rescued:
    """An end marker makes the decoder finish; it leaves grey what it has no data for."""
    data = data.rstrip(b"\x00\xff")  # unwritten, or half of a marker: no picture data
    picture = open_picture(data + _JPEG_END)
    assert picture.fp is not None
    # A progressive file holds the whole picture several times over, ever finer: once the second
    # scan has begun, every row is there.
    if data.find(_JPEG_SCAN, picture.fp.tell()) >= 0:
        picture.load()
        return Rescued(picture, 1.0)
    return _up_to_the_cut(picture, open_picture(data + _NONSENSE + _JPEG_END))


def _rescue_webp(data: bytes, open_picture: Open) -> Rescued:
    """The decoder makes something up for the zeros that it is given in place of what is missing."""
    rescued = _up_to_the_cut(open_picture(data), open_picture(data[: -len(_NONSENSE)]))
    # Where the cut is in the tables at the start, both readings are the same nonsense all over.
    size = declared_size(data, "WEBP") or len(data)
    return rescued._replace(share=min(rescued.share, len(data) / size))


def _up_to_the_cut(picture: ImageFile.ImageFile, other: ImageFile.ImageFile) -> Rescued:
    """Compare with a reading of other data from the cut on: the first row that differs is there."""
    picture.load()
    other.load()
    equal = _equal_rows(picture, other)
    rows = picture.height if equal.all() else int(equal.argmin())
    picture.paste(_GREY.get(picture.mode, 0), (0, rows, picture.width, picture.height))
    return Rescued(picture, rows / picture.height)


def _rescue_row_by_row(data: bytes, open_picture: Open) -> Rescued:
    """For decoders that write each row as it comes: what they do not reach keeps its first ink."""
    picture = open_picture(data)
    _load_over(picture, _GREY.get(picture.mode, 0))
    other = open_picture(data)
    _load_over(other, _OTHER_INK)
    return Rescued(picture, float(_equal_rows(picture, other).mean()))


def _load_over(picture: ImageFile.ImageFile, ink: int | tuple[int, ...]) -> None:
    """Load as far as the data goes, over a canvas filled with ``ink``."""
    prepare = picture.load_prepare

    def prepare_and_fill() -> None:
        prepare()
        picture.im.paste(ink, (0, 0, *picture.im.size))

    picture.load_prepare = prepare_and_fill  # type: ignore[method-assign]
    with contextlib.suppress(Exception):
        picture.load()
    if picture.size != picture.im.size:  # a TIFF that was to be turned once it was complete
        raise ValueError("rows and columns are not swapped yet")
    picture.tile = []  # nothing left to load: what has been decoded is the picture


def _equal_rows(first: Image.Image, second: Image.Image) -> NDArray[np.bool_]:
    """For each row whether it is the same in both pictures; shape (height,)."""
    equal = np.empty(first.height, dtype=np.bool_)
    for top in range(0, first.height, _STRIP):
        box = (0, top, first.width, min(top + _STRIP, first.height))
        same = np.asarray(first.crop(box)) == np.asarray(second.crop(box))
        equal[box[1] : box[3]] = same.reshape(box[3] - box[1], -1).all(axis=1)
    return equal
