"""Files that are almost pictures: cut, with bits turned over, too large, or of odd kinds."""

from __future__ import annotations

import io
import random
import struct
import sys
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pillow_heif
from injection import TESTS
from PIL import Image

sys.path.append(str(TESTS))

from drawn_raw import dng

SIDE = 96
_PLAIN_ALPHA, _MULTIPLIED_ALPHA = (struct.pack("<HHIH", 338, 3, 1, kind) for kind in (2, 1))
"""The entry of a TIFF that says what its alpha is: as colours are, or multiplied into them."""
MODES = {
    "png": ("1", "L", "LA", "P", "RGB", "RGBA", "I", "I;16"),
    "tiff": ("1", "L", "LA", "La", "P", "RGB", "RGBA", "RGBa", "CMYK", "LAB", "I", "F", "I;16"),
    "jpeg": ("L", "RGB", "CMYK"),
    "webp": ("RGB", "RGBA"),
    "gif": ("1", "L", "P"),
    "bmp": ("1", "L", "P", "RGB", "RGBA"),
    "avif": ("RGB", "RGBA"),
    "heif": ("L", "RGB", "RGBA"),
    "dng": ("with a preview", "without one"),
}
"""What each format can hold of Pillow's modes."""


def write_broken(folder: Path, number: int, seed: int) -> list[Path]:
    """Fill a folder with so many such files, others for each seed; their paths."""
    folder.mkdir(parents=True)
    rng = random.Random(seed)
    paths = []
    for index in range(number):
        kind = rng.choice(KINDS)
        suffix, data = kind(rng)
        paths.append(folder / f"{index:04} {kind.__name__.strip('_')}.{suffix}")
        paths[-1].write_bytes(data)
    return paths


def whole(rng: random.Random) -> tuple[str, bytes]:
    """A good picture of any format and mode, and its ending."""
    kind = rng.choice(list(MODES))
    return kind.replace("heif", "heic"), encoded(kind, rng.choice(MODES[kind]))


@cache
def encoded(kind: str, mode: str) -> bytes:
    """A small picture in a format and a mode; in RGB where the format refuses the mode."""
    pillow_heif.register_heif_opener()
    fields = np.random.default_rng(len(kind + mode)).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    picture = Image.fromarray(fields.repeat(SIDE // 4, 0).repeat(SIDE // 4, 1))
    if kind == "dng":
        return dng(picture, picture if mode == "with a preview" else None)
    for wanted in ({"La": "LA", "RGBa": "RGBA"}.get(mode, mode), "RGB"):
        data = io.BytesIO()
        try:
            _converted(picture, wanted).save(data, kind.upper())
        except (OSError, ValueError, KeyError):
            continue
        return (
            data.getvalue().replace(_PLAIN_ALPHA, _MULTIPLIED_ALPHA)
            if mode in ("La", "RGBa")
            else data.getvalue()
        )
    raise AssertionError(kind)


def _converted(picture: Image.Image, mode: str) -> Image.Image:
    if mode == "LAB":
        from PIL import ImageCms

        profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        return ImageCms.profileToProfile(picture, *profiles, outputMode="LAB") or picture
    if mode in ("I", "F"):
        return picture.convert("L").convert(mode)
    if mode == "I;16":
        return Image.fromarray(np.asarray(picture.convert("L"), np.uint16) * 257)
    return picture.convert(mode)


# --- the kinds ----------------------------------------------------------------------------------


def _odd_mode(rng: random.Random) -> tuple[str, bytes]:
    return whole(rng)


def _cut(rng: random.Random) -> tuple[str, bytes]:
    """Cut at a tenth, or a byte beside it."""
    suffix, data = whole(rng)
    return suffix, data[: max(len(data) * rng.randrange(1, 10) // 10 + rng.randrange(-1, 2), 1)]


def _zero_end(rng: random.Random) -> tuple[str, bytes]:
    """Of full length, with zeros from some point on, as after a broken copy."""
    suffix, data = whole(rng)
    kept = len(data) * rng.randrange(1, 10) // 10
    return suffix, data[:kept].ljust(len(data), b"\0")


def _bit_flips(rng: random.Random) -> tuple[str, bytes]:
    suffix, data = whole(rng)
    changed = bytearray(data)
    for _ in range(rng.choice((1, 3, 10, 100))):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return suffix, bytes(changed)


def _head_flips(rng: random.Random) -> tuple[str, bytes]:
    """In the first bytes, where sizes and kinds stand."""
    suffix, data = whole(rng)
    changed = bytearray(data)
    for _ in range(3):
        changed[rng.randrange(min(len(changed), 96))] = rng.randrange(256)
    return suffix, bytes(changed)


def _spliced(rng: random.Random) -> tuple[str, bytes]:
    """The beginning of one format and the end of another."""
    (suffix, head), (_, tail) = whole(rng), whole(rng)
    return suffix, head[: rng.randrange(1, len(head))] + tail[rng.randrange(len(tail)) :]


def _mislabelled(rng: random.Random) -> tuple[str, bytes]:
    return rng.choice(("jpg", "png", "heic", "dng", "cr2", "gif")), whole(rng)[1]


def _noise(rng: random.Random) -> tuple[str, bytes]:
    return rng.choice(("jpg", "nef", "webp", "avif", "bmp")), rng.randbytes(rng.randrange(1, 9_000))


def _png_bomb(rng: random.Random) -> tuple[str, bytes]:
    """Few bytes that say they are a picture of many gigapixels."""
    side = rng.choice((30_000, 60_000, 2**31 - 1))
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(1_000_000), 9)
    chunks = ((b"IHDR", header), (b"IDAT", rows), (b"IEND", b""))
    return "png", b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*chunk) for chunk in chunks)


def _text_bomb(rng: random.Random) -> tuple[str, bytes]:
    """A picture with a text that unpacks to a great many bytes."""
    data = encoded("png", "RGB")
    text = b"Comment\0\0" + _packed_zeros(rng.choice((1, 70, 300)))
    return "png", data[:33] + _chunk(b"zTXt", text) + data[33:]


@cache
def _packed_zeros(megabytes: int) -> bytes:
    """What ``zlib.compress`` makes of so many zeros, without packing each of them (RFC 1950)."""
    packer = zlib.compressobj(9)
    packed = packer.compress(bytes(2**20)) + packer.flush(zlib.Z_FULL_FLUSH)
    head, each = packed[:2], packed[2:]
    last = zlib.compressobj(wbits=-zlib.MAX_WBITS).flush()
    checksum = megabytes * 2**20 % 65_521 << 16 | 1  # Adler-32 of zeros
    return head + each * megabytes + last + checksum.to_bytes(4, "big")


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _gif_bomb(rng: random.Random) -> tuple[str, bytes]:
    """A canvas of the largest size there is, with a picture of few bytes."""
    data = bytearray(encoded("gif", "P"))
    data[6:10] = b"\xff\xff\xff\xff"
    return "gif", bytes(data)


def _scans_bomb(rng: random.Random) -> tuple[str, bytes]:
    """A progressive JPEG whose last scan is repeated: each costs a pass over the whole picture."""
    picture = Image.fromarray(np.zeros((2_000, 2_000, 3), np.uint8))
    data = io.BytesIO()
    picture.save(data, "JPEG", progressive=True)
    whole_file = data.getvalue()
    last = whole_file.rindex(b"\xff\xda")
    return "jpg", whole_file[:-2] + whole_file[last:-2] * rng.choice((10, 300)) + b"\xff\xd9"


def _float_tiff(rng: random.Random) -> tuple[str, bytes]:
    """Small packed, large in memory."""
    side = rng.choice((2_000, 6_000))
    picture = Image.fromarray(np.zeros((side, side), np.float32))
    data = io.BytesIO()
    picture.save(data, "TIFF", compression="tiff_deflate")
    return "tif", data.getvalue()


def _thin(rng: random.Random) -> tuple[str, bytes]:
    """As wide as formats allow, and one pixel high; or the other way round."""
    size = rng.choice(((60_000, 1), (1, 60_000), (1, 1), (2, 30_000)))
    data = io.BytesIO()
    Image.new("RGB", size, "red").save(data, "PNG")
    return "png", data.getvalue()


def _turned(rng: random.Random) -> tuple[str, bytes]:
    """Grey and colour, with each of the Exif orientations, and with ones that do not exist."""
    exif = Image.Exif()
    exif[0x0112] = rng.choice((*range(10), 255))
    exif[0x0132] = rng.choice(("2024:02:30 10:00:00", "0000:00:00 00:00:00", "9999:99:99", "\0"))
    data = io.BytesIO()
    picture = Image.new(rng.choice(("L", "RGB")), (SIDE, SIDE // 2), 90)
    picture.save(data, "JPEG", exif=exif)
    return "jpg", data.getvalue()


Kind = Callable[[random.Random], tuple[str, bytes]]
KINDS: tuple[Kind, ...] = (
    *(_odd_mode, _odd_mode, _cut, _cut, _cut, _zero_end, _zero_end, _bit_flips, _bit_flips),
    *(_head_flips, _spliced, _mislabelled, _noise, _png_bomb, _text_bomb, _gif_bomb),
    *(_scans_bomb, _float_tiff, _thin, _turned, _turned),
)
"""The more interesting, the more often."""


def seeds() -> Iterator[bytes]:
    """One good file of every format and mode, for a fuzzer to begin with."""
    for kind, modes in MODES.items():
        for mode in modes:
            yield encoded(kind, mode)
