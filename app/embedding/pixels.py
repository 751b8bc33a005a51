"""From a decoded picture to the square of pixels that a model looks at.

The result equals OpenCLIP's own preprocessing (resize, then crop or pad at the centre), but only
the part of the picture that ends up in the square is resampled, so a 1 × 20000 picture costs no
more than any other. Two things are better than there: palettes are resampled as colours, and
transparency is laid on white instead of being dropped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_RESAMPLING = {
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
}
REDUCING_GAP = 3.0
"""Shrink by whole steps first, down to three times the wanted size: five times as fast for
12 megapixels, and 0.3 grey levels off on average."""
_RESAMPLED_AS_THEY_ARE = frozenset({"L", "RGB", "RGBA", "CMYK"})


@dataclass(frozen=True, slots=True)
class PixelSpec:
    """What a model wants to see; the same for every picture of a session."""

    size: int
    """Side of the square input, in pixels."""
    resize_mode: Literal["shortest", "longest", "squash"] = "shortest"
    """Crop what sticks out of the square, pad what is missing of it, or stretch to it."""
    interpolation: Literal["bicubic", "bilinear"] = "bicubic"
    fill: int = 0
    """Grey level, 0 to 255, that pads the square in mode ``longest``."""


class Turn(NamedTuple):
    """How the stored picture becomes the one that a person sees: first swapped, then mirrored."""

    swap: bool = False
    """Rows become columns."""
    mirror_x: bool = False
    mirror_y: bool = False


TURNS = {
    2: Turn(mirror_x=True),
    3: Turn(mirror_x=True, mirror_y=True),
    4: Turn(mirror_y=True),
    5: Turn(swap=True),
    6: Turn(swap=True, mirror_x=True),
    7: Turn(swap=True, mirror_x=True, mirror_y=True),
    8: Turn(swap=True, mirror_y=True),
}
"""EXIF orientations; every other value leaves the picture as it is stored."""

_Box = tuple[float, float, float, float]


def fit(
    picture: Image.Image, size: tuple[float, float], turn: Turn, spec: PixelSpec
) -> NDArray[np.uint8]:
    """The square that the model sees.

    Args:
        picture: as stored in the file, of any mode; perhaps decoded at a reduced scale.
        size: exact width and height of the content of ``picture`` in its own pixels; with a
            reduced scale this is a fraction, and the last column and row reach beyond it.
        turn: what makes the picture upright.
        spec: what the model wants.

    Returns:
        shape (spec.size, spec.size, 3), RGB, contiguous.
    """
    width, height = reversed(size) if turn.swap else size
    (wide, high), box = _plan(width, height, spec)
    left, top, right, bottom = _as_stored(box, width, height, turn)
    stored_size = (high, wide) if turn.swap else (wide, high)
    resized = resampleable(picture).resize(
        stored_size,
        _RESAMPLING[spec.interpolation],
        box=(max(left, 0.0), max(top, 0.0), min(right, picture.width), min(bottom, picture.height)),
        reducing_gap=REDUCING_GAP,
    )
    pixels = upright(np.asarray(_on_white(resized)), turn)
    return _padded(pixels, spec)


def _plan(width: float, height: float, spec: PixelSpec) -> tuple[tuple[int, int], _Box]:
    """Size to resample to, and which part of the upright picture to resample."""
    side = spec.size
    whole = (0.0, 0.0, width, height)
    if spec.resize_mode == "squash":
        return (side, side), whole
    if spec.resize_mode == "longest":
        ratio = max(width, height) / side
        return (max(1, round(width / ratio)), max(1, round(height / ratio))), whole
    # OpenCLIP resizes to these whole numbers and crops the square in the middle of them.
    shortest = min(width, height)
    wide, high = int(side * width / shortest), int(side * height / shortest)
    x, y = round((wide - side) / 2), round((high - side) / 2)
    across, down = width / wide, height / high
    return (side, side), (x * across, y * down, (x + side) * across, (y + side) * down)


def _as_stored(box: _Box, width: float, height: float, turn: Turn) -> _Box:
    """Where a box of the upright picture of ``width`` × ``height`` lies in the stored one."""
    left, top, right, bottom = box
    if turn.mirror_x:
        left, right = width - right, width - left
    if turn.mirror_y:
        top, bottom = height - bottom, height - top
    return (top, left, bottom, right) if turn.swap else (left, top, right, bottom)


def upright(pixels: NDArray[np.uint8], turn: Turn) -> NDArray[np.uint8]:
    """``pixels``, shape (height, width, …), as a person sees the picture."""
    if turn.swap:
        pixels = pixels.transpose(1, 0, 2)
    if turn.mirror_x:
        pixels = pixels[:, ::-1]
    if turn.mirror_y:
        pixels = pixels[::-1]
    return pixels


def _padded(pixels: NDArray[np.uint8], spec: PixelSpec) -> NDArray[np.uint8]:
    """``pixels`` in the middle of the square; the odd row or column goes to the far side."""
    high, wide, _ = pixels.shape
    if (high, wide) == (spec.size, spec.size):
        return np.ascontiguousarray(pixels)
    square = np.full((spec.size, spec.size, 3), spec.fill, dtype=np.uint8)
    top, left = (spec.size - high) // 2, (spec.size - wide) // 2
    square[top : top + high, left : left + wide] = pixels
    return square


def resampleable(picture: Image.Image) -> Image.Image:
    """The picture in a mode whose values can be averaged, 8 bits for each band."""
    if picture.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
    if picture.mode in ("I", "F"):
        return _scaled_to_8_bits(picture)
    if picture.has_transparency_data:
        return picture if picture.mode == "RGBA" else picture.convert("RGBA")
    if picture.mode in _RESAMPLED_AS_THEY_ARE:
        return picture
    return picture.convert("L" if picture.mode == "1" else "RGB")


def _scaled_to_8_bits(picture: Image.Image) -> Image.Image:
    """Integers of 32 bits or floats as grey levels, by the smallest usual range that holds them."""
    with np.errstate(invalid="ignore"):  # damaged files hold patterns of bits that are no number
        values = np.asarray(picture).astype(np.float64)
    known = np.isfinite(values)
    if not known.any():
        return Image.new("L", picture.size)
    low, high = min(0.0, float(values[known].min())), float(values[known].max())
    # ranges of floats 0 to 1, of 8 bits and of 16 bits; anything else by its own extremes
    ranges = (255.0, 65535.0) if picture.mode == "I" else (1.0, 255.0, 65535.0)
    top = next((limit for limit in ranges if high <= limit), high)
    grey = (np.where(known, values, low) - low) * (255 / (top - low))
    return Image.fromarray(grey.round().astype(np.uint8))


def _on_white(picture: Image.Image) -> Image.Image:
    """RGB; where the picture is transparent, white shows through."""
    if picture.mode != "RGBA":
        return picture.convert("RGB")
    white = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(white, picture).convert("RGB")
