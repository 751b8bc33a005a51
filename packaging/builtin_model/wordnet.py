"""WordNet 3.0's nouns: their words, explanations, and what is a kind of what."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from words import plural


@dataclass(frozen=True, slots=True)
class Synset:
    """One meaning: the words for it, the first clause of its gloss, the meanings above it."""

    words: tuple[str, ...]
    gloss: str
    above: tuple[int, ...]
    is_name: bool
    """Whether it is one person, place or thing and no kind of such."""


class WordNet:
    """All nouns, by offset; the file formats are described in WordNet's manual page wndb(5)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.synsets = dict(map(_parsed, _lines(folder / "data.noun")))
        self.senses: dict[str, list[int]] = {}
        """The meanings of a noun, the most frequent one first."""
        self.common: dict[str, set[str]] = {}
        """For each part of speech the words that occur in WordNet's sample of English."""
        for line in _lines(folder / "index.noun"):
            fields = line.split()
            count = int(fields[2])
            self.senses[_spaced(fields[0])] = [int(offset) for offset in fields[-count:]]
        for part in ("noun", "verb", "adj"):
            rows = (line.split() for line in _lines(folder / f"index.{part}"))
            self.common[part] = {_spaced(row[0]) for row in rows if row[5 + int(row[3])] != "0"}

    def ancestors(self, offset: int) -> set[int]:
        """The meaning itself and all above it."""
        found = {offset}
        for above in self.synsets[offset].above:
            found |= self.ancestors(above)
        return found

    def nearest_above(self, offset: int, count: int) -> list[int]:
        """The meanings above one, the nearest first."""
        chain: list[int] = []
        level = [offset]
        while level and len(chain) < count:
            level = [above for one in level for above in self.synsets[one].above]
            chain += [one for one in level if one not in chain]
        return chain[:count]

    def members(self, kinds: Iterable[int]) -> dict[int, set[int]]:
        """For each meaning the given kinds under it; meanings without any are left out."""
        under: dict[int, set[int]] = defaultdict(set)
        for kind in kinds:
            for above in self.ancestors(kind):
                under[above].add(kind)
        return dict(under)

    def plurals(self, word: str) -> list[str]:
        """The irregular plurals of a word, or its regular one."""
        *rest, last = word.split(" ")
        forms = self._irregular.get(last) or [plural(last)]
        return [" ".join([*rest, form]) for form in forms]

    @cached_property
    def _irregular(self) -> dict[str, list[str]]:
        forms: dict[str, list[str]] = defaultdict(list)
        for line in _lines(self.folder / "noun.exc"):
            form, word, *_ = line.split()
            forms[_spaced(word)].append(_spaced(form))
        return dict(forms)


def _lines(file: Path) -> list[str]:
    """Without the licence at the top, whose lines begin with blanks."""
    with file.open(encoding="utf-8") as lines:
        return [line for line in lines if not line.startswith("  ")]


def _spaced(word: str) -> str:
    return word.replace("_", " ").lower()


def _parsed(line: str) -> tuple[int, Synset]:
    data, _, gloss = line.partition(" | ")
    fields = data.split()
    words = int(fields[3], 16)
    pointers = fields[5 + 2 * words :]
    above = tuple(
        int(offset)
        for symbol, offset in zip(pointers[::4], pointers[1::4], strict=False)
        if symbol in ("@", "@i")
    )
    return int(fields[0]), Synset(
        words=tuple(_spaced(word) for word in fields[4 : 4 + 2 * words : 2]),
        gloss=gloss.partition(";")[0].partition('"')[0].strip(),
        above=above,
        is_name="@i" in pointers[::4],
    )
