"""An animation is known by the first of its frames that shows something."""

from __future__ import annotations

import struct
from io import BytesIO

import numpy as np
import pillow_heif
import pytest
from drawn_pictures import content, encoded, photo
from PIL import Image

from app.pictures import frames
from app.pictures.decode import DecodedPicture, PixelSpec, decode
from app.pictures.thumbnail import make_thumbnail

SIZE = (64, 48)
PICTURE = photo(*SIZE)
BLANK = {
    "transparent": Image.new("RGBA", SIZE),
    "white": Image.new("RGB", SIZE, "white"),
    "black": Image.new("RGB", SIZE, "black"),
    "blue": Image.new("RGB", SIZE, (10, 30, 200)),
}
ANIMATED = ["GIF", "WEBP", "PNG", "AVIF", "HEIF"]


def animation(format: str, *pictures: Image.Image) -> bytes:
    first, *others = [picture.convert("RGBA") for picture in pictures]
    return encoded(first, format, save_all=True, append_images=others, duration=80)


def seen(data: bytes) -> DecodedPicture:
    return decode(content(data), "a", PixelSpec(48), 200)


@pytest.mark.parametrize("format", ANIMATED)
@pytest.mark.parametrize("blank", BLANK)
def test_a_blank_first_frame_is_not_the_picture(format: str, blank: str) -> None:
    data = animation(format, BLANK[blank], BLANK[blank], PICTURE, PICTURE.rotate(180))
    wanted = seen(encoded(PICTURE, "PNG")).pixels.astype(int)
    assert np.abs(seen(data).pixels - wanted).mean() < 16  # a GIF has few colours
    assert (seen(data).note, seen(data).width, seen(data).height) == ("", *SIZE)
    thumbnail = np.asarray(make_thumbnail(data, "a", 64, 200).image.convert("RGB")).astype(int)
    assert np.abs(thumbnail - np.asarray(PICTURE)).mean() < 16


@pytest.mark.parametrize("format", ANIMATED)
def test_a_colour_is_more_than_nothing(format: str) -> None:
    red = Image.new("RGB", SIZE, (220, 20, 20))
    data = animation(format, BLANK["transparent"], red, red)
    assert np.abs(seen(data).pixels.astype(int) - (220, 20, 20)).max() < 8


@pytest.mark.parametrize("format", ANIMATED)
def test_where_no_frame_shows_something_it_is_the_first(format: str) -> None:
    data = animation(format, BLANK["blue"], BLANK["white"], BLANK["black"])
    assert np.abs(seen(data).pixels.astype(int) - (10, 30, 200)).max() < 8


def test_only_so_many_frames_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    data = animation("WEBP", *[BLANK["white"], BLANK["blue"].resize(SIZE)] * 3, PICTURE)
    assert np.ptp(seen(data).pixels) > 100
    monkeypatch.setattr(frames, "_MOST_FRAMES", 4)
    assert np.ptp(seen(data).pixels, axis=(0, 1)).max() < 8


@pytest.mark.parametrize("format", ANIMATED)
def test_a_blank_animation_that_is_cut_off_is_what_it_was(format: str) -> None:
    data = animation(format, BLANK["white"], BLANK["blue"], PICTURE)
    whole = seen(data)
    assert np.ptp(whole.pixels) > 100
    if format not in ("AVIF", "HEIF"):  # which are not opened then
        seen(data[:-60])


def test_a_frame_larger_than_the_picture_is_not_gone_to() -> None:
    data = bytearray(animation("GIF", BLANK["black"], PICTURE))
    second = data.rindex(b"," + struct.pack("<HHHH", 0, 0, *SIZE))
    data[second + 5 : second + 9] = struct.pack("<HH", 40_000, 40_000)
    assert seen(bytes(data)).pixels.max() == 0
    heif = pillow_heif.from_pillow(BLANK["black"])
    heif.add_from_pillow(photo(640, 480))
    file = BytesIO()
    heif.save(file)
    assert (seen(file.getvalue()).width, seen(file.getvalue()).height) == SIZE


def test_pages_are_not_frames() -> None:
    blank = Image.new("RGB", SIZE, "white")
    data = encoded(
        blank, "TIFF", save_all=True, append_images=[photo(*SIZE)], compression="tiff_lzw"
    )
    assert seen(data).pixels.min() == 255
