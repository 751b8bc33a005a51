"""What a file is and what is wrong with it, judged from its size and its first bytes.

The content decides, never the name: a HEIF picture called .jpg is read as HEIF. What is not a
picture, or not one that can be read, gets a sentence that says what it is instead.
"""

from __future__ import annotations

import codecs
import re
from typing import NamedTuple

from app.api.error_kinds import ErrorKind
from app.file_types import NAME_ENDINGS
from app.pictures.iso_media import brands
from app.pictures.tiff_layout import TIFF_LIKE_STARTS, TIFF_STARTS, first_tags


class PictureError(Exception):
    """Why one picture cannot be indexed.

    Args:
        kind: the cause, for grouping and retrying.
        message: what is wrong and why, as one plain sentence.
    """

    def __init__(self, kind: ErrorKind, message: str) -> None:
        super().__init__(kind, message)
        self.kind = kind
        self.message = message

    def __str__(self) -> str:
        return self.message


_PICTURE_ENDINGS = frozenset(ending for endings in NAME_ENDINGS.values() for ending in endings)

_HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_BMP_HEADER_SIZES = frozenset({12, 16, 40, 52, 56, 64, 108, 124})
_RAW_STARTS = (*TIFF_LIKE_STARTS, b"FUJIFILMCCD-RAW", b"FOVb", b"\x00MRM")
_NEW_SUBFILE_TYPE = 254
_COMPRESSION = 259
_COLOURS = 262
_SUB_DIRECTORIES = 330
_DNG_VERSION = 50706
_RAW_COMPRESSIONS = frozenset({32767, 34713, 65535})  # Sony's, Nikon's and Pentax's own
_RAW_COLOURS = frozenset({32803, 34892})  # a colour for each pixel, or all of them, of a sensor


class _Magic(NamedTuple):
    start: bytes
    what: str
    kind: ErrorKind = ErrorKind.MISLABELLED


_MAGICS = (
    _Magic(b"%PDF-", "a PDF document"),
    _Magic(b"PK\x03\x04", "a ZIP archive or an office document"),
    _Magic(b"Rar!\x1a\x07", "a RAR archive"),
    _Magic(b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    _Magic(b"\x1f\x8b", "a compressed archive"),
    _Magic(b"\x1aE\xdf\xa3", "a video"),
    _Magic(b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "a video"),
    _Magic(b"\x00\x00\x01\xba", "a video"),
    _Magic(b"\x00\x00\x01\xb3", "a video"),
    _Magic(b"FLV\x01", "a video"),
    _Magic(b"ID3", "an audio file"),
    _Magic(b"OggS", "an audio or video file"),
    _Magic(b"fLaC", "an audio file"),
    _Magic(b"\x00\x05\x16\x07", "a macOS metadata file"),
    _Magic(b"SQLite format 3\x00", "a database"),
    _Magic(b"\x7fELF", "a program"),
    _Magic(b"8BPS", "a Photoshop document", ErrorKind.UNSUPPORTED),
    _Magic(b"%!PS", "a PostScript drawing", ErrorKind.UNSUPPORTED),
    _Magic(b"\xc5\xd0\xd3\xc6", "an EPS drawing", ErrorKind.UNSUPPORTED),
    _Magic(b"gimp xcf", "a GIMP document", ErrorKind.UNSUPPORTED),
    _Magic(b"\xff\x0a", "a JPEG XL picture", ErrorKind.UNSUPPORTED),
    _Magic(b"\x00\x00\x00\x0cJXL ", "a JPEG XL picture", ErrorKind.UNSUPPORTED),
    _Magic(b"\x00\x00\x00\x0cjP  ", "a JPEG 2000 picture", ErrorKind.UNSUPPORTED),
    _Magic(b"\xff\x4f\xff\x51", "a JPEG 2000 picture", ErrorKind.UNSUPPORTED),
    _Magic(b"II\xbc\x01", "a JPEG XR picture", ErrorKind.UNSUPPORTED),
    _Magic(b"\x00\x00\x01\x00", "an icon", ErrorKind.UNSUPPORTED),
    _Magic(b"v/1\x01", "an OpenEXR picture", ErrorKind.UNSUPPORTED),
    _Magic(b"#?RADIANCE", "a Radiance HDR picture", ErrorKind.UNSUPPORTED),
)


def identify(data: bytes, name: str) -> str:
    """The format of a picture: one of the keys of :data:`app.file_types.NAME_ENDINGS`.

    Args:
        data: the whole content of the file, not empty.
        name: the file's name, for the wording, and because some camera RAW files can be told
            from a TIFF picture by their name only; see :func:`may_be_tiff`.

    Raises:
        PictureError: the content is not a picture that can be read; the message says what it is.
    """
    kind = _picture_kind(data)
    if kind == "TIFF" and (not may_be_tiff(data) or _ending(name) in NAME_ENDINGS["RAW"]):
        return "RAW"
    if kind:
        return kind
    for magic in _MAGICS:
        if data.startswith(magic.start):
            raise _not_a_picture(magic.what, magic.kind, name)
    if _is_video(data):
        raise _not_a_picture("a video", ErrorKind.MISLABELLED, name)
    if data[:4] == b"RIFF" and data[8:12] == b"WAVE":
        raise _not_a_picture("an audio file", ErrorKind.MISLABELLED, name)
    if not data.rstrip(b"\x00"):
        raise PictureError(
            ErrorKind.CORRUPT, "The file contains only zeros: its content has been lost."
        )
    if _is_text(data):
        raise _text(data, name)
    raise PictureError(
        ErrorKind.CORRUPT,
        "The file does not start like any known kind of picture: it is damaged or something else.",
    )


def may_be_tiff(data: bytes) -> bool:
    """Whether a file that begins as TIFF could be an ordinary picture, whatever its name says."""
    if not data.startswith(TIFF_STARTS) or data[8:10] == b"CR":  # Canon's mark
        return False
    tags = first_tags(data)
    thumbnail_first = tags.get(_NEW_SUBFILE_TYPE) == 1 and _SUB_DIRECTORIES in tags
    by_its_data = tags.get(_COMPRESSION) in _RAW_COMPRESSIONS or tags.get(_COLOURS) in _RAW_COLOURS
    return not (thumbnail_first or by_its_data or _DNG_VERSION in tags)


def unreadable_format(what: str) -> PictureError:
    """The error for a picture of a format that this program does not read."""
    return PictureError(
        ErrorKind.UNSUPPORTED, f"This is {what}, a format that this program cannot read."
    )


def name_note(kind: str, name: str) -> str:
    """A sentence where the name promises another format than the content has, else ``""``."""
    ending = _ending(name)
    if ending not in _PICTURE_ENDINGS or ending in NAME_ENDINGS[kind]:
        return ""
    return f"The name says {ending.upper()}, the content is {kind}."


def _picture_kind(data: bytes) -> str | None:
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[:2] == b"BM" and int.from_bytes(data[14:18], "little") in _BMP_HEADER_SIZES:
        return "BMP"
    if data.startswith(TIFF_STARTS):
        return "TIFF"
    if data.startswith(_RAW_STARTS) or data[4:12] == b"ftypcrx " or data[6:14] == b"HEAPCCDR":
        return "RAW"
    known = brands(data)
    if known & _AVIF_BRANDS:
        return "AVIF"
    if known & _HEIF_BRANDS:
        return "HEIF"
    return None


def _is_video(data: bytes) -> bool:
    if data[:4] == b"RIFF" and data[8:12] == b"AVI ":
        return True
    return data[4:8] in (b"ftyp", b"moov", b"mdat", b"wide")


def _is_text(data: bytes) -> bool:
    sample = data[:4096]
    if sample.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return True
    if re.search(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]", sample):
        return False
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)  # a cut last letter is no error
    except UnicodeDecodeError:
        return sum(byte < 0x80 for byte in sample) > 0.8 * len(sample)
    return True


def _text(data: bytes, name: str) -> PictureError:
    """What sort of text it is."""
    start = data[:1024].lower()
    if b"<svg" in start:
        return unreadable_format("an SVG drawing")
    if b"<!doctype html" in start or b"<html" in start:
        return _not_a_picture("a web page", ErrorKind.MISLABELLED, name)
    return _not_a_picture("a text file", ErrorKind.MISLABELLED, name)


def _not_a_picture(what: str, kind: ErrorKind, name: str) -> PictureError:
    if kind is ErrorKind.UNSUPPORTED:
        return unreadable_format(what)
    ending = _ending(name)
    although = f", although its name ends in .{ending}" if ending in _PICTURE_ENDINGS else ""
    return PictureError(kind, f"This is {what}, not a picture{although}.")


def _ending(name: str) -> str:
    """The name's ending in small letters, without its dot; ``""`` where there is none."""
    return name.rpartition(".")[2].lower() if "." in name else ""
