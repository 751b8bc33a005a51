"""Each sort of content is called what it is, whatever its name."""

from __future__ import annotations

import struct

import pytest
from drawn_pictures import encoded, photo

from app.api.error_kinds import ErrorKind
from app.file_types import NAME_ENDINGS
from app.pictures.diagnosis import (
    PictureError,
    identify,
    may_be_tiff,
    name_note,
)


def box(name: bytes, payload: bytes) -> bytes:
    return struct.pack(">I", 8 + len(payload)) + name + payload


PICTURE = photo(64, 48)
PICTURES = {kind: encoded(PICTURE, kind) for kind in NAME_ENDINGS if kind != "RAW"}


@pytest.mark.parametrize("kind", PICTURES)
def test_a_picture_is_known_by_its_content(kind: str) -> None:
    assert identify(PICTURES[kind], "no ending") == kind


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"Dear diary,\nno picture today.", "a text file"),
        ("Liebes Tagebuch, schöne Grüße\n".encode("latin-1") * 9, "a text file"),
        ("\ufeffGrüße".encode("utf-16-le"), "a text file"),
        (b"BMW is a car maker", "a text file"),
        (b"\n<!DOCTYPE html><html><body>404", "a web page"),
        (b"%PDF-1.7\n%\xe2\xe3", "a PDF document"),
        (b"PK\x03\x04\x14\x00\x00\x00", "a ZIP archive or an office document"),
        (box(b"ftyp", b"mp42\0\0\0\0isommp42") + box(b"mdat", b"\1" * 50), "a video"),
        (box(b"ftyp", b"qt  \0\0\0\0qt  "), "a video"),
        (box(b"moov", b"\1" * 50), "a video"),
        (b"\x1aE\xdf\xa3\x01\x00\x00", "a video"),
        (b"RIFF\x00\x10\x00\x00AVI LIST", "a video"),
        (b"RIFF\x00\x10\x00\x00WAVEfmt ", "an audio file"),
        (b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X", "a macOS metadata file"),
    ],
)
def test_what_is_no_picture_is_called_what_it_is(data: bytes, what: str) -> None:
    with pytest.raises(PictureError) as caught:
        identify(data, "holiday.JPG")
    assert caught.value.kind is ErrorKind.MISLABELLED
    assert caught.value.message == f"This is {what}, not a picture, although its name ends in .jpg."

    with pytest.raises(PictureError) as caught:
        identify(data, "honest name")
    assert caught.value.message == f"This is {what}, not a picture."


@pytest.mark.parametrize(
    ("data", "name", "what"),
    [
        (b"<?xml version='1.0'?><svg xmlns=''/>", "a.svg", "an SVG drawing"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", "a.eps", "a PostScript drawing"),
        (b"\xc5\xd0\xd3\xc6\x20\x00", "a.eps", "an EPS drawing"),
        (b"8BPS\x00\x01\x00\x00", "a.psd", "a Photoshop document"),
        (b"\x00\x00\x00\x0cJXL \r\n\x87\n", "a.jxl", "a JPEG XL picture"),
        (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "a.jp2", "a JPEG 2000 picture"),
    ],
)
def test_picture_formats_that_are_not_read_are_named(data: bytes, name: str, what: str) -> None:
    with pytest.raises(PictureError) as caught:
        identify(data, name)
    assert caught.value.kind is ErrorKind.UNSUPPORTED
    assert caught.value.message == f"This is {what}, a format that this program cannot read."


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"II*\x00\x10\x00\x00\x00CR\x02\x00", "a.jpg"),
        (b"MM\x00*\x00\x00\x00\x08", "a.NEF"),
        (b"II*\x00\x08\x00\x00\x00", "a.arw"),
        (b"II*\x00\x08\x00\x00\x00", "a.dng"),
        (b"FUJIFILMCCD-RAW 0201", "a.raf"),
        (b"IIRO\x08\x00\x00\x00", "a"),
        (b"IIU\x00\x18\x00\x00\x00", "a"),
        (b"FOVb\x01\x00\x02\x00", "a"),
        (b"\x00MRM\x00\x00\x00\x00", "a"),
        (box(b"ftyp", b"crx \0\0\0\1crx isom"), "a.cr3"),
    ],
)
def test_camera_raw_files_are_known(data: bytes, name: str) -> None:
    assert identify(data, name) == "RAW"


@pytest.mark.parametrize(
    "tags",
    [{50706: b"\1\4\0\0"}, {254: 1, 330: 8}, {262: 32803}, {262: 34892}],
    ids=["DNG", "NEF", "a sensor's data", "a sensor's colours"],
)
def test_a_raw_file_is_known_by_its_tags_under_a_tiff_name(tags: dict[int, bytes | int]) -> None:
    data = encoded(PICTURE, "TIFF", tiffinfo=tags)
    if 262 in tags:  # which Pillow writes by its own mind
        entry = struct.pack("<HHI", 262, 3, 1)
        at = data.index(entry) + len(entry)
        data = data[:at] + struct.pack("<H", int(tags[262])) + data[at + 2 :]
    assert identify(data, "a.tif") == "RAW"
    assert not may_be_tiff(data)


def test_a_plain_tiff_under_a_raw_name_may_be_either() -> None:
    assert identify(PICTURES["TIFF"], "a.nef") == "RAW"
    assert may_be_tiff(PICTURES["TIFF"])
    assert not may_be_tiff(PICTURES["JPEG"])


def test_a_file_of_zeros_is_called_that() -> None:
    with pytest.raises(PictureError) as caught:
        identify(bytes(5000), "a.jpg")
    assert caught.value.kind is ErrorKind.CORRUPT
    assert "only zeros" in caught.value.message


def test_canons_older_raw_files_are_known() -> None:
    for order, head in ((b"II", b"\x1a\0\0\0"), (b"MM", b"\0\0\0\x1a")):
        assert identify(order + head + b"HEAPCCDR" + bytes(500), "CRW_0001.CRW") == "RAW"


def test_unknown_bytes_are_called_damaged() -> None:
    with pytest.raises(PictureError) as caught:
        identify(b"\x9b\x01\x02\x03" * 100, "a.jpg")
    assert caught.value.kind is ErrorKind.CORRUPT


@pytest.mark.parametrize(
    ("kind", "name", "note"),
    [
        ("HEIF", "IMG_1.JPG", "The name says JPG, the content is HEIF."),
        ("PNG", "a.b.jpeg", "The name says JPEG, the content is PNG."),
        ("JPEG", "a.nef", "The name says NEF, the content is JPEG."),
        ("RAW", "a.jpg", "The name says JPG, the content is RAW."),
        ("RAW", "a.NEF", ""),
        ("JPEG", "a.jpeg", ""),
        ("HEIF", "a.heic", ""),
        ("JPEG", "jpg", ""),
        ("JPEG", "backup.2024", ""),
    ],
)
def test_a_name_that_promises_another_format_gets_a_note(kind: str, name: str, note: str) -> None:
    assert name_note(kind, name) == note


def test_every_kind_of_failure_has_a_title_and_advice_in_plain_sentences() -> None:
    assert len({kind.title for kind in ErrorKind}) == len(ErrorKind)
    for kind in ErrorKind:
        assert ErrorKind(kind.value) is kind
        assert not kind.title.endswith(".")
        assert kind.advice.endswith(".")
    transient = {ErrorKind.BUSY, ErrorKind.OUT_OF_MEMORY, ErrorKind.WORKER_DIED}
    assert {kind for kind in ErrorKind if kind.transient} == transient | {ErrorKind.UNREADABLE}
