"""What a query scores where nothing matches it: the background of one model's collection.

A score says little by itself. One model gives 0.3 to a perfect match and another 0.6; one word
lies near to every picture and another near to none. So a collection is asked for texts that no
picture shows (:mod:`app.worker.probes`), once, and two numbers of each are kept: the score of the
picture on top, and how far that rises above the text's mean score over all pictures. A query is
known where it exceeds nearly all of them in one of the two. The first holds where most pictures
show the same thing, the second where a word is near to everything.

The mean score of a text is its product with the mean of the vectors, so it costs nothing. Probes
are embedded in slices of time, and kept on the disk, as a large model takes seconds for them.
"""

from __future__ import annotations

import hashlib
import io
import logging
import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.config import get_settings
from app.private_files import make_private_folder, replace_file
from app.vectors.protocol import VectorStore, spread
from app.worker.context import context
from app.worker.probes import PROBES

KNOWN_ABOVE = 0.97
"""The share of probes that a query must exceed. See the decision record for the figures."""
CUT = 0.35
"""Where, between the background and the best score, results end that are worth showing."""
FEWEST = 8
"""Below so many pictures there is no background to speak of."""
SAMPLE = 4_096
"""Vectors whose mean is taken."""
GROWN = 1.5
"""Measured again once there are so many times more pictures, or fewer."""
AT_ONCE = 8
_KEY = hashlib.sha256("\n".join(PROBES).encode()).hexdigest()[:16]

Vectors = NDArray[np.float32]
Embed = Callable[[Sequence[str]], Vectors]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Background:
    """One collection's."""

    pictures: int
    """When it was measured."""
    mean: Vectors
    """Of the vectors, shape (dimension,)."""
    tops: Vectors
    """The best score of each probe, ascending."""
    rises: Vectors
    """How far each probe's best score is above its mean, ascending."""

    def knows(self, query: Vectors, top: float) -> bool:
        """Whether the best score of a query says that a picture shows it."""
        rise = top - float(query @ self.mean)
        above = (np.quantile(self.tops, KNOWN_ABOVE), np.quantile(self.rises, KNOWN_ABOVE))
        return bool(top > above[0] or rise > above[1])

    def cut(self, query: Vectors, top: float) -> float:
        """The score below which results are not worth showing unasked."""
        nothing = float(np.median(self.tops))
        own = float(query @ self.mean) + float(np.median(self.rises))
        level = min(nothing, own, top)
        return level + CUT * (top - level)


def background(
    store: VectorStore, collection: str, embed: Embed, seconds: float
) -> Background | None:
    """The background of a collection, measured for so long at most; None while it is not done.

    Args:
        embed: gives unit vectors of texts, shape (texts, dimension).

    Raises:
        AppError: the store cannot be read, or memory does not suffice for a text.
    """
    number = store.count(collection, exact=False)
    if number < FEWEST:
        return None
    known = context().backgrounds.get(collection)
    if known is not None and number / GROWN < known.pictures < number * GROWN:
        return known
    probes = _probes(collection, embed, time.monotonic() + seconds)
    if probes is None:
        return known
    measured = _measure(store, collection, probes, number)
    if measured is None:
        return None
    context().backgrounds[collection] = measured
    log.info("background of %s over %d pictures", collection, number)
    return measured


def forget(collection: str) -> None:
    """A collection is removed."""
    context().backgrounds.pop(collection, None)
    _file(collection).unlink(missing_ok=True)


def _probes(collection: str, embed: Embed, ends_at: float) -> Vectors | None:
    """The vectors of all probes; None where time ran out, which later calls go on from."""
    done = before = _read(_file(collection))
    while len(done) < len(PROBES) and (len(done) == len(before) or time.monotonic() < ends_at):
        more = embed(PROBES[len(done) : len(done) + AT_ONCE])
        done = np.concatenate([done, more]) if len(done) else more
    if len(done) > len(before):
        _write(_file(collection), done)
    return done if len(done) == len(PROBES) else None


def _measure(
    store: VectorStore, collection: str, probes: Vectors, number: int
) -> Background | None:
    """None where the collection was emptied meanwhile."""
    pages = [np.asarray(page) for page in store.ids(collection)]
    found = store.vectors(collection, spread(np.concatenate(pages), SAMPLE)) if pages else {}
    tops = [hits[0].score for probe in probes if (hits := store.query(collection, probe, 1))]
    if not found or len(tops) < len(probes):
        return None
    mean = np.asarray(np.stack(list(found.values())).mean(axis=0), np.float32)
    top = np.asarray(tops, np.float32)
    return Background(number, mean, np.sort(top), np.sort(top - probes @ mean))


def _file(collection: str) -> Path:
    return get_settings().data_dir / "background" / f"{collection}.npz"


def _read(file: Path) -> Vectors:
    try:
        with np.load(file, allow_pickle=False) as stored:
            if str(stored["key"]) == _KEY:
                return np.asarray(stored["probes"], np.float32)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        pass  # not there, of another version, or damaged: made anew
    return np.empty((0, 0), np.float32)


def _write(file: Path, probes: Vectors) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, probes=probes, key=_KEY)
    try:
        make_private_folder(file.parent)
        replace_file(file, buffer.getvalue())
    except OSError as error:
        log.warning("the background of a search cannot be kept: %s", error)
