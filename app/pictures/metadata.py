"""What a camera wrote beside the picture: how it was held, and when."""

from __future__ import annotations

import contextlib
import re
from datetime import datetime

from PIL import ExifTags, Image

_EXIF_TIME = re.compile(r"(\d{4})[:-](\d\d)[:-](\d\d)[ T](\d\d):(\d\d):(\d\d)", re.ASCII)
_FIRST_PHOTOGRAPH = 1826


def orientation_and_time(picture: Image.Image) -> tuple[int, datetime | None]:
    """Of a loaded picture; damaged EXIF data is no reason to refuse it.

    Returns:
        the orientation, 1 to 8 where the file keeps to EXIF, and the camera's local time.
    """
    exif_orientation, taken_at = None, None
    with contextlib.suppress(Exception):
        exif = picture.getexif()
        exif_orientation = exif.get(ExifTags.Base.Orientation)
        taken_at = exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.DateTimeOriginal)
    return exif_orientation if isinstance(exif_orientation, int) else 1, _time(taken_at)


def time_of_change(picture: Image.Image) -> datetime | None:
    """The time that a RAW file's preview is given by LibRaw, see :class:`app.pictures.raw`."""
    with contextlib.suppress(Exception):
        return _time(picture.getexif().get(ExifTags.Base.DateTime))
    return None


def plausible(time: datetime | None) -> datetime | None:
    """A time at which a picture can have been taken, else None."""
    if time is None or not _FIRST_PHOTOGRAPH <= time.year <= datetime.now().year + 1:
        return None
    return time


def _time(text: object) -> datetime | None:
    """A time as cameras write it; None for zeros, impossible dates and other nonsense."""
    match = _EXIF_TIME.match(text) if isinstance(text, str) else None
    if match is None:
        return None
    try:
        return plausible(datetime.fromisoformat("{}-{}-{} {}:{}:{}".format(*match.groups())))
    except ValueError:
        return None
