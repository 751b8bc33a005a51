"""From a decoded picture to the square of pixels that a model looks at.

The result equals OpenCLIP's own preprocessing (resize, then crop or pad at the centre), but only
the part of the picture that ends up in the square is resampled, so a 1 × 20000 picture costs no
more than any other. Two things are better than there: palettes are resampled as colours, and
transparency is laid on white instead of being dropped.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.pictures.colour import SRGB, Colours, to_srgb

_RESAMPLING = {
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
}
REDUCING_GAP = 3.0
"""Shrink by whole steps first, down to three times the wanted size: five times as fast for
12 megapixels, and 0.3 grey levels off on average."""
_RESAMPLED_AS_THEY_ARE = frozenset({"L", "RGB", "CMYK", "LAB"})
_STRIP_PIXELS = 4_000_000
"""Pixels of a large picture that are brought into another mode at a time."""
WHOLE = (0.0, 0.0, 1.0, 1.0)
"""The region that is all of a picture."""


@dataclass(frozen=True, slots=True)
class PixelSpec:
    """What a model wants to see; but for the region the same for every picture."""

    size: int
    """Side of the square input, in pixels."""
    resize_mode: Literal["shortest", "longest", "squash"] = "shortest"
    """Crop what sticks out of the square, pad what is missing of it, or stretch to it."""
    interpolation: Literal["bicubic", "bilinear"] = "bicubic"
    fill: int = 0
    """Grey level, 0 to 255, that pads the square in mode ``longest``."""
    region: tuple[float, float, float, float] = WHOLE
    """The part to look at: left, top, right and bottom as shares of the upright picture."""

    @property
    def whole_size(self) -> int:
        """How large the whole picture is needed, as ``size`` says it, for the region to fill the
        square."""
        left, top, right, bottom = self.region
        return math.ceil(self.size / min(right - left, bottom - top))


class Orientation(NamedTuple):
    """How the stored picture becomes the one that a person sees: first swapped, then mirrored."""

    swap: bool = False
    """Rows become columns."""
    mirror_x: bool = False
    mirror_y: bool = False


ORIENTATIONS = {
    2: Orientation(mirror_x=True),
    3: Orientation(mirror_x=True, mirror_y=True),
    4: Orientation(mirror_y=True),
    5: Orientation(swap=True),
    6: Orientation(swap=True, mirror_x=True),
    7: Orientation(swap=True, mirror_x=True, mirror_y=True),
    8: Orientation(swap=True, mirror_y=True),
}
"""EXIF orientations; every other value leaves the picture as it is stored."""

_Box = tuple[float, float, float, float]


def fit(
    picture: Image.Image,
    size: tuple[float, float],
    orientation: Orientation,
    spec: PixelSpec,
    colours: Colours = SRGB,
) -> NDArray[np.uint8]:
    """The square that the model sees.

    Args:
        picture: as stored in the file, of any mode; perhaps decoded at a reduced scale.
        size: exact width and height of the content of ``picture`` in its own pixels; with a
            reduced scale this is a fraction, and the last column and row reach beyond it.
        orientation: what makes the picture upright.
        spec: what the model wants.
        colours: what the numbers in ``picture`` mean.

    Returns:
        shape (spec.size, spec.size, 3), RGB, contiguous.
    """
    width, height = reversed(size) if orientation.swap else size
    left, top, right, bottom = _part(width, height, spec.region)
    (wide, high), within = _plan(right - left, bottom - top, spec)
    box = (left + within[0], top + within[1], left + within[2], top + within[3])
    box = _as_stored(box, width, height, orientation)
    stored_size = (high, wide) if orientation.swap else (wide, high)
    resized = resampled(picture, stored_size, box, _RESAMPLING[spec.interpolation])
    pixels = upright(np.asarray(on_white(to_srgb(resized, colours))), orientation)
    return _padded(pixels, spec)


def resized_to(width: float, height: float, spec: PixelSpec) -> tuple[int, int]:
    """Width and height that OpenCLIP resizes a whole picture to, before it crops or pads it."""
    if spec.resize_mode == "squash":
        return spec.size, spec.size
    if spec.resize_mode == "longest":
        ratio = max(width, height) / spec.size
        return max(1, round(width / ratio)), max(1, round(height / ratio))
    shortest = min(width, height)
    return int(spec.size * width / shortest), int(spec.size * height / shortest)


def _part(width: float, height: float, region: _Box) -> _Box:
    """The region in pixels; where it is no square, with what lies beside it, as far as that goes:
    a model sees a square, and is to see all of what was chosen, undistorted."""
    left, right = region[0] * width, region[2] * width
    top, bottom = region[1] * height, region[3] * height
    side = max(right - left, bottom - top)
    left, right = _widened(left, right, min(side, width), width)
    top, bottom = _widened(top, bottom, min(side, height), height)
    return left, top, right, bottom


def _widened(begin: float, end: float, length: float, limit: float) -> tuple[float, float]:
    begin = min(max((begin + end - length) / 2, 0.0), limit - length)
    return begin, begin + length


def _plan(width: float, height: float, spec: PixelSpec) -> tuple[tuple[int, int], _Box]:
    """Size to resample to, and which part of the upright picture, or region, to resample."""
    wide, high = resized_to(width, height, spec)
    if spec.resize_mode != "shortest":
        return (wide, high), (0.0, 0.0, width, height)
    side = spec.size  # OpenCLIP crops the square in the middle
    x, y = round((wide - side) / 2), round((high - side) / 2)
    across, down = width / wide, height / high
    return (side, side), (x * across, y * down, (x + side) * across, (y + side) * down)


def _as_stored(box: _Box, width: float, height: float, orientation: Orientation) -> _Box:
    """Where a box of the upright picture of ``width`` × ``height`` lies in the stored one."""
    left, top, right, bottom = box
    if orientation.mirror_x:
        left, right = width - right, width - left
    if orientation.mirror_y:
        top, bottom = height - bottom, height - top
    return (top, left, bottom, right) if orientation.swap else (left, top, right, bottom)


def upright(pixels: NDArray[np.uint8], orientation: Orientation) -> NDArray[np.uint8]:
    """``pixels``, shape (height, width, …), as a person sees the picture."""
    if orientation.swap:
        pixels = pixels.swapaxes(0, 1)
    if orientation.mirror_x:
        pixels = pixels[:, ::-1]
    if orientation.mirror_y:
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


def resampled(
    picture: Image.Image,
    size: tuple[int, int],
    box: _Box,
    resampling: Image.Resampling = Image.Resampling.BICUBIC,
) -> Image.Image:
    """A part of a picture in another size, without a copy of a large picture on the way.

    Args:
        picture: of any mode.
        size: width and height of the result, in pixels.
        box: left, top, right and bottom of the part, in pixels of ``picture``.

    Returns:
        a picture of mode L, RGB, RGBA, CMYK or LAB.
    """
    box = (
        max(box[0], 0.0),
        max(box[1], 0.0),
        min(box[2], picture.width),
        min(box[3], picture.height),
    )
    if picture.mode in _RESAMPLED_AS_THEY_ARE and not picture.has_transparency_data:
        return picture.resize(size, resampling, box=box, reducing_gap=REDUCING_GAP)
    small, box = _reduced(picture, size, box)
    if small.mode == "RGBa":
        return small.resize(size, resampling, box=box).convert("RGBA")
    return small.resize(size, resampling, box=box)


def _reduced(picture: Image.Image, size: tuple[int, int], box: _Box) -> tuple[Image.Image, _Box]:
    """The part in a mode that can be averaged, shrunk by whole steps, strip after strip.

    Returns:
        the shrunk part, with some more around it, and where in it the ``box`` lies.
    """
    across = int((box[2] - box[0]) / size[0] / REDUCING_GAP) or 1
    down = int((box[3] - box[1]) / size[1] / REDUCING_GAP) or 1
    # as much more on each side as the later resampling looks at, in whole steps from the edge
    beyond_x, beyond_y = 3 * (box[2] - box[0]) / size[0], 3 * (box[3] - box[1]) / size[1]
    left = max(0, int((box[0] - beyond_x) // across * across))
    top = max(0, int((box[1] - beyond_y) // down * down))
    right = min(picture.width, math.ceil(box[2] + beyond_x))
    bottom = min(picture.height, math.ceil(box[3] + beyond_y))
    averageable = _averageable(picture)
    rows = max(_STRIP_PIXELS // (right - left) // down, 1) * down
    whole: Image.Image | None = None
    for start in range(top, bottom, rows):
        strip = averageable(picture.crop((left, start, right, min(start + rows, bottom))))
        strip = strip.reduce((across, down))
        if whole is None:
            whole = Image.new(strip.mode, (strip.width, math.ceil((bottom - top) / down)))
        whole.paste(strip, (0, (start - top) // down))
    assert whole is not None
    return whole, (
        (box[0] - left) / across,
        (box[1] - top) / down,
        (box[2] - left) / across,
        (box[3] - top) / down,
    )


def _averageable(picture: Image.Image) -> Callable[[Image.Image], Image.Image]:
    """What brings any part of the picture into a mode of 8 bits for each band, to be averaged."""
    if picture.mode.startswith("I;16"):
        return _upper_8_bits
    if picture.mode in ("I", "F"):
        low, high = _range(picture)
        return lambda part: _scaled_to_8_bits(part, low, high)
    if picture.has_transparency_data:
        return _premultiplied
    return lambda part: part.convert("L" if part.mode == "1" else "RGB")


def _premultiplied(picture: Image.Image) -> Image.Image:
    if picture.mode == "La":  # Pillow knows but this one way out of it
        picture = picture.convert("LA")
    return picture.convert("RGBA").convert("RGBa")


def _upper_8_bits(picture: Image.Image) -> Image.Image:
    return Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))


def _range(picture: Image.Image) -> tuple[float, float]:
    """The smallest usual range that holds all values of a picture of 32-bit integers or floats."""
    low, high = 0.0, -math.inf
    rows = max(_STRIP_PIXELS // picture.width, 1)
    for top in range(0, picture.height, rows):
        box = (0, top, picture.width, min(top + rows, picture.height))
        values = np.asarray(picture.crop(box))
        values = values[np.isfinite(values)]
        if values.size:
            low, high = min(low, float(values.min())), max(high, float(values.max()))
    # ranges of floats 0 to 1, of 8 bits and of 16 bits; anything else by its own extremes
    ranges = (255.0, 65535.0) if picture.mode == "I" else (1.0, 255.0, 65535.0)
    return low, next((limit for limit in ranges if high <= limit), high)


def _scaled_to_8_bits(picture: Image.Image, low: float, high: float) -> Image.Image:
    """Integers of 32 bits or floats as grey levels; what is no number is black."""
    with np.errstate(invalid="ignore"):  # damaged files hold patterns of bits that are no number
        values = np.asarray(picture).astype(np.float64)
    values = np.where(np.isfinite(values), values, low)
    grey = (values - low) * (255 / (high - low))
    return Image.fromarray(grey.round().astype(np.uint8))


def on_white(picture: Image.Image) -> Image.Image:
    """RGB; where the picture is transparent, white shows through."""
    if picture.mode != "RGBA":
        return picture.convert("RGB")
    white = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(white, picture).convert("RGB")
