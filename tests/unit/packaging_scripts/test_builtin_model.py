"""The parts that make and measure the built-in model, without its sources."""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

sys.path.append(str(Path(__file__).parents[3] / "packaging" / "builtin_model"))

from everyday import associations
from held_out import Photograph, measure
from picture_tower import projection
from wordnet import WordNet
from words import MadeUpWords, framed, joined, plural, with_article

NOUNS = """\
  1 a line of the licence
00000001 03 n 01 animal 0 001 ~ 00000002 n 0000 | a living being
00000002 05 n 02 dog 0 domestic_dog 0 002 @ 00000001 n 0000 ~ 00000003 n 0000 | a pet; "it barks"
00000003 05 n 01 Rex 1 001 @i 00000002 n 0000 | one dog
"""
INDEX = """\
  1 a line of the licence
animal n 1 1 ~ 1 0 00000001
dog n 1 2 @ ~ 1 1 00000002
domestic_dog n 1 2 @ ~ 1 0 00000002
rex n 1 1 @i 1 0 00000003
"""


@pytest.fixture
def wordnet(tmp_path: Path) -> WordNet:
    (tmp_path / "data.noun").write_text(NOUNS)
    (tmp_path / "index.noun").write_text(INDEX)
    (tmp_path / "index.verb").write_text("bark v 1 1 @ 1 0 00000004\nrun v 1 1 @ 1 1 00000005\n")
    (tmp_path / "index.adj").write_text("")
    (tmp_path / "noun.exc").write_text("mice mouse\n")
    return WordNet(tmp_path)


def test_wordnet_says_what_is_a_kind_of_what(wordnet: WordNet) -> None:
    dog = wordnet.synsets[2]
    assert (dog.words, dog.gloss, dog.is_name) == (("dog", "domestic dog"), "a pet", False)
    assert wordnet.synsets[3].is_name
    assert wordnet.ancestors(3) == {1, 2, 3}
    assert wordnet.nearest_above(3, 2) == [2, 1]
    assert wordnet.members([2, 3]) == {1: {2, 3}, 2: {2, 3}, 3: {3}}
    assert wordnet.senses["domestic dog"] == [2]
    assert wordnet.common == {"noun": {"dog"}, "verb": {"run"}, "adj": set()}


def test_plurals_are_regular_where_wordnet_has_none(wordnet: WordNet) -> None:
    assert wordnet.plurals("field mouse") == ["field mice"]
    assert wordnet.plurals("dog") == ["dogs"]
    assert [plural(word) for word in ("box", "puppy", "monkey", "beach")] == [
        "boxes",
        "puppies",
        "monkeys",
        "beaches",
    ]


def test_words_are_framed_and_joined_as_people_put_them() -> None:
    rng = random.Random(1)
    assert (with_article("apple"), with_article("dog")) == ("an apple", "a dog")
    assert all("dog" in framed(rng, "dog", "dogs") for _ in range(200))
    both = [joined(rng, ("dog", "dogs"), ("cat", "cats")) for _ in range(200)]
    assert all("dog" in text and "cat" in text for text in both)
    assert any(text == "a dog and a cat" for text in both)


def test_made_up_words_are_none_of_the_known_ones() -> None:
    known = {
        "banana",
        "canal",
        "panama",
        "salad",
        "palace",
        "alabama",
        "nasal",
        "marina",
        "manager",
    }
    made_up, rng = MadeUpWords(known), random.Random(1)
    drawn = {word for _ in range(100) for word in made_up.draw(rng).split()}
    assert len(drawn) > 3
    assert not drawn & known


def test_everyday_words_have_things_to_show() -> None:
    assert all(things and all(things) for _, things in associations().values())


def test_a_sure_class_gives_a_picture_its_vector_and_an_unsure_one_does_not() -> None:
    torch.manual_seed(1)
    vectors = torch.eye(1000)[:, :256]
    weights = projection(torch.eye(1000), torch.zeros(1000), vectors, torch.zeros(1000))

    def embed(features: torch.Tensor) -> torch.Tensor:
        hidden = features @ weights["fc1.weight"].T + weights["fc1.bias"]
        embedding = torch.nn.functional.gelu(hidden) @ weights["fc2.weight"].T
        return torch.nn.functional.normalize(embedding + weights["fc2.bias"], dim=-1)

    features = torch.zeros(3, 1000)
    features[0, 7], features[1, [3, 4]], features[2, 7] = 9, 9, 0.5
    sure, both, unsure = embed(features)
    assert sure[7] > 0.85
    assert both[3] > 0.6
    assert both[4] > 0.6
    assert unsure[7].abs() < 0.2


def test_a_model_that_knows_everything_has_full_marks(tmp_path: Path) -> None:
    kinds = ["n02085620_dog", "n02123045_cat", "n03100240_car", "n02951358_boat"]
    colours = [(200, 0, 0), (0, 200, 0), (0, 0, 200), (120, 120, 0)]
    pictures = []
    for kind, colour in zip(kinds, colours, strict=True):
        pictures.append(Photograph(tmp_path / f"{kind}.JPEG", *kind.split("_")))
        Image.new("RGB", (80, 60), colour).save(pictures[-1].file)

    def encode_images(images: Sequence[Image.Image]) -> NDArray[np.floating]:
        small = np.stack([np.asarray(picture.resize((2, 1), 0)) for picture in images])
        return unit(sum_of_colours(small.astype(float)))

    def sum_of_colours(pixels: NDArray[np.floating]) -> NDArray[np.floating]:
        nearest = np.abs(pixels[:, :, :, None] - np.array(colours)).sum(-1).argmin(-1)
        return np.eye(4)[nearest].sum((1, 2))

    def encode_texts(texts: Sequence[str]) -> NDArray[np.floating]:
        names = [kind.partition("_")[2] for kind in kinds]
        return unit(np.array([[name in text.split() for name in names] for text in texts]) + 1e-6)

    def unit(rows: NDArray[np.floating]) -> NDArray[np.floating]:
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    pictures.append(pictures[0])  # a kind may have more pictures than one
    found = measure(pictures, encode_images, encode_texts, collages=2)
    assert (found.recall_at_1, found.recall_at_10, found.two_at_once) == (1, 1, 1)
