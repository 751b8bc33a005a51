"""Vectors that belong to their ids, and a process that stores them until it is killed.

    python tests/unit/vectors/stored_vectors.py FOLDER FIRST_ID

It prints how many are stored, as soon as the store has acknowledged them.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.vectors import embedded
from app.vectors.protocol import VectorPoint

DIMENSION = 512
BATCH = 32
PAYLOAD = {
    "folder": ["/", "/home", "/home/Bilder ü"],
    "taken_at": 1_700_000_000,
    "format": "jpeg",
    "orientation": "landscape",
}


def unit(vectors: NDArray[np.floating]) -> NDArray[np.float32]:
    """The same directions, at unit length; shape (…, dimension)."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return (vectors / lengths).astype(np.float32)


def random_vectors(number: int, dimension: int, seed: int = 0) -> NDArray[np.float32]:
    """Random directions, shape (number, dimension)."""
    return unit(np.random.default_rng(seed).standard_normal((number, dimension)))


def known_vectors(asset_ids: range) -> NDArray[np.float32]:
    """The vectors that belong to these ids, shape (ids, 512), cheap to make again."""
    base = random_vectors(64, DIMENSION)
    return np.stack([np.roll(base[i % 64], i // 64) for i in asset_ids])


def store_for_ever(folder: Path, first: int) -> None:
    embedded.HOUSEKEEPING_POINTS = 5000
    store = embedded.EmbeddedStore(folder)
    store.ensure_collection("c", DIMENSION)
    while True:
        vectors = known_vectors(range(first, first + BATCH))
        store.upsert("c", [VectorPoint(first + i, v, PAYLOAD) for i, v in enumerate(vectors)])
        first += BATCH
        print(first, flush=True)


if __name__ == "__main__":
    store_for_ever(Path(sys.argv[1]), int(sys.argv[2]))
