"""The drawn world: what a picture can show, how it is described and drawn.

A `Scene` is one combination of words (a kind, a shape, colours, a place, ...) plus the seed of
everything that words do not say: exact shade, offset, angle. `captions` describe a scene fully, so
that two scenes with one caption are the same combination; `hints` describe it in part, the way
people type. `is_held_out` splits the combinations once and for all, by a checksum of their words.
"""

from __future__ import annotations

import itertools
import random
import zlib
from collections.abc import Iterator
from typing import Any

from drawn_scene import Scene as Scene
from painting import COLOURS, SHAPES, paint
from PIL import Image

SIZES = ("small", "medium", "large")
PLACES = {
    "centre": "in the centre",
    "left": "on the left",
    "right": "on the right",
    "top": "at the top",
    "bottom": "at the bottom",
    "top left": "at the top left",
    "top right": "at the top right",
    "bottom left": "at the bottom left",
    "bottom right": "at the bottom right",
}
BACKGROUNDS = ("white", "black", "grey", "yellow", "blue", "green", "pink")
BANDS = ("horizontal stripes", "vertical stripes", "diagonal stripes", "zigzag", "checkerboard")
PATTERNS = (*BANDS, "dots", "grid")
SKIES = {
    "sun": "under a bright sun",
    "clouds": "under a cloudy sky",
    "sunset": "at sunset",
    "rain": "in the rain",
    "night": "at night",
}
GROUNDS = {"grass": "on a green meadow", "sand": "on yellow sand", "snow": "on white snow"}
VIVID = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "white")
NUMBERS = ("no", "one", "two", "three", "four", "five", "six")

# kind -> the choices for each field of Scene that this kind uses
WORLD: dict[str, dict[str, tuple[Any, ...]]] = {
    "single": {
        "subject": SHAPES,
        "colour": tuple(COLOURS),
        "size": SIZES,
        "place": tuple(PLACES),
        "background": BACKGROUNDS,
    },
    "count": {
        "subject": SHAPES,
        "colour": tuple(COLOURS),
        "count": (2, 3, 4),
        "background": BACKGROUNDS,
    },
    "pair": {
        "subject": SHAPES,
        "colour": tuple(COLOURS),
        "place": ("left of", "above"),
        "other_subject": SHAPES,
        "other_colour": tuple(COLOURS),
        "background": BACKGROUNDS,
    },
    "texture": {
        "subject": PATTERNS,
        "colour": tuple(COLOURS),
        "other_colour": tuple(COLOURS),
        "size": ("fine", "coarse"),
    },
    "house": {"colour": VIVID, "other_colour": (*VIVID, "brown", "black"), "place": tuple(SKIES)},
    "tree": {
        "colour": ("green", "orange", "pink", "white"),
        "count": (1, 2, 3, 4),
        "background": tuple(GROUNDS),
        "place": tuple(SKIES),
    },
    "mountain": {
        "colour": ("grey", "brown", "blue", "purple", "green"),
        "count": (1, 2, 3),
        "subject": ("snowy", "bare"),
        "place": tuple(SKIES),
    },
    "sailboat": {"colour": VIVID, "count": (1, 2, 3), "place": tuple(SKIES)},
    "flower": {"colour": VIVID, "count": (1, 2, 3, 4, 5), "place": tuple(SKIES)},
    "night": {
        "count": (1, 2, 3, 4, 5, 6),
        "subject": ("full moon", "crescent moon", "no moon"),
        "background": ("sea", "hills", "roofs"),
    },
}
LANDSCAPES = tuple(WORLD)[4:]
WEIGHTS = {"single": 30, "count": 15, "pair": 20, "texture": 15} | dict.fromkeys(LANDSCAPES, 4)
HELD_OUT_ONE_IN = 10


def combinations() -> Iterator[Scene]:
    """Every possible scene once, with `jitter` 0, in a fixed order (about 200,000)."""
    for kind, fields in WORLD.items():
        for values in itertools.product(*fields.values()):
            scene = Scene(kind, **dict(zip(fields, values, strict=True)))
            if _is_possible(scene):
                yield scene


def random_scene(rng: random.Random, *, held_out: bool | None = None) -> Scene:
    """One scene by the kinds' weights, from either side of the split or (None) from both."""
    while True:
        kind = rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        values = {field: rng.choice(choices) for field, choices in WORLD[kind].items()}
        scene = Scene(kind, **values, jitter=rng.getrandbits(32))
        if _is_possible(scene) and held_out in (None, is_held_out(scene)):
            return scene


def distinct_scenes(count: int, rng: random.Random, *, held_out: bool | None = None) -> list[Scene]:
    """`count` random scenes of which no two share a combination (nor, so, a full caption)."""
    scenes: dict[tuple[str | int, ...], Scene] = {}
    while len(scenes) < count:
        scene = random_scene(rng, held_out=held_out)
        scenes.setdefault(scene.combination, scene)
    return list(scenes.values())


def is_held_out(scene: Scene) -> bool:
    """Whether this combination is kept from training.

    The plain background of shapes and the scale of textures are left out of the checksum: a
    held-out shape, colour, size and place was seen on no background at all.
    """
    ignored = {"single": 1, "count": 1, "pair": 1}.get(scene.kind, 0)
    words = scene.combination[: len(scene.combination) - ignored]
    if scene.kind == "texture":
        words = (scene.kind, scene.subject, scene.colour, scene.other_colour)
    return zlib.crc32("|".join(map(str, words)).encode()) % HELD_OUT_ONE_IN == 0


def draw(scene: Scene, size: tuple[int, int] | int, *, supersample: int = 2) -> Image.Image:
    """The scene as an RGB picture of `size` (width, height) pixels; the same bytes every time.

    What is counted or placed lies in the central square, so that a centre crop loses none of it.
    It is painted `supersample` times as large and reduced, which smooths the edges.
    """
    width, height = (size, size) if isinstance(size, int) else size
    large = paint(scene, (width * supersample, height * supersample), random.Random(scene.jitter))
    return large if supersample == 1 else large.reduce(supersample)


def captions(scene: Scene) -> list[str]:
    """Full descriptions, the plainest first; each names every part of the combination."""
    return _spellings(_CAPTIONS[_family(scene)](scene))


def hints(scene: Scene) -> list[str]:
    """Partial descriptions, as people type them; true of many scenes."""
    return _spellings(_HINTS[_family(scene)](scene))


def _is_possible(scene: Scene) -> bool:
    if scene.kind in LANDSCAPES:
        return scene.colour != scene.other_colour or not scene.colour
    if scene.kind == "texture":
        names = list(COLOURS)
        order = names.index(scene.colour) - names.index(scene.other_colour)
        # red and blue stripes are blue and red stripes: keep one of the two
        return order < 0 if scene.subject in BANDS else order != 0
    if (scene.subject, scene.colour) == (scene.other_subject, scene.other_colour):
        return False
    return scene.background not in (scene.colour, scene.other_colour)


def _family(scene: Scene) -> str:
    return "landscape" if scene.kind in LANDSCAPES else scene.kind


def _spellings(texts: list[str]) -> list[str]:
    """The texts with their articles put right, and the first in American spelling if it differs."""
    fixed = [" ".join(text.replace(" a orange", " an orange").split()) for text in texts]
    fixed = ["an" + text[1:] if text.startswith("a orange") else text for text in fixed]
    american = fixed[0].replace("grey", "gray").replace("centre", "center")
    return fixed if american == fixed[0] else [*fixed, american]


def plural(noun: str, count: int) -> str:
    """The noun as it follows that number."""
    return noun if count == 1 else noun + ("es" if noun.endswith("s") else "s")


def _single(s: Scene) -> list[str]:
    thing, place = f"{s.size} {s.colour} {s.subject}", PLACES[s.place]
    return [
        f"a {thing} {place} on a {s.background} background",
        f"{thing}, {place}, {s.background} background",
        f"on a {s.background} background, a {thing} {place}",
        f"a photo of a {thing} {place} on {s.background}",
        f"a {s.size} {s.subject} {place}, {s.colour} on {s.background}",
    ]


def _single_hints(s: Scene) -> list[str]:
    return [
        f"a {s.colour} {s.subject}",
        f"{s.colour} {s.subject}",
        f"{s.subject}, {s.colour}",
        f"a photo of a {s.colour} {s.subject}",
        f"photo of one {s.colour} {s.subject}",
        f"a {s.size} {s.colour} {s.subject}",
        f"a {s.colour} {s.subject} {PLACES[s.place]}",
        f"a {s.colour} {s.subject} on a {s.background} background",
        f"a {s.subject}",
        plural(s.subject, 2),
        s.colour,
    ]


def _count(s: Scene) -> list[str]:
    things = f"{s.colour} {plural(s.subject, s.count)}"
    number = NUMBERS[s.count]
    return [
        f"{number} {things} on a {s.background} background",
        f"{number} {things}, {s.background} background",
        f"on a {s.background} background, {number} {things}",
        f"a photo of {s.count} {things} on {s.background}",
    ]


def _count_hints(s: Scene) -> list[str]:
    things = f"{s.colour} {plural(s.subject, s.count)}"
    number = NUMBERS[s.count]
    return [
        f"{number} {things}",
        f"{s.count} {things}",
        f"a picture of {number} {things}",
        things,
        f"{number} {plural(s.subject, s.count)}",
        plural(s.subject, s.count),
        s.colour,
    ]


def _relations(s: Scene) -> tuple[str, str, str, str]:
    """The two things, and the words from the first to the second and back."""
    there, back = {
        "left of": ("to the left of", "to the right of"),
        "above": ("above", "below"),
    }[s.place]
    return f"a {s.colour} {s.subject}", f"a {s.other_colour} {s.other_subject}", there, back


def _pair(s: Scene) -> list[str]:
    first, second, there, back = _relations(s)
    return [
        f"{first} {there} {second} on a {s.background} background",
        f"{second} {back} {first} on a {s.background} background",
        f"{first} {there} {second}, {s.background} background",
        f"on a {s.background} background, {first} {there} {second}",
    ]


def _pair_hints(s: Scene) -> list[str]:
    first, second, there, back = _relations(s)
    return [
        f"{first} {there} {second}",
        f"{second} {back} {first}",
        f"{first} and {second}",
        f"{second} and {first}",
        f"{first} {there} {second}".removeprefix("a "),
        f"a photo of {first} and {second}",
    ]


def _texture(s: Scene) -> list[str]:
    one, two = s.colour, s.other_colour
    if s.subject in BANDS:
        article = "" if "stripes" in s.subject else "a "
        return [
            f"{article}{s.size} {one} and {two} {s.subject}",
            f"{article}{s.size} {two} and {one} {s.subject}",
            f"{s.size} {s.subject} in {one} and {two}",
            f"a texture of {s.size} {one} and {two} {s.subject}",
        ]
    article = "a " if s.subject == "grid" else ""
    return [
        f"{article}{s.size} {one} {s.subject} on a {two} background",
        f"{s.size} {one} {s.subject} on {two}",
        f"a texture of {s.size} {one} {s.subject} on {two}",
    ]


def _texture_hints(s: Scene) -> list[str]:
    one, two = s.colour, s.other_colour
    pattern = s.subject.split()[-1]  # "stripes" will do for horizontal ones
    texts = [pattern, s.subject, f"{s.size} {s.subject}", f"{s.subject}, {one}, {two}"]
    if s.subject in BANDS:
        return [
            f"{one} and {two} {s.subject}",
            f"{one} and {two} {pattern}",
            f"{two} and {one} {pattern}",
            *texts,
        ]
    return [f"{one} {s.subject} on {two}", f"{one} {pattern}", *texts]


def _landscape_parts(s: Scene) -> tuple[str, str]:
    """What stands in the picture, and the rest: ground, sky or moon."""
    number = "a" if s.count == 1 else NUMBERS[s.count]
    things = f"{number} {s.colour} {plural(s.kind, s.count)}"
    sky = SKIES.get(s.place, "")
    match s.kind:
        case "house":
            return f"a {s.colour} house with a {s.other_colour} roof", sky
        case "tree":
            return things, f"{GROUNDS[s.background]} {sky}"
        case "mountain":
            peak = "with snow on top" if s.subject == "snowy" else "without snow"
            return f"{things} {peak}", sky
        case "sailboat":
            return f"{things} on the sea", sky
        case "flower":
            return f"{things} in the grass", sky
    stars = f"a night sky with {'one' if s.count == 1 else number} {plural('star', s.count)}"
    moon = s.subject if s.subject == "no moon" else f"a {s.subject}"
    return f"{stars} and {moon}", f"over the {s.background}"


def _landscape(s: Scene) -> list[str]:
    things, rest = _landscape_parts(s)
    return [
        f"{things} {rest}",
        f"{rest}, {things}",
        f"{things}, {rest}",
        f"a drawing of {things} {rest}",
    ]


def _landscape_hints(s: Scene) -> list[str]:
    things, _ = _landscape_parts(s)
    texts = [things, f"a picture of {things}"]
    if s.kind == "night":
        stars = f"{NUMBERS[s.count]} {plural('star', s.count)}"
        return [*texts, "night sky", "stars", f"{stars} in the sky", s.subject]
    nouns = (s.kind, plural(s.kind, 2))
    texts += [f"{s.colour} {nouns[s.count > 1]}", f"a {s.kind}", *nouns]
    return texts + [f"{noun} {SKIES[s.place]}" for noun in nouns]


_CAPTIONS = {
    "single": _single,
    "count": _count,
    "pair": _pair,
    "texture": _texture,
    "landscape": _landscape,
}
_HINTS = {
    "single": _single_hints,
    "count": _count_hints,
    "pair": _pair_hints,
    "texture": _texture_hints,
    "landscape": _landscape_hints,
}
