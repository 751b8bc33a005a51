"""Colours as every screen shows them: from a picture's own colour space to sRGB.

Pictures are converted once they are small, so it costs little; see ``docs/decisions``.
"""

from __future__ import annotations

from functools import lru_cache
from io import BytesIO
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageChops, ImageCms

from app.pictures.colour_profiles import profile_of_nclx, profile_of_png

_LARGEST_PROFILE = 16 * 1024**2  # bytes; those of printing presses have two million
_SAME = 2  # grey levels by which a profile may differ from sRGB and count as the same
_MODES = {b"RGB ": "RGB", b"GRAY": "L", b"CMYK": "CMYK", b"Lab ": "LAB"}
"""Of Pillow, by the colour space that stands in a profile."""
_CACHED = 32


class Colours(NamedTuple):
    """What the numbers of a picture mean."""

    profile: bytes = b""
    """An ICC profile; empty for sRGB, or where the file does not say."""
    inverted: bool = False
    """Whether CMYK tells how much ink is missing."""


SRGB = Colours()


def colours_of(picture: Image.Image, kind: str) -> Colours:
    """What a loaded picture's file says of its colours.

    Args:
        kind: its format, as :func:`app.pictures.diagnosis.identify` names it.
    """
    info = picture.info
    profile = info.get("icc_profile")
    if not isinstance(profile, bytes) or not 128 < len(profile) <= _LARGEST_PROFILE:
        profile = b""
        if isinstance(nclx := info.get("nclx_profile"), dict):
            profile = profile_of_nclx(nclx)
        elif kind == "PNG" and "srgb" not in info:
            profile = profile_of_png(info.get("gamma"), info.get("chromaticity"))
    # Pillow inverts the CMYK of every JPEG, also where it was not written by Adobe's rule
    inverted = kind == "JPEG" and picture.mode == "CMYK" and "adobe" not in info
    return Colours(profile, inverted)


def to_srgb(picture: Image.Image, colours: Colours) -> Image.Image:
    """The picture in sRGB; a profile that is damaged, or that does not fit it, is left aside.

    Args:
        picture: small, of mode L, RGB, RGBA, CMYK or LAB.

    Returns:
        a picture of mode L, RGB or RGBA.
    """
    if colours.inverted:
        picture = ImageChops.invert(picture)
    profile = colours.profile
    mode = _MODES.get(profile[16:20], "")
    if picture.mode == "LAB":
        profile, mode = b"", "LAB"
    elif picture.mode == "L" and mode == "RGB":
        picture = picture.convert("RGB") if _transform(profile, "RGB") else picture
    elif picture.mode == "RGBA" and mode == "RGB":
        mode = "RGBA"
    if picture.mode == mode and (transform := _transform(profile, mode)):
        return transform.apply(picture)
    return picture if picture.mode in ("L", "RGB", "RGBA") else picture.convert("RGB")


@lru_cache(_CACHED)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Made once for each profile, as most pictures of a camera share one; None for sRGB itself.

    Threads may share it: Little CMS changes nothing in it while it is in use.
    """
    try:
        source = ImageCms.ImageCmsProfile(
            ImageCms.createProfile("LAB") if mode == "LAB" else BytesIO(profile)
        )
        to = mode if mode == "RGBA" else "RGB"
        transform = ImageCms.ImageCmsTransform(source, _srgb(), mode, to)
        return transform if mode in ("CMYK", "LAB") or _changes(transform, mode) else None
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):  # damaged
        return None


@lru_cache(1)
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def _changes(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """Whether it does something to colours; the many profiles of sRGB differ in every byte."""
    levels = np.linspace(0, 255, 9).round().astype(np.uint8)
    colours = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(27, 27, 3)
    before = Image.fromarray(colours).convert(mode)
    after = transform.apply(before)
    difference = np.asarray(before.convert("RGB"), int) - np.asarray(after.convert("RGB"))
    return bool(np.abs(difference).max() > _SAME)
