"""From which cosine on two pictures of a model count as near duplicates.

One number for all models is wrong: a model that knows a thousand kinds of things puts two zebras
nearer together than another puts a picture and its own smaller copy. So two things are measured in
the collection itself: how near pictures are to copies of themselves, made smaller and saved again,
and how near different pictures are to each other. The threshold lies above nearly all of the second
and, as far as that allows, below nearly all of the first.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sqlalchemy import select

from app.config import get_settings
from app.db.engine import get_sync_engine
from app.db.models import ImageAsset
from app.errors import AppError
from app.pictures.decode import PictureError
from app.worker.context import context

COPIES = 32
"""Pictures that are compared with copies of themselves."""
FEWEST_COPIES = 8
MISSED = 0.1
"""The share of such copies that may be missed for the sake of fewer wrong pairs."""
MOST_MISSED = 0.5
"""The share that may be missed where different pictures are as near as that."""
WRONG = 0.02
"""Wrong pairs for each picture that may remain."""
DIFFERENT = 2_000
"""Pictures of which every two are compared."""
COPY_SCALE, COPY_QUALITY = 0.75, 75
WITHOUT_COPIES = 0.95, 0.98
"""The least and the greatest threshold where no picture can be read."""

Vectors = NDArray[np.float32]

log = logging.getLogger(__name__)


def measured_threshold(spec: str, collection: str, vectors: Vectors, copies: Vectors) -> float:
    """The least cosine of near duplicates.

    Args:
        spec, collection: the model, for the log.
        vectors: of different pictures of the collection, shape (pictures, dimension).
        copies: cosines of pictures with copies of themselves, shape (pictures,).
    """
    low, high = WITHOUT_COPIES
    if len(copies) >= FEWEST_COPIES:
        low, high = np.quantile(copies, [MISSED, MOST_MISSED]).tolist()
    apart = _between(vectors)
    threshold = float(min(max(low, apart), high, 1.0))
    log.info(
        "near duplicates of %s in %s: from %.3f on (copies %.3f to %.3f, others up to %.3f)",
        *(spec, collection, threshold, low, high, apart),
    )
    return threshold


def cosines_with_copies(
    spec: str, collection: str, stored: Mapping[int, Vectors]
) -> NDArray[np.float32]:
    """How near pictures are to copies of themselves; empty where the model cannot be had.

    Args:
        stored: vectors by asset id; pictures that cannot be read are passed over.
    """
    try:
        encoder = context().search_encoder(spec)
    except AppError as error:
        log.warning("near duplicates are told apart without copies: %s", error)
        return np.empty(0, np.float32)
    if encoder.collection != collection:
        return np.empty(0, np.float32)
    limit, decoders = get_settings().max_image_megapixels, context().decoders
    cosines = []
    for asset_id, path in paths_of(list(stored)):
        try:
            with decoders.read(0, path) as file:
                pixels = file.decode(encoder.pixels, limit).result().pixels
            copy = encoder.encode_images(_copy(pixels)[None])[0]
        except (PictureError, AppError):
            continue
        cosines.append(float(copy @ stored[asset_id]))
    return np.asarray(cosines, np.float32)


def _between(vectors: Vectors) -> float:
    """The cosine that so few pairs of pictures exceed as may be taken for near duplicates."""
    if len(vectors) < 2:
        return 0.0
    cosines = (vectors @ vectors.T)[np.triu_indices(len(vectors), k=1)]
    return float(np.quantile(cosines, 1 - min(WRONG / len(vectors), 1)))


def _copy(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture made smaller and saved again, in the size that the model sees."""
    picture = Image.fromarray(pixels)
    side = max(round(picture.width * COPY_SCALE), 1)
    buffer = io.BytesIO()
    picture.resize((side, side), Image.Resampling.LANCZOS).save(
        buffer, "JPEG", quality=COPY_QUALITY
    )
    with Image.open(buffer) as smaller:
        return np.asarray(smaller.convert("RGB").resize(picture.size, Image.Resampling.BICUBIC))


def paths_of(asset_ids: Sequence[int]) -> list[tuple[int, str]]:
    """Pictures, each with its path."""
    with get_sync_engine().connect() as conn:
        query = select(ImageAsset.id, ImageAsset.path).where(ImageAsset.id.in_(asset_ids))
        return [(row.id, row.path) for row in conn.execute(query)]
