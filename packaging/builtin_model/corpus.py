"""The texts that the text tower learns from, each with its place in the space."""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

import torch
from text_tower import Batch
from torch import Tensor
from torch.nn import functional
from words import MadeUpWords, framed, joined

TEXTS = 512
GROUPS = 12
SHARES = {"known": 0.48, "two": 0.12, "noun": 0.24, "gloss": 0.04, "other": 0.04, "made up": 0.08}
"""What a step's texts are, by kind; see :class:`Corpus`."""
USUAL = 3
"""How often a usual word is drawn for each time that another one is."""


@dataclass(frozen=True)
class Vocabulary:
    """Texts of one kind, their plurals, and their places, shape (texts, dimension)."""

    texts: Sequence[str]
    plurals: Sequence[Sequence[str]]
    places: Tensor
    usual: Collection[str] = ()
    """Those that people type; they are drawn more often than the rest."""

    def draw(self, rng: random.Random) -> int:
        """The position of a text."""
        return rng.choices(range(len(self.texts)), cum_weights=self._cumulative)[0]

    @cached_property
    def _cumulative(self) -> list[int]:
        return list(accumulate(USUAL if text in self.usual else 1 for text in self.texts))


class Corpus:
    """Draws texts: framed words, two words at once, explanations, made-up words.

    Args:
        known: words that stand for classes.
        nouns: all others, which a person might type.
        glosses: explanations.
        others: verbs and adjectives.
        nowhere: the place of a word that means nothing, shape (dimension).
    """

    def __init__(
        self,
        known: Vocabulary,
        nouns: Vocabulary,
        glosses: Vocabulary,
        others: Vocabulary,
        made_up: MadeUpWords,
        nowhere: Tensor,
        tokenizer: object,
        seed: int,
    ) -> None:
        self._vocabularies = {"known": known, "noun": nouns, "gloss": glosses, "other": others}
        self._made_up, self._nowhere = made_up, nowhere
        self._tokenizer = tokenizer
        self._rng = random.Random(seed)

    def batches(self) -> list[Batch]:
        """One step's texts, in groups of like length."""
        kinds = self._rng.choices(list(SHARES), list(SHARES.values()), k=TEXTS)
        drawn = [self._draw(kind) for kind in kinds]
        tokens = self._tokenizer([text for text, _ in drawn])  # type: ignore[operator]
        places = torch.stack([place for _, place in drawn])
        order = tokens.argmax(1).argsort()
        return [(tokens[rows], places[rows]) for rows in order.chunk(GROUPS)]

    def _draw(self, kind: str) -> tuple[str, Tensor]:
        if kind == "made up":
            word = self._made_up.draw(self._rng)
            return self._perhaps_framed(word, f"{word}s", 0.3), self._nowhere
        if kind == "two":
            (first, one), (second, other) = self._word("known"), self._word("known")
            text = joined(self._rng, first, second)
            return text, functional.normalize(one + other, dim=-1)
        words, place = self._word(kind)
        often = {"known": 0.75, "noun": 0.4, "gloss": 0.0, "other": 0.1}[kind]
        return self._perhaps_framed(*words, often), place

    def _word(self, kind: str) -> tuple[tuple[str, str], Tensor]:
        """A singular with one of its plurals, and its place."""
        vocabulary = self._vocabularies[kind]
        at = vocabulary.draw(self._rng)
        one = vocabulary.texts[at]
        many = self._rng.choice(vocabulary.plurals[at]) if vocabulary.plurals else one
        if "-" in one and self._rng.random() < 0.5:
            one, many = one.replace("-", " "), many.replace("-", " ")
        return (one, many), vocabulary.places[at]

    def _perhaps_framed(self, one: str, many: str, often: float) -> str:
        return framed(self._rng, one, many) if self._rng.random() < often else one
