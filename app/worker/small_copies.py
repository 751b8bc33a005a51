"""Small copies of pictures, by which two that a model takes for alike are compared once more.

A model that knows kinds of things gives two elephants nearly the same vector. What people mean by
near duplicates, such as a picture and its smaller copy or the shots of one moment, also has the
same light and dark in the same places.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from app.config import get_settings
from app.errors import AppError
from app.pictures.decode import PictureError
from app.pictures.fork_server import Stopped
from app.pictures.pixels import PixelSpec
from app.worker.context import context
from app.worker.likeness import paths_of

SIDE = 16
"""Pixels."""
SAME = 0.7
"""The least correlation of two that show the same. See the decision record for the figures."""
_COMPONENTS = 3 * SIDE * SIDE


class SmallCopies:
    """Those of some pictures, 1.5 kB each; made when they are first wanted, and kept."""

    def __init__(self) -> None:
        self._known: dict[int, NDArray[np.float16]] = {}

    def make(self, asset_ids: Sequence[int]) -> Iterator[None]:
        """Read the pictures that are not known yet; each step is one of them.

        Raises:
            Stopped: the worker is to end.
        """
        for asset_id, path in paths_of([one for one in asset_ids if one not in self._known]):
            self._known[asset_id] = small_copy(path)
            yield

    def correlations(self, asset_ids: Sequence[int], others: Sequence[int]) -> NDArray[np.float32]:
        """Of every picture with every other one, from -1 to 1; shape (asset_ids, others).

        What is not known, or cannot be read, is like nothing.
        """
        products: NDArray[np.float32] = self._rows(asset_ids) @ self._rows(others).T
        return products

    def _rows(self, asset_ids: Sequence[int]) -> NDArray[np.float32]:
        nothing = np.zeros(_COMPONENTS, np.float16)
        rows = [self._known.get(asset_id, nothing) for asset_id in asset_ids]
        return np.asarray(rows, np.float32).reshape(-1, _COMPONENTS)


def small_copy(path: str) -> NDArray[np.float16]:
    """Its colours, less their mean, of unit length; zeros where the picture cannot be read.

    Returns:
        shape (3 * SIDE * SIDE,).
    """
    limit = get_settings().max_image_megapixels
    try:
        with context().decoders.read(0, path) as file:
            pixels = file.decode(PixelSpec(SIDE, "squash"), limit).result().pixels
    except Stopped:
        raise
    except (PictureError, AppError):
        return np.zeros(_COMPONENTS, np.float16)
    values = pixels.astype(np.float32).ravel()
    values -= values.mean()
    return (values / max(float(np.linalg.norm(values)), 1.0)).astype(np.float16)
