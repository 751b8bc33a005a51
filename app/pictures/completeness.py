"""Whether all of a picture's file is there, by what the file says of itself.

A decoder that is content proves nothing: tiles that are missing stay black, and a camera RAW file
shows its preview whatever became of the rest.
"""

from __future__ import annotations

from typing import Literal

from app.pictures.iso_media import Extent, boxes_end, picture_items, top_level
from app.pictures.tiff_layout import TIFF_LIKE_STARTS, TIFF_STARTS, read_layout

_JPEG_END = b"\xff\xd9"
_PNG_END = b"IEND\xaeB`\x82"
_WEBP_PICTURE = frozenset({b"VP8 ", b"VP8L", b"ALPH", b"ANMF"})
_BLANK_BYTES = (b"\x00", b"\xff")  # of a disk, and of a memory card
_KEPT_BLANKS = 64  # the last piece of picture data may itself end in zeros
_BLANK_ENDS = {
    **dict.fromkeys(
        ("JPEG", "PNG", "GIF"), _KEPT_BLANKS
    ),  # which end with a mark that is not blank
    **dict.fromkeys(("WEBP", "HEIF", "AVIF"), 512),
    "RAW": 4096,  # a sensor's data need not be compressed
}
"""Bytes; as many equal ones are at no picture's end."""
_ROUNDED_UP = 64  # bytes by which cameras may take their data for longer than they are


def declared_size(data: bytes, kind: str) -> int | None:
    """How many bytes the file should have by its own account; None where it does not say."""
    if kind == "WEBP":
        return int.from_bytes(data[4:8], "little") + 8
    if kind in ("HEIF", "AVIF") or (kind == "RAW" and data[4:8] == b"ftyp"):
        return boxes_end(data)
    if kind == "RAW":
        return max((extent.end for extent in _largest(raw_pictures(data))), default=None)
    return None


def is_cut_off(data: bytes, kind: str) -> bool:
    """Whether the end of the file is missing.

    Of JPEG, PNG, GIF and TIFF ask only where they failed to decode: what a file ends with says
    nothing where other data may follow.
    """
    if kind in ("WEBP", "HEIF", "AVIF"):
        return (declared_size(data, kind) or 0) > len(data)
    if kind == "BMP":
        return int.from_bytes(data[2:6], "little") > len(data)
    if kind == "RAW":
        return _is_raw_cut_off(data)
    written = data.rstrip(b"\x00")
    if kind == "JPEG":
        return not written.endswith(_JPEG_END)
    if kind == "PNG":
        return _PNG_END not in written
    if kind == "GIF":
        return not written.endswith(b";")
    layout = read_layout(data)
    first_directory = int.from_bytes(data[4:8], "little" if data[:2] == b"II" else "big")
    return (
        not layout.whole
        or first_directory >= len(written)
        or any(extent.end > len(data) for picture in layout.pictures[:1] for extent in picture)
    )


def share_there(data: bytes, kind: str) -> float:
    """How much of what the picture consists of lies within the file, 0 to 1, counted in bytes.

    An item, such as a tile, that is there in part counts as missing. 1 where the file does not say
    what it consists of, or where only its decoder can tell.
    """
    if kind == "WEBP":
        items = [[extent] for extent in _webp_picture(data)]
    elif kind in ("HEIF", "AVIF"):
        items = picture_items(data)
    elif kind == "RAW":
        items = [[extent] for extent in _largest(raw_pictures(data))]
    else:
        return 1.0
    there = whole = 0
    for item in items:
        length = sum(extent.length for extent in item)
        whole += length
        if kind == "RAW":  # rows of a sensor, not tiles
            there += sum(max(0, min(len(data) - e.start, e.length)) for e in item)
        elif all(extent.end <= len(data) for extent in item):
            there += length
    return there / whole if whole else 1.0


def without_blank_end(data: bytes, kind: str) -> bytes:
    """The content without a tail that was never written: zeros, or ones on a memory card.

    That is how an interrupted download or copy looks where the whole file was reserved first; some
    decoders take such a tail for picture data. Blank data behind the picture, such as padding of
    the EXIF data, are the file's own. In BMP and TIFF they may be black or white.
    """
    if kind in ("BMP", "TIFF"):
        return data
    end = _picture_end(data, kind)
    blank = _BLANK_ENDS[kind]
    last = data[end - 1 : end]
    if last not in _BLANK_BYTES or data[max(end - blank, 0) : end].strip(last):
        return data
    return data[: len(data[:end].rstrip(last)) + _KEPT_BLANKS]


def raw_pictures(data: bytes) -> list[list[Extent]]:
    """The pieces of each picture in a camera RAW file: previews, and what the sensor saw."""
    if data.startswith((*TIFF_STARTS, *TIFF_LIKE_STARTS)):
        return read_layout(data).pictures
    if data.startswith(b"FUJIFILM"):
        places = [int.from_bytes(data[at : at + 4], "big") for at in (84, 88, 100, 104)]
        return [[Extent(places[0], places[1])], [Extent(places[2], places[3])]]
    box = top_level(data, b"mdat")
    if box is None or box.end == box.start:
        return []
    return [[Extent(box.start, box.end - box.start)]]


def _is_raw_cut_off(data: bytes) -> bool:
    if data.startswith((*TIFF_STARTS, *TIFF_LIKE_STARTS)) and not read_layout(data).whole:
        return True
    if data.startswith(b"FOVb"):  # the last four bytes tell where the directory begins
        at = int.from_bytes(data[-4:], "little")
        return at > 0 and data[at : at + 4] != b"SECd"
    if data[6:14] == b"HEAPCCDR":
        return _is_crw_cut_off(data)
    return (declared_size(data, "RAW") or 0) > len(data) + _ROUNDED_UP


def _is_crw_cut_off(data: bytes) -> bool:
    """By the directory, which stands at the end; the last four bytes tell where it begins."""
    order: Literal["little", "big"] = "little" if data[:2] == b"II" else "big"
    head = int.from_bytes(data[2:6], order)
    start = head + int.from_bytes(data[-4:], order)
    count = int.from_bytes(data[start : start + 2], order)
    return count == 0 or start + 2 + 10 * count > len(data)


def _picture_end(data: bytes, kind: str) -> int:
    """Where the last of the picture's data ends, in bytes; no more than there are."""
    if kind == "WEBP":
        extents = _webp_picture(data)
    elif kind in ("HEIF", "AVIF"):
        extents = [extent for item in picture_items(data) for extent in item]
    elif kind == "RAW":
        extents = _largest(raw_pictures(data))
    else:
        return len(data)
    return min(max((extent.end for extent in extents), default=len(data)), len(data))


def _largest(pictures: list[list[Extent]]) -> list[Extent]:
    return max(pictures, key=lambda picture: sum(piece.length for piece in picture), default=[])


def _webp_picture(data: bytes) -> list[Extent]:
    extents, at = [], 12
    while at + 8 <= len(data):
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        if data[at : at + 4] in _WEBP_PICTURE:
            extents.append(Extent(at + 8, length))
        at += 8 + length + length % 2
    return extents
