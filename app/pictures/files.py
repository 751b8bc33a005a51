"""Reading a picture's file: whole, once, and without ever changing or locking it."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from dataclasses import dataclass

from app.api.error_kinds import ErrorKind
from app.pictures.diagnosis import PictureError
from app.pictures.file_times import storable_ns

MAX_FILE_SIZE = 2 * 1024**3
"""Bytes; a larger file is not read into memory."""


@dataclass(frozen=True, slots=True)
class FileContent:
    """A file as it was when it was read."""

    data: bytes
    sha256: str
    """Of ``data``, in hexadecimal."""
    size: int
    """Bytes."""
    mtime_ns: int
    """Time of the last change, nanoseconds, see :func:`app.pictures.file_times.storable_ns`."""


def read_file(path: str) -> FileContent:
    """Read a whole file.

    Args:
        path: may hold bytes that are not text, as :func:`os.fsdecode` gives them.

    Raises:
        PictureError: MISSING, UNREADABLE, BUSY, EMPTY, TOO_LARGE, OUT_OF_MEMORY, or UNSUPPORTED
            where the path is not a regular file.
    """
    try:
        with open(path, "rb", opener=_open_read_only) as file:
            before = os.fstat(file.fileno())
            _check_file(before)
            data = file.read(before.st_size + 1)  # one more shows that the file is growing
            after = os.fstat(file.fileno())
    except OSError as error:
        raise _reading_failed(error) from error
    except ValueError as error:  # a name that the file system cannot hold
        raise PictureError(ErrorKind.MISSING, "No file can have this name.") from error
    except MemoryError as error:
        raise PictureError(
            ErrorKind.OUT_OF_MEMORY, "There was not enough memory to read the file."
        ) from error
    if len(data) != before.st_size or after.st_mtime_ns != before.st_mtime_ns:
        raise PictureError(ErrorKind.BUSY, "The file was being written while it was read.")
    time_ns = storable_ns(before.st_mtime_ns)
    return FileContent(data, hashlib.sha256(data).hexdigest(), len(data), time_ns)


def _open_read_only(path: str, flags: int) -> int:
    # without O_NONBLOCK, opening a FIFO waits for a writer; Windows has neither flag
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0))


def _check_file(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise PictureError(
            ErrorKind.UNSUPPORTED, "This is not a regular file but a folder, pipe or device."
        )
    if status.st_size == 0:
        raise PictureError(ErrorKind.EMPTY, "The file is empty: it has 0 bytes.")
    if status.st_size > MAX_FILE_SIZE:
        raise PictureError(
            ErrorKind.TOO_LARGE,
            f"The file is {status.st_size / 1024**3:.1f} GiB, over the limit of 2 GiB.",
        )


def _reading_failed(error: OSError) -> PictureError:
    reason = (error.strerror or str(error)).rstrip(".")
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return PictureError(ErrorKind.MISSING, "The file is no longer there.")
    # 32 and 33: Windows' sharing and lock violations
    busy = error.errno in (errno.EBUSY, errno.ETXTBSY, errno.EAGAIN)
    if busy or getattr(error, "winerror", None) in (32, 33):
        return PictureError(ErrorKind.BUSY, f"Another program is using the file: {reason}.")
    if error.errno in (errno.EISDIR, errno.ENXIO):
        return PictureError(
            ErrorKind.UNSUPPORTED, "This is not a regular file but a folder, pipe or device."
        )
    if isinstance(error, PermissionError):
        return PictureError(
            ErrorKind.UNREADABLE, "The file cannot be read: its permissions do not allow it."
        )
    return PictureError(ErrorKind.UNREADABLE, f"The file cannot be read: {reason}.")
