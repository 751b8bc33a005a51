"""The drawn model's test: 500 pictures of combinations it never saw, found by their captions."""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Sequence

import numpy as np
from drawing import captions, distinct_scenes, draw
from numpy.typing import NDArray
from PIL import Image

QUERIES = 500
SEED = 20_000

Vectors = NDArray[np.floating]


def held_out_gallery(count: int = QUERIES, seed: int = SEED) -> tuple[list[Image.Image], list[str]]:
    """`count` held-out pictures and their captions, all distinct, the same each time.

    The pictures have gone through JPEG at the sizes and aspect ratios of ordinary small pictures,
    as those have that a person indexes.
    """
    rng = random.Random(seed)
    scenes = distinct_scenes(count, rng, held_out=True)
    sizes = [(rng.randint(256, 640), rng.randint(256, 640)) for _ in scenes]
    pictures = [_through_jpeg(draw(s, size)) for s, size in zip(scenes, sizes, strict=True)]
    return pictures, [captions(scene)[0] for scene in scenes]


def held_out_recall(
    encode_images: Callable[[Sequence[Image.Image]], Vectors],
    encode_texts: Callable[[Sequence[str]], Vectors],
    count: int = QUERIES,
) -> float:
    """Recall@1 from text to picture: the share of captions whose own picture ranks first.

    Both functions give one unit vector per item, shape (items, dimension).
    """
    pictures, texts = held_out_gallery(count)
    scores = encode_texts(texts) @ encode_images(pictures).T
    return float(np.mean(scores.argmax(axis=1) == np.arange(count)))


def _through_jpeg(picture: Image.Image) -> Image.Image:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=85)
    return Image.open(file)
