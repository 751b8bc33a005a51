"""Whether int8 may take the place of the precision in use: tried on the first real pictures.

How much an image tower loses in int8 depends on its weights and on what it looks at, so neither
made-up pictures nor other models tell. The pictures that are indexed do, at no more cost than
embedding two hundred of them twice.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from app.errors import AppError, first_line

if TYPE_CHECKING:
    from app.embedding.encoder import Encoder

log = logging.getLogger(__name__)

MIN_COSINE = 0.99
"""How close an embedding in a lower precision must stay to the one that it replaces."""
MIN_AGREEMENT = 0.95
"""Share of the nearest pictures that must stay the nearest, see :func:`agreement`."""
NEAREST = 10
ENOUGH = 200
"""Different pictures that are judged by."""
FEWEST = 8
"""Pictures at once from which on they are tried: the first few of a session are to be found soon,
and so is what a search waits for."""
AS_NEAR = 0.001
"""Cosine by which two pictures may differ and be as near as each other; those taken in one moment
change places with any precision."""


class Trial:
    """Embeds pictures a second time and compares. Several threads may use it at once.

    Attributes:
        successor: the encoder on trial.
        faithful: the verdict; None until enough pictures were seen.
    """

    def __init__(self, successor: Encoder, settled: Callable[[bool], object]) -> None:
        """Try ``successor``, and tell ``settled`` the verdict."""
        self.successor = successor
        self.faithful: bool | None = None
        self._settled = settled
        self._seen: set[int] = set()
        self._pairs: list[tuple[NDArray[np.float32], NDArray[np.float32]]] = []
        self._lock = threading.Lock()

    def observe(self, batch: NDArray[np.uint8], embeddings: NDArray[np.float32]) -> None:
        """Learn from pictures, shape (n, size, size, 3), and their embeddings, shape (n, d)."""
        if len(batch) < FEWEST or not self._lock.acquire(blocking=False):
            return
        try:
            if self.faithful is None and (new := self._new(batch)):
                others = self.successor.encode_images(batch[new])
                self._pairs += zip(embeddings[new], others, strict=True)
                if len(self._pairs) >= ENOUGH:
                    in_use, on_trial = map(np.stack, zip(*self._pairs, strict=True))
                    self._settle(is_faithful(in_use, on_trial))
        except (AppError, RuntimeError, MemoryError) as error:
            log.info("int8 cannot be tried: %s", first_line(error))
            self._settle(False)
        finally:
            self._lock.release()

    def _new(self, batch: NDArray[np.uint8]) -> list[int]:
        """Where pictures are that were not seen before, as many as are still needed."""
        new: list[int] = []
        for index, picture in enumerate(batch):
            known = len(self._seen)
            self._seen.add(hash(picture.tobytes()))
            if len(self._seen) > known and len(self._pairs) + len(new) < ENOUGH:
                new.append(index)
        return new

    def _settle(self, faithful: bool) -> None:
        self.faithful = faithful
        self._pairs.clear()
        self._seen.clear()
        self._settled(faithful)


def is_faithful(in_use: NDArray[np.float32], on_trial: NDArray[np.float32]) -> bool:
    """Whether embeddings in int8 may take the place of those in use.

    Args:
        in_use, on_trial: of the same pictures or texts, as :func:`agreement` takes them.
    """
    cosine = float((in_use * on_trial).sum(axis=1).min())
    agreed = agreement(in_use, on_trial)
    log.info("int8: cosine from %.4f, %.3f of the nearest the same", cosine, agreed)
    return cosine >= MIN_COSINE and agreed >= MIN_AGREEMENT


def agreement(embeddings: NDArray[np.float32], others: NDArray[np.float32]) -> float:
    """Share of what is nearest to each row by ``others`` that is so by ``embeddings``.

    Args:
        embeddings, others: of the same pictures or texts, shape (n, d), rows of unit length,
            n > NEAREST.
    """
    cosines, by_others = embeddings @ embeddings.T, others @ others.T
    for one in (cosines, by_others):
        np.fill_diagonal(one, -np.inf)  # itself
    enough = np.partition(cosines, -NEAREST)[:, -NEAREST] - AS_NEAR
    nearest = np.argpartition(by_others, -NEAREST)[:, -NEAREST:]
    return float((np.take_along_axis(cosines, nearest, axis=1) >= enough[:, None]).mean())
