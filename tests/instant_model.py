"""A model that answers at once, in place of OpenCLIP's, for what is measured without one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from app.pictures.pixels import PixelSpec

DIMENSION = 128


class InstantModel:
    """Random vectors, at once."""

    name, version, digest = "instant", "1", "0" * 64
    collection, dimension = "instant", DIMENSION
    device_label, precision, notice = "cpu", "fp32", ""
    together = 0
    pixels = PixelSpec(224, "shortest", "bicubic", 0)

    def encode_images(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        return unit_vectors(len(batch))

    def free_memory(self) -> int:
        return 0

    def how(self) -> str:
        return "answers at once"


def unit_vectors(number: int) -> NDArray[np.float32]:
    """Random ones of unit length, shape (number, DIMENSION)."""
    vectors = np.random.default_rng().standard_normal((number, DIMENSION), np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def instant_encoder(*_: object) -> InstantModel:
    """What a worker is given when it asks for an encoder."""
    return InstantModel()
