"""JPEG files that a graphics card may decode, told by their bytes: nothing is decoded here.

The engines of a card do not notice damage, so a file must be whole and usual; all others are left
to the processors, which decode them or say what is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from io import BytesIO

import numpy as np
from PIL.JpegImagePlugin import JpegImageFile

from app.pictures.colour import Colours, colours_of
from app.pictures.decode import quietly
from app.pictures.diagnosis import identify, name_note
from app.pictures.limits import check_size, check_work
from app.pictures.metadata import orientation_and_time
from app.pictures.pixels import ORIENTATIONS, Orientation, PixelSpec

_END = 0xD9
_LONGEST_SHAPE = 4
"""Sides; of a longer picture most would be resized only to be cropped."""
_YCC = 1  # what Adobe calls the usual colours of a JPEG file
_HEAD_OF_SCAN = 12  # bytes, of the only scan of a baseline file in colour


@dataclass(frozen=True, slots=True)
class PlainJpeg:
    """A usual JPEG file, and what its header says."""

    data: bytes
    width: int
    """Pixels, as stored."""
    height: int
    orientation: Orientation
    colours: Colours
    taken_at: datetime | None
    note: str

    @property
    def decoded_bytes(self) -> int:
        return 3 * self.width * self.height

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the whole picture, upright."""
        size = (self.width, self.height)
        return (size[1], size[0]) if self.orientation.swap else size


def plain_jpeg(data: bytes, name: str, spec: PixelSpec, max_megapixels: int) -> PlainJpeg | None:
    """What there is to know of a whole baseline picture in colour that is to be made smaller.

    Returns:
        None for any other file: one that is cut off, damaged, too large, progressive, of another
        format, in grey or in the colours of a printing press.
    """
    try:
        with quietly():
            return _plain(data, name, spec, max_megapixels)
    except Exception:  # noqa: BLE001 - whoever decodes it says what is wrong with it
        return None


def _plain(data: bytes, name: str, spec: PixelSpec, max_megapixels: int) -> PlainJpeg | None:
    if identify(data, name) != "JPEG":
        return None
    picture = JpegImageFile(BytesIO(data))
    check_size(picture.size, max_megapixels)
    check_work(picture, data)
    short, long = sorted(picture.size)
    if not _is_usual(picture) or short < spec.size or long > _LONGEST_SHAPE * short:
        return None
    assert picture.fp is not None
    if not _is_one_whole_scan(data, picture.fp.tell()):
        return None
    exif_orientation, taken_at = orientation_and_time(picture)
    orientation = ORIENTATIONS.get(exif_orientation, Orientation())
    colours = colours_of(picture, "JPEG")
    note = name_note("JPEG", name)
    return PlainJpeg(data, *picture.size, orientation, colours, taken_at, note)


def _is_usual(picture: JpegImageFile) -> bool:
    return (
        picture.mode == "RGB"
        and not picture.info.get("progressive")
        and picture.info.get("adobe_transform", _YCC) == _YCC
    )


def _is_one_whole_scan(data: bytes, start: int) -> bool:
    """Whether from ``start`` on there is nothing but one scan, up to the end of the picture."""
    if data[start - _HEAD_OF_SCAN - 2 : start - _HEAD_OF_SCAN] != b"\xff\xda":
        return False
    scan = np.frombuffer(data, np.uint8, offset=start)
    marks = np.flatnonzero(scan[:-1] == 0xFF)
    codes = scan[marks + 1]
    # a byte of 255 in the scan, or a marker at which a decoder may begin anew
    breaks = codes[(codes != 0) & (codes & 0xF8 != 0xD0) & (codes != 0xFF)]
    return len(breaks) > 0 and breaks[0] == _END
