"""A file that is not all there says so, also where a decoder is content; a whole one never does."""

from __future__ import annotations

import re
import struct
import time

import numpy as np
import pytest
from drawn_heif import AVIF_TILES, HEIF_TILES, grid
from drawn_pictures import content, encoded, photo
from PIL import Image

from app.api.error_kinds import ErrorKind
from app.pictures.completeness import is_cut_off, share_there, without_blank_end
from app.pictures.decode import DecodedPicture, PictureError, PixelSpec, decode
from app.pictures.iso_media import picture_items

PICTURE = photo(64, 48)
PICTURES = {
    kind: encoded(PICTURE, kind)
    for kind in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "HEIF", "AVIF")
}
LARGE = {kind: encoded(photo(200, 150), kind) for kind in ("WEBP", "HEIF", "AVIF")}
GRIDS = {"HEIF": grid(HEIF_TILES), "AVIF": grid(AVIF_TILES)}


def decoded(data: bytes) -> DecodedPicture:
    return decode(content(data), "a", PixelSpec(64), 200)


def failure(data: bytes) -> PictureError:
    with pytest.raises(PictureError) as caught:
        decoded(data)
    return caught.value


@pytest.mark.parametrize("kind", PICTURES)
def test_a_missing_end_is_seen_and_a_whole_file_is_not_accused(kind: str) -> None:
    data = PICTURES[kind]
    assert not is_cut_off(data, kind)
    if kind != "TIFF":  # its directory is at the start here, so it does not tell
        assert is_cut_off(data[:-40], kind)


def test_a_tiff_whose_directory_is_missing_is_cut_off() -> None:
    data = encoded(PICTURE, "TIFF", compression="tiff_lzw")  # its directory is at the end
    assert not is_cut_off(data, "TIFF")
    assert is_cut_off(data[: len(data) // 2], "TIFF")


def test_a_long_tail_of_zeros_is_taken_off_compressed_formats_only() -> None:
    for tail in (bytes(10_000), b"\xff" * 10_000):
        for kind in ("JPEG", "PNG", "GIF"):
            assert len(without_blank_end(PICTURES[kind] + tail, kind)) < len(PICTURES[kind]) + 100
        for kind in ("BMP", "TIFF"):
            assert without_blank_end(PICTURES[kind] + tail, kind) == PICTURES[kind] + tail
        for kind in ("WEBP", "HEIF", "AVIF"):
            half = LARGE[kind][: len(LARGE[kind]) // 2]
            assert len(without_blank_end(half + tail, kind)) < len(half) + 100
            whole = LARGE[kind] + tail
            assert without_blank_end(whole, kind) == whole


@pytest.mark.parametrize("kind", GRIDS)
def test_a_picture_of_tiles_that_is_whole_has_no_note(kind: str) -> None:
    assert decoded(GRIDS[kind]).note == ""
    assert len(picture_items(GRIDS[kind])) == 4


@pytest.mark.parametrize("kind", GRIDS)
@pytest.mark.parametrize("tail", [b"", b"\0", b"\xff"], ids=["cut", "zeros", "ones"])
@pytest.mark.parametrize("there", [0.05, 0.3, 0.5, 0.9])
def test_missing_tiles_are_noted_or_a_failure(kind: str, tail: bytes, there: float) -> None:
    data = GRIDS[kind]
    written = int(there * len(data))
    part = data[:written] + tail * (len(data) - written)
    if there < 0.9 or kind == "AVIF":  # whose decoder shows nothing in part
        assert failure(part).kind is ErrorKind.TRUNCATED
    else:
        note = decoded(part).note
        assert re.fullmatch(r"The file is cut off; \d\d % of the picture was there\.", note)


def exif_with_zeros(number: int) -> bytes:
    exif = Image.Exif()
    exif[0x010F] = "Camera"
    return exif.tobytes() + bytes(number)


@pytest.mark.parametrize("kind", ["HEIF", "AVIF", "WEBP"])
@pytest.mark.parametrize("zeros", [600, 5_000, 60_000])
def test_blank_data_behind_the_picture_are_the_files_own(kind: str, zeros: int) -> None:
    picture = photo(320, 240)
    data = encoded(picture, kind, exif=exif_with_zeros(zeros))
    seen = decoded(data)
    assert seen.note == ""
    assert np.array_equal(seen.pixels, decoded(encoded(picture, kind)).pixels)


@pytest.mark.parametrize("kind", ["HEIF", "WEBP"])
def test_where_only_data_behind_the_picture_are_missing_the_note_says_so(kind: str) -> None:
    data = encoded(PICTURE, kind, exif=exif_with_zeros(3_000))
    assert decoded(data[:-1_000]).note == "The file is cut off; the whole picture was there."


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "HEIF", "AVIF"])
def test_whatever_lies_behind_a_whole_file_is_no_loss(kind: str) -> None:
    noise = np.random.default_rng(1).bytes(5_000)
    for padding in (b"\xff" * 5_000, noise, b"\0" * 3, b"\xff", b"\0\0\0\x20mpvd" + bytes(24)):
        picture = decoded(PICTURES[kind] + padding)
        assert picture.note == ""
        assert np.array_equal(picture.pixels, decoded(PICTURES[kind]).pixels)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "HEIF", "AVIF"])
@pytest.mark.parametrize("blank", [b"\0", b"\xff"], ids=["zeros", "ones"])
@pytest.mark.parametrize("there", [0.3, 0.7, 0.9])
def test_an_end_that_was_never_written_does_not_pass(kind: str, blank: bytes, there: float) -> None:
    data = encoded(photo(400, 300), kind)
    written = int(there * len(data))
    part = data[:written] + blank * (len(data) - written)
    if there < 0.5 or kind in ("HEIF", "AVIF"):
        assert failure(part).kind is ErrorKind.TRUNCATED
    else:
        assert decoded(part).note.startswith("The file is cut off; ")


def test_transparency_that_is_missing_counts() -> None:
    picture = photo(200, 100)
    picture.putalpha(photo(200, 100).convert("L"))
    data = encoded(picture, "HEIF")
    assert share_there(data, "HEIF") == 1
    assert share_there(data[:-3_000], "HEIF") < 1


def strips_behind_the_directory(rows: int = 8) -> bytes:
    """A TIFF as many programs write it, each strip of rows compressed by itself."""
    whole = encoded(PICTURE, "TIFF", compression="tiff_adobe_deflate", strip_size=64 * 3 * rows)
    (start,) = struct.unpack_from("<I", whole, 4)
    shift = len(whole) - start  # the directory and what it names move to the start
    moved = bytearray(whole[start:])
    (count,) = struct.unpack_from("<H", moved)
    for entry in range(2, 2 + 12 * count, 12):
        tag, kind, number, value = struct.unpack_from("<HHII", moved, entry)
        if number * {2: 1, 3: 2, 4: 4, 5: 8}[kind] > 4:
            value -= start - 8
            if tag == 273:
                places = struct.unpack_from(f"<{number}I", moved, value - 8)
                places = [place + shift for place in places]
                struct.pack_into(f"<{number}I", moved, value - 8, *places)
            struct.pack_into("<I", moved, entry + 8, value)
    return struct.pack("<2sHI", b"II", 42, 8) + bytes(moved) + whole[8:start]


def test_a_tiff_whose_data_are_missing_does_not_pass() -> None:
    data = strips_behind_the_directory()
    assert decoded(data).note == ""
    assert failure(data[: int(0.4 * len(data))]).kind is ErrorKind.TRUNCATED
    for there in (0.7, 0.95):
        note = decoded(data[: int(there * len(data))]).note
        assert re.fullmatch(r"The file is cut off; \d\d % of the picture was there\.", note)


@pytest.mark.parametrize("kind", GRIDS)
def test_boxes_of_any_damage_take_no_time(kind: str) -> None:
    chance = np.random.default_rng(2)
    begin = time.process_time()
    for _ in range(300):
        data = bytearray(GRIDS[kind])
        for at in chance.integers(0, 800, 8):
            data[at] = chance.integers(256)
        picture_items(bytes(data))
        is_cut_off(bytes(data), kind)
    assert time.process_time() - begin < 30
