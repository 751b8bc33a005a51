"""Camera RAW files: by their preview where it is of use, else by what the sensor saw."""

from __future__ import annotations

import random
import re
import struct
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import numpy as np
import pytest
import rawpy
from drawn_pictures import content, encoded, photo
from drawn_raw import dng
from interpreter import turns_of_another_thread
from PIL import Image

from app.api.error_kinds import ErrorKind
from app.pictures.decode import DecodedPicture, PictureError, PixelSpec, decode
from app.pictures.thumbnail import make_thumbnail

SPEC = PixelSpec(112, "squash")
GREEN = (20, 200, 20)
RED, BLUE = (200, 60, 20), (20, 60, 200)
BACK = {
    1: None,
    3: Image.Transpose.ROTATE_180,
    6: Image.Transpose.ROTATE_90,
    8: Image.Transpose.ROTATE_270,
}


def with_corner(width: int, height: int, ground: tuple[int, int, int] = RED) -> Image.Image:
    """One colour, and blue in the upper left quarter."""
    picture = Image.new("RGB", (width, height), ground)
    picture.paste(BLUE, (0, 0, width // 2, height // 2))
    return picture


SENSOR = with_corner(600, 400)
PREVIEW = Image.new("RGB", (300, 200), GREEN)


def decoded(data: bytes, name: str = "a.dng", spec: PixelSpec = SPEC) -> DecodedPicture:
    return decode(content(data), name, spec, 200)


def failure(data: bytes, name: str = "a.dng", limit: int = 200) -> PictureError:
    with pytest.raises(PictureError) as caught:
        decode(content(data), name, SPEC, limit)
    assert caught.value.message.endswith(".")
    return caught.value


def shows_preview(picture: DecodedPicture) -> bool:
    return bool(np.abs(picture.pixels.astype(int) - GREEN).max() < 12)


def corners(pixels: np.ndarray) -> list[str]:
    """The strongest colour in each quarter: upper left, upper right, lower left, lower right."""
    at = (
        (pixels.shape[0] // 4, -pixels.shape[0] // 4),
        (pixels.shape[1] // 4, -pixels.shape[1] // 4),
    )
    return ["RGB"[int(pixels[y, x].argmax())] for y in at[0] for x in at[1]]


def test_the_preview_is_what_is_seen_and_the_size_is_that_of_the_full_picture() -> None:
    picture = decoded(dng(SENSOR, PREVIEW))
    assert shows_preview(picture)
    assert (picture.format, picture.width, picture.height) == ("RAW", 600, 400)
    assert (picture.note, picture.taken_at) == ("", None)


@pytest.mark.parametrize("preview", [None, PREVIEW.resize((60, 40))], ids=["none", "too small"])
def test_without_a_preview_of_use_the_sensors_data_is_developed(preview) -> None:
    picture = decoded(dng(SENSOR, preview))
    assert corners(picture.pixels) == ["B", "R", "R", "R"]
    assert (picture.format, picture.width, picture.height) == ("RAW", 600, 400)
    assert picture.note == ""


@pytest.mark.parametrize("exif_orientation", BACK)
@pytest.mark.parametrize("developed", [False, True])
def test_every_orientation_comes_out_upright(exif_orientation: int, developed: bool) -> None:
    upright = with_corner(400, 600)
    back = BACK[exif_orientation]
    stored = upright if back is None else upright.transpose(back)
    preview = None if developed else stored.resize((stored.width // 2, stored.height // 2))

    picture = decoded(dng(stored, preview, exif_orientation=exif_orientation))
    assert corners(picture.pixels) == ["B", "R", "R", "R"]
    assert (picture.width, picture.height) == (400, 600)


def from_camera(picture: Image.Image, exif: Image.Exif) -> bytes:
    """A JPEG file that begins with its EXIF part, as cameras write it: no JFIF part before that."""
    data = encoded(picture, "JPEG", quality=95, exif=exif)
    assert data[2:4] == b"\xff\xe0"
    return data[:2] + data[4 + int.from_bytes(data[4:6], "big") :]


def test_a_preview_that_says_itself_how_it_is_turned_is_turned_once() -> None:
    stored = with_corner(400, 600).transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6
    preview = from_camera(stored, exif)
    assert corners(decoded(dng(stored, preview, exif_orientation=6)).pixels) == ["B", "R", "R", "R"]
    exif[0x0112] = 1
    preview = from_camera(stored, exif)
    assert corners(decoded(dng(stored, preview, exif_orientation=6)).pixels) == ["B", "R", "R", "R"]


def test_a_preview_that_is_upright_already_is_not_turned_again() -> None:
    upright = with_corner(400, 600)
    stored = upright.transpose(Image.Transpose.ROTATE_90)
    assert corners(decoded(dng(stored, upright, exif_orientation=6)).pixels) == ["B", "R", "R", "R"]


@pytest.mark.parametrize("preview", [PREVIEW, None], ids=["preview", "developed"])
def test_the_time_taken_is_that_of_the_raw_file(preview: Image.Image | None) -> None:
    picture = decoded(dng(SENSOR, preview, taken="2019:07:04 21:08:09"))
    assert picture.taken_at == datetime(2019, 7, 4, 21, 8, 9)


def test_the_previews_own_time_comes_first() -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = "2020:01:02 03:04:05"
    preview = from_camera(PREVIEW, exif)
    picture = decoded(dng(SENSOR, preview, taken="2019:07:04 21:08:09"))
    assert picture.taken_at == datetime(2020, 1, 2, 3, 4, 5)


@pytest.mark.parametrize("preview", [PREVIEW, None], ids=["preview", "no preview"])
@pytest.mark.parametrize("name", ["a.JPG", "a.tif", "a"])
def test_the_content_decides_and_a_wrong_name_is_noted(
    preview: Image.Image | None, name: str
) -> None:
    picture = decoded(dng(SENSOR, preview), name)
    assert picture.format == "RAW"
    ending = name[2:].upper()
    assert picture.note == (f"The name says {ending}, the content is RAW." if ending else "")


@pytest.mark.parametrize("options", [{}, {"compression": "tiff_lzw"}], ids=["plain", "LZW"])
def test_an_ordinary_tiff_picture_under_a_raw_name_is_read_as_what_it_is(options) -> None:
    picture = decoded(encoded(PREVIEW, "TIFF", **options), "a.nef")
    assert picture.format == "TIFF"
    assert picture.note == "The name says NEF, the content is TIFF."
    assert shows_preview(picture)


def test_a_picture_over_the_limit_is_refused_by_its_full_size() -> None:
    error = failure(dng(Image.new("RGB", (1200, 1000)), PREVIEW), limit=1)
    assert error.kind is ErrorKind.TOO_LARGE
    assert "1200 × 1000 pixels" in error.message


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"FOVb" + bytes(500), "a.x3f"),
        (b"\0MRM" + bytes(500), "a.mrw"),
        (b"IIRO" + bytes(500), "a.orf"),
        (encoded(PREVIEW, "TIFF", tiffinfo={50706: b"\1\4\0\0"}), "a.dng"),
        (encoded(PREVIEW, "TIFF", tiffinfo={254: 1, 330: 8}), "a.tif"),
    ],
)
def test_a_kind_that_libraw_does_not_know_is_unsupported(data: bytes, name: str) -> None:
    error = failure(data, name)
    assert error.kind is ErrorKind.UNSUPPORTED
    assert error.message == "This is a camera RAW file of a kind that this program cannot read."


@pytest.mark.parametrize("there", [6, 100, 0.3, 0.9])
def test_a_cut_off_file_without_a_preview_says_so(there: float) -> None:
    data = dng(SENSOR)
    error = failure(data[: int(there if there > 1 else there * len(data))])
    assert error.kind is ErrorKind.TRUNCATED
    assert re.fullmatch(
        r"The file is cut off: (what is left|only \d\d %) .*the picture( is there)?\.",
        error.message,
    )


@pytest.mark.parametrize("start", [b"FUJIFILMCCD-RAW 0201", b"\0\0\0\x18ftypcrx \0\0\0\1crx isom"])
def test_a_raw_file_of_another_make_cut_off_in_its_header_says_so(start: bytes) -> None:
    assert failure(start, "a").kind is ErrorKind.TRUNCATED


@pytest.mark.parametrize("there", [0.2, 0.5, 0.99])
@pytest.mark.parametrize("tail", [b"", b"\0", b"\xff"], ids=["cut", "zeros", "ones"])
def test_a_cut_off_file_is_still_seen_by_its_preview(there: float, tail: bytes) -> None:
    whole = dng(SENSOR, PREVIEW)
    written = int(there * len(whole))
    picture = decoded(whole[:written] + tail * (len(whole) - written))
    assert shows_preview(picture)
    assert picture.note == "The file is cut off; the preview in it was whole."


def test_a_file_cut_off_before_the_directory_of_its_sensors_data_says_so() -> None:
    whole = bytearray(dng(SENSOR, PREVIEW))
    at = whole.index(struct.pack("<HHI", 330, 4, 1)) + 8
    whole[at : at + 4] = struct.pack("<I", len(whole) + 1000)  # as if it had been behind the data
    assert failure(bytes(whole)).kind is ErrorKind.TRUNCATED


def test_a_canon_file_cut_off_before_its_data_is_cut_off_not_black() -> None:
    tags = [(256, 3, 1, 5616), (257, 3, 1, 3744), (259, 3, 1, 6), (273, 4, 1, 60_000)]
    tags.append((279, 4, 1, 900_000))
    data = struct.pack("<2sHI2sHI", b"II", 42, 16, b"CR", 2, 70_000)
    data += struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags)
    data += struct.pack("<I", 65_000) + random.Random(1).randbytes(50_000)
    assert failure(data, "IMG_0001.CR2").kind is ErrorKind.TRUNCATED


@pytest.mark.parametrize("there", [0.6, 0.9])
def test_most_of_a_sensors_data_is_developed_with_an_honest_note(there: float) -> None:
    whole = dng(SENSOR)
    written = int(there * len(whole))
    picture = decoded(whole[:written] + bytes(len(whole) - written))
    percent = re.fullmatch(r"The file is cut off; (\d+) % of the picture was there\.", picture.note)
    assert percent is not None
    assert int(percent[1]) == pytest.approx(100 * there, abs=2)


def test_less_than_half_of_a_sensors_data_is_a_failure() -> None:
    whole = dng(SENSOR)
    written = int(0.3 * len(whole))
    error = failure(whole[:written] + bytes(len(whole) - written))
    assert error.kind is ErrorKind.TRUNCATED


def test_a_small_preview_is_better_than_nothing_and_gets_a_note() -> None:
    small = dng(SENSOR, PREVIEW.resize((60, 40)))
    picture = decoded(small[: len(small) // 2])
    assert shows_preview(picture)
    assert picture.note == ("The file is cut off. Only a preview of 60 × 40 pixels could be read.")


def test_a_damaged_preview_gives_way_to_the_sensors_data() -> None:
    for preview in (b"\xff\xd8\xff" + b"x" * 300, encoded(photo(300, 200), "JPEG")[:-9000]):
        picture = decoded(dng(SENSOR, preview))
        assert corners(picture.pixels) == ["B", "R", "R", "R"]
        assert picture.note == ""


def test_damage_is_called_damage() -> None:
    data = dng(SENSOR)
    compression = struct.pack("<HHI", 259, 3, 1)
    at = data.index(compression) + len(compression)
    deflate = 8  # which the sensor's data is not
    error = failure(data[:at] + struct.pack("<H", deflate) + data[at + 2 :])
    assert error.kind is ErrorKind.CORRUPT
    assert error.message == "The content starts as RAW, but its data is damaged."


def test_lack_of_memory_is_told_apart_from_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_memory(self: object, fileobj: object) -> None:
        raise rawpy.LibRawUnsufficientMemoryError

    class Without(rawpy.RawPy):
        open_buffer = no_memory

    monkeypatch.setattr(rawpy, "RawPy", Without)
    assert failure(dng(SENSOR)).kind is ErrorKind.OUT_OF_MEMORY


@pytest.mark.parametrize("preview", [PREVIEW, None], ids=["preview", "developed"])
@pytest.mark.parametrize("exif_orientation", [1, 6])
def test_a_thumbnail_is_upright_and_names_the_full_size(
    preview: Image.Image | None, exif_orientation: int
) -> None:
    made = make_thumbnail(
        dng(SENSOR, preview, exif_orientation=exif_orientation), "a.dng", 128, 200
    )
    assert made.image.size == ((128, 85) if exif_orientation == 1 else (85, 128))
    assert made.texts == {
        "Thumb::Mimetype": "image/x-dcraw",
        "Thumb::Image::Width": "600" if exif_orientation == 1 else "400",
        "Thumb::Image::Height": "400" if exif_orientation == 1 else "600",
    }


def test_a_thumbnail_has_the_shape_of_a_cropped_preview() -> None:
    assert make_thumbnail(dng(SENSOR, PREVIEW.resize((320, 320))), "a", 128, 200).image.size == (
        (128, 128)
    )


def test_a_small_picture_is_developed_pixel_by_pixel() -> None:
    small = with_corner(150, 100)
    seen = decoded(dng(small), spec=PixelSpec(150, "longest")).pixels[25:125]
    edge = seen[25, :, 0].astype(int)  # blue up to the middle, then red
    assert np.count_nonzero(np.abs(np.diff(edge)) > 20) <= 6


def test_threads_do_not_disturb_each_other() -> None:
    picture = photo(600, 400)
    work = [
        dng(picture, picture),
        dng(picture),
        dng(picture, exif_orientation=6),
        dng(picture, PREVIEW, exif_orientation=8),
    ] * 8
    alone = [decoded(data) for data in work[:4]] * 8
    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(decoded, work))
    for one, other in zip(alone, together, strict=True):
        assert (one.width, one.height, one.note) == (other.width, other.height, other.note)
        assert np.array_equal(one.pixels, other.pixels)


def test_other_threads_run_while_a_raw_file_is_developed() -> None:
    data = dng(photo(3000, 2000))
    assert turns_of_another_thread(lambda: decoded(data)) > 100


@pytest.mark.parametrize("preview", [photo(60, 40), None], ids=["preview", "no preview"])
def test_whatever_the_damage_a_picture_or_a_sentence_comes_out(preview: Image.Image | None) -> None:
    whole = dng(photo(98, 62), preview, taken="2019:07:04 21:08:09")
    chance = random.Random(5)
    messages = []
    for _ in range(60):
        data = bytearray(whole)
        if chance.random() < 0.3:
            del data[chance.randrange(1, len(data)) :]
        for _ in range(chance.choice([0, 1, 1, 2, 4, 16])):
            data[chance.randrange(min(len(data), chance.choice([64, 700, 10**9])))] ^= (
                1 << chance.randrange(8)
            )
        try:
            picture = decode(content(bytes(data)), "a", PixelSpec(32), max_megapixels=20)
        except PictureError as error:
            messages.append(error.message)
        else:
            assert picture.pixels.shape == (32, 32, 3)
    assert 0 < len(messages) < 60
    assert all(re.fullmatch(r"[A-Z][^\n]+\.", message) for message in messages)
