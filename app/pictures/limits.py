"""What is refused before it is decoded, because it would take too much time or memory.

These are the cheap looks at a header; whoever decodes has limits of time and memory as well.
"""

from __future__ import annotations

import re
import struct

from PIL.JpegImagePlugin import JpegImageFile
from PIL.TiffImagePlugin import TiffImageFile

from app.api.error_kinds import ErrorKind
from app.pictures.diagnosis import PictureError

_PASS = re.compile(b"\xff\xda")  # a scan; bytes.count() would take ten times as long
_USUAL_PASSES = 20
_MOST_WORK = 4000
"""Megapixels times passes over them; 3 s of one core of an AMD EPYC where the passes are empty."""
_MOST_PIECES = 200_000


def check_size(size: tuple[int, int], max_megapixels: int) -> None:
    """Raise a PictureError, TOO_LARGE, where a picture has more pixels than it may have."""
    width, height = size
    if width * height > max_megapixels * 1_000_000:
        raise PictureError(
            ErrorKind.TOO_LARGE,
            f"The picture has {width} × {height} pixels, over the limit of {max_megapixels} "
            "megapixels. Raise AFTERIMAGE_MAX_IMAGE_MEGAPIXELS to read it.",
        )


def check_work(picture: object, data: bytes) -> None:
    """Raise a PictureError, TOO_LARGE, where a small file asks for work without end.

    Args:
        picture: opened, not loaded.
        data: its file's content.
    """
    if isinstance(picture, JpegImageFile):
        _check_passes(picture, data)
    elif isinstance(picture, TiffImageFile) and len(picture.tile) > _MOST_PIECES:
        raise PictureError(
            ErrorKind.TOO_LARGE,
            f"The picture is stored in {len(picture.tile):,} pieces, "
            "which would take too long to read.",
        )


def _check_passes(picture: JpegImageFile, data: bytes) -> None:
    """A JPEG may go over all of its pixels as often as it likes, at a hundred bytes each time."""
    assert picture.fp is not None
    head = 6 + 2 * picture.layers  # bytes, of a pass over all colours
    at = picture.fp.tell() - head  # it stands behind the head of the first pass
    in_one_pass = data[at : at + 3] == struct.pack(">HB", head, picture.layers)
    if in_one_pass and not picture.info.get("progressive"):
        return
    passes = sum(1 for _ in _PASS.finditer(data))
    megapixels = picture.width * picture.height / 1_000_000
    if passes > _USUAL_PASSES and passes * megapixels > _MOST_WORK:
        raise PictureError(
            ErrorKind.TOO_LARGE,
            f"The picture stores its {megapixels:.0f} megapixels in {passes:,} passes, "
            "which would take too long to read.",
        )
