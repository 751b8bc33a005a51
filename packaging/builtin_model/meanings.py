"""Which of the classifier's classes a word stands for, and the texts that describe a class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from everyday import associations
from numpy.typing import NDArray
from wordnet import WordNet

Floats = NDArray[np.float32]

_TOO_WIDE = 420
"""Words for more classes than that (``object``) say nothing."""
_RARE_SENSE = 0.4


class Meanings:
    """Words and the classes that they stand for.

    Attributes:
        words: every word that WordNet or :mod:`everyday` gives to a class or a family of classes.
        shares: shape (words, classes), from 0 to 1; less than 1 for a rare sense of a word.
        names: whether the word is the name of a class rather than of a family.
    """

    def __init__(self, wordnet: WordNet, classes: Sequence[int]) -> None:
        self._wordnet = wordnet
        self._column = {offset: column for column, offset in enumerate(classes)}
        self._members = wordnet.members(classes)
        rows: dict[str, Floats] = {}
        for offset in self._members:
            for word in wordnet.synsets[offset].words:
                rows.setdefault(word, self._by_senses(word))
        for word, (adds, things) in associations().items():
            known = rows.get(word, self._nothing()) if adds else self._nothing()
            rows[word] = np.max([known, *(self._first_sense(thing) for thing in things)], axis=0)
        for offset in classes:  # "crane" is a bird and a machine, and nobody forgets either
            word = wordnet.synsets[offset].words[0]
            if word not in associations():
                rows[word][self._column[offset]] = 1
        kept = {word: row for word, row in rows.items() if 0 < np.count_nonzero(row) <= _TOO_WIDE}
        self.words = list(kept)
        self.shares = np.stack(list(kept.values()))
        self.names = np.array([row.max() == row.sum() for row in kept.values()])

    def _nothing(self) -> Floats:
        return np.zeros(len(self._column), np.float32)

    def _of_meaning(self, offset: int) -> Floats:
        row = self._nothing()
        row[[self._column[kind] for kind in self._members[offset]]] = 1
        return row

    def _by_senses(self, word: str) -> Floats:
        """The most frequent of a word's senses that has classes, and what comes close to it."""
        senses = self._wordnet.senses[word]
        ranks = [rank for rank, offset in enumerate(senses) if offset in self._members]
        row = self._nothing()
        for rank in ranks:
            meaning = self._of_meaning(senses[rank])
            if rank - ranks[0] <= 1:
                row = np.maximum(row, meaning)
            elif np.count_nonzero(meaning) == 1:
                row = np.maximum(row, _RARE_SENSE * meaning)
        return row

    def _first_sense(self, word: str) -> Floats:
        senses = self._wordnet.senses[word]
        return self._of_meaning(next(offset for offset in senses if offset in self._members))


def class_texts(wordnet: WordNet, classes: Sequence[int]) -> tuple[list[str], list[list[str]]]:
    """For each class its name, and what else describes it: synonyms, gloss, families."""
    names, others = [], []
    for offset in classes:
        synset = wordnet.synsets[offset]
        above = [wordnet.synsets[one].words[0] for one in wordnet.nearest_above(offset, 4)]
        names.append(synset.words[0])
        others.append([*synset.words[1:], synset.gloss, *above])
    return names, others
