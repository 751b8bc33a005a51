"""Camera RAW files: the preview inside them, and the picture developed where that is of no use.

Only this module knows LibRaw, through ``rawpy``, which is imported once a RAW file turns up: most
sessions never see one. LibRaw keeps nothing between files and lets other threads run meanwhile, so
any number of threads may each have a file of their own open.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import datetime
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.api.error_kinds import ErrorKind
from app.pictures.diagnosis import PictureError
from app.pictures.metadata import plausible

if TYPE_CHECKING:
    import rawpy

_EXIF_ORIENTATIONS = {1: 2, 2: 4, 3: 3, 4: 5, 5: 8, 6: 6, 7: 7}
"""By LibRaw's flip: 1 mirrors left and right, 2 top and bottom, 4 swaps rows and columns first."""
_TOO_LITTLE = "The file is cut off: what is left is not enough to show the picture."


class UnknownRawError(PictureError):
    """LibRaw knows no camera that writes such files; it may be an ordinary TIFF picture."""

    def __init__(self, cut_off: bool = False) -> None:
        if cut_off:  # what would tell the camera may be missing
            super().__init__(ErrorKind.TRUNCATED, _TOO_LITTLE)
        else:
            super().__init__(
                ErrorKind.UNSUPPORTED,
                "This is a camera RAW file of a kind that this program cannot read.",
            )


class RawFile:
    """An open RAW file, for one thread. Ask for the preview first: developing lets go of it."""

    def __init__(self, opened: rawpy.RawPy) -> None:
        self._opened = opened
        sizes = opened.sizes
        self.exif_orientation = _EXIF_ORIENTATIONS.get(sizes.flip, 1)
        """How the sensor's picture is turned to be upright, 1 to 8 as in EXIF."""
        swapped = self.exif_orientation >= 5
        self.width = sizes.height if swapped else sizes.width
        """Pixels, of the full picture, upright."""
        self.height = sizes.width if swapped else sizes.height

    def preview(self) -> bytes | Image.Image | None:
        """The largest preview, neither decoded nor turned: a JPEG file, or now and then a picture.

        A JPEG file without EXIF data is given some by LibRaw: orientation and time of the RAW file.

        Returns:
            None where there is no preview, or none of a kind that can be read.

        Raises:
            MemoryError: there was not enough memory.
        """
        try:
            data = self._opened.extract_thumb().data
        except Exception as error:  # it raises almost anything on damaged data
            if _is_lack_of_memory(error):
                raise MemoryError from error
            return None
        return data if isinstance(data, bytes) else _picture(data)

    def develop(self, side: int) -> tuple[Image.Image, datetime | None]:
        """Make a picture of what the sensor saw: upright, with the camera's white balance.

        Args:
            side: pixels that are wanted of the longer side; with at least twice as many, four
                pixels of the sensor become one, which takes a small part of the time.

        Returns:
            the picture, and the time at which it was taken.

        Raises:
            PictureError: TRUNCATED, CORRUPT, TOO_LARGE.
            MemoryError: there was not enough memory.
        """
        half = max(self.width, self.height) >= 2 * side
        try:
            pixels = self._opened.postprocess(half_size=half, use_camera_wb=True, output_bps=8)
            picture = _picture(pixels)
        except Exception as error:
            raise _failure(error) from error
        with contextlib.suppress(Exception):
            return picture, known_time(self._opened.other.timestamp)
        return picture, None


@contextlib.contextmanager
def open_raw(data: bytes, cut_off: bool) -> Iterator[RawFile]:
    """Open a RAW file; only what stands at its start is read.

    Args:
        data: the whole content of the file.
        cut_off: whether some of it is known to be missing; used for the wording.

    Raises:
        UnknownRawError: this is no RAW file that LibRaw knows.
        PictureError: TRUNCATED, CORRUPT, TOO_LARGE.
        MemoryError: there was not enough memory.
    """
    import rawpy

    with rawpy.RawPy() as opened:
        try:
            opened.open_buffer(BytesIO(data))
            file = RawFile(opened)
        except Exception as error:
            failure = _failure(error)
            if isinstance(failure, UnknownRawError):
                failure = UnknownRawError(cut_off)
            elif cut_off and not isinstance(failure, MemoryError):
                failure = _cut_off()
            raise failure from error
        yield file


def known_time(time: datetime | None) -> datetime | None:
    """A time that LibRaw tells; it gives the beginning of 1970 where it found none."""
    return None if time == datetime.fromtimestamp(0) else plausible(time)


def _picture(pixels: NDArray[np.generic]) -> Image.Image:
    """Of pixels, shape (height, width, 1 or 3), 8 or 16 bits, which LibRaw will take back."""
    if pixels.dtype != np.uint8:
        pixels = pixels.astype(np.uint16) >> 8
    own = np.array(pixels, dtype=np.uint8)
    return Image.fromarray(own[..., 0] if own.shape[2] == 1 else own)


def _is_lack_of_memory(error: Exception) -> bool:
    import rawpy

    return isinstance(error, MemoryError | rawpy.LibRawUnsufficientMemoryError)


def _cut_off() -> PictureError:
    return PictureError(ErrorKind.TRUNCATED, _TOO_LITTLE)


def _failure(error: Exception) -> Exception:
    """What to raise in place of one of LibRaw's errors."""
    import rawpy

    if _is_lack_of_memory(error):
        return MemoryError()
    if isinstance(error, rawpy.LibRawFileUnsupportedError):
        return UnknownRawError()
    if isinstance(error, rawpy.LibRawIOError):  # it wanted to read behind the end
        return _cut_off()
    if isinstance(error, rawpy.LibRawTooBigError):
        return PictureError(
            ErrorKind.TOO_LARGE, "The RAW data takes more memory than its decoder may use."
        )
    return PictureError(ErrorKind.CORRUPT, "The content starts as RAW, but its data is damaged.")
