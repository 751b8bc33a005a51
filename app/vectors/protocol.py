"""What the program asks of a vector store.

A vector store keeps one collection per model. A point of a collection is one picture: its id is
the id of the asset, so storing a picture again overwrites it; its vector is the unit-length
embedding; its payload is what a search may be restricted to.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypedDict, TypeVar

import numpy as np
from numpy.typing import NDArray

from app.api.search_schemas import Restriction
from app.errors import AppError

IDS_PER_PAGE = 10_000
OVERSAMPLING = 2.0
"""Candidates per result that are taken by quantized vectors and ranked again by exact ones."""

PAYLOAD_INDEXES: Mapping[str, Literal["keyword", "integer"]] = {
    "session": "integer",
    "folder": "keyword",
    "taken_at": "integer",
    "format": "keyword",
    "orientation": "keyword",
}
"""The payload fields that a search may be restricted to, and the kind of index on each."""

FENCE = "fence"
"""The payload field with the number of the store that wrote a point; see ``upsert``."""

_REFUSED = re.compile(r'[<>:"/\\|?*\x00-\x1f]')

T = TypeVar("T")


class PointPayload(TypedDict, total=False):
    """What a search may be restricted to. Text must be free of lone surrogates."""

    session: list[int]
    """The sessions that the picture belongs to."""
    folder: list[str]
    """Every ancestor folder of the picture, so that a folder is an exact keyword match."""
    taken_at: int
    """Unix time in seconds: when the camera took it, or else when its file was written."""
    format: str
    orientation: Literal["landscape", "portrait", "square"]


@dataclass(frozen=True, slots=True, eq=False)
class VectorPoint:
    """One picture in a collection."""

    asset_id: int
    vector: NDArray[np.float32]
    """Unit length, shape (dimension,)."""
    payload: Mapping[str, object]
    """A :class:`PointPayload`."""


@dataclass(frozen=True, slots=True)
class ScoredAsset:
    """One result of a query; the score is the cosine similarity, in [-1, 1]."""

    asset_id: int
    score: float


class UnknownCollectionError(LookupError):
    """A collection was used before :meth:`VectorStore.ensure_collection` made it: a bug."""


class VectorStore(Protocol):
    """Collections of unit-length vectors. Safe to use from several threads.

    Every method raises AppError where the store cannot be reached, read or written, and every
    method that names a collection raises UnknownCollectionError where there is none of that name.
    """

    def ensure_collection(self, name: str, dimension: int) -> None:
        """Make the collection, or do nothing where it is there.

        Raises:
            ValueError: Qdrant does not take the name: it is empty, dots only, over 255 characters,
                or holds a control character or one of ``<>:"/\\|?*``.
            AppError: it is there, with another dimension.
        """

    def collections(self) -> list[str]:
        """The names of all collections, sorted."""

    def drop_collection(self, name: str) -> None:
        """Remove a collection with all its points; does nothing where there is none."""

    def upsert(self, collection: str, points: Sequence[VectorPoint], fence: int = 0) -> None:
        """Store points, replacing those of the same id. On return they survive a power cut.

        Args:
            fence: where it is above 0, a point that was stored with this number or a greater one
                stays as it is: a writer that was held up overwrites nothing newer.

        Raises:
            ValueError: a vector is not of the collection's dimension; nothing is stored.
        """

    def set_payloads(self, collection: str, payloads: Mapping[int, Mapping[str, object]]) -> None:
        """Replace what stands beside vectors, for good on return; unknown ids are passed over.

        Args:
            payloads: by asset id, with its :data:`FENCE` where the point has one.
        """

    def vectors(self, collection: str, asset_ids: Sequence[int]) -> dict[int, NDArray[np.float32]]:
        """The stored vectors, bit for bit, each of shape (dimension,); unknown ids are left out."""

    def ids(self, collection: str) -> Iterator[list[int]]:
        """All point ids, ascending, in pages of up to ``IDS_PER_PAGE``; no page is empty."""

    def delete(self, collection: str, asset_ids: Sequence[int]) -> None:
        """Remove points, for good on return; unknown ids are passed over."""

    def count(self, collection: str, *, exact: bool = True) -> int:
        """The number of points.

        Args:
            exact: each is looked at, which takes longer than a query; otherwise the answer comes at
                once, and may be off by some while others write.
        """

    def query(
        self,
        collection: str,
        vector: NDArray[np.float32],
        limit: int,
        offset: int = 0,
        min_score: float | None = None,
        restriction: Restriction | None = None,
    ) -> list[ScoredAsset]:
        """The nearest points, best first, with exact scores.

        Args:
            collection: where to look.
            vector: unit length, shape (dimension,).
            limit: the most results to return, at least 1.
            offset: how many of the best results to skip.
            min_score: results below this score are left out.
            restriction: what results must have.
        """

    def flush(self) -> None:
        """Make queries quick again after many changes; a server does so by itself."""

    def close(self) -> None:
        """Give the store back; a second call does nothing."""


def dimension_error(collection: str, stored: int, wanted: int) -> AppError:
    """What :meth:`VectorStore.ensure_collection` raises where the dimensions differ."""
    return AppError(
        f"The picture index “{collection}” contains vectors with {stored} dimensions, "
        f"but the model produces {wanted}.",
        "Choose the model that the index was made with.",
    )


def is_name(collection: str) -> bool:
    """Whether a Qdrant server would take the name for a collection."""
    named = collection not in ("", ".", "..") and len(collection) <= 255
    return named and not _REFUSED.search(collection)


def check_name(collection: str) -> None:
    """Raise ValueError for a collection name that a Qdrant server would refuse."""
    if not is_name(collection):
        raise ValueError(f"{collection!r} cannot name a collection")


def check_shape(vector: NDArray[np.float32], dimension: int) -> None:
    """Raise ValueError unless the vector is of shape (dimension,)."""
    if vector.shape != (dimension,):
        raise ValueError(f"a vector of shape {vector.shape}, expected ({dimension},)")


def vector_checksum(vector: NDArray[np.float32]) -> str:
    """SHA-256 of the vector's little-endian float32 bytes, in hexadecimal."""
    return hashlib.sha256(np.ascontiguousarray(vector, dtype="<f4").tobytes()).hexdigest()


def chunked(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """The items in slices of up to ``size``."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def spread(asset_ids: Sequence[int] | NDArray[np.int64], number: int) -> list[int]:
    """Up to so many of the ids, at even distances."""
    return [int(one) for one in asset_ids[:: max(len(asset_ids) // number, 1)][:number]]
