"""Write the sample pictures that come with the program: `python packaging/make_samples.py`.

About 120 pictures of the drawn world, in folders, and a few files that are broken in the
ways files are. The same pictures every time; the bytes also depend on Pillow's encoders.
The photographs beside them are other people's; their CREDITS.md says whose.
"""

from __future__ import annotations

import argparse
import random
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from drawing import (
    BACKGROUNDS,
    LANDSCAPES,
    NUMBERS,
    PLACES,
    SIZES,
    Scene,
    draw,
    plural,
    random_scene,
)
from PIL import Image

FOLDER = Path(__file__).parent.parent / "resources" / "samples"
PHOTOGRAPHS = "photographs"
SEED = 7
RED_CIRCLES = 6
PICTURE_SIZES = ((640, 480), (480, 640), (512, 512), (600, 400), (400, 256))
SHAPES, PAIRS, COUNTS, TEXTURES, SCENES = 28, 18, 22, 20, 24  # pictures in each folder

ORIENTATION, DATE_TIME, EXIF_IFD, DATE_TIME_ORIGINAL = 0x0112, 0x0132, 0x8769, 0x9003
QUARTER_TURN = 6  # the orientation of a picture to be turned clockwise before it is shown


class SampleFolder:
    """Writes pictures below one folder, in formats and sizes that vary from file to file."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.rng = random.Random(SEED)
        self.written = 0

    def write(self, folder: str, stem: str, scene: Scene) -> None:
        """Draw one scene; every eighth as PNG, every eighth as WebP, some with Exif."""
        picture = draw(scene, self.rng.choice(PICTURE_SIZES))
        suffix = {3: ".png", 7: ".webp"}.get(self.written % 8, ".jpg")
        path = self.path(folder, stem + suffix)
        if suffix == ".png":
            picture.save(path, optimize=True)
        elif suffix == ".webp":
            picture.save(path, quality=85)
        else:
            self._write_jpeg(path, picture)
        self.written += 1

    def path(self, folder: str, name: str) -> Path:
        """Where a file goes; its folder exists afterwards."""
        (self.root / folder).mkdir(parents=True, exist_ok=True)
        return self.root / folder / name

    def _write_jpeg(self, path: Path, picture: Image.Image) -> None:
        """One in five says when it was taken, and one in ten lies on its side."""
        exif = Image.Exif()
        if self.written % 5 == 0:
            stamp = f"2024:{1 + self.written % 12:02}:{1 + self.written % 28:02} 10:30:00"
            exif[DATE_TIME] = stamp
            exif.get_ifd(EXIF_IFD)[DATE_TIME_ORIGINAL] = stamp
        if self.written % 10 == 0:
            exif[ORIENTATION] = QUARTER_TURN
            picture = picture.transpose(Image.Transpose.ROTATE_90)
        picture.save(path, quality=85, exif=exif)


def file_stem(scene: Scene) -> str:
    """A name that says what the picture shows, such as `red-circle`."""
    number = NUMBERS[scene.count]
    match scene.kind:
        case "single":
            words = f"{scene.colour} {scene.subject}"
        case "count":
            words = f"{number} {scene.colour} {plural(scene.subject, scene.count)}"
        case "pair":
            first, second = scene.subject, scene.other_subject
            words = f"{scene.colour} {first} {scene.place} {scene.other_colour} {second}"
        case "texture":
            words = f"{scene.size} {scene.colour} {scene.other_colour} {scene.subject}"
        case "house":
            words = f"{scene.colour} house {scene.other_colour} roof {scene.place}"
        case "night":
            words = f"night {number} {plural('star', scene.count)} {scene.subject}"
        case _:
            words = f"{number} {scene.colour} {plural(scene.kind, scene.count)} {scene.place}"
    return words.replace(" ", "-")


def scenes_of(
    kinds: tuple[str, ...], count: int, rng: random.Random
) -> Iterator[tuple[str, Scene]]:
    """`count` scenes that take turns among the kinds, each under a name of its own."""
    names: set[str] = set()
    while len(names) < count:
        scene = random_scene(rng)
        name = file_stem(scene)
        is_red_circle = scene.kind == "single" and name == "red-circle"
        if scene.kind == kinds[len(names) % len(kinds)] and name not in names and not is_red_circle:
            names.add(name)
            yield f"{name}-01", scene


def red_circles(rng: random.Random) -> Iterator[tuple[str, Scene]]:
    """Several pictures of one red circle, for the search that everybody tries first."""
    grounds = rng.sample(BACKGROUNDS, RED_CIRCLES)
    places = rng.sample(list(PLACES), RED_CIRCLES)
    for i, (background, place) in enumerate(zip(grounds, places, strict=True)):
        scene = Scene("single", "circle", "red", SIZES[i % len(SIZES)], place, jitter=i)
        yield f"red-circle-{i + 1:02}", replace(scene, background=background)


def write_special(samples: SampleFolder) -> None:
    """Formats that need care: 16 bits a channel, an animation, transparency."""
    star = Scene("single", "star", "white", "large", "centre", background="black", jitter=1)
    grey = draw(star, (320, 240)).convert("L")
    deep = Image.frombytes("I;16", grey.size, bytes(b for v in grey.tobytes() for b in (v, v)))
    deep.save(samples.path("special", "white-star-16-bit.png"), optimize=True)
    frames = [
        draw(Scene("single", "heart", "pink", "large", place, background="white", jitter=2), 256)
        for place in ("left", "centre", "right")
    ]
    frames[0].save(
        samples.path("special", "pink-heart-animated.gif"),
        save_all=True,
        append_images=frames[1:],
        duration=300,
        loop=0,
    )
    ring = Scene("single", "ring", "blue", "large", "centre", background="white", jitter=3)
    picture = draw(ring, (300, 300))
    red = picture.getchannel("R")
    picture.putalpha(red.point(lambda value: 255 if value < 160 else 0))
    picture.save(samples.path("special", "blue-ring-transparent.png"), optimize=True)


def write_broken(samples: SampleFolder) -> None:
    """Files that cannot be read, or not wholly, each for a reason of its own."""
    scene = Scene("house", colour="yellow", place="sun", other_colour="red", jitter=4)
    whole = samples.path("broken", "whole.tmp")
    draw(scene, (480, 360)).save(whole, "JPEG", quality=90)
    jpeg = whole.read_bytes()
    draw(scene, (320, 240)).save(whole, "PNG")
    png = bytearray(whole.read_bytes())
    whole.unlink()
    middle = len(png) // 2
    png[middle : middle + 64] = bytes(64)
    files = {
        "empty.jpg": b"",
        "cut-short.jpg": jpeg[: len(jpeg) // 3],
        "header-only.jpg": jpeg[:200],
        "notes-not-a-picture.jpg": b"Shopping list: apples, bread, a frame for the red circle.\n",
        "damaged-inside.png": bytes(png),
    }
    for name, content in files.items():
        samples.path("broken", name).write_bytes(content)


def make_samples(root: Path) -> None:
    """Write every sample below `root`, which need not exist."""
    samples = SampleFolder(root)
    folders = {
        "shapes": [*red_circles(samples.rng), *scenes_of(("single",), SHAPES, samples.rng)],
        "pairs": scenes_of(("pair",), PAIRS, samples.rng),
        "counts": scenes_of(("count",), COUNTS, samples.rng),
        "textures": scenes_of(("texture",), TEXTURES, samples.rng),
        "scenes": scenes_of(LANDSCAPES, SCENES, samples.rng),
    }
    for folder, named_scenes in folders.items():
        for stem, scene in named_scenes:
            samples.write(folder, stem, scene)
    write_special(samples)
    write_broken(samples)


def main() -> None:
    """Parse the one option and write the samples."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder to replace")
    out: Path = parser.parse_args().out
    for folder in out.glob("*/"):  # no picture of an older world stays behind
        if out == FOLDER and folder.name != PHOTOGRAPHS:
            shutil.rmtree(folder)
    make_samples(out)
    print(f"{sum(path.is_file() for path in out.rglob('*'))} files in {out}")


if __name__ == "__main__":
    main()
