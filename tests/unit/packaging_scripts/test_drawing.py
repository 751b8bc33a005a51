"""The drawn world: the same every time, split cleanly, described truly."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from drawing import (
    LANDSCAPES,
    WORLD,
    Scene,
    captions,
    combinations,
    distinct_scenes,
    draw,
    hints,
    is_held_out,
    random_scene,
)
from make_samples import PHOTOGRAPHS, make_samples
from PIL import Image

ROOT = Path(__file__).parents[3]

RED_CIRCLE = Scene("single", "circle", "red", "large", "centre", background="white", jitter=5)


def test_drawing_a_scene_twice_gives_the_same_pixels() -> None:
    for scene in distinct_scenes(40, random.Random(1)):
        size = (90, 64)
        assert draw(scene, size).size == size
        assert draw(scene, size).tobytes() == draw(scene, size).tobytes()


def test_random_scenes_follow_their_seed() -> None:
    first, second = (
        [random_scene(rng) for _ in range(50)] for rng in (random.Random(3), random.Random(3))
    )
    assert first == second


def test_every_kind_is_drawn_and_described() -> None:
    kinds = {scene.kind for scene in distinct_scenes(400, random.Random(2))}
    assert kinds == set(WORLD)


def test_no_held_out_combination_reaches_training() -> None:
    rng = random.Random(4)
    training = {random_scene(rng, held_out=False).combination for _ in range(2_000)}
    held_out = {scene.combination for scene in distinct_scenes(500, rng, held_out=True)}
    assert not training & held_out


def test_shapes_are_held_out_whatever_their_background() -> None:
    rng = random.Random(5)
    for scene in distinct_scenes(300, rng):
        if scene.kind in ("single", "count", "pair"):
            sides = {
                is_held_out(Scene(*scene.combination[:-1], background=colour))  # type: ignore[arg-type]
                for colour in WORLD[scene.kind]["background"]
            }
            assert len(sides) == 1


def test_about_a_tenth_of_each_family_is_held_out() -> None:
    sides: dict[str, list[bool]] = {}
    for scene in combinations():
        kind = "landscape" if scene.kind in LANDSCAPES else scene.kind
        sides.setdefault(kind, []).append(is_held_out(scene))
    for kind, held_out in sides.items():
        assert 0.05 < sum(held_out) / len(held_out) < 0.15, kind


def test_a_full_caption_belongs_to_one_combination() -> None:
    owners: dict[str, tuple[str | int, ...]] = {}
    for scene in combinations():
        if scene.kind != "pair" or scene.background == "grey":  # the rest differ in one word
            for caption in captions(scene):
                assert owners.setdefault(caption, scene.combination) == scene.combination


def test_captions_and_hints_name_colour_and_shape() -> None:
    assert captions(RED_CIRCLE)[0] == "a large red circle in the centre on a white background"
    assert {"a red circle", "red circle", "circle, red", "a photo of a red circle"} <= set(
        hints(RED_CIRCLE)
    )
    rng = random.Random(6)
    for scene in distinct_scenes(300, rng):
        if scene.kind in ("single", "count", "pair"):
            for caption in captions(scene):
                assert scene.subject in caption
                assert scene.colour in caption or scene.colour == "grey"


@pytest.mark.parametrize("size", [(400, 256), (256, 400), (256, 256)])
def test_the_shape_survives_a_centre_crop(size: tuple[int, int]) -> None:
    picture = draw(RED_CIRCLE, size)
    red, green, blue = picture.getpixel((size[0] // 2, size[1] // 2))
    assert red > 150 > max(green, blue)


def test_samples_are_the_committed_ones(tmp_path: Path) -> None:
    make_samples(tmp_path)
    committed = ROOT / "resources" / "samples"
    names = [
        {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
        for root in (tmp_path, committed)
    ]
    assert names[0] == {name for name in names[1] if not name.startswith(PHOTOGRAPHS)}
    for name in names[0]:
        if name.startswith(("shapes/", "counts/")) and name.endswith(".png"):
            with Image.open(tmp_path / name) as made, Image.open(committed / name) as kept:
                assert made.tobytes() == kept.tobytes()
