"""From a picture's file to the pixels that a model sees.

Any number of threads may decode at once. Whatever is wrong with a file, what comes out is a
:class:`PictureError` that says so in one sentence.
"""

from __future__ import annotations

import contextlib
import logging
import math
import re
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from typing import NamedTuple, NoReturn

import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import AvifImagePlugin, Image, ImageFile, PngImagePlugin
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from app.api.error_kinds import ErrorKind
from app.pictures.colour import SRGB, Colours, colours_of
from app.pictures.completeness import (
    declared_size,
    is_cut_off,
    share_there,
    without_blank_end,
)
from app.pictures.diagnosis import (
    PictureError,
    identify,
    may_be_tiff,
    name_note,
    unreadable_format,
)
from app.pictures.files import FileContent, read_file
from app.pictures.frames import go_to_frame_that_shows_something
from app.pictures.limits import check_size, check_work
from app.pictures.metadata import orientation_and_time, time_of_change
from app.pictures.pixels import ORIENTATIONS, Orientation, PixelSpec, fit
from app.pictures.raw import RawFile, UnknownRawError, known_time, open_raw
from app.pictures.rescue import rescue

__all__ = [
    "DecodedPicture",
    "FileContent",
    "PictureError",
    "PixelSpec",
    "decode",
    "read_file",
]

ENOUGH_TO_EMBED = 0.5
"""Share of a picture that must be there for its embedding to stand for the picture."""

log = logging.getLogger(__name__)

# The class is chosen by content, so no other of Pillow's many formats is ever tried, and a JPEG
# with further pictures behind it (MPO) is read as the JPEG that it begins with.
_READERS: dict[str, type[ImageFile.ImageFile]] = {
    "JPEG": JpegImageFile,
    "PNG": PngImagePlugin.PngImageFile,
    "WEBP": WebPImageFile,
    "GIF": GifImageFile,
    "BMP": BmpImageFile,
    "TIFF": TiffImageFile,
    "HEIF": pillow_heif.HeifImageFile,
    "AVIF": AvifImagePlugin.AvifImageFile,
}

# Settings of the libraries, made once: they hold for the whole process.
Image.MAX_IMAGE_PIXELS = None  # decode() has its own limit, with a sentence
PngImagePlugin.MAX_TEXT_CHUNK = 64 * 1024**2  # image generators store whole workflows there
AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # the threads are better spent on different pictures
pillow_heif.register_heif_opener(
    decode_threads=1, thumbnails=False, depth_images=False, aux_images=False
)
logging.getLogger("PIL").setLevel(logging.CRITICAL)  # what matters is said by PictureError

_SAY_THEIR_SIZE = frozenset({"WEBP", "HEIF", "AVIF"})
_UNSUPPORTED_WORDS = (
    *("unsupported", "not supported", "cannot handle"),
    *("unknown pixel mode", "unknown raw mode"),
)
_IGNORE_PILLOW = ("ignore", None, Warning, re.compile(r"PIL\."), 0)
_filters_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class DecodedPicture:
    """A picture as the model sees it, and what is worth knowing about its file."""

    pixels: NDArray[np.uint8]
    """Shape (size, size, 3), RGB."""
    width: int
    """Pixels, of the whole picture as a person sees it."""
    height: int
    format: str
    """``JPEG``, ``PNG``, ``HEIF`` …: what the content is, whatever the name says."""
    taken_at: datetime | None
    """When the camera says that the picture was taken, in the camera's local time."""
    note: str
    """What was odd about the file, in plain sentences; mostly empty."""


class LoadedPicture(NamedTuple):
    """A picture as it is stored, and what makes it the one that a person sees."""

    picture: Image.Image
    area: tuple[float, float]
    """Exact width and height of what ``picture`` shows, see :func:`app.pictures.pixels.fit`."""
    orientation: Orientation
    width: int
    """Pixels, of the whole picture, upright."""
    height: int
    format: str
    taken_at: datetime | None
    note: str
    colours: Colours = SRGB


def decode(content: FileContent, name: str, spec: PixelSpec, max_megapixels: int) -> DecodedPicture:
    """Decode a picture to the square of pixels that a model sees.

    Args:
        content: the file.
        name: the file's name; used for the wording, the content decides what is decoded.
        spec: what the model wants to see.
        max_megapixels: a picture with more is refused before it is decoded.

    Raises:
        PictureError: the content is not a picture, not one that can be read, damaged, cut off by
            more than half, or too large.
    """
    with quietly():
        loaded = load(content.data, name, spec, max_megapixels)
        pixels = fit(loaded.picture, loaded.area, loaded.orientation, spec, loaded.colours)
    return DecodedPicture(
        pixels, loaded.width, loaded.height, loaded.format, loaded.taken_at, loaded.note
    )


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Keep Pillow's remarks to itself, and let nothing out but a PictureError.

    Raises:
        PictureError: OUT_OF_MEMORY in place of a MemoryError, INTERNAL in place of anything else:
            one picture, whatever is in it, is no reason to leave the others undone.
    """
    _silence_pillow()
    try:
        yield
    except PictureError:
        raise
    except MemoryError as error:
        raise PictureError(
            ErrorKind.OUT_OF_MEMORY, "There was not enough memory to decode the picture."
        ) from error
    except Exception as error:
        log.exception("a picture could not be decoded, for an unexpected reason")
        raise PictureError(
            ErrorKind.INTERNAL,
            f"Decoding the picture failed with an unexpected error, {type(error).__name__}.",
        ) from error


def load(data: bytes, name: str, spec: PixelSpec, max_megapixels: int) -> LoadedPicture:
    """The first half of :func:`decode`, up to resampling; to be called within :func:`quietly`.

    Args:
        spec: what will be made of it; a JPEG is decoded no larger than that needs.
    """
    kind = identify(data, name)
    if kind == "RAW":
        try:
            return _load_raw(data, name, spec, max_megapixels)
        except UnknownRawError:
            if not may_be_tiff(data):
                raise
            kind = "TIFF"
    data = without_blank_end(data, kind)
    opened = _open(data, kind)
    check_size(opened.size, max_megapixels)
    check_work(opened, data)
    stored = opened.size
    reduced = _draft(opened, spec)
    picture, note = _load(opened, data, kind, spec)
    if reduced is None:
        stored = picture.size  # a HEIF header may be off; a TIFF is turned while it is loaded
    exif_orientation, taken_at = orientation_and_time(picture)
    orientation = ORIENTATIONS.get(exif_orientation, Orientation())
    width, height = reversed(stored) if orientation.swap else stored
    notes = " ".join(filter(None, (name_note(kind, name), note)))
    colours = colours_of(picture, kind)
    return LoadedPicture(
        picture, reduced or stored, orientation, width, height, kind, taken_at, notes, colours
    )


def _open(data: bytes, kind: str) -> ImageFile.ImageFile:
    """Read the header only."""
    try:
        return _reader(data, kind)
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - Pillow raises almost anything on damaged data
        _raise_damaged(data, kind, error)


def _reader(data: bytes, kind: str) -> ImageFile.ImageFile:
    size = (kind in _SAY_THEIR_SIZE and declared_size(data, kind)) or 0
    if len(data) < size < len(data) / ENOUGH_TO_EMBED and (
        kind == "WEBP" or share_there(data, kind) == 1
    ):
        data = data.ljust(size, b"\x00")  # their decoders open no file shorter than it should be
    picture = _READERS[kind](BytesIO(data))
    picture.decodermaxblock = max(len(data), 1)  # all at once: it lies in memory already
    return picture


def _load_raw(data: bytes, name: str, spec: PixelSpec, max_megapixels: int) -> LoadedPicture:
    """By the preview; where that is missing, damaged or too small, by what the sensor saw."""
    written = without_blank_end(data, "RAW")
    cut_off = is_cut_off(written, "RAW")
    share = share_there(written, "RAW")
    with open_raw(data, cut_off) as raw:
        check_size((raw.width, raw.height), max_megapixels)
        loaded = _load_preview(raw, spec, max_megapixels)
        if loaded is None or loaded.note or max(loaded.width, loaded.height) < spec.size:
            loaded = _develop(raw, loaded, share, spec)
        elif cut_off:
            loaded = loaded._replace(note="The file is cut off; the preview in it was whole.")
        notes = " ".join(filter(None, (name_note("RAW", name), loaded.note)))
        return loaded._replace(width=raw.width, height=raw.height, format="RAW", note=notes)


def _develop(
    raw: RawFile, preview: LoadedPicture | None, share: float, spec: PixelSpec
) -> LoadedPicture:
    """What the sensor saw; the preview after all where too little of it is there or it is damaged.

    Args:
        share: of the sensor's data that is there.
    """
    try:
        note = _cut_off(share) if share < 1 else ""
        picture, taken_at = raw.develop(spec.whole_size)
    except (PictureError, MemoryError):
        if preview is None:
            raise
        small = f"Only a preview of {preview.width} × {preview.height} pixels could be read."
        cut_off = "The file is cut off." if share < 1 and not preview.note else preview.note
        return preview._replace(note=f"{cut_off} {small}".lstrip())
    return LoadedPicture(picture, picture.size, Orientation(), 0, 0, "", taken_at, note)


def _load_preview(raw: RawFile, spec: PixelSpec, max_megapixels: int) -> LoadedPicture | None:
    """The preview with its own width and height; None where it is of no use."""
    preview = raw.preview()
    if preview is None:
        return None
    if isinstance(preview, Image.Image):
        loaded = LoadedPicture(preview, preview.size, Orientation(), *preview.size, "", None, "")
    else:
        try:
            loaded = load(preview, "", spec, max_megapixels)
        except PictureError:
            return None
    orientation = loaded.orientation
    if orientation == Orientation():
        orientation = ORIENTATIONS.get(raw.exif_orientation, Orientation())
    shape = loaded.area[0] - loaded.area[1]
    if orientation.swap and shape * (raw.width - raw.height) > 0:
        # It is as wide or as high as it should be: somebody has turned it already.
        orientation = Orientation()
    taken_at = loaded.taken_at or known_time(time_of_change(loaded.picture))
    return loaded._replace(orientation=orientation, taken_at=taken_at)


def _draft(picture: ImageFile.ImageFile, spec: PixelSpec) -> tuple[float, float] | None:
    """Have a JPEG decoded at 1/2, 1/4 or 1/8, still at least twice as large as the model needs.

    Returns:
        the exact size of the reduced picture, in its pixels; None where nothing is reduced.
    """
    if not isinstance(picture, JpegImageFile):
        return None
    wanted = 2 * spec.whole_size
    if spec.resize_mode == "longest":
        ratio = wanted / max(picture.size)
        box = (math.ceil(picture.width * ratio), math.ceil(picture.height * ratio))
    else:
        box = (wanted, wanted)
    reduced = picture.draft(None, box)
    return reduced[1][2:] if reduced else None


def _load(
    opened: ImageFile.ImageFile, data: bytes, kind: str, spec: PixelSpec
) -> tuple[Image.Image, str]:
    """The decoded picture, and a note where not all of it was there."""
    share = share_there(data, kind)
    try:
        if kind == "WEBP" and share < 1:  # which its decoder was not to notice
            raise EOFError
        opened.load()
        go_to_frame_that_shows_something(opened, data, kind)
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - see _open
        return _load_in_part(data, kind, spec, error)
    if share == 1 and not (kind in _SAY_THEIR_SIZE and is_cut_off(data, kind)):
        return opened, ""
    return opened, _cut_off(share)


def _load_in_part(
    data: bytes, kind: str, spec: PixelSpec, error: Exception
) -> tuple[Image.Image, str]:
    """Most of a picture is good enough to find it by; less is a failure."""

    def reopen(part: bytes) -> ImageFile.ImageFile:
        picture = _reader(part, kind)
        _draft(picture, spec)
        return picture

    try:
        rescued = rescue(data, kind, reopen)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - see _open
        rescued = None
    if rescued is None:
        _raise_damaged(data, kind, error)
    picture, share = rescued
    cut_off = is_cut_off(data, kind) or "truncated" in str(error)
    if cut_off:
        note = _cut_off(share)
        return picture, f"{note[:-1]}, perhaps in less detail." if share == 1 else note
    if share < ENOUGH_TO_EMBED:
        message = f"The picture data is damaged: {_amount(share)} of the picture can be read."
        raise PictureError(ErrorKind.CORRUPT, message) from error
    return picture, f"The picture data is damaged; {_percent(share)} of it could be read."


def _cut_off(share: float) -> str:
    """The note for a picture of which so much is there; a PictureError where it is too little."""
    if share < ENOUGH_TO_EMBED:
        message = f"The file is cut off: {_amount(share)} of the picture is there."
        raise PictureError(ErrorKind.TRUNCATED, message)
    if share < 1:
        return f"The file is cut off; {_percent(share)} of the picture was there."
    return "The file is cut off; the whole picture was there."


def _amount(share: float) -> str:
    return f"only {_percent(share)}" if share >= 0.01 else "nothing"


def _percent(share: float) -> str:
    return f"{int(100 * share)} %"


def _raise_damaged(data: bytes, kind: str, error: Exception) -> NoReturn:
    """Say why nothing of the picture can be read."""
    reason = str(error).lower()
    if "out of memory" in reason:
        raise MemoryError from error
    if is_cut_off(data, kind):
        size = declared_size(data, kind)
        left = f"{_percent(len(data) / size)} of it" if size else "what is left"
        message = f"The file is cut off: {left} is not enough to show the picture."
        raise PictureError(ErrorKind.TRUNCATED, message) from error
    if any(word in reason for word in _UNSUPPORTED_WORDS):
        raise unreadable_format(f"an unusual kind of {kind} picture") from error
    raise PictureError(
        ErrorKind.CORRUPT, f"The content starts as {kind}, but its data is damaged."
    ) from error


def _silence_pillow() -> None:
    """Keep Pillow's remarks on odd metadata out of the log, and from being raised as errors.

    ``warnings.catch_warnings`` is of no use in threads. A filter in front of all others is, and
    as libraries put their own in front of it now and then, each call makes sure.
    """
    with _filters_lock:
        if _IGNORE_PILLOW not in warnings.filters[:1]:
            warnings.filterwarnings("ignore", module=r"PIL\.")
