"""How people put what they look for: plurals, frames around a word, and words that are none."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable

FRAMES = (
    "a photo of {a}", "a photo of {a}", "a photo of {the}", "photo of {a}", "photos of {many}",
    "a picture of {a}", "picture of {the}", "pictures of {many}", "picture of my {one}",
    "an image of {a}", "images of {many}", "{one} photo", "{one} picture", "{one} pictures",
    "my {one}", "the {one}", "{a}", "{a}", "some {many}", "two {many}", "three {many}",
    "many {many}", "a group of {many}", "a close-up of {a}", "{the} outside", "{a} in the picture",
    "a bad photo of {a}", "a black and white photo of {a}", "where is {the}", "find {many}",
    "show me {many}", "looking for {a}", "{many}", "{many}", "lots of {many}", "our {one}",
)  # fmt: skip
"""Ways to ask for a thing; the picture that is meant is that of the bare word."""

QUALITIES = (
    "big", "small", "old", "new", "beautiful", "cute", "red", "blue", "green", "yellow", "white",
    "black", "brown", "grey", "orange", "purple", "pink", "golden", "little", "large", "huge",
    "tiny", "young", "nice", "lovely", "funny", "dirty", "clean", "broken", "wooden", "colourful",
    "bright", "dark", "wet", "sleeping", "single", "lonely", "famous", "modern", "antique", "wild",
)  # fmt: skip
"""What people say of a thing and the model does not see."""

JOINTS = (
    "{0} and {1}", "{0} and {1}", "{0} with {1}", "{0} near {1}", "{0} next to {1}", "{0} by {1}",
    "{0} in front of {1}", "{0}, {1}", "{0} {1}", "{0} on {1}", "{0} beside {1}", "{0} in {1}",
    "a photo of {0} and {1}", "a picture of {0} with {1}", "both {0} and {1}",
)  # fmt: skip
"""Ways to ask for two things at once."""


def plural(word: str) -> str:
    """The regular plural of an English word."""
    if word.endswith(("s", "x", "z", "ch", "sh")):
        return f"{word}es"
    if word.endswith("y") and word[-2:-1] not in "aeiou":
        return f"{word[:-1]}ies"
    return f"{word}s"


def with_article(word: str) -> str:
    """``an apple``, ``a dog``."""
    return f"{'an' if word[:1] in 'aeiou' else 'a'} {word}"


def framed(rng: random.Random, one: str, many: str) -> str:
    """A way to ask for a thing, given its singular and its plural."""
    if rng.random() < 0.15:
        quality = rng.choice(QUALITIES)
        one, many = f"{quality} {one}", f"{quality} {many}"
    frame = rng.choice(FRAMES)
    return frame.format(one=one, many=many, a=with_article(one), the=f"the {one}")


def joined(rng: random.Random, first: tuple[str, str], second: tuple[str, str]) -> str:
    """A way to ask for two things, each given as singular and plural."""
    parts = [
        rng.choice([one, with_article(one), with_article(one), many])
        for one, many in (first, second)
    ]
    return rng.choice(JOINTS).format(*parts)


class MadeUpWords:
    """Words that look like English and are none: every three letters are those of a real word."""

    def __init__(self, words: Iterable[str]) -> None:
        self._known = set(words)
        self._next: dict[str, list[str]] = defaultdict(list)
        for word in sorted(self._known):  # the same in every run
            if word.isalpha() and word.isascii():
                padded = f"  {word}\n"
                for at in range(len(word) + 1):
                    self._next[padded[at : at + 2]].append(padded[at + 2])

    def draw(self, rng: random.Random) -> str:
        """One to three of them."""
        return " ".join(self._word(rng) for _ in range(rng.choice((1, 1, 1, 2, 3))))

    def _word(self, rng: random.Random) -> str:
        while True:
            word = "  "
            while not word.endswith("\n") and len(word) < 14:
                word += rng.choice(self._next[word[-2:]])
            word = word.strip()
            if len(word) > 3 and word not in self._known:
                return word
