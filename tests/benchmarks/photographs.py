"""Photographs as cameras make them, drawn by code: 12 and 24 megapixels, JPEG, with EXIF.

Noise in several octaves over gradients compresses and decodes like a photograph of a landscape.
Each drawing is saved several times with another serial number: other bytes, the same work.
"""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import numpy as np
from PIL import Image
from surroundings import CACHE

DRAWINGS = 24
COPIES = 16
SIZES = ((4000, 3000), (4000, 3000), (6000, 4000))
OCTAVES = (8, 32, 128, 512, 2048)
SMALL, PART = 2_000, (500, 375)
GRAIN = 5.0
"""The sensor's noise, grey levels; it makes files of some 4 MB at 12 megapixels."""
QUALITY = 88


def photographs() -> Path:
    """A folder of ``DRAWINGS × COPIES`` files, kept for the next time."""
    folder = CACHE / f"photographs-{DRAWINGS}x{COPIES}"
    if not folder.is_dir():
        partial = folder.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        for index in range(DRAWINGS):
            _save(_draw(index), partial, index)
        partial.rename(folder)
    return folder


def small_photographs() -> Path:
    """A folder of ``SMALL`` pictures as websites have them: parts of the large ones."""
    folder = CACHE / f"small-photographs-{SMALL}"
    if not folder.is_dir():
        partial = folder.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        rng = random.Random(SMALL)
        for index in range(DRAWINGS):
            with Image.open(photographs() / f"IMG_00{index:03}.jpg") as large:
                for number in range(index, SMALL, DRAWINGS):
                    left, top = (
                        rng.randrange(side - part)
                        for side, part in zip(large.size, PART, strict=True)
                    )
                    part = large.crop((left, top, left + PART[0], top + PART[1]))
                    part.save(partial / f"{number:05}.jpg", quality=QUALITY)
        partial.rename(folder)
    return folder


def _draw(index: int) -> Image.Image:
    width, height = SIZES[index % len(SIZES)]
    rng = np.random.default_rng(index)
    total = np.zeros((height, width, 3), np.float32)
    for octave in OCTAVES:
        cells = rng.integers(0, 256, (octave * height // width + 1, octave, 3), dtype=np.uint8)
        layer = Image.fromarray(cells).resize((width, height), Image.Resampling.BICUBIC)
        total += np.asarray(layer, np.float32) * (8 / octave) ** 0.7
    total -= total.min()
    total *= 255 / total.max()
    total += rng.normal(0, GRAIN, (height, width, 1)).astype(np.float32)
    return Image.fromarray(np.clip(total, 0, 255).astype(np.uint8))


def _save(picture: Image.Image, folder: Path, index: int) -> None:
    rng = random.Random(index)
    for copy in range(COPIES):
        exif = Image.Exif()
        exif[0x010F], exif[0x0110] = "Afterimage", "Benchmark"
        exif[0x0112] = rng.choice((1, 1, 1, 6))  # upright, or turned by a quarter
        exif[0x0132] = f"2024:05:{index + 1:02} 12:00:{copy:02}"
        exif[0xA431] = f"{index}-{copy}"
        target = folder / f"IMG_{copy:02}{index:03}.jpg"
        if copy == 0:
            picture.save(target, quality=QUALITY, exif=exif)
        else:  # the compressed picture as it is, behind another header
            _with_other_exif(folder / f"IMG_00{index:03}.jpg", target, exif.tobytes())


def _with_other_exif(source: Path, target: Path, exif: bytes) -> None:
    """Copy a JPEG file and put this EXIF block in front of what it has behind its first marker."""
    data = source.read_bytes()
    block = b"Exif\x00\x00" + exif.removeprefix(b"Exif\x00\x00")
    header = b"\xff\xe1" + (len(block) + 2).to_bytes(2, "big") + block
    target.write_bytes(data[:2] + header + _without_exif(data))


def _without_exif(data: bytes) -> bytes:
    """What follows the start marker, without the first APP1 block."""
    place = 2
    while data[place : place + 2] != b"\xff\xe1":
        place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    end = place + 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return data[2:place] + data[end:]
