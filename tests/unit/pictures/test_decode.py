"""Decoding: every format, every defect; a picture comes out, or one sentence that says why not."""

from __future__ import annotations

import random
import re
import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import cache
from io import BytesIO

import numpy as np
import pytest
from drawn_pictures import content, encoded, photo
from interpreter import turns_of_another_thread
from PIL import Image, ImageChops, ImageFile
from PIL.PngImagePlugin import PngInfo

from app.api.error_kinds import ErrorKind
from app.pictures import decode as decode_module
from app.pictures.decode import DecodedPicture, PictureError, PixelSpec, decode
from app.pictures.thumbnail import make_thumbnail

SPEC = PixelSpec(112)
PICTURE = photo(400, 300)
LATER = photo(300, 400)  # a later frame, to be ignored
FORMATS = ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "HEIF", "AVIF"]


@cache
def whole(format: str) -> bytes:
    """The picture as a file."""
    return encoded(PICTURE, format)


def decoded(data: bytes, name: str = "a") -> DecodedPicture:
    return decode(content(data), name, SPEC, 200)


def failure(data: bytes, name: str = "a", limit: int = 200) -> PictureError:
    with pytest.raises(PictureError) as caught:
        decode(content(data), name, SPEC, limit)
    assert caught.value.message.endswith(".")
    assert caught.value.message[0].isupper()
    return caught.value


def difference(first: DecodedPicture, second: DecodedPicture) -> float:
    return float(np.abs(first.pixels.astype(int) - second.pixels).mean())


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_is_read(format: str) -> None:
    picture = decoded(whole(format))
    assert (picture.format, picture.width, picture.height) == (format, 400, 300)
    assert (picture.note, picture.taken_at) == ("", None)
    assert difference(picture, decoded(whole("PNG"))) < 6


@pytest.mark.parametrize("format", ["GIF", "PNG", "WEBP", "AVIF", "TIFF", "MPO", "HEIF"])
def test_of_several_frames_the_first_is_seen(format: str) -> None:
    later = LATER.resize(PICTURE.size)
    picture = decoded(encoded(PICTURE, format, save_all=True, append_images=[later]))
    assert difference(picture, decoded(whole("PNG"))) < 6


def test_a_jpeg_with_more_pictures_behind_it_is_a_jpeg() -> None:
    data = encoded(PICTURE, "MPO", save_all=True, append_images=[LATER])
    assert (decoded(data, "a.jpg").format, decoded(data, "a.jpg").note) == ("JPEG", "")


def test_the_content_decides_and_a_wrong_name_is_noted() -> None:
    picture = decoded(whole("HEIF"), "IMG_0001.JPG")
    assert picture.format == "HEIF"
    assert picture.note == "The name says JPG, the content is HEIF."


def test_what_is_no_picture_gets_its_own_sentence() -> None:
    error = failure(b"Not a picture.\n", "notes.jpg")
    assert error.kind is ErrorKind.MISLABELLED
    assert str(error) == "This is a text file, not a picture, although its name ends in .jpg."


@pytest.mark.parametrize("format", ["EPS", "PDF", "PPM", "TGA", "ICO"])
def test_no_other_format_is_handed_to_pillow(format: str) -> None:
    failure(whole(format), "a.jpg")


def png_of_size(width: int, height: int) -> bytes:
    """A PNG that claims to be as large as that, with no pixels in it."""
    data = bytearray(encoded(Image.new("L", (1, 1)), "PNG"))
    data[16:24] = struct.pack(">II", width, height)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    return bytes(data)


def test_a_picture_over_the_limit_is_refused_before_it_is_decoded() -> None:
    error = failure(png_of_size(12_000, 30_000))
    assert error.kind is ErrorKind.TOO_LARGE
    assert error.message == (
        "The picture has 12000 × 30000 pixels, over the limit of 200 megapixels. "
        "Raise AFTERIMAGE_MAX_IMAGE_MEGAPIXELS to read it."
    )
    assert failure(png_of_size(2**31 - 1, 2**31 - 1)).kind is ErrorKind.TOO_LARGE
    assert failure(encoded(Image.new("L", (1001, 1000)), "GIF"), limit=1).kind is error.kind


def test_pillows_own_limit_does_not_get_in_the_way() -> None:
    # Pillow itself warns from 89 megapixels on
    data = encoded(Image.new("1", (10_000, 9_500)), "TIFF", compression="group4")
    assert decoded(data).width == 10_000


def test_a_png_with_much_text_in_it_is_read() -> None:
    text = PngInfo()
    text.add_text("workflow", "node " * 1_000_000, zip=True)  # Pillow stops at 1 MiB by itself
    assert decoded(encoded(PICTURE, "PNG", pnginfo=text)).note == ""


def with_exif(format: str = "JPEG", **tags: object) -> bytes:
    exif = Image.Exif()
    exif.get_ifd(0x8769).update({0x9003: tags["taken"]})
    return encoded(PICTURE, format, exif=exif.tobytes())


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "HEIF", "AVIF"])
def test_the_time_taken_is_read(format: str) -> None:
    taken = decoded(with_exif(format, taken="2019:07:04 21:08:09")).taken_at
    assert taken == datetime(2019, 7, 4, 21, 8, 9)


@pytest.mark.parametrize(
    "text",
    [
        "0000:00:00 00:00:00",
        "    :  :     :  :  ",
        "2019:13:04 21:08:09",
        "2019:02:30 21:08:09",
        "9999:01:01 00:00:00",
        "1066:10:14 09:00:00",
        "yesterday",
        "",
    ],
)
def test_a_senseless_time_is_no_time(text: str) -> None:
    assert decoded(with_exif(taken=text)).taken_at is None


DAMAGED_EXIF = b"Exif\0\0II*\0\x08\0\0\0\x02\0" + (
    struct.pack("<HHII", 0x0112, 3, 1, 6) + struct.pack("<HHIII", 0x010F, 2, 5000, 9_000_000, 0)
)


def test_damaged_exif_data_is_no_reason_to_refuse_a_picture() -> None:
    assert decoded(encoded(PICTURE, "JPEG", exif=DAMAGED_EXIF)).note == ""
    assert decoded(encoded(PICTURE, "JPEG", exif=b"Exif\0\0rubbish")).taken_at is None


def test_pillows_warnings_never_surface_not_even_in_threads() -> None:
    data = encoded(PICTURE, "JPEG", exif=DAMAGED_EXIF)
    with pytest.warns(UserWarning, match="Tag data larger"):
        Image.open(BytesIO(data)).getexif()

    with warnings.catch_warnings(record=True) as caught, ThreadPoolExecutor(4) as threads:
        warnings.simplefilter("always")
        list(threads.map(decoded, [data] * 16))
    assert caught == []


def test_a_cmyk_jpeg_shows_its_colours_with_and_without_adobes_marker() -> None:
    picture = Image.new("RGB", (64, 64), (200, 60, 20)).convert("CMYK")
    by_adobe = encoded(picture, "JPEG", quality=95)
    inverted = encoded(ImageChops.invert(picture), "JPEG", quality=95)
    without_marker = re.sub(rb"\xff\xee\x00\x0eAdobe.{7}", b"", inverted, flags=re.DOTALL)
    assert len(without_marker) == len(inverted) - 16

    for data in (by_adobe, without_marker):
        assert np.abs(decoded(data).pixels.astype(int) - (200, 60, 20)).max() <= 6


def test_a_jpeg_of_a_rare_kind_is_unsupported_not_damaged() -> None:
    data = bytearray(whole("JPEG"))
    data[data.index(b"\xff\xc0") + 4] = 12  # bits per sample
    assert failure(bytes(data)).kind is ErrorKind.UNSUPPORTED


def test_whatever_is_raised_for_a_picture_is_its_failure_and_logged_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def surprise(*args: object) -> None:
        raise ZeroDivisionError("a surprise\0 with a \ud800 in it")

    monkeypatch.setattr(decode_module, "orientation_and_time", surprise)
    data = whole("PNG")
    error = failure(data)
    assert error.kind is ErrorKind.INTERNAL
    assert error.message.isascii()
    assert "\0" not in error.message
    (record,) = caplog.records
    assert record.exc_info
    with pytest.raises(PictureError):
        make_thumbnail(data, "a", 64, 200)


def test_lack_of_memory_is_told_apart_from_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_memory(self: ImageFile.ImageFile) -> None:
        raise MemoryError

    monkeypatch.setattr(decode_module.PngImagePlugin.PngImageFile, "load_prepare", no_memory)
    error = failure(whole("PNG"))
    assert error.kind is ErrorKind.OUT_OF_MEMORY
    assert error.kind.transient


# Files that are cut off. A progressive JPEG holds the whole picture from an early point on.

IN_ROWS = {
    "JPEG": encoded(PICTURE, "JPEG", quality=90),
    "CMYK JPEG": encoded(PICTURE.convert("CMYK"), "JPEG", quality=90),
    "PNG": whole("PNG"),
    "palette PNG": encoded(PICTURE.quantize(64), "PNG"),
    "16-bit PNG": encoded(Image.fromarray(np.asarray(PICTURE)[..., 0].astype(np.uint16)), "PNG"),
    "GIF": encoded(PICTURE.quantize(64), "GIF", interlace=0),
    "WEBP": whole("WEBP"),
    "lossless WEBP": encoded(PICTURE, "WEBP", lossless=True),
    "BMP": whole("BMP"),
    "TIFF": whole("TIFF"),
}


@pytest.mark.parametrize("format", IN_ROWS)
@pytest.mark.parametrize("there", [0.7, 0.83, 0.97])
def test_most_of_a_picture_is_embedded_with_an_honest_note(format: str, there: float) -> None:
    data = IN_ROWS[format]
    picture = decoded(data[: int(there * len(data))])

    percent = re.fullmatch(r"The file is cut off; (\d+) % of the picture was there\.", picture.note)
    assert percent is not None
    assert int(percent[1]) == pytest.approx(100 * there, abs=12)  # rows differ in their bytes
    assert (picture.width, picture.height) == (400, 300)
    if format != "BMP":  # which begins with its last row
        top = slice(0, int(112 * int(percent[1]) / 100) - 8)
        whole = decoded(data)
        assert np.abs(picture.pixels[top].astype(int) - whole.pixels[top]).mean() < 1


@pytest.mark.parametrize("format", IN_ROWS)
@pytest.mark.parametrize("there", [0.1, 0.3, 0.42])
def test_less_than_half_of_a_picture_is_a_failure(format: str, there: float) -> None:
    data = IN_ROWS[format]
    error = failure(data[: int(there * len(data))])
    assert error.kind is ErrorKind.TRUNCATED
    assert re.match(r"The file is cut off: (only \d+ %|\d+ %|nothing) of ", error.message)


@pytest.mark.parametrize("there", [0.3, 0.6, 0.95])
def test_a_progressive_jpeg_is_whole_long_before_its_end(there: float) -> None:
    data = encoded(PICTURE, "JPEG", quality=90, progressive=True)
    picture = decoded(data[: int(there * len(data))])
    assert picture.note == (
        "The file is cut off; the whole picture was there, perhaps in less detail."
    )
    assert difference(picture, decoded(data)) < 8


def test_a_progressive_jpeg_cut_in_its_first_scan_is_measured_in_rows() -> None:
    data = encoded(PICTURE, "JPEG", quality=90, progressive=True)
    scans = [found.start() for found in re.finditer(b"\xff\xda", data)]
    first = scans[1] - scans[0]

    error = failure(data[: scans[0] + int(0.3 * first)])
    assert error.kind is ErrorKind.TRUNCATED
    percent = re.search(r"(\d+) %", decoded(data[: scans[0] + int(0.8 * first)]).note)
    assert percent is not None
    assert 60 <= int(percent[1]) <= 90


def test_only_the_end_marker_missing_is_no_loss() -> None:
    data = whole("JPEG")
    picture = decoded(data[:-2])
    assert "whole picture was there" in picture.note
    assert difference(picture, decoded(data)) == 0


@pytest.mark.parametrize("format", ["HEIF", "AVIF"])
def test_formats_that_show_nothing_in_part_say_how_much_of_the_file_is_there(format: str) -> None:
    data = encoded(photo(400, 600), format)
    error = failure(data[: int(0.835 * len(data))])
    assert error.kind is ErrorKind.TRUNCATED
    assert error.message == "The file is cut off: 83 % of it is not enough to show the picture."


@pytest.mark.parametrize("format", ["JPEG", "PNG", "GIF", "WEBP", "HEIF", "AVIF"])
def test_an_unwritten_end_counts_as_missing(format: str) -> None:
    data = encoded(photo(400, 600), format)
    written = int(0.3 * len(data))
    assert failure(data[:written] + bytes(len(data) - written)).kind is ErrorKind.TRUNCATED


@pytest.mark.parametrize("format", FORMATS)
def test_padding_behind_a_whole_picture_is_no_loss(format: str) -> None:
    data = whole(format)
    for padding in (b"\0" * 100, b"\0" * 100_000, b"trailer of a camera" * 20):
        picture = decoded(data + padding)
        assert picture.note == ""
        assert difference(picture, decoded(data)) == 0


def test_a_file_cut_off_in_its_header_says_so() -> None:
    error = failure(whole("JPEG")[:100])
    assert error.kind is ErrorKind.TRUNCATED


def test_damage_in_the_middle_is_called_damage() -> None:
    data = bytearray(whole("PNG"))
    for share, kind in ((0.2, ErrorKind.CORRUPT), (0.8, None)):
        damaged = data.copy()
        at = int(share * len(data))
        damaged[at : at + 200] = b"\xff" * 200
        if kind:
            assert failure(bytes(damaged)).kind is kind
        else:
            note = decoded(bytes(damaged)).note
            assert re.fullmatch(r"The picture data is damaged; \d\d % of it could be read\.", note)


def test_threads_do_not_disturb_each_other() -> None:
    jpeg = whole("JPEG")
    work = [jpeg, jpeg[: len(jpeg) * 3 // 4], IN_ROWS["PNG"], IN_ROWS["WEBP"][:20_000]] * 6
    alone = [decoded(data) for data in work[:4]] * 6
    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(decoded, work))
    for one, other in zip(alone, together, strict=True):
        assert one.note == other.note
        assert np.array_equal(one.pixels, other.pixels)
    assert not ImageFile.LOAD_TRUNCATED_IMAGES


SMALL = photo(97, 61)
FUZZED = {
    "JPEG": encoded(SMALL, "JPEG", exif=DAMAGED_EXIF),
    "progressive JPEG": encoded(SMALL, "JPEG", progressive=True),
    "CMYK JPEG": encoded(SMALL.convert("CMYK"), "JPEG"),
    "MPO": encoded(SMALL, "MPO", save_all=True, append_images=[SMALL]),
    "PNG": encoded(SMALL, "PNG"),
    "APNG": encoded(SMALL, "PNG", save_all=True, append_images=[photo(97, 61)]),
    "WEBP": encoded(SMALL, "WEBP"),
    "lossless WEBP": encoded(SMALL, "WEBP", lossless=True),
    "GIF": encoded(SMALL, "GIF"),
    "BMP": encoded(SMALL, "BMP"),
    "TIFF": encoded(SMALL, "TIFF", tiffinfo={274: 6}),
    "LZW TIFF": encoded(SMALL, "TIFF", compression="tiff_lzw"),
    "JPEG in TIFF": encoded(SMALL, "TIFF", compression="jpeg"),
    "HEIF": encoded(SMALL, "HEIF"),
    "AVIF": encoded(SMALL, "AVIF"),
}


def damaged(data: bytes, chance: random.Random) -> bytes:
    """Cut off, or with some bytes changed, preferably near the start; or both."""
    copy = bytearray(data)
    if chance.random() < 0.4:
        del copy[chance.randrange(1, len(copy)) :]
    for _ in range(chance.choice([0, 1, 1, 2, 4, 16])):
        copy[chance.randrange(min(len(copy), chance.choice([64, 512, 10**9])))] ^= (
            1 << chance.randrange(8)
        )
    return bytes(copy)


@pytest.mark.parametrize("format", FUZZED)
def test_whatever_the_damage_a_picture_or_a_sentence_comes_out(format: str) -> None:
    chance = random.Random(format)
    pictures, messages = 0, []
    for _ in range(25):
        data = damaged(FUZZED[format], chance)
        spec = PixelSpec(32, chance.choice(["shortest", "longest", "squash"]))
        try:
            picture = decode(content(data), "a", spec, max_megapixels=20)
        except PictureError as error:
            messages.append(error.message)
        else:
            assert picture.pixels.shape == (32, 32, 3)
            pictures += 1
    assert pictures + len(messages) == 25
    assert all(re.fullmatch(r"[A-Z][^\n]+\.", message) for message in messages)


def test_other_threads_run_while_a_picture_is_decoded() -> None:
    data = encoded(photo(3000, 2000), "JPEG", quality=90)
    during = turns_of_another_thread(lambda: decode(content(data), "a.jpg", PixelSpec(224), 200))
    assert during > 100
