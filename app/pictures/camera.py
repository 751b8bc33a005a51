"""What a camera wrote beside a picture for people to read: which it was, its lens, exposure, place.

No picture is opened: the EXIF data is found by its marks, which are the same in every format.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
import stat
from collections.abc import Mapping
from typing import Any

from PIL import ExifTags, Image

from app.api.library_schemas import CameraFacts

MAX_FILE_BYTES = 128_000_000
"""Of a larger file, what lies behind is not looked at."""
LONGEST_NAME = 100
_EXIF = re.compile(
    rb"(?:Exif\x00\x00|EXIF.{4}(?:Exif\x00\x00)?|eXIf)(?=II\*\x00|MM\x00\*)", re.DOTALL
)
_TIFF = (b"II*\x00", b"MM\x00*", b"IIRO", b"IIU\x00")
Tags = Mapping[int, Any]
_Base, _Gps, _Ifd = ExifTags.Base, ExifTags.GPS, ExifTags.IFD


def camera_facts(path: str) -> CameraFacts:
    """What is known of how a picture was taken; nothing where the file says nothing, or is gone."""
    with contextlib.suppress(OSError, ValueError, MemoryError):
        return facts_in(_content(path))
    return CameraFacts()


def facts_in(data: bytes) -> CameraFacts:
    """The same for a file's content; damaged EXIF data is no EXIF data."""
    found = _EXIF.search(data)
    if found is None and not data.startswith(_TIFF):
        return CameraFacts()
    with contextlib.suppress(Exception):
        exif = Image.Exif()
        exif.load(data[found.end() if found else 0 :])
        return _facts(exif, exif.get_ifd(_Ifd.Exif), exif.get_ifd(_Ifd.GPSInfo))
    return CameraFacts()


def _content(path: str) -> bytes:
    # without O_NONBLOCK, opening a pipe would wait for its other end for ever
    flags = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with open(os.open(path, os.O_RDONLY | flags), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            return b""
        return file.read(MAX_FILE_BYTES)


def _facts(exif: Tags, taken: Tags, gps: Tags) -> CameraFacts:
    maker, model = _text(exif.get(_Base.Make)), _text(exif.get(_Base.Model))
    named = model.casefold().startswith(maker.partition(" ")[0].casefold())
    iso = taken.get(_Base.ISOSpeedRatings)
    return CameraFacts(
        camera=model if named else f"{maker} {model}".strip(),
        lens=_text(taken.get(_Base.LensModel)),
        exposureSeconds=_positive(taken.get(_Base.ExposureTime)),
        aperture=_positive(taken.get(_Base.FNumber)),
        iso=_positive(iso[0] if isinstance(iso, tuple) and iso else iso),
        focalLength=_positive(taken.get(_Base.FocalLength)),
        latitude=_degrees(gps.get(_Gps.GPSLatitude), gps.get(_Gps.GPSLatitudeRef), 90, "S"),
        longitude=_degrees(gps.get(_Gps.GPSLongitude), gps.get(_Gps.GPSLongitudeRef), 180, "W"),
    )


def _text(value: object) -> str:
    text = str(value).replace("\x00", " ") if isinstance(value, str) else ""
    return " ".join("".join(sign for sign in text if sign.isprintable()).split())[:LONGEST_NAME]


def _positive(value: object) -> float | None:
    """A number above 0; cameras write 0 or nonsense for what they do not know."""
    with contextlib.suppress(TypeError, ValueError, ZeroDivisionError, OverflowError):
        number = float(value)  # type: ignore[arg-type]
        if math.isfinite(number) and 0 < number < 1e9:
            return number
    return None


def _degrees(parts: object, side: object, most: int, negative: str) -> float | None:
    """Degrees, minutes and seconds as one number, south and west below 0."""
    with contextlib.suppress(TypeError, ValueError, ZeroDivisionError, OverflowError):
        degrees, minutes, seconds = (float(part) for part in parts)  # type: ignore[attr-defined]
        number = degrees + minutes / 60 + seconds / 3600
        if math.isfinite(number) and 0 <= number <= most and _text(side):
            return -number if _text(side).upper() == negative else number
    return None
