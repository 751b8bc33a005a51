"""Find pictures that look alike: every pair of vectors whose cosine similarity is high enough, if
the pictures themselves look alike too (:mod:`app.worker.small_copies`).

All pairs are compared, but most of them by a bound that is an eighth of the work. Vectors are
rotated so that their first ``HEAD_COMPONENTS`` numbers hold most of their length, and the rest of
each is summed up as its length alone: the product of two heads plus the product of the two lengths
of the rests is never below the product of the whole vectors. Where that bound reaches the
threshold, and nowhere else, whole vectors are read and multiplied. So no pair is missed.

Memory: 4 * (``HEAD_COMPONENTS`` + 1) bytes for each picture and some 20 more, 280 MB for a
million, and the products of one block, under 200 MB. It is kept between slices of time.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from redis.exceptions import RedisError
from sqlalchemy import ColumnElement, Connection, and_, delete, exists, insert, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import aliased

from app.config import get_settings
from app.db.duplicate_scans import (
    ClaimedScan,
    claim_scan,
    fail_scan,
    finish_scan,
    release_scan,
    report_scan,
)
from app.db.engine import get_sync_engine, write_transaction
from app.db.jobs import chunks
from app.db.models import AssetVector, EmbeddingModel, ImageAsset, NearDuplicate, is_present
from app.errors import AppError, first_line
from app.pictures.fork_server import Stopped
from app.queue.queues import QUEUES, get_queue
from app.vectors.protocol import UnknownCollectionError, spread
from app.worker.context import IDLE, context
from app.worker.likeness import (
    COPIES,
    DIFFERENT,
    cosines_with_copies,
    measured_threshold,
)
from app.worker.small_copies import SAME, SmallCopies

HEAD_COMPONENTS = 64
BLOCK = 2_048
SAMPLE = 4_096
"""Vectors that the rotation is found from; another sample changes the speed, not the result."""
ROUNDING = 1e-4
"""What float32 may take off the bound."""
READING = 4
"""Reading one block takes as long as comparing so many pairs of blocks: for the progress only."""
LOOK_EVERY_S = 0.5
"""Whether it is to be stopped, or to give way."""

Vectors = NDArray[np.float32]
Positions = NDArray[np.int64]

log = logging.getLogger(__name__)


def find_near_duplicates() -> bool:
    """The job: go on with the scan whose turn it is, until others wait.

    A process that did not begin it begins it anew.

    Returns:
        whether a scan was done to its end.
    """
    worker = context()
    with write_transaction() as conn:
        claim = claim_scan(conn, worker.name)
    if claim is None:
        return False
    worker.state = "comparing pictures"
    try:
        return _compare_for_a_while(claim)
    except UnknownCollectionError:
        log.warning("there is no index in which to compare pictures")
        _commit(fail_scan, claim, "The index of this model no longer exists.")
        return False
    except Stopped:
        _commit(release_scan, claim, 0.0)
        return False
    except (AppError, OperationalError) as error:  # a store or a ledger that is away comes back
        log.warning("comparing pictures waits: %s", error)
        message = str(error) if isinstance(error, AppError) else f"{first_line(error)}."
        _commit(release_scan, claim, 0.0, message)
        return False
    except Exception as error:
        _commit(fail_scan, claim, f"{type(error).__name__}: {first_line(error)}.")
        raise
    finally:
        worker.state = IDLE


def _compare_for_a_while(claim: ClaimedScan) -> bool:
    which = claim.model_id, claim.requested_at
    begun = context().duplicate_scans
    scan = begun.pop(which, None) or NearDuplicateScan(claim.model_id, claim.threshold)
    begun.clear()  # of a scan that nobody went on with
    ends_at = time.monotonic() + get_settings().job_timeout / 2
    looked = 0.0
    for share in scan.steps:
        if time.monotonic() - looked < LOOK_EVERY_S:
            continue
        looked = time.monotonic()
        if not _commit(report_scan, claim, share):
            return False  # stopped, or taken over
        stop = context().stop.is_set()
        if stop or looked > ends_at or _others_wait():
            if _commit(release_scan, claim, 0.0 if stop else share) and not stop:
                begun[which] = scan
            return False
    with write_transaction() as conn:
        done = finish_scan(conn, claim)
        if done:
            scan.write(conn)
    return done


def _commit(move: Callable[..., bool], *arguments: Any) -> bool:
    with write_transaction() as conn:
        return move(conn, *arguments)


def _others_wait() -> bool:
    """Whether anything else is to be done by a worker, as far as the queue can tell."""
    try:
        return any(get_queue(name).count for name in QUEUES)
    except (RedisError, AppError):
        return False


class NearDuplicateScan:
    """One comparison of all pictures of a model with each other.

    Args:
        model_id: whose vectors.
        threshold: the least cosine similarity, in (0, 1]; 0: it is measured.
    """

    steps: Iterator[float]
    """Going on works, a few dozen milliseconds at a time; gives the share that is done."""

    def __init__(self, model_id: int, threshold: float) -> None:
        self._model_id, self._threshold = model_id, threshold
        self._store = context().store
        with get_sync_engine().connect() as conn:
            query = select(EmbeddingModel.collection, EmbeddingModel.spec)
            row = conn.execute(query.where(EmbeddingModel.id == model_id)).one_or_none()
        self._collection, self._spec = row or ("", "")
        self._ids: Positions = np.empty(0, np.int64)
        self._heads: Vectors = np.empty((0, 0), np.float32)
        self._parents: Positions = np.empty(0, np.int64)
        self._scores: Vectors = np.empty(0, np.float32)
        self._copies = SmallCopies()
        self.steps = self._steps()

    def _steps(self) -> Iterator[float]:
        found = [np.empty(0, np.int64)]
        for stored in self._store.ids(self._collection):
            found.append(_compared(stored, self._model_id))
            yield 0.0
        self._ids = np.concatenate(found)
        number = len(self._ids)
        if not number:
            return
        if not self._threshold:
            self._threshold = self._measured_threshold()
            yield 0.0
        self._parents, self._scores = np.arange(number), np.zeros(number, np.float32)
        starts = list(range(0, number, BLOCK))
        pairs = len(starts) * (len(starts) + 1) // 2
        done, everything = 0, READING * len(starts) + pairs
        basis = self._basis()
        self._heads = np.empty((number, basis.shape[1] + 1), np.float32)
        for start in starts:
            block = slice(start, start + BLOCK)
            self._heads[block] = _heads(self._vectors(self._ids[block]), basis)
            done += READING
            yield done / everything
        for first in starts:
            for second in range(first, number, BLOCK):
                for _ in self._compare(first, second):
                    yield done / everything
                done += 1
                yield done / everything

    def _measured_threshold(self) -> float:
        different = self._vectors(spread(self._ids, DIFFERENT))
        stored = self._store.vectors(self._collection, spread(self._ids, COPIES))
        copies = cosines_with_copies(self._spec, self._collection, stored)
        return measured_threshold(self._spec, self._collection, different, copies)

    def _basis(self) -> Vectors:
        """Directions that hold most of the vectors' lengths, shape (dimension, HEAD_COMPONENTS)."""
        sample = self._vectors(spread(self._ids, SAMPLE))
        _, directions = np.linalg.eigh(sample.T @ sample)  # the greatest come last
        basis: Vectors = np.ascontiguousarray(directions[:, -HEAD_COMPONENTS:])
        return basis

    def _vectors(self, asset_ids: Sequence[int] | Positions) -> Vectors:
        """Shape (number, dimension); all zeros, like nothing, where the store has none any more."""
        known = self._store.vectors(self._collection, [int(asset_id) for asset_id in asset_ids])
        dimension = len(next(iter(known.values()))) if known else 1
        nothing = np.zeros(dimension, np.float32)
        return np.stack([known.get(int(asset_id), nothing) for asset_id in asset_ids])

    def _compare(self, first: int, second: int) -> Iterator[None]:
        """Compare two blocks, given where they begin; each step is a picture that is looked at."""
        bounds = self._heads[first : first + BLOCK] @ self._heads[second : second + BLOCK].T
        near = bounds >= self._threshold - ROUNDING
        if first == second:
            near = np.triu(near, k=1)
        rows, columns = np.flatnonzero(near.any(axis=1)), np.flatnonzero(near.any(axis=0))
        if not len(rows):
            return
        rows, columns = rows + first, columns + second
        exact = self._vectors(self._ids[rows]) @ self._vectors(self._ids[columns]).T
        exact[~near[np.ix_(rows - first, columns - second)]] = 0.0
        exact[exact < self._threshold] = 0.0
        rows, columns, exact = _without_empty(rows, columns, exact)
        ones, others = self._ids[rows].tolist(), self._ids[columns].tolist()
        yield from self._copies.make([*ones, *others])
        exact[self._copies.correlations(ones, others) < SAME] = 0.0
        rows, columns, exact = _without_empty(rows, columns, exact)
        if not len(rows):
            return
        for at, best in ((rows, exact.max(axis=1)), (columns, exact.max(axis=0))):
            self._scores[at] = np.maximum(self._scores[at], np.minimum(best, 1.0))
        upper, lower = np.nonzero(exact)
        join(self._parents, rows[upper], columns[lower])

    def write(self, conn: Connection) -> None:
        """Put the result in the place of the last one; once all steps are done."""
        found = np.flatnonzero(self._scores)
        groups = self._ids[roots(self._parents, found)].tolist()
        members, scores = self._ids[found].tolist(), self._scores[found].tolist()
        rows = [
            {"model_id": self._model_id, "asset_id": asset, "group_id": group, "score": score}
            for asset, group, score in zip(members, groups, scores, strict=True)
        ]
        conn.execute(delete(NearDuplicate).where(NearDuplicate.model_id == self._model_id))
        for batch in chunks(rows, 10_000):
            there = set(  # pictures and whole indexes may have been removed meanwhile
                conn.scalars(
                    select(ImageAsset.id)
                    .join(AssetVector, AssetVector.asset_id == ImageAsset.id)
                    .where(
                        AssetVector.model_id == self._model_id,
                        ImageAsset.id.in_([row["asset_id"] for row in batch]),
                    )
                    .with_for_update(read=True, of=ImageAsset)
                )
            )
            if kept := [row for row in batch if row["asset_id"] in there]:
                conn.execute(insert(NearDuplicate), kept)
        log.info("%d of %d pictures look like others", len(rows), len(self._ids))


def join(parents: Positions, ones: Positions, others: Positions) -> None:
    """Make one group of each pair's two groups.

    A group is a tree in ``parents``, in which nothing has a parent greater than itself, so that
    its root is its least member.
    """
    while len(ones):
        first, second = roots(parents, ones), roots(parents, others)
        apart = first != second
        ones, others, first, second = ones[apart], others[apart], first[apart], second[apart]
        # of several parents for one root the last is taken; the next round joins the others
        parents[np.maximum(first, second)] = np.minimum(first, second)


def roots(parents: Positions, items: Positions) -> Positions:
    """The root of each item's group; the items become its children."""
    found = parents[items]
    while np.any(above := parents[found] != found):
        found[above] = parents[found[above]]
    parents[items] = found
    return found


def _without_empty(
    rows: Positions, columns: Positions, products: Vectors
) -> tuple[Positions, Positions, Vectors]:
    """The same without rows and columns that hold nothing but zeros."""
    held, held_by = products.any(axis=1), products.any(axis=0)
    return rows[held], columns[held_by], products[np.ix_(held, held_by)]


def _heads(vectors: Vectors, basis: Vectors) -> Vectors:
    """The first turned numbers of each vector, and the length of all the others as one more."""
    heads = vectors @ basis
    rests = np.sum(vectors**2, axis=1) - np.sum(heads**2, axis=1)
    return np.column_stack((heads, np.sqrt(np.maximum(rests, 0.0))))


def _compared(stored: Sequence[int], model_id: int) -> Positions:
    """Those of a page of stored pictures that are compared, ascending: one of each content,
    present and indexed as it is. Files with the same content are found without a model."""
    copy, its_asset = aliased(AssetVector), aliased(ImageAsset)
    earlier = exists().where(
        copy.model_id == model_id,
        copy.sha256 == AssetVector.sha256,
        copy.asset_id < AssetVector.asset_id,
        its_asset.id == copy.asset_id,
        _indexed(its_asset, copy),
    )
    query = (
        select(ImageAsset.id)
        .join(AssetVector, AssetVector.asset_id == ImageAsset.id)
        .where(
            ImageAsset.id.between(stored[0], stored[-1]),
            AssetVector.model_id == model_id,
            _indexed(ImageAsset, AssetVector),
            ~earlier,
        )
    )
    with get_sync_engine().connect() as conn:
        known = np.fromiter(conn.scalars(query), np.int64)
    return np.intersect1d(known, np.asarray(stored, np.int64))


def _indexed(asset: Any, vector: Any) -> ColumnElement[bool]:
    return and_(
        is_present(asset),
        asset.excluded.is_(False),
        asset.size == vector.size,
        asset.mtime_ns == vector.mtime_ns,
    )
