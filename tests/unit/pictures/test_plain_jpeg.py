"""Which JPEG files a graphics card may decode."""

from __future__ import annotations

from datetime import datetime

import pytest
from drawn_pictures import content, encoded, photo
from PIL import Image, ImageCms

from app.pictures.decode import decode
from app.pictures.pixels import Orientation, PixelSpec
from app.pictures.plain_jpeg import PlainJpeg, plain_jpeg

SPEC = PixelSpec(64)
MAX_MEGAPIXELS = 200
GOOD = encoded(photo(300, 200), "JPEG")


def opened(data: bytes) -> PlainJpeg | None:
    return plain_jpeg(data, "picture.jpg", SPEC, MAX_MEGAPIXELS)


def damaged(code: int) -> bytes:
    """A marker in the middle of the scan."""
    middle = len(GOOD) * 3 // 4
    return GOOD[:middle] + bytes([0xFF, code]) + GOOD[middle + 2 :]


def test_the_header_tells_what_decoding_tells() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8769)[0x9003] = "2021:06:05 12:34:56"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    data = encoded(photo(300, 200), "JPEG", exif=exif, icc_profile=profile)
    jpeg = plain_jpeg(data, "picture.png", SPEC, MAX_MEGAPIXELS)
    assert jpeg is not None
    wanted = decode(content(data), "picture.png", SPEC, MAX_MEGAPIXELS)
    assert jpeg.taken_at == wanted.taken_at == datetime(2021, 6, 5, 12, 34, 56)
    assert jpeg.note == wanted.note != ""
    assert jpeg.size == (wanted.width, wanted.height) == (200, 300)
    assert jpeg.orientation == Orientation(swap=True, mirror_x=True)
    assert jpeg.colours.profile == profile
    assert (jpeg.width, jpeg.height, jpeg.decoded_bytes) == (300, 200, 180_000)


@pytest.mark.parametrize(
    "data",
    [
        GOOD,
        encoded(photo(300, 200), "JPEG", subsampling=0),
        encoded(photo(300, 200), "JPEG", restart_marker_blocks=3),
        GOOD + b"a trailer of a telephone, with \xff\xda in it",
        GOOD + GOOD,
        GOOD[:-2] + b"\xff\xff\xff\xd9",
    ],
    ids=["plain", "4:4:4", "restarts", "trailer", "a second picture", "filled up"],
)
def test_usual_files_are_for_the_card(data: bytes) -> None:
    assert opened(data) is not None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xd8\xff",
        b"\xff\xd8\xff\xd9",
        GOOD[:-2],
        GOOD[:-900],
        GOOD[:-900] + bytes(900),
        damaged(0xC3),
        damaged(0xDA),
        damaged(0xE1),
        encoded(photo(300, 200), "JPEG", progressive=True),
        encoded(photo(300, 200), "PNG"),
        encoded(photo(300, 200).convert("L"), "JPEG"),
        encoded(photo(300, 200).convert("CMYK"), "JPEG"),
        encoded(photo(300, 200), "JPEG", keep_rgb=True),
        encoded(photo(63, 200), "JPEG"),
        encoded(photo(900, 200), "JPEG"),
    ],
    ids=[
        *("empty", "start", "no picture", "no end", "cut off", "zeros", "a frame", "a scan"),
        *("a block", "progressive", "PNG", "grey", "CMYK", "RGB", "small", "long"),
    ],
)
def test_whatever_is_not_a_usual_jpeg_is_left_to_processors(data: bytes) -> None:
    assert opened(data) is None


def test_a_picture_that_is_too_large_is_left_to_processors() -> None:
    assert plain_jpeg(encoded(photo(1200, 900), "JPEG"), "a.jpg", SPEC, 1) is None
