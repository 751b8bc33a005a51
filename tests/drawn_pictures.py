"""Pictures for the tests of decoding, drawn on the spot."""

from __future__ import annotations

from functools import lru_cache
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

from app.pictures.decode import FileContent


def photo(width: int, height: int) -> Image.Image:
    """Soft colours, different everywhere, with the grain that real photos have."""
    return _photo(width, height).copy()


@lru_cache(16)
def _photo(width: int, height: int) -> Image.Image:
    x = np.arange(width, dtype=np.float32)
    y = np.arange(height, dtype=np.float32)[:, None]
    grain = np.random.default_rng(width * height).normal(128, 6, (height, width))
    pixels = np.empty((height, width, 3), np.uint8)
    # one at a time: large pictures take four times as long at once, most of it for memory
    pixels[..., 0] = np.clip(90 * np.sin(x / 37 + y / 91) + grain, 0, 255)
    pixels[..., 1] = np.clip(90 * np.sin(y / 53 - x / 71) + grain, 0, 255)
    pixels[..., 2] = np.clip(100 * np.cos(x / 19) * np.sin(y / 23) + grain, 0, 255)
    return Image.fromarray(pixels)


def encoded(picture: Image.Image, format: str, **options: Any) -> bytes:
    file = BytesIO()
    picture.save(file, format, **options)
    return file.getvalue()


def content(data: bytes) -> FileContent:
    return FileContent(data, sha256="", size=len(data), mtime_ns=0)
