"""What the model sees equals OpenCLIP's own preprocessing, for every mode, shape and turn."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from drawn_pictures import content, encoded, photo
from numpy.typing import NDArray
from PIL import Image, ImageOps
from whole_open_clip import whole_open_clip

from app.pictures import pixels
from app.pictures.colour import SRGB, to_srgb
from app.pictures.decode import DecodedPicture, PixelSpec, decode
from app.pictures.pixels import Orientation, fit, resampled

pytestmark = pytest.mark.early  # beside the encoder's tests, which load all of OpenCLIP as well

SHAPES = [(640, 480), (481, 643), (224, 224), (100, 61), (1000, 90)]


def open_clip_pixels(picture: Image.Image, spec: PixelSpec) -> NDArray[np.float64]:
    transform = whole_open_clip().image_transform(
        spec.size,
        is_train=False,
        mean=(0.0, 0.0, 0.0),
        std=(1.0, 1.0, 1.0),
        resize_mode=spec.resize_mode,
        interpolation=spec.interpolation,
        fill_color=spec.fill,
    )
    return np.asarray(transform(picture)).transpose(1, 2, 0) * 255.0


def difference(decoded: DecodedPicture, reference: NDArray[np.float64]) -> float:
    """Mean difference in grey levels."""
    assert decoded.pixels.dtype == np.uint8
    assert decoded.pixels.flags.c_contiguous
    assert decoded.pixels.shape == reference.shape
    return float(np.abs(decoded.pixels - reference).mean())


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("resize_mode", ["shortest", "longest", "squash"])
def test_pixels_equal_those_of_open_clip(resize_mode, interpolation, shape) -> None:
    spec = PixelSpec(224, resize_mode, interpolation, fill=90)
    picture = photo(*shape)

    decoded = decode(content(encoded(picture, "PNG")), "a.png", spec, 200)

    assert (decoded.width, decoded.height) == shape
    assert difference(decoded, open_clip_pixels(picture, spec)) < 0.01


@pytest.mark.parametrize("resize_mode", ["shortest", "longest", "squash"])
def test_a_large_picture_shrunk_in_steps_stays_within_a_grey_level(resize_mode) -> None:
    spec = PixelSpec(224, resize_mode)
    picture = photo(2100, 1500)
    decoded = decode(content(encoded(picture, "BMP")), "a.bmp", spec, 200)
    assert difference(decoded, open_clip_pixels(picture, spec)) < 0.5


@pytest.mark.parametrize("shape", [(1803, 1201), (1201, 1803), (4001, 477)], ids=str)
@pytest.mark.parametrize("resize_mode", ["shortest", "longest", "squash"])
def test_a_jpeg_decoded_at_reduced_scale_stays_within_a_grey_level(resize_mode, shape) -> None:
    spec = PixelSpec(112, resize_mode)
    data = encoded(photo(*shape), "JPEG", quality=90)
    whole = Image.open(BytesIO(data))

    decoded = decode(content(data), "a.jpg", spec, 200)

    assert (decoded.width, decoded.height) == shape
    assert difference(decoded, open_clip_pixels(whole, spec)) < 1


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(("format", "shape"), [("PNG", (300, 201)), ("JPEG", (700, 601))])
@pytest.mark.parametrize("resize_mode", ["shortest", "longest", "squash"])
def test_a_turned_picture_is_seen_upright(resize_mode, format, shape, orientation) -> None:
    spec = PixelSpec(112, resize_mode)
    picture = photo(*shape)
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture.getexif()[0x0112] = orientation
    upright = ImageOps.exif_transpose(picture)

    decoded = decode(content(encoded(picture, format, exif=exif)), "a", spec, 200)

    assert (decoded.width, decoded.height) == upright.size
    assert difference(decoded, open_clip_pixels(upright, spec)) < 1


@pytest.mark.parametrize("orientation", [3, 6])
@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
def test_a_turned_tiff_is_turned_once(compression, orientation) -> None:
    picture = photo(300, 200)
    picture.getexif()[0x0112] = orientation
    upright = ImageOps.exif_transpose(picture)
    data = encoded(photo(300, 200), "TIFF", tiffinfo={0x0112: orientation}, compression=compression)

    decoded = decode(content(data), "a.tif", PixelSpec(112), 200)

    assert (decoded.width, decoded.height) == upright.size
    assert difference(decoded, open_clip_pixels(upright, PixelSpec(112))) < 1


@pytest.mark.parametrize("format", ["HEIF", "AVIF", "WEBP"])
def test_modern_formats_are_turned_once(format: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = photo(300, 200)
    upright = picture.transpose(Image.Transpose.ROTATE_270)

    data = encoded(picture, format, quality=95, exif=exif.tobytes())
    decoded = decode(content(data), "a", PixelSpec(112), 200)

    assert (decoded.width, decoded.height) == (200, 300)
    assert difference(decoded, open_clip_pixels(upright, PixelSpec(112))) < 5


@pytest.mark.parametrize("shape", [(1, 20_000), (20_000, 1), (3, 60_000), (60_000, 2)], ids=str)
@pytest.mark.parametrize("format", ["PNG", "JPEG"])
@pytest.mark.parametrize("resize_mode", ["shortest", "longest", "squash"])
def test_extreme_shapes_take_little_memory(resize_mode, format, shape) -> None:
    resource = pytest.importorskip("resource")
    data = encoded(Image.new("RGB", shape, "teal"), format)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    decoded = decode(content(data), "a", PixelSpec(224, resize_mode, fill=1), 200)

    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KiB
    assert (decoded.width, decoded.height) == shape
    assert np.abs(decoded.pixels[111, 111].astype(int) - (0, 128, 128)).max() <= 4


def seen(picture: Image.Image, format: str, **options) -> NDArray[np.uint8]:
    """What a model with an input of 32 × 32 sees."""
    data = encoded(picture, format, **options)
    return decode(content(data), "a", PixelSpec(32), 200).pixels


RAMP = np.tile(np.arange(0, 256, 8, dtype=np.uint8), (32, 1))


@pytest.mark.parametrize(
    ("values", "format"),
    [
        (RAMP, "PNG"),
        (RAMP.astype(np.uint16) * 257, "PNG"),
        (RAMP.astype(np.uint16) * 257, "TIFF"),
        ((RAMP.astype(np.uint16) * 257).astype(">u2"), "TIFF"),
        (RAMP.astype(np.int32) * 257, "TIFF"),
        (RAMP.astype(np.int32), "TIFF"),
        (RAMP.astype(np.float32) / 255, "TIFF"),
        (RAMP.astype(np.float32), "TIFF"),
        (RAMP.astype(np.float32) * 257, "TIFF"),
    ],
    ids=lambda value: getattr(value, "dtype", value).__str__(),
)
def test_grey_of_every_depth_is_scaled_not_clipped(values, format: str) -> None:
    pixels = seen(Image.fromarray(values), format)
    assert np.abs(pixels - RAMP[..., None].astype(int)).max() <= 1


def test_floats_beyond_every_usual_range_are_scaled_by_their_extremes() -> None:
    values = RAMP.astype(np.float32) * 1e6 - 1e8
    values[0, 0], values[0, 1] = np.nan, np.inf
    pixels = seen(Image.fromarray(values), "TIFF").astype(int)
    assert pixels[16].min() <= 2
    assert pixels[16].max() >= 240
    assert (np.diff(pixels[16, :, 0]) >= 0).all()


@pytest.mark.parametrize("bits", [0x7FC00000, 0x7F800001], ids=["quiet NaN", "signalling NaN"])
def test_floats_without_a_single_number_are_black(bits: int) -> None:
    values = np.full((9, 9), bits, np.uint32).view(np.float32)
    assert not seen(Image.fromarray(values), "TIFF").any()


def test_black_and_white_is_averaged_not_sampled() -> None:
    checks = Image.fromarray(np.indices((64, 64)).sum(axis=0) % 2 == 1)
    assert np.abs(seen(checks, "PNG").astype(int) - 128).max() <= 40


MODES = ["1", "L", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV", "I", "F", "LA", "PA", "La"]
MODES += ["RGBX", "RGBa", "I;16", "I;16L", "I;16B", "I;16N"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", [(40, 30), (3000, 700)], ids=str)
def test_every_mode_that_pillow_knows_can_be_resampled(mode: str, size: tuple[int, int]) -> None:
    picture = Image.new(mode, size)
    for orientation in (Orientation(), Orientation(swap=True)):
        assert fit(picture, size, orientation, PixelSpec(32)).shape == (32, 32, 3)
    assert to_srgb(resampled(picture, (20, 10), (0.0, 0.0, *size)), SRGB).mode in (
        ("L", "RGB", "RGBA")
    )


@pytest.mark.parametrize("mode", ["P", "LA", "RGBA", "I;16", "F", "1"])
def test_a_large_picture_taken_strip_by_strip_is_as_if_taken_whole(
    mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = photo(1900, 1300).convert("L")
    if mode == "I;16":
        picture = Image.fromarray(np.asarray(picture).astype(np.uint16) * 256)
    picture = picture.convert(mode) if mode != "I;16" else picture
    box = (33.3, 101.7, 1811.0, 1299.0)
    whole = np.asarray(resampled(picture, (64, 48), box).convert("RGB")).astype(int)
    monkeypatch.setattr(pixels, "_STRIP_PIXELS", 20_000)
    in_strips = np.asarray(resampled(picture, (64, 48), box).convert("RGB")).astype(int)
    assert np.array_equal(whole, in_strips)
    if mode in ("P", "LA", "I;16", "F"):
        grey = photo(1900, 1300).convert("L").convert("RGB")
        plain = np.asarray(grey.resize((64, 48), Image.Resampling.BICUBIC, box)).astype(int)
        assert np.abs(whole - plain).mean() < 1.5


def test_palettes_become_their_colours() -> None:
    picture = Image.new("RGB", (64, 64), "red")
    picture.paste("lime", (32, 0, 64, 64))
    for format in ("PNG", "GIF"):
        pixels = seen(picture.quantize(4), format)
        assert tuple(pixels[16, 8]) == (255, 0, 0)
        assert tuple(pixels[16, 24]) == (0, 255, 0)


def half_transparent(mode: str) -> Image.Image:
    picture = Image.new("RGBA", (64, 64), (40, 40, 40, 255))
    picture.paste((0, 0, 0, 0), (32, 0, 64, 64))
    return picture.convert(mode)


@pytest.mark.parametrize(
    ("picture", "format", "options"),
    [
        (half_transparent("RGBA"), "PNG", {}),
        (half_transparent("LA"), "PNG", {}),
        (half_transparent("RGBA"), "WEBP", {"lossless": True}),
        (half_transparent("RGBA"), "TIFF", {}),
        (half_transparent("RGBA").quantize(4), "PNG", {}),
        (half_transparent("RGBA"), "GIF", {}),
    ],
    ids=["RGBA", "LA", "WEBP", "TIFF", "palette", "GIF"],
)
def test_transparency_is_laid_on_white(picture, format: str, options) -> None:
    pixels = seen(picture, format, **options)
    assert np.abs(pixels[16, 8].astype(int) - 40).max() <= 2
    assert pixels[16, 24].min() >= 253


def test_a_colour_declared_transparent_is_laid_on_white() -> None:
    picture = Image.new("RGB", (64, 64), (9, 9, 9))
    pixels = seen(picture, "PNG", transparency=(9, 9, 9))
    assert pixels.min() == 255


def test_a_picture_smaller_than_the_input_is_enlarged() -> None:
    assert (seen(Image.new("RGB", (1, 1), (10, 20, 30)), "PNG") == (10, 20, 30)).all()
