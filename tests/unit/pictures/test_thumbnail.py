"""Thumbnails show the whole picture, upright, in its own shape, whatever the format."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from drawn_pictures import encoded, photo
from PIL import Image
from PIL.PngImagePlugin import PngImageFile, PngInfo

from app.api.error_kinds import ErrorKind
from app.pictures.decode import PictureError
from app.pictures.thumbnail import Thumbnail, as_png, empty_png, make_thumbnail, texts_of

FORMATS = ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "HEIF", "AVIF"]


def thumbnail(data: bytes, edge: int = 64, limit: int = 200) -> Thumbnail:
    return make_thumbnail(data, "a", edge, limit)


def pixel(picture: Image.Image, x: float, y: float) -> tuple[int, ...]:
    """At a share of width and height."""
    return picture.convert("RGB").getpixel((int(x * picture.width), int(y * picture.height)))


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_is_scaled_to_its_longest_side(format: str) -> None:
    made = thumbnail(encoded(photo(400, 200), format))
    assert made.image.size == (64, 32)
    assert made.texts["Thumb::Mimetype"] == f"image/{format.lower()}"
    assert made.texts["Thumb::Image::Width"] == "400"
    assert made.texts["Thumb::Image::Height"] == "200"


def test_it_shows_what_the_picture_shows() -> None:
    large = photo(640, 480)
    expected = np.asarray(large.resize((64, 48), Image.Resampling.BICUBIC)).astype(int)
    for format in ("PNG", "JPEG"):
        seen = np.asarray(thumbnail(encoded(large, format)).image).astype(int)
        assert abs(seen - expected).mean() < 3


def test_a_small_picture_is_not_enlarged() -> None:
    assert thumbnail(encoded(photo(20, 9), "PNG")).image.size == (20, 9)


@pytest.mark.parametrize("size", [(5000, 1), (1, 5000)])
def test_an_extreme_shape_keeps_at_least_one_pixel(size: tuple[int, int]) -> None:
    made = thumbnail(encoded(Image.new("RGB", size), "PNG"))
    assert sorted(made.image.size) == [1, 64]


@pytest.mark.parametrize(
    ("mode", "format"), [("L", "JPEG"), ("1", "PNG"), ("I;16", "PNG"), ("LA", "PNG"), ("F", "TIFF")]
)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_grey_picture_is_turned_as_well(mode: str, format: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = Image.new("L", (400, 200), 90).convert(mode)
    size = thumbnail(encoded(picture, format, exif=exif)).image.size
    assert size == ((64, 32) if orientation < 5 else (32, 64))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_comes_out_upright(orientation: int) -> None:
    upright = Image.new("RGB", (400, 200), "white")
    upright.paste("red", (0, 0, 200, 100))
    back = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = upright.transpose(back[orientation]) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    made = thumbnail(encoded(stored, "JPEG", exif=exif))
    assert made.image.size == (64, 32)
    assert made.texts["Thumb::Image::Width"] == "400"
    assert pixel(made.image, 0.25, 0.25)[1] < 60
    for x, y in ((0.75, 0.25), (0.25, 0.75), (0.75, 0.75)):
        assert pixel(made.image, x, y)[1] > 200


def test_16_bits_are_scaled_not_clipped() -> None:
    ramp = np.tile(np.linspace(0, 65535, 256).astype(np.uint16), (64, 1))
    made = np.asarray(thumbnail(encoded(Image.fromarray(ramp), "TIFF")).image).astype(int)
    assert made[:, 0].max() < 20
    assert made[:, -1].min() > 235
    assert 110 < made[:, 32].mean() < 146


def test_transparency_is_kept() -> None:
    half = Image.new("RGBA", (100, 100), (255, 0, 0, 255))
    half.paste((0, 0, 0, 0), (50, 0, 100, 100))
    for data in (encoded(half, "PNG"), encoded(half.convert("P"), "PNG")):
        image = thumbnail(data).image
        assert image.mode == "RGBA"
        assert image.getpixel((5, 5)) == (255, 0, 0, 255)
        assert image.getpixel((60, 5))[3] == 0


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "LA", "I"])
def test_every_mode_becomes_one_that_all_programs_read(mode: str) -> None:
    format = "TIFF" if mode in ("CMYK", "I") else "PNG"
    made = thumbnail(encoded(photo(100, 50).convert("L").convert(mode), format))
    assert made.image.mode in ("L", "RGB", "RGBA")


def test_most_of_a_cut_off_picture_is_shown_and_less_is_a_failure() -> None:
    data = encoded(photo(400, 400), "JPEG")
    assert thumbnail(data[: int(0.8 * len(data))]).image.size == (64, 64)
    with pytest.raises(PictureError) as cut:
        thumbnail(data[: len(data) // 5])
    assert cut.value.kind is ErrorKind.TRUNCATED


def test_what_cannot_be_read_is_a_failure_with_its_cause() -> None:
    with pytest.raises(PictureError) as none:
        thumbnail(b"not a picture")
    assert none.value.kind is ErrorKind.MISLABELLED
    with pytest.raises(PictureError) as huge:
        thumbnail(encoded(Image.new("1", (1100, 1000)), "PNG"), limit=1)
    assert huge.value.kind is ErrorKind.TOO_LARGE


def test_the_file_is_a_plain_png_with_texts_any_program_reads(tmp_path: Path) -> None:
    data = as_png(Image.new("RGB", (3, 2)), {"Thumb::URI": "file:///a%20b"})
    assert b"tEXtThumb::URI\0file:///a%20b" in data
    assert b"tEXtSoftware\0Afterimage" in data
    assert data.index(b"tEXt") < data.index(b"IDAT")
    with PngImageFile(BytesIO(data)) as read:
        assert (read.size, read.mode, read.info.get("interlace")) == ((3, 2), "RGB", None)
    assert texts_of(data) == {
        "Thumb::URI": "file:///a%20b",
        "Software": "Afterimage",
    }


def test_texts_of_another_program_are_read_in_any_form(tmp_path: Path) -> None:
    info = PngInfo()
    info.add_itxt("Thumb::URI", "file:///a", zip=True)
    info.add_text("Thumb::MTime", "5", zip=True)
    Image.new("RGBA", (3, 2)).save(tmp_path / "a.png", pnginfo=info)
    texts = texts_of((tmp_path / "a.png").read_bytes())
    assert texts is not None
    assert (texts["Thumb::URI"], texts["Thumb::MTime"]) == ("file:///a", "5")


def test_a_damaged_thumbnail_is_none() -> None:
    data = as_png(photo(64, 64), {"Thumb::MTime": "5"})
    for part in (b"", b"text", data[:60], data[: len(data) // 2]):
        assert texts_of(part) is None


def test_a_failure_is_one_transparent_pixel() -> None:
    with PngImageFile(BytesIO(empty_png({}))) as read:
        assert (read.size, read.mode) == ((1, 1), "RGBA")
