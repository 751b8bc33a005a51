"""The stages of one batch: read and decode in threads, embed together, store and settle."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from rq.timeouts import BaseTimeoutException
from sqlalchemy import bindparam, select

from app.api.error_kinds import ErrorKind
from app.config import get_settings
from app.db.engine import get_sync_engine, write_transaction
from app.db.jobs import Claim, ClaimedJob
from app.db.models import AssetVector, ImageAsset
from app.db.settle import Outcome
from app.db.vectors import begin_store
from app.embedding.card_processes import BATCH, THREADS, CardProcess, CardThread, threads_for
from app.errors import AppError, first_line
from app.pictures.decoders import OpenFile, decode_threads
from app.pictures.fork_server import Stopped
from app.vectors.protocol import VectorPoint, VectorStore, vector_checksum
from app.worker.context import context
from app.worker.indexing.picture import Picture
from app.worker.indexing.readers import Readers
from app.worker.maintenance.payloads import payload

if TYPE_CHECKING:
    from app.embedding.card_decoder import CardPicture
    from app.embedding.encoder import Encoder

log = logging.getLogger(__name__)

READ_AHEAD = 4
"""Processes that read files while others decode, so that a slow disk keeps no processor waiting.
Each holds one file, and that is all the memory that files take."""
BEHIND_THE_MODEL = 9
"""Steps of niceness between the model and what decodes for it."""
UNIT_LENGTH_TOLERANCE = 1e-3
_CONTENT_FACTS = (ImageAsset.width, ImageAsset.height, ImageAsset.format, ImageAsset.taken_at)
_SAME_CONTENT = (
    select(AssetVector.asset_id, AssetVector.checksum, *_CONTENT_FACTS)
    .join(ImageAsset, ImageAsset.id == AssetVector.asset_id)
    .where(
        AssetVector.model_id == bindparam("model"),
        AssetVector.sha256 == bindparam("sha256"),
        AssetVector.checksum.is_not(None),
    )
    .limit(1)
)
"""Made once: it is asked for every picture, and making it would take longer than the answer."""


class Stages:
    """The work on pictures for one model; knows nothing of sessions and queues."""

    def __init__(self, encoder: Encoder, store: VectorStore, model_id: int) -> None:
        self.encoder = encoder
        self.store = store
        self.model_id = model_id
        self.decode_threads = decode_threads()
        self._max_megapixels = get_settings().max_image_megapixels
        self._turns = threading.Semaphore(self.decode_threads)
        self._card_threads = threads_for(self.decode_threads, encoder.free_memory())
        self.in_flight = self.decode_threads + READ_AHEAD + 2 * BATCH * self._card_threads
        """Pictures that are read and decoded at once."""
        self._rest_ms: defaultdict[str, float] = defaultdict(float)

    # --- read and decode, in a thread for each picture ------------------------------------------

    @contextlib.contextmanager
    def threads(self) -> Iterator[Readers]:
        """Threads for :meth:`read`: as many as may decode at once, and some that read ahead.

        Each has a process that reads and decodes for it. Leaving the block ends these processes.
        """
        decoders = context().decoders
        decoders.prepare()
        number = self.decode_threads + READ_AHEAD
        try:
            with (
                self._cards() as cards,
                Readers(number, cards, self._read_by_card, _give_way) as threads,
            ):
                yield threads
        finally:
            decoders.rest()

    @contextlib.contextmanager
    def _cards(self) -> Iterator[list[CardThread]]:
        """Threads of processes that decode with the card, which end with the block."""
        processes = [
            CardProcess(context().card_server, str(self.encoder.torch_device))
            for _ in range(math.ceil(self._card_threads / THREADS))
        ]
        try:
            yield [
                CardThread(processes[number % len(processes)], context().stop)
                for number in range(self._card_threads)
            ]
        finally:
            for process in processes:
                process.end()

    def read(self, job: ClaimedJob) -> Picture:
        """Read one file; decode it unless its content is known already.

        Raises:
            Stopped: the worker is to end.
            SQLAlchemyError: the ledger does not answer.
        """
        if context().stop.is_set():
            raise Stopped
        picture = Picture(Outcome(job))
        with picture.to_blame(), self._read(picture) as file:
            if not self._find_known(picture, file.content.sha256):
                self._decode(picture, file)
        return picture

    def _read_by_card(self, card: CardThread, jobs: Sequence[ClaimedJob]) -> list[Picture | None]:
        """The same for many; None for each that is left to :meth:`read`.

        Raises:
            CardFailedError: none of them was read.
        """
        begin = time.perf_counter()
        paths = [job.path for job in jobs]
        found = card.decode(paths, self.encoder.pixels, self._max_megapixels)
        ms = (time.perf_counter() - begin) * 1000 / max(len(jobs), 1)
        return [
            None if each is None else self._from_card(job, each, ms)
            for job, each in zip(jobs, found, strict=True)
        ]

    def _from_card(self, job: ClaimedJob, found: CardPicture, ms: float) -> Picture:
        picture = Picture(Outcome(job), decode_ms=ms)
        with picture.to_blame():
            picture.note_content(found.content)
            if not self._find_known(picture, found.content.sha256):
                picture.note_decoded(found.decoded)
        return picture

    def _read(self, picture: Picture) -> OpenFile:
        begin = time.perf_counter()
        try:
            file = context().decoders.read(BEHIND_THE_MODEL, picture.job.path)
        finally:  # a disk that fails may have taken long to say so
            picture.read_ms += (time.perf_counter() - begin) * 1000
        picture.note_content(file.content)
        return file

    def _decode(self, picture: Picture, file: OpenFile) -> None:
        with self._turns:
            done = file.decode(self.encoder.pixels, self._max_megapixels)
        picture.decode_ms = done.ms
        picture.note_decoded(done.result())

    def _find_known(self, picture: Picture, sha256: str) -> bool:
        """Look for an asset of the same content, and take over what is known of it."""
        with get_sync_engine().connect() as conn:
            known = conn.execute(_SAME_CONTENT, {"model": self.model_id, "sha256": sha256}).first()
        if known is None:
            return False
        picture.same_as, picture.known_checksum = known.asset_id, known.checksum
        picture.outcome.facts |= {
            column.key: known._mapping[column.key] for column in _CONTENT_FACTS
        }
        return True

    # --- embed ----------------------------------------------------------------------------------

    def embed(self, pictures: Sequence[Picture]) -> float:
        """Give every picture that has not failed its vector.

        Returns:
            milliseconds that the model took.
        """
        self._reuse(pictures)
        waiting = [picture for picture in pictures if picture.pixels is not None]
        begin = time.perf_counter()
        self._embed(waiting)
        elapsed = (time.perf_counter() - begin) * 1000
        for picture in pictures:
            share = elapsed / len(waiting) if picture.vector is not None and waiting else 0
            picture.outcome.processing_time_ms = round(picture.read_ms + picture.decode_ms + share)
            if picture.vector is not None:
                self._check(picture)
            picture.pixels = None
        return elapsed

    def _reuse(self, pictures: Sequence[Picture]) -> None:
        """Take the vectors of known content.

        Since a source was looked up, its file may have changed and its vector been replaced, or
        another process may be about to do so. A vector that is not the one of this content, as its
        checksum tells, is not taken, and the picture is decoded after all.
        """
        sources = [picture.same_as for picture in pictures if picture.same_as is not None]
        if not sources:
            return
        known = self.store.vectors(self.encoder.collection, sources)
        for picture in pictures:
            if picture.same_as is None:
                continue
            vector = known.get(picture.same_as)
            if vector is None or vector_checksum(vector) != picture.known_checksum:
                self._decode_again(picture)
            else:
                picture.vector = vector
                picture.outcome.reused = True
                picture.outcome.note = "Same content as a picture that was indexed before."

    def _decode_again(self, picture: Picture) -> None:
        with picture.to_blame(), self._read(picture) as file:
            self._decode(picture, file)

    def _embed(self, pictures: Sequence[Picture]) -> None:
        """Embed together; where that fails, halve, so that a bad picture fails alone."""
        if not pictures:
            return
        batch = np.stack([picture.pixels for picture in pictures if picture.pixels is not None])
        error: Exception
        try:
            vectors = self.encoder.encode_images(batch)
        except (AppError, BaseTimeoutException):
            raise
        except Exception as caught:  # noqa: BLE001 - whatever the model raises is one picture's fault
            error = caught
        else:
            for picture, vector in zip(pictures, vectors, strict=True):
                picture.vector = vector
            return
        if len(pictures) == 1:
            log.exception("the model failed on %s", pictures[0].job.path, exc_info=error)
            pictures[0].fail(ErrorKind.MODEL, f"The model failed: {first_line(error)}.")
            return
        half = len(pictures) // 2
        self._embed(pictures[:half])
        self._embed(pictures[half:])

    def _check(self, picture: Picture) -> None:
        """A vector is finite, of the model's dimension and of unit length, or it is a failure."""
        vector = picture.vector
        assert vector is not None
        length = float(np.linalg.norm(vector))
        if vector.shape != (self.encoder.dimension,):
            reason = f"has {vector.size} dimensions instead of {self.encoder.dimension}"
        elif not np.isfinite(length):
            reason = "contains numbers that are not finite"
        elif abs(length - 1) > UNIT_LENGTH_TOLERANCE:
            reason = f"has length {length:.3f} instead of 1"
        else:
            picture.outcome.checksum = vector_checksum(vector)
            return
        picture.fail(ErrorKind.INVALID_VECTOR, f"The model's result {reason}.")

    # --- store ----------------------------------------------------------------------------------

    def begin_store(self, claim: Claim, pictures: Sequence[Picture]) -> int:
        """Note in the ledger what is about to be stored; what is not held any more is left out.

        Returns:
            the number of this store, which settling asks for.
        """
        ready = {
            picture.job.asset_id: picture for picture in pictures if picture.vector is not None
        }
        if not ready:
            return 0
        with write_transaction() as conn:
            begun = begin_store(conn, claim.token, self.model_id, list(ready))
        for asset_id, path in begun.paths.items():
            picture = ready[asset_id]
            picture.fence = begun.fence
            picture.payload = payload(path, picture.outcome.facts, begun.sessions[asset_id])
        return begun.fence

    def put(self, pictures: Sequence[Picture]) -> None:
        """Store the vectors that were begun, and wait until they are safe."""
        points = [
            VectorPoint(picture.job.asset_id, picture.vector, picture.payload)
            for picture in pictures
            if picture.fence and picture.vector is not None
        ]
        if points:
            fence = max(picture.fence for picture in pictures)
            self.store.upsert(self.encoder.collection, points, fence)

    def take_back(self, pictures: Sequence[Picture]) -> None:
        """Remove the vectors of pictures that were pruned while they were being stored."""
        ids = [picture.job.asset_id for picture in pictures if picture.fence]
        if not ids:
            return
        with get_sync_engine().connect() as conn:
            known = conn.execute(
                select(AssetVector.asset_id).where(
                    AssetVector.model_id == self.model_id, AssetVector.asset_id.in_(ids)
                )
            )
            gone = sorted(set(ids) - set(known.scalars()))
        if gone:
            self.store.delete(self.encoder.collection, gone)

    def evidence(self) -> dict[str, str]:
        """What every evidence row of this model shares."""
        return {
            "model_name": self.encoder.name,
            "model_version": self.encoder.version,
            "weights_digest": self.encoder.digest,
            "device": self.encoder.device_label,
            "precision": self.encoder.precision,
        }

    def stage_ms(
        self, pictures: Sequence[Picture], embed_ms: float, store_ms: float
    ) -> dict[str, int]:
        """How long each stage was busy with a batch, in milliseconds; the longest sets the pace.

        Many pictures are read and decoded at once, so their times are shared among the threads.
        """
        busy = {
            "read_ms": sum(picture.read_ms for picture in pictures) / self.in_flight,
            "decode_ms": sum(picture.decode_ms for picture in pictures) / self.decode_threads,
            "embed_ms": embed_ms,
            "store_ms": store_ms,
        }
        whole: dict[str, int] = {}
        for name, ms in busy.items():  # small batches add up: what is cut off counts for the next
            self._rest_ms[name] += ms
            whole[name] = int(self._rest_ms[name])
            self._rest_ms[name] -= whole[name]
        return whole


def _give_way() -> None:
    """Let the model go first: the calling thread gets what it leaves of the processors.

    Decoding catches up while the model waits for a batch; a model that waits for its turn would
    hold up the batch, with nothing left to decode meanwhile.
    """
    if sys.platform == "linux":  # elsewhere a single thread has no niceness
        niceness = os.getpriority(os.PRIO_PROCESS, 0) + BEHIND_THE_MODEL
        with contextlib.suppress(OSError):  # a sandbox may forbid it; it is only slower then
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), min(niceness, 19))
