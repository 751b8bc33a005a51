"""Every picture is seen in the colours that its file means, here and in its thumbnail."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import numpy as np
import pytest
from drawn_pictures import content, encoded, photo
from PIL import Image, ImageChops, ImageCms
from PIL.PngImagePlugin import PngInfo

from app.pictures import colour
from app.pictures.colour import Colours, to_srgb
from app.pictures.colour_profiles import profile_of_nclx, profile_of_png
from app.pictures.decode import PixelSpec, decode
from app.pictures.thumbnail import make_thumbnail

SIDE = 96
PICTURE = photo(SIDE, SIDE)
WIDE = {"red_x": 0.708, "red_y": 0.292, "green_x": 0.17, "green_y": 0.797}
WIDE |= {"blue_x": 0.131, "blue_y": 0.046, "white_x": 0.3127, "white_y": 0.329}
BT_2020 = {f"color_primary_{name}": value for name, value in WIDE.items()}
SRGB_CURVE, LINEAR, PQ, HLG = 13, 8, 16, 18
WIDE_PROFILE = profile_of_nclx(BT_2020 | {"transfer_characteristics": SRGB_CURVE})
SRGB_PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def seen(data: bytes) -> np.ndarray:
    return decode(content(data), "a", PixelSpec(SIDE), 200).pixels.astype(int)


def in_srgb(picture: Image.Image, profile: bytes) -> np.ndarray:
    source = ImageCms.ImageCmsProfile(BytesIO(profile))
    made = ImageCms.profileToProfile(
        picture, source, ImageCms.createProfile("sRGB"), outputMode="RGB"
    )
    return np.asarray(made).astype(int)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF", "HEIF"])
def test_a_profile_is_followed_in_picture_and_thumbnail(format: str) -> None:
    data = encoded(PICTURE, format, icc_profile=WIDE_PROFILE, quality=95)
    wanted = in_srgb(PICTURE, WIDE_PROFILE)
    assert np.abs(wanted - np.asarray(PICTURE)).mean() > 10
    assert np.abs(seen(data) - wanted).mean() < 6
    thumbnail = make_thumbnail(data, "a", SIDE, 200).image
    assert np.abs(np.asarray(thumbnail).astype(int) - wanted).mean() < 6


def test_transparency_stays_where_colours_are_converted() -> None:
    picture = PICTURE.copy()
    picture.putalpha(Image.linear_gradient("L").resize(PICTURE.size))
    data = encoded(picture, "PNG", icc_profile=WIDE_PROFILE)
    made = make_thumbnail(data, "a", SIDE, 200).image
    assert made.mode == "RGBA"
    assert np.array_equal(np.asarray(made)[..., 3], np.asarray(picture)[..., 3])
    assert np.abs(np.asarray(made)[50:, :, :3] - in_srgb(PICTURE, WIDE_PROFILE)[50:]).mean() < 6


def test_a_palette_and_a_grey_picture_follow_a_profile_of_colours() -> None:
    palette = PICTURE.quantize(64)
    data = encoded(palette, "PNG", icc_profile=WIDE_PROFILE)
    assert np.abs(seen(data) - in_srgb(palette.convert("RGB"), WIDE_PROFILE)).mean() < 3
    dark = profile_of_nclx({"transfer_characteristics": LINEAR})
    grey = PICTURE.convert("L")
    data = encoded(grey, "PNG", icc_profile=dark)
    assert np.abs(seen(data) - in_srgb(grey.convert("RGB"), dark)).mean() < 3


def test_srgb_costs_nothing_whatever_its_profile_looks_like() -> None:
    for profile in (SRGB_PROFILE, profile_of_nclx({}), b""):
        assert to_srgb(PICTURE, Colours(profile)) is PICTURE


def press_profile() -> bytes:
    """CMYK of a printing press, in 2 levels of each ink: a little yellower than Pillow has it."""
    import struct

    def table(kind: bytes, inputs: int, outputs: int, values: np.ndarray) -> bytes:
        head = kind + struct.pack(">I4B", 0, inputs, outputs, 2, 0)
        head += struct.pack(">9i", *(65536 * np.eye(3, dtype=int)).ravel())
        line = np.arange(256, dtype=np.uint8).tobytes()
        return head + line * inputs + values.astype(np.uint8).tobytes() + line * outputs

    levels = np.stack(np.meshgrid(*[[0, 1]] * 4, indexing="ij"), axis=-1).reshape(-1, 4)
    light = (1 - levels[:, :3]) * (1 - levels[:, 3:])
    lightness = 255 * (light @ [0.3, 0.6, 0.1])
    a = 128 + 60 * (light[:, 0] - light[:, 1])
    b = 128 + 60 * (light[:, 1] - light[:, 2]) + 20
    lab = table(b"mft1", 4, 3, np.stack([lightness, a, b], axis=-1).clip(0, 255))
    tags = {b"A2B0": lab, b"wtpt": b"XYZ " + struct.pack(">I3i", 0, 63190, 65536, 54061)}
    at, index = 128 + 4 + 12 * len(tags), struct.pack(">I", len(tags))
    for name, value in tags.items():
        index += name + struct.pack(">II", at, len(value))
        at += len(value)
    head = struct.pack(">I4sI4s4s4s", at, b"", 0x02100000, b"prtr", b"CMYK", b"Lab ")
    head += bytes(12) + b"acsp" + bytes(28) + struct.pack(">3i", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + index + b"".join(tags.values())


@pytest.mark.parametrize("format", ["JPEG", "TIFF"])
def test_cmyk_follows_its_profile(format: str) -> None:
    picture, profile = PICTURE.convert("CMYK"), press_profile()
    wanted = in_srgb(picture, profile)
    assert np.abs(wanted - np.asarray(picture.convert("RGB"))).mean() > 10
    assert np.abs(seen(encoded(picture, format, icc_profile=profile)) - wanted).mean() < 6
    without = seen(encoded(picture, format))
    assert np.abs(without - np.asarray(picture.convert("RGB"))).mean() < 6


def test_ink_that_is_told_the_other_way_round_is_turned_before_it_is_converted() -> None:
    picture, profile = PICTURE.convert("CMYK"), press_profile()
    small = to_srgb(ImageChops.invert(picture), Colours(profile, inverted=True))
    assert np.array_equal(np.asarray(small), in_srgb(picture, profile))


def test_a_lab_picture_shows_its_colours() -> None:
    lab = ImageCms.profileToProfile(
        PICTURE, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    assert np.abs(seen(encoded(lab, "TIFF")) - np.asarray(PICTURE)).mean() < 3


@pytest.mark.parametrize(
    "profile",
    [
        b"x" * 20,
        bytes(500),
        WIDE_PROFILE[:200],
        WIDE_PROFILE[:128] + b"\xff" * 400,
        press_profile(),
    ],
    ids=["short", "zeros", "cut off", "damaged", "of another colour space"],
)
def test_a_profile_that_is_of_no_use_is_left_aside(profile: bytes) -> None:
    data = encoded(PICTURE, "PNG", icc_profile=profile)
    assert np.array_equal(seen(data), seen(encoded(PICTURE, "PNG")))


def with_chunks(*chunks: tuple[bytes, list[int]]) -> bytes:
    info = PngInfo()
    for name, values in chunks:
        info.add(name, b"".join(value.to_bytes(4, "big") for value in values))
    return encoded(PICTURE, "PNG", pnginfo=info)


def test_a_png_without_a_profile_follows_its_gamma_and_primaries() -> None:
    usual = seen(encoded(PICTURE, "PNG"))
    assert np.array_equal(seen(with_chunks((b"gAMA", [45455]))), usual)
    linear = seen(with_chunks((b"gAMA", [100_000])))
    light = (np.asarray(PICTURE) / 255.0).mean()
    assert ((linear / 255) ** 2.2).mean() == pytest.approx(light, abs=0.03)
    places = [31270, 32900, 70800, 29200, 17000, 79700, 13100, 4600]
    wide = seen(with_chunks((b"gAMA", [45455]), (b"cHRM", places)))
    assert np.abs(wide - in_srgb(PICTURE, WIDE_PROFILE)).mean() < 2
    assert np.array_equal(seen(with_chunks((b"gAMA", [0]), (b"cHRM", [0] * 8))), usual)


def test_heif_without_a_profile_follows_its_codes() -> None:
    codes = {"color_primaries": 9, "transfer_characteristics": SRGB_CURVE}
    data = encoded(PICTURE, "HEIF", quality=95, save_nclx_profile=True, **codes)
    assert np.abs(seen(data) - in_srgb(PICTURE, WIDE_PROFILE)).mean() < 6


def test_a_bright_screens_curves_keep_white_paper_white_and_black_black() -> None:
    for curve, white in ((PQ, 148), (HLG, 191)):
        profile = profile_of_nclx({"transfer_characteristics": curve})
        greys = Image.fromarray(np.array([[0, white, 255]], np.uint8)).convert("RGB")
        black, paper, brightest = np.asarray(to_srgb(greys, Colours(profile)))[0, :, 0]
        assert black <= 1
        assert paper >= 248
        assert brightest == 255


@pytest.mark.parametrize(
    "points", [None, (), (0.3,) * 8, (0.0,) * 8, (float("nan"),) * 8, ("x",) * 8]
)
def test_primaries_that_make_no_sense_are_left_aside(points: object) -> None:
    profile_of_png(0.45455, points)
    profile = profile_of_png(1.0, points)
    assert to_srgb(PICTURE, Colours(profile)).mode == "RGB"


def test_threads_share_what_a_profile_was_made_into() -> None:
    colour._transform.cache_clear()
    data = encoded(PICTURE, "PNG", icc_profile=WIDE_PROFILE)
    alone = seen(data)
    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(seen, [data] * 64))
    assert all(np.array_equal(one, alone) for one in together)
    assert colour._transform.cache_info().misses == 1
