"""Whatever the bytes, a picture comes out or one plain sentence that says why not."""

from __future__ import annotations

import re

import numpy as np
import pytest
from drawn_heif import AVIF_TILES, HEIF_TILES, grid
from drawn_pictures import content, encoded, photo
from drawn_raw import dng, tiff_of_rows
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from app.api.error_kinds import ErrorKind
from app.file_types import NAME_ENDINGS
from app.pictures.colour_profiles import profile_of_nclx
from app.pictures.decode import PictureError, PixelSpec, decode
from app.pictures.thumbnail import make_thumbnail
from app.pictures.tiff_layout import TIFF_LIKE_STARTS

SMALL = photo(61, 43)
OTHER = photo(61, 43).rotate(180)
CLEAR = SMALL.copy()
CLEAR.putalpha(OTHER.convert("L"))
GREY = SMALL.convert("L")
TAKEN = Image.Exif()
TAKEN[274], TAKEN[306] = 6, "2024:05:17 12:30:00"
TAKEN.get_ifd(0x8769)[36867] = TAKEN[306]
WIDE = profile_of_nclx({"color_primaries": 9, "transfer_characteristics": 13})
ABOUT = {"exif": TAKEN, "icc_profile": WIDE}
FILES = {
    "JPEG": encoded(SMALL, "JPEG"),
    "progressive JPEG": encoded(SMALL, "JPEG", progressive=True),
    "CMYK JPEG": encoded(SMALL.convert("CMYK"), "JPEG"),
    "JPEG of a camera": encoded(SMALL, "JPEG", **ABOUT),
    "MPO": encoded(SMALL, "MPO", save_all=True, append_images=[OTHER]),
    "PNG": encoded(CLEAR, "PNG"),
    "palette PNG": encoded(SMALL.quantize(9), "PNG"),
    "deep PNG": encoded(Image.fromarray(np.asarray(GREY, np.uint16) * 257), "PNG"),
    "PNG of a camera": encoded(SMALL, "PNG", **ABOUT),
    "APNG": encoded(Image.new("RGB", SMALL.size), "PNG", save_all=True, append_images=[OTHER]),
    "GIF": encoded(Image.new("L", SMALL.size), "GIF", save_all=True, append_images=[GREY]),
    "BMP": encoded(SMALL, "BMP"),
    "palette BMP": encoded(SMALL.quantize(9), "BMP"),
    "TIFF": encoded(CLEAR, "TIFF", tiffinfo={274: 6}),
    "packed TIFF": encoded(SMALL, "TIFF", compression="tiff_lzw"),
    "TIFF of a JPEG": encoded(SMALL, "TIFF", compression="jpeg", icc_profile=WIDE),
    "TIFF of a fax": encoded(SMALL.convert("1"), "TIFF", compression="group4"),
    "TIFF of floats": encoded(GREY.convert("F"), "TIFF"),
    "TIFF of strips": tiff_of_rows(20, 30),
    "WEBP": encoded(CLEAR, "WEBP"),
    "WEBP of a camera": encoded(SMALL, "WEBP", **ABOUT),
    "moving WEBP": encoded(SMALL, "WEBP", save_all=True, append_images=[OTHER], lossless=True),
    "HEIF": encoded(CLEAR, "HEIF"),
    "HEIF of a camera": encoded(SMALL, "HEIF", exif=TAKEN.tobytes(), icc_profile=WIDE),
    "HEIF of tiles": grid(HEIF_TILES),
    "AVIF": encoded(CLEAR, "AVIF"),
    "AVIF of a camera": encoded(SMALL, "AVIF", **ABOUT),
    "AVIF of tiles": grid(AVIF_TILES),
    "moving AVIF": encoded(SMALL, "AVIF", save_all=True, append_images=[OTHER]),
    "RAW": dng(photo(98, 62), photo(60, 40)),
    "RAW without a preview": dng(photo(98, 62)),
}
SPECS = st.builds(PixelSpec, st.just(32), st.sampled_from(["shortest", "longest", "squash"]))
NAMES = st.sampled_from([f"a.{ending}" for endings in NAME_ENDINGS.values() for ending in endings])
BLANKS = st.sampled_from([b"", bytes(700), b"\xff" * 5000, b"\0\0\0\1mdat" + bytes(9)])
CAMERA_STARTS = (
    *TIFF_LIKE_STARTS,
    b"FUJIFILMCCD-RAW 0201FF383501",
    b"FOVb\0\0\2\0",  # Sigma
    b"\0MRM\0\0\1\0",  # Minolta
    b"II\x1a\0\0\0HEAPCCDR",  # Canon, before CR2
    b"\0\0\0\x18ftypcrx \0\0\0\1crx isom",  # and after it
)


def check(data: bytes, name: str, spec: PixelSpec) -> str:
    """What is said of a file; fails where anything but a picture or a sentence comes out."""
    try:
        picture = decode(content(data), name, spec, max_megapixels=20)
        make_thumbnail(data, name, 48, max_megapixels=20)
    except PictureError as error:
        failure = error
    else:
        failure = None
    if failure is not None:
        assert failure.kind is not ErrorKind.INTERNAL
        assert re.fullmatch(r"[A-Z][^\n\0\ud800-\udfff]+\.", failure.message)
        return failure.message
    assert picture.pixels.shape == (32, 32, 3)
    assert picture.pixels.dtype == np.uint8
    assert 0 < picture.width * picture.height <= 20_000_000
    assert "\n" not in picture.note
    return picture.note


@pytest.mark.parametrize("kind", FILES)
def test_whole_files_are_read_without_a_word(kind: str) -> None:
    assert check(FILES[kind], "a", PixelSpec(32)) == ""


def test_every_format_that_is_read_is_among_these_files() -> None:
    read = {decode(content(data), "a", PixelSpec(32), 20).format for data in FILES.values()}
    assert read == set(NAME_ENDINGS)


@pytest.mark.parametrize("kind", FILES)
def test_files_cut_off_at_every_tenth(kind: str) -> None:
    data = FILES[kind]
    for tenth in range(1, 10):
        check(data[: tenth * len(data) // 10], "a", PixelSpec(32))


@st.composite
def damaged(draw: st.DrawFn, data: bytes) -> bytes:
    """A file with some bits turned, mostly near its start, a piece doubled or taken out, or cut."""
    copy = bytearray(data)
    near = st.integers(0, min(len(copy), 600) - 1)
    anywhere = st.integers(0, len(copy) - 1)
    for at in draw(st.lists(near | anywhere, max_size=8)):
        copy[at] ^= 1 << draw(st.integers(0, 7))
    if draw(st.booleans()):
        first, last = sorted((draw(anywhere), draw(anywhere)))
        piece = bytes(copy[first:last])
        at = draw(anywhere)
        copy[at : at + draw(st.sampled_from([0, len(piece)]))] = piece
    if draw(st.booleans()):
        del copy[draw(anywhere) :]
    return bytes(copy) + draw(BLANKS)


@pytest.mark.parametrize("kind", FILES)
def test_damaged_files(kind: str) -> None:
    @given(damaged(FILES[kind]), NAMES, SPECS)
    def any_damage(data: bytes, name: str, spec: PixelSpec) -> None:
        check(data, name, spec)

    any_damage()


@given(st.sampled_from(list(FILES.values())), st.binary(max_size=300), NAMES, st.integers(0, 64))
def test_any_bytes_behind_any_start(start: bytes, rest: bytes, name: str, kept: int) -> None:
    check(start[:kept] + rest or b"x", name, PixelSpec(32))


@pytest.mark.parametrize("start", CAMERA_STARTS)
def test_any_bytes_behind_the_start_of_a_camera_s_file(start: bytes) -> None:
    whole = start + FILES["RAW"][len(start) :]

    @given(damaged(whole), st.binary(max_size=300), st.integers(0, len(whole)))
    def anything_behind(data: bytes, rest: bytes, kept: int) -> None:
        check(start + data[len(start) : kept] + rest, "a", PixelSpec(32))

    anything_behind()


@given(
    st.sampled_from(list(FILES.values())),
    st.sampled_from(list(FILES.values())),
    st.floats(0, 1),
    NAMES,
)
def test_half_of_one_file_and_half_of_another(
    first: bytes, second: bytes, share: float, name: str
) -> None:
    data = first[: int(share * len(first))] + second[int(share * len(second)) :]
    check(data or b"x", name, PixelSpec(32))
