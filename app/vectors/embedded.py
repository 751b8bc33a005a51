"""The embedded vector store: Qdrant's engine in this process, one folder per collection.

The engine's settings are measured (docs/decisions): no HNSW graph, whose construction froze the
process for minutes, but a scan of int8 vectors held in memory and a second ranking by the exact
ones on disk. Every update is in a write-ahead log before it is acknowledged.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import qdrant_edge as qe
from filelock import FileLock
from numpy.typing import NDArray

from app.api.search_schemas import Restriction
from app.vectors.embedded_errors import (
    FREE_TO_WRITE,
    LOCK_NAME,
    damaged,
    disk_full,
    translate_errors,
)
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
)

HOUSEKEEPING_POINTS = 20_000
"""Points between two rounds of housekeeping: each stalls the process for under half a second."""
MAX_SEGMENT_KB = 60_000
POINTS_PER_CALL = 1000
FREE_TO_OPEN = 64 * 2**20
"""Bytes; opening may have to apply the end of the write-ahead log."""

_INDEX_KINDS = {
    "keyword": qe.PayloadSchemaType.Keyword,
    "integer": qe.PayloadSchemaType.Integer,
}
_RESCORED = qe.SearchParams(
    quantization=qe.QuantizationSearchParams(rescore=True, oversampling=OVERSAMPLING)
)


ENGINE_LEFT = "*/segments/*/.atomicwrite*"
"""Where the engine writes a file before it gets its name; left there where it was killed."""


@dataclass(slots=True)
class _Collection:
    """One open collection."""

    shard: qe.EdgeShard
    dimension: int
    log: Path
    """The folder of the write-ahead log."""
    changes: int = 0
    """Points stored or deleted since the last housekeeping."""
    log_files: frozenset[str] = frozenset()
    """Those of the log when all else was last written to disk."""

    def sync(self) -> None:
        """Return once the disk holds every update.

        The log suffices, as opening the collection applies it. The engine's own flush writes some
        thirty files while no other thread can run; it is left for when a file of the log is full.
        """
        if sys.platform != "linux" or self._files() != self.log_files:
            self.shard.flush()
            self.log_files = self._files()
            return
        for name in self.log_files:
            if name.startswith("open-"):
                _sync_file(self.log / name)

    def _files(self) -> frozenset[str]:
        return frozenset(os.listdir(self.log))


class EmbeddedStore:
    """A vector store in a folder, with this process as its only owner.

    Args:
        folder: made if missing.

    Raises:
        AppError: another process owns the folder, or it cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # The engine holds the GIL for the whole of each call, so one lock costs no concurrency.
        self._lock = threading.RLock()
        self._open: dict[str, _Collection] = {}
        self._closed = False
        # No fallback: a lock by mere existence would outlive a killed process.
        self._owner = FileLock(
            folder / LOCK_NAME, timeout=0, thread_local=False, fallback_to_soft=False
        )
        with translate_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            self._owner.acquire()
            for unfinished in (*folder.glob(".new-*"), *folder.glob(ENGINE_LEFT)):
                shutil.rmtree(unfinished)

    def ensure_collection(self, name: str, dimension: int) -> None:
        check_name(name)
        with self._lock:
            self._check_open()
            self._require_free(FREE_TO_WRITE)  # who asks for it is about to write
            if not self._path(name).exists():
                self._create(name, dimension)
            with self._use(name) as collection:
                if collection.dimension != dimension:
                    raise dimension_error(name, collection.dimension, dimension)

    def collections(self) -> list[str]:
        with self._lock, translate_errors(self._folder):
            self._check_open()
            folders = [path for path in self._folder.iterdir() if not path.name.startswith(".")]
            return sorted(_read_description(path)[0] for path in folders if path.is_dir())

    def drop_collection(self, name: str) -> None:
        with self._lock:
            self._check_open()
            path = self._path(name)
            with translate_errors(path):
                if (opened := self._open.pop(name, None)) is not None:
                    opened.shard.close()
                if path.exists():  # renamed first, so that no half-removed one is found
                    gone = path.with_name(f".new-{path.name}")
                    shutil.rmtree(gone, ignore_errors=True)
                    path.rename(gone)
                    shutil.rmtree(gone)

    def upsert(self, collection: str, points: Sequence[VectorPoint], fence: int = 0) -> None:
        below = _below(fence) if fence else None
        with self._use(collection) as opened:
            for point in points:
                check_shape(point.vector, opened.dimension)
            for batch in chunked(points, POINTS_PER_CALL):
                stored = qe.UpdateOperation.upsert_points(_to_engine(batch, fence), condition=below)
                self._update(opened, stored, len(batch))
            opened.sync()

    def set_payloads(self, collection: str, payloads: Mapping[int, Mapping[str, object]]) -> None:
        for ids in chunked(list(payloads), POINTS_PER_CALL):
            with self._use(collection) as opened:
                for record in opened.shard.retrieve(list(ids), False, False):
                    number = int(record.id)
                    replaced = qe.UpdateOperation.overwrite_payload(
                        [number], dict(payloads[number])
                    )
                    self._update(opened, replaced, 1)
                opened.sync()

    def vectors(self, collection: str, asset_ids: Sequence[int]) -> dict[int, NDArray[np.float32]]:
        found: dict[int, NDArray[np.float32]] = {}
        for batch in chunked(asset_ids, POINTS_PER_CALL):
            with self._use(collection) as opened:
                for record in opened.shard.retrieve(list(batch), False, True):
                    found[int(record.id)] = np.asarray(record.vector, dtype=np.float32)
        return found

    def ids(self, collection: str) -> Iterator[list[int]]:
        request = qe.ScrollRequest(limit=IDS_PER_PAGE, with_payload=False, with_vector=False)
        while True:
            with self._use(collection) as opened:
                records, following = opened.shard.scroll(request)
            if records:
                yield [int(record.id) for record in records]
            if following is None:
                return
            request = qe.ScrollRequest(
                offset=following, limit=IDS_PER_PAGE, with_payload=False, with_vector=False
            )

    def delete(self, collection: str, asset_ids: Sequence[int]) -> None:
        with self._use(collection) as opened:
            for batch in chunked(asset_ids, POINTS_PER_CALL):
                operation = qe.UpdateOperation.delete_points(list(batch))
                self._update(opened, operation, len(batch))
            opened.sync()

    def count(self, collection: str, *, exact: bool = True) -> int:
        with self._use(collection) as opened:
            return opened.shard.count(qe.CountRequest(exact=exact))

    def query(
        self,
        collection: str,
        vector: NDArray[np.float32],
        limit: int,
        offset: int = 0,
        min_score: float | None = None,
        restriction: Restriction | None = None,
    ) -> list[ScoredAsset]:
        with self._use(collection) as opened:
            check_shape(vector, opened.dimension)
            request = qe.QueryRequest(
                query=qe.Query.Nearest(vector.tolist()),
                limit=limit,
                offset=offset,
                filter=_to_filter(restriction) if restriction else None,
                params=_RESCORED,
            )
            hits = opened.shard.query(request)
        # The engine would apply a threshold to the rounded scores of the quantized vectors.
        return [
            ScoredAsset(int(hit.id), hit.score)
            for hit in hits
            if min_score is None or hit.score >= min_score
        ]

    def flush(self) -> None:
        with self._lock:
            self._check_open()
            for name in list(self._open):
                with self._use(name) as collection:
                    self._keep_house(collection)

    def close(self) -> None:
        with self._lock:
            if self._closed:
                return
            self._closed = True
            try:
                with translate_errors(self._folder):
                    for collection in self._open.values():
                        collection.shard.close()
            finally:
                self._open.clear()
                self._owner.release()

    @contextmanager
    def _use(self, name: str) -> Iterator[_Collection]:
        """The collection, opened at its first use, with the store's lock held."""
        with self._lock:
            self._check_open()
            path = self._path(name)
            with translate_errors(path):
                if name not in self._open:
                    self._open[name] = self._load(name, path)
                yield self._open[name]

    def _load(self, name: str, path: Path) -> _Collection:
        if not path.exists():
            raise UnknownCollectionError(name)
        self._require_free(FREE_TO_OPEN)
        for leftover in path.glob("temp_segments/segment_builder_*"):  # of a killed optimize()
            shutil.rmtree(leftover)
        _, dimension = _read_description(path)
        shard = qe.EdgeShard.load(str(path))
        _add_indexes(shard)  # a collection of an earlier version may lack one
        return _Collection(shard, dimension, path / "wal")

    def _create(self, name: str, dimension: int) -> None:
        """Make a collection beside its place and rename it, so that no half-made one is found."""
        path = self._path(name)
        unfinished = path.with_name(f".new-{path.name}")
        with translate_errors(path):
            self._require_free(FREE_TO_WRITE)
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir()
            shard = qe.EdgeShard.create(str(unfinished), _engine_settings(dimension))
            _add_indexes(shard)
            shard.close()
            _write_description(unfinished, name, dimension)
            unfinished.rename(path)

    def _update(self, collection: _Collection, operation: qe.UpdateOperation, changes: int) -> None:
        self._require_free(FREE_TO_WRITE)
        collection.shard.update(operation)
        collection.changes += changes
        if collection.changes >= HOUSEKEEPING_POINTS:
            self._keep_house(collection)

    def _keep_house(self, collection: _Collection) -> None:
        """Quantize what is new, then write all to disk and shorten the write-ahead log."""
        if self._free() >= FREE_TO_WRITE:  # it only makes queries faster, so it can wait
            collection.shard.optimize()
        collection.shard.flush()
        collection.changes = 0

    def _path(self, name: str) -> Path:
        """A folder name that any file system takes, whatever the collection is called."""
        readable = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40]
        return self._folder / f"{readable}-{hashlib.sha256(name.encode()).hexdigest()[:16]}"

    def _free(self) -> int:
        return shutil.disk_usage(self._folder).free

    def _require_free(self, needed: int) -> None:
        if self._free() < needed:
            raise disk_full(self._folder)

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError("the vector store is closed")


def _engine_settings(dimension: int) -> qe.EdgeConfig:
    return qe.EdgeConfig(
        # Dot, not Cosine: the vectors are unit length already and come back bit for bit.
        vectors=qe.EdgeVectorParams(
            size=dimension, distance=qe.Distance.Dot, memory=qe.Memory.Cold
        ),
        hnsw_config=qe.HnswIndexConfig(m=0, ef_construct=100, full_scan_threshold=10_000),
        quantization_config=qe.ScalarQuantizationConfig(
            type=qe.ScalarType.Int8, memory=qe.Memory.Pinned
        ),
        optimizers=qe.EdgeOptimizersConfig(max_segment_size=MAX_SEGMENT_KB),
        wal_enabled=True,
    )


def _add_indexes(shard: qe.EdgeShard) -> None:
    present = shard.info().payload_schema
    for field, kind in PAYLOAD_INDEXES.items():
        if field not in present:
            shard.update(qe.UpdateOperation.create_field_index(field, _INDEX_KINDS[kind]))


def _to_filter(restriction: Restriction) -> qe.Filter:
    conditions: list[Any] = [
        qe.FieldCondition(field, match=qe.MatchAny(values))
        for field, values in restriction.matches().items()
    ]
    if restriction.taken_from is not None or restriction.taken_before is not None:
        within = qe.RangeFloat(gte=restriction.taken_from, lt=restriction.taken_before)
        conditions.append(qe.FieldCondition("taken_at", range=within))
    return qe.Filter(must=conditions)


def _below(fence: int) -> qe.Filter:
    """That a point has no such number, or a lesser one."""
    reached = qe.FieldCondition(FENCE, range=qe.RangeFloat(gte=fence))
    return qe.Filter(must_not=[reached])


def _to_engine(points: Sequence[VectorPoint], fence: int) -> list[qe.Point]:
    number = {FENCE: fence} if fence else {}
    return [qe.Point(p.asset_id, p.vector.tolist(), {**p.payload, **number}) for p in points]


def _sync_file(path: Path) -> None:
    """Have the disk hold what was written to a file, also by way of memory (Linux)."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)


def _write_description(folder: Path, name: str, dimension: int) -> None:
    with (folder / "collection.json").open("w", encoding="utf-8") as file:
        json.dump({"name": name, "dimension": dimension}, file)
        file.flush()
        os.fsync(file.fileno())  # before the rename that makes the collection count


def _read_description(folder: Path) -> tuple[str, int]:
    """The name and the dimension of a collection."""
    try:
        stored = json.loads((folder / "collection.json").read_text(encoding="utf-8"))
        return str(stored["name"]), int(stored["dimension"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise damaged(folder, error) from error
