"""The built-in model's test: photographs that it never saw, found by what people type.

The photographs are the 1,300 of ImageNet's validation half that
https://github.com/VeriSilicon/acuity-dataset has, of 725 of the classifier's 1,000 kinds. The
classifier was not trained on that half, and nothing about the built-in model was chosen by it.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import platformdirs
from numpy.typing import NDArray
from PIL import Image

REPOSITORY = "https://github.com/VeriSilicon/acuity-dataset"
FOLDER = platformdirs.user_cache_path("afterimage") / "held-out-photographs"
"""Where the repository is, or is cloned to."""
CATEGORIES = Path(__file__).with_name("categories.json")
"""Thirty everyday words, and the classes whose pictures answer them, by WordNet's families."""
COLLAGES = 200
BATCH = 50

Vectors = NDArray[np.floating]
EncodeImages = Callable[[Sequence[Image.Image]], Vectors]
EncodeTexts = Callable[[Sequence[str]], Vectors]


class Photograph(NamedTuple):
    """A file, and what it shows."""

    file: Path
    kind: str
    """ImageNet's number, such as ``n02123045``."""
    name: str
    """What people call that, such as ``tabby``."""


class HeldOut(NamedTuple):
    """What was measured, each from 0 to 1."""

    recall_at_1: float
    """Share of photographs that "a photo of a <name>" finds first; others of the same kind are left
    out of that search, so that one picture is right."""
    recall_at_10: float
    category_precision_at_10: float
    """Over the first 10 pictures, or as many as the category has, if these are fewer."""
    two_at_once: float
    """Share of "a <name> and a <name>" for which the one picture with both is first."""


def photographs() -> list[Photograph] | None:
    """The held-out photographs, which are fetched if need be; None if that does not work."""
    if not FOLDER.is_dir():
        command = ["git", "clone", "--quiet", "--depth", "1", REPOSITORY, str(FOLDER)]
        if subprocess.run(command, check=False, capture_output=True).returncode:
            return None
    folder = FOLDER / "ILSVRC2012_VAL_SET"
    kinds = [line.split(" ", 1) for line in (folder / "synset_words.txt").read_text().splitlines()]
    found = []
    for line in (folder / "dataset.txt").read_text().splitlines():
        file, _, number = line.partition(",")
        kind, names = kinds[int(number)]
        found.append(Photograph(folder / file, kind, names.partition(",")[0]))
    return found


def measure(
    pictures: Sequence[Photograph],
    encode_images: EncodeImages,
    encode_texts: EncodeTexts,
    collages: int = COLLAGES,
) -> HeldOut:
    """Search the photographs; both functions give one unit vector per item."""
    kinds = np.array([picture.kind for picture in pictures])
    files = [picture.file for picture in pictures]
    gallery = np.concatenate([_encoded(part, encode_images) for part in _parts(files)])
    scores = encode_texts([f"a photo of a {picture.name}" for picture in pictures]) @ gallery.T
    others_of_the_kind = (kinds[:, None] == kinds) & ~np.eye(len(kinds), dtype=bool)
    ranks = _ranks(np.where(others_of_the_kind, -1, scores))
    return HeldOut(
        float(np.mean(ranks < 1)),
        float(np.mean(ranks < 10)),
        float(np.mean(list(category_precisions(kinds, gallery, encode_texts).values()))),
        _two_at_once(pictures, gallery, encode_images, encode_texts, collages),
    )


def category_precisions(
    kinds: NDArray[np.str_], gallery: Vectors, encode_texts: EncodeTexts
) -> dict[str, float]:
    """For each everyday word the share of right pictures among the first ten."""
    categories: dict[str, list[str]] = json.loads(CATEGORIES.read_text())
    scores = encode_texts(list(categories)) @ gallery.T
    found = {}
    for row, (word, wanted) in zip(scores, categories.items(), strict=True):
        right = np.isin(kinds, wanted)
        if right.any():
            first = row.argsort()[::-1][: min(10, int(right.sum()))]
            found[word] = float(right[first].mean())
    return found


def _two_at_once(
    pictures: Sequence[Photograph],
    gallery: Vectors,
    encode_images: EncodeImages,
    encode_texts: EncodeTexts,
    number: int,
) -> float:
    """Pictures of two photographs side by side among all single ones."""
    rng = np.random.default_rng(1)
    pairs = [
        (pictures[left], pictures[right])
        for left, right in rng.permutation(len(pictures))[: 2 * number].reshape(-1, 2)
    ]
    collages = [_side_by_side(left.file, right.file) for left, right in pairs]
    both = np.concatenate([encode_images(collages[at : at + BATCH]) for at in _starts(number)])
    texts = [f"a {left.name} and a {right.name}" for left, right in pairs]
    scores = encode_texts(texts) @ np.concatenate([both, gallery]).T
    return float(np.mean(scores.argmax(1) == np.arange(number)))


def _ranks(scores: Vectors) -> NDArray[np.intp]:
    """For each row how many scores are higher than that on the diagonal."""
    higher: NDArray[np.intp] = (scores > np.diagonal(scores)[:, None]).sum(1)
    return higher


def _side_by_side(left: Path, right: Path) -> Image.Image:
    collage = Image.new("RGB", (600, 600))
    for at, file in ((0, left), (300, right)):
        with Image.open(file) as picture:
            square = picture.convert("RGB").resize((300, 600), box=_middle(picture.size))
        collage.paste(square, (at, 0))
    return collage


def _middle(size: tuple[int, int]) -> tuple[float, float, float, float]:
    """The largest part twice as high as wide."""
    width, height = size
    wide = min(width, height / 2)
    return (width - wide) / 2, (height - 2 * wide) / 2, (width + wide) / 2, (height + 2 * wide) / 2


def _encoded(files: Sequence[Path], encode_images: EncodeImages) -> Vectors:
    pictures = []
    for file in files:
        with Image.open(file) as picture:
            pictures.append(picture.convert("RGB"))
    return encode_images(pictures)


def _parts(files: Sequence[Path]) -> list[Sequence[Path]]:
    return [files[at : at + BATCH] for at in _starts(len(files))]


def _starts(count: int) -> range:
    return range(0, count, BATCH)
