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
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    colours = np.stack(
        [
            128 + 90 * np.sin(x / 37 + y / 91),
            128 + 90 * np.sin(y / 53 - x / 71),
            128 + 100 * np.cos(x / 19) * np.sin(y / 23),
        ],
        axis=-1,
    )
    grain = np.random.default_rng(width * height).normal(0, 6, (height, width, 1))
    return Image.fromarray(np.clip(colours + grain, 0, 255).astype(np.uint8))


def encoded(picture: Image.Image, format: str, **options: Any) -> bytes:
    file = BytesIO()
    picture.save(file, format, **options)
    return file.getvalue()


def content(data: bytes) -> FileContent:
    return FileContent(data, sha256="", size=len(data), mtime_ns=0)
