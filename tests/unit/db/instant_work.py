"""What a worker has, made to answer at once: a model that sees colours, pictures that are decoded
in this process; and batches that stand still before and after each of their writes."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self

import numpy as np
from drawn_pictures import encoded
from greenlet import getcurrent, greenlet
from numpy.typing import NDArray
from PIL import Image

from app.db.models import TrainingSession
from app.errors import AppError
from app.pictures.decode import DecodedPicture, PictureError, PixelSpec, decode, read_file
from app.pictures.decoders import Done
from app.vectors.embedded import EmbeddedStore
from app.worker.indexing.picture import Batch
from app.worker.indexing.run import SessionRun

PICTURES = {
    name: encoded(Image.new("RGB", (4, 3), name), "PNG") for name in ("red", "lime", "blue")
}
BROKEN = b"no picture"
CONTENTS = PICTURES | {"broken": BROKEN}
"""What a file may be, by name."""


class ColourModel:
    """Its vector of a picture is the mean colour; other models and weights have others."""

    version, device_label, precision, notice = "1", "cpu", "fp32", ""
    dimension = 4
    pixels = PixelSpec(2)
    together = 0

    def free_memory(self) -> int:
        return 0

    def __init__(self, spec: str, weights: int) -> None:
        self.name, self.digest = spec, f"{weights:064}"
        self.collection = f"{spec} {weights}"
        self._own = len(spec) + weights

    def encode_images(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        colours = batch.mean(axis=(1, 2))
        vectors = np.column_stack([colours / 255, np.full(len(colours), self._own)])
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


class FileHere:
    """In place of :class:`app.pictures.decoders.OpenFile`."""

    def __init__(self, path: str) -> None:
        self.content, self._name = read_file(path), os.path.basename(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def decode(self, spec: PixelSpec, megapixels: int) -> Done[DecodedPicture]:
        try:
            return Done(decode(self.content, self._name, spec, megapixels), None, 1.0)
        except PictureError as error:
            return Done(None, error, 1.0)


class DecodersHere:
    """Decodes in this process, in place of :class:`app.pictures.decoders.Decoders`."""

    def read(self, _niceness: int, path: str) -> FileHere:
        return FileHere(path)

    def prepare(self) -> None: ...
    def rest(self) -> None: ...
    def close(self) -> None: ...


class AtOnce:
    """Threads that have done what they are given when it is given."""

    class _Done:
        def __init__(self, value: Any) -> None:
            self.result = lambda: value
            self.cancel = lambda: False

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return self._Done(function(*arguments))


def stand_still() -> None:
    """Let something else happen, inside :class:`InFlight`."""
    getcurrent().parent.switch()


class InFlight:
    """A batch on its way through a run: read, and not embedded yet."""

    def __init__(self, run: SessionRun, batch: Batch) -> None:
        self.batch = batch
        self.is_begun = False
        self._work = greenlet(lambda: run._store(batch.claim, *run._embed([batch])[0]))

    @property
    def is_done(self) -> bool:
        return self._work.dead

    def go_on(self) -> None:
        """Up to the next write."""
        self.is_begun = True
        self._work.switch()

    def kill(self) -> None:
        self._work.throw()


class Worker:
    """A process that works on one session at a time, whose batches stand still at each write."""

    def __init__(self, name: str, store: EmbeddedStore, weights: Mapping[str, int]) -> None:
        self.name, self.store = name, store
        self.stop = threading.Event()
        self.state = ""
        self.run: SessionRun | None = None
        self.batches: list[InFlight] = []
        self._weights = weights
        self._loaded: dict[str, ColourModel] = {}

    def encoder(self, spec: str, _device: str) -> ColourModel:
        if spec not in self._loaded:
            self._loaded[spec] = ColourModel(spec, self._weights[spec])
        return self._loaded[spec]

    def open(self, session: TrainingSession) -> None:
        """Begin a run, as :meth:`SessionRun.run` does."""
        self.run = SessionRun(session.id, self)  # type: ignore[arg-type]
        with self._until_it_waits():
            self.run._open(session)
            self._make_stepwise(self.run)

    def _make_stepwise(self, run: SessionRun) -> None:
        run._decoders = AtOnce()  # type: ignore[assignment]
        stages: Any = run._stages
        begin_store, put = stages.begin_store, stages.put

        def begin_stepwise(*arguments: Any) -> int:
            stand_still()
            return int(begin_store(*arguments))

        def put_stepwise(*arguments: Any) -> None:
            stand_still()
            put(*arguments)
            stand_still()

        stages.begin_store, stages.put = begin_stepwise, put_stepwise

    def claim(self, limit: int, *, poison: bool) -> int:
        """How many pictures it took."""
        assert self.run is not None
        batch = self.run._claim(limit, poison=poison)
        if batch.claim.jobs:
            self.batches.append(InFlight(self.run, batch))
        return len(batch.claim.jobs)

    def go_on(self, which: int = 0) -> None:
        """Take a batch to its next write."""
        batch = self.batches[which]
        with self._until_it_waits():
            batch.go_on()
        if batch.is_done and batch in self.batches:
            self.batches.remove(batch)

    @contextmanager
    def _until_it_waits(self) -> Iterator[None]:
        """Such as for a disk."""
        try:
            yield
        except AppError as error:
            if not error.transient:
                raise
            self.batches = [batch for batch in self.batches if not batch.is_done]
            self.leave()

    def leave(self) -> None:
        """End the run, as :meth:`SessionRun.run` does: what was embedded is stored, and the rest
        is handed back."""
        assert self.run is not None
        while self.batches:
            if self.batches[0].is_begun:
                self.go_on()
            else:
                self.run._release(self.batches.pop(0).batch)
        self.run._tidy()
        self.run = None

    def holds(self) -> set[int]:
        """Pictures of the batches that are under way."""
        return {job.asset_id for batch in self.batches for job in batch.batch.claim.jobs}

    def die(self) -> None:
        for batch in self.batches:
            batch.kill()
        self.batches.clear()
        self.run = None
