"""The vector store on a Qdrant server, for several workers on several machines."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError
from qdrant_client import QdrantClient, models
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from app.api.search_schemas import Restriction
from app.errors import AppError, first_line
from app.vectors.protocol import (
    FENCE,
    IDS_PER_PAGE,
    OVERSAMPLING,
    PAYLOAD_INDEXES,
    ScoredAsset,
    UnknownCollectionError,
    VectorPoint,
    check_name,
    check_shape,
    chunked,
    dimension_error,
    is_name,
)

TIMEOUT_S = 30
POINTS_PER_REQUEST = 256
"""Keeps a request of vectors with up to 4,096 numbers under the server's limit of 32 MB."""
OLDEST_VERSION = (1, 16)
"""Of the server: the first that stores on a condition, which the fence is."""

_RESCORED = models.SearchParams(
    quantization=models.QuantizationSearchParams(rescore=True, oversampling=OVERSAMPLING)
)


class ServerStore:
    """A vector store on a Qdrant server, over REST. Nothing is sent before the first call.

    Args:
        url: the server's address; without a port, 6333.
        timeout: seconds to wait for an answer.
    """

    def __init__(self, url: str, timeout: int = TIMEOUT_S) -> None:
        self._url = url
        # The client's own version check runs in a thread of its own and warns instead of raising.
        self._client = QdrantClient(url=url, timeout=timeout, check_compatibility=False)
        self._dimensions: dict[str, int] = {}

    def ensure_collection(self, name: str, dimension: int) -> None:
        check_name(name)
        with self._translate_errors():
            self._check_version()
            if not self._client.collection_exists(name):
                self._create(name, dimension)
            stored = self._dimension(name)
            if stored != dimension:
                raise dimension_error(name, stored, dimension)
            # Not only after creating: the worker that created it may have died before this.
            present = self._client.get_collection(name).payload_schema
            for field, kind in PAYLOAD_INDEXES.items():
                if field not in present:
                    self._client.create_payload_index(
                        name, field, models.PayloadSchemaType(kind), wait=True
                    )

    def collections(self) -> list[str]:
        with self._translate_errors():
            return sorted(each.name for each in self._client.get_collections().collections)

    def drop_collection(self, name: str) -> None:
        with self._translate_errors():
            self._dimensions.pop(name, None)
            if is_name(name) and self._client.collection_exists(name):
                self._client.delete_collection(name)

    def upsert(self, collection: str, points: Sequence[VectorPoint], fence: int = 0) -> None:
        number = {FENCE: fence} if fence else {}
        with self._translate_errors():
            dimension = self._dimension(collection)
            for point in points:
                check_shape(point.vector, dimension)
            for batch in chunked(points, POINTS_PER_REQUEST):
                request = models.Batch(
                    ids=[point.asset_id for point in batch],
                    vectors=[point.vector.tolist() for point in batch],
                    payloads=[{**point.payload, **number} for point in batch],
                )
                self._confirm(
                    self._client.upsert(
                        collection,
                        request,
                        wait=True,
                        update_filter=_below(fence) if fence else None,
                    )
                )

    def set_payloads(self, collection: str, payloads: Mapping[int, Mapping[str, object]]) -> None:
        with self._translate_errors():
            self._dimension(collection)
            for batch in chunked(list(payloads), POINTS_PER_REQUEST):
                there = self._client.retrieve(
                    collection, list(batch), with_payload=False, with_vectors=False
                )
                replaced = [
                    models.OverwritePayloadOperation(
                        overwrite_payload=models.SetPayload(
                            payload=dict(payloads[int(record.id)]), points=[record.id]
                        )
                    )
                    for record in there
                ]
                if replaced:
                    for result in self._client.batch_update_points(collection, replaced, wait=True):
                        self._confirm(result)

    def vectors(self, collection: str, asset_ids: Sequence[int]) -> dict[int, NDArray[np.float32]]:
        found: dict[int, NDArray[np.float32]] = {}
        with self._translate_errors():
            self._dimension(collection)
            for batch in chunked(asset_ids, POINTS_PER_REQUEST):
                for record in self._client.retrieve(
                    collection, list(batch), with_payload=False, with_vectors=True
                ):
                    found[int(record.id)] = np.asarray(record.vector, dtype=np.float32)
        return found

    def ids(self, collection: str) -> Iterator[list[int]]:
        following: models.ExtendedPointId | None = None
        while True:
            with self._translate_errors():
                self._dimension(collection)
                records, following = self._client.scroll(
                    collection,
                    limit=IDS_PER_PAGE,
                    offset=following,
                    with_payload=False,
                    with_vectors=False,
                )
            if records:
                yield [int(record.id) for record in records]
            if following is None:
                return

    def delete(self, collection: str, asset_ids: Sequence[int]) -> None:
        with self._translate_errors():
            self._dimension(collection)
            for batch in chunked(asset_ids, IDS_PER_PAGE):
                chosen = models.PointIdsList(points=list(batch))
                self._confirm(self._client.delete(collection, chosen, wait=True))

    def count(self, collection: str, *, exact: bool = True) -> int:
        with self._translate_errors():
            self._dimension(collection)
            return self._client.count(collection, exact=exact).count

    def query(
        self,
        collection: str,
        vector: NDArray[np.float32],
        limit: int,
        offset: int = 0,
        min_score: float | None = None,
        restriction: Restriction | None = None,
    ) -> list[ScoredAsset]:
        with self._translate_errors():
            check_shape(vector, self._dimension(collection))
            hits = self._client.query_points(
                collection,
                query=vector.tolist(),
                limit=limit,
                offset=offset,
                query_filter=_to_filter(restriction) if restriction else None,
                search_params=_RESCORED,
                with_payload=False,
            ).points
        # The server would apply a threshold to the rounded scores of the quantized vectors.
        return [
            ScoredAsset(int(hit.id), hit.score)
            for hit in hits
            if min_score is None or hit.score >= min_score
        ]

    def flush(self) -> None:
        """Nothing to do: the server writes and optimizes by itself."""

    def close(self) -> None:
        self._client.close()

    def _create(self, name: str, dimension: int) -> None:
        """Make a collection with the settings of the embedded store, so that both rank alike."""
        try:
            self._client.create_collection(
                name,
                vectors_config=models.VectorParams(
                    size=dimension, distance=models.Distance.DOT, on_disk=True
                ),
                hnsw_config=models.HnswConfigDiff(m=0),
                quantization_config=models.ScalarQuantization(
                    scalar=models.ScalarQuantizationConfig(
                        type=models.ScalarType.INT8, always_ram=True
                    )
                ),
                on_disk_payload=True,
            )
        except UnexpectedResponse as error:
            if error.status_code != 409:  # another worker made it in between
                raise

    def _check_version(self) -> None:
        version = self._client.info().version
        numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:2])
        if numbers < OLDEST_VERSION:
            raise AppError(
                f"The Qdrant server at {self._url} has version {version}, which is too old.",
                f"Upgrade it to {'.'.join(map(str, OLDEST_VERSION))} or newer.",
            )

    def _dimension(self, collection: str) -> int:
        """The dimension of a collection; asked of the server once."""
        if collection not in self._dimensions:
            if not is_name(collection):  # it is a part of the address that is asked
                raise UnknownCollectionError(collection)
            if not self._client.collection_exists(collection):
                raise UnknownCollectionError(collection)
            params = self._client.get_collection(collection).config.params.vectors
            if not isinstance(params, models.VectorParams):
                raise AppError(
                    f"The collection “{collection}” on {self._url} was not made by this program.",
                    "Use another Qdrant server, or delete that collection.",
                )
            self._dimensions[collection] = params.size
        return self._dimensions[collection]

    def _confirm(self, result: models.UpdateResult) -> None:
        if result.status != models.UpdateStatus.COMPLETED:
            raise AppError(
                f"The Qdrant server at {self._url} did not confirm a change in time.",
                "Check how busy it is and try again; nothing is stored twice.",
                transient=True,
            )

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        """Turn errors of the connection and of the server into sentences; others pass."""
        try:
            yield
        except json.JSONDecodeError as error:
            raise self._not_qdrant() from error
        except ResponseHandlingException as error:
            if isinstance(error.source, ValidationError):
                raise self._not_qdrant() from error
            raise AppError(
                f"The Qdrant server at {self._url} does not answer.",
                "Start it, or check AFTERIMAGE_QDRANT_URL and the network.",
                transient=True,
            ) from error
        except (UnexpectedResponse, ResourceExhaustedResponse) as error:
            raise AppError(
                f"The Qdrant server at {self._url} refused a request: {_reason(error)}.",
                "See the server's log.",
                transient=_passes(error),
            ) from error

    def _not_qdrant(self) -> AppError:
        return AppError(
            f"What answers at {self._url} is not a Qdrant server of a known version.",
            "Check AFTERIMAGE_QDRANT_URL.",
        )


def _to_filter(restriction: Restriction) -> models.Filter:
    conditions: list[models.Condition] = [
        models.FieldCondition(key=field, match=models.MatchAny(any=values))
        for field, values in restriction.matches().items()
    ]
    if restriction.taken_from is not None or restriction.taken_before is not None:
        within = models.Range(gte=restriction.taken_from, lt=restriction.taken_before)
        conditions.append(models.FieldCondition(key="taken_at", range=within))
    return models.Filter(must=conditions)


def _passes(error: UnexpectedResponse | ResourceExhaustedResponse) -> bool:
    """Whether the server refuses for the moment: it is busy, starting, full, or its proxy says."""
    if isinstance(error, ResourceExhaustedResponse):
        return True
    status = error.status_code or 0
    return status in (408, 429) or status >= 500


def _below(fence: int) -> models.Filter:
    """That a point has no such number, or a lesser one."""
    reached = models.FieldCondition(key=FENCE, range=models.Range(gte=fence))
    return models.Filter(must_not=[reached])


def _reason(error: UnexpectedResponse | ResourceExhaustedResponse) -> str:
    """What the server says went wrong, in one line."""
    if isinstance(error, UnexpectedResponse):
        try:
            return str(error.structured()["status"]["error"]).rstrip(" .")
        except (ValueError, KeyError, TypeError):
            pass
    return first_line(error)
