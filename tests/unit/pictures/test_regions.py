"""A part of a picture, as a model sees it."""

from __future__ import annotations

import hashlib
from io import BytesIO

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from app.pictures.decode import FileContent, PixelSpec, decode
from app.pictures.pixels import WHOLE, Orientation, fit

Region = tuple[float, float, float, float]
SIDE = 32


def scene(width: int = 600, height: int = 400) -> Image.Image:
    """Every place of it has a colour of its own."""
    x, y = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return Image.fromarray(np.stack([x, y, 255 - x], axis=-1).astype(np.uint8))


def seen(picture: Image.Image, region: Region = WHOLE) -> NDArray[np.int16]:
    square = fit(picture, picture.size, Orientation(), PixelSpec(SIDE, region=region))
    return square.astype(np.int16)


def test_a_square_part_looks_as_if_it_were_cut_out() -> None:
    picture = scene()
    part = seen(picture, (0.25, 0.25, 0.5, 0.625))  # 150 × 150
    assert np.abs(part - seen(picture.crop((150, 100, 300, 250)))).max() <= 2


@pytest.mark.parametrize(
    ("region", "box"),
    [
        ((0.5, 0.25, 0.6, 0.75), (230, 100, 430, 300)),  # a tall one, with what lies beside it
        ((0.0, 0.25, 0.1, 0.75), (0, 100, 200, 300)),  # at the edge, with what there is
        ((0.1, 0.5, 0.5, 0.52), (60, 84, 300, 324)),  # a wide one
    ],
)
def test_nothing_of_a_part_is_cut_off_or_distorted(
    region: Region, box: tuple[int, int, int, int]
) -> None:
    picture = scene()
    assert np.abs(seen(picture, region) - seen(picture.crop(box))).max() <= 2


def test_a_part_is_one_of_the_upright_picture() -> None:
    upright = scene()
    stored = upright.transpose(Image.Transpose.ROTATE_90)
    turned = Orientation(swap=True, mirror_x=True)
    spec = PixelSpec(SIDE, region=(0.0, 0.0, 0.25, 0.375))
    part = fit(stored, stored.size, turned, spec).astype(np.int16)
    assert np.abs(part - seen(upright.crop((0, 0, 150, 150)))).max() <= 2


def test_a_jpeg_is_decoded_as_large_as_a_part_needs_it() -> None:
    picture = scene(2_000, 2_000)
    lines = np.asarray(picture).copy()
    lines[100:200, 100:200:8] = 255
    buffer = BytesIO()
    Image.fromarray(lines).save(buffer, "JPEG", quality=95)
    data = buffer.getvalue()
    content = FileContent(data, hashlib.sha256(data).hexdigest(), len(data), 0)
    spec = PixelSpec(96, region=(0.05, 0.05, 0.1, 0.1))
    part = decode(content, "a.jpg", spec, 200).pixels.astype(np.int16)
    whole = seen(Image.open(BytesIO(data)).crop((100, 100, 200, 200)).convert("RGB"))
    assert part[..., 1].std() > 0.8 * whole[..., 1].std() > 0  # the lines are still there
    assert decode(content, "a.jpg", spec, 200).width == 2_000
