"""The embedded store's errors, in sentences that a person can act on."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import Timeout

from app.errors import AppError, first_line
from app.locks import holders

LOCK_NAME = ".lock"
"""In the store's folder; held by the process that has it open."""
FREE_TO_WRITE = 256 * 2**20
"""Bytes; the engine writes through memory maps, so a full disk ends the process with SIGBUS."""


@contextmanager
def translate_errors(folder: Path) -> Iterator[None]:
    """Turn errors of the engine and of the file system into sentences; others pass."""
    try:
        yield
    except Timeout as error:
        raise _in_use(folder) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise disk_full(folder) from error
        raise _unusable(folder, error.strerror or str(error)) from error
    except BaseException as error:
        # The engine raises bare Exceptions and, where it panics, a PanicException, which is a
        # BaseException and cannot be imported.
        if type(error) is not Exception and type(error).__name__ != "PanicException":
            raise
        raise _engine_error(folder, error) from error


def _engine_error(folder: Path, error: BaseException) -> AppError:
    text = str(error)
    if "WouldBlock" in text:
        return _in_use(folder)
    if "No space left" in text:
        return disk_full(folder)
    for refusal in ("Permission denied", "Read-only file system"):
        if refusal in text:
            return _unusable(folder, refusal)
    return damaged(folder, error)


def _in_use(folder: Path) -> AppError:
    return AppError(
        f"The picture index in {folder} is in use by {holders(folder / LOCK_NAME)}.",
        "Close that one, or set AFTERIMAGE_QDRANT_URL to a Qdrant server that several workers can "
        "share.",
    )


def _unusable(folder: Path, reason: str) -> AppError:
    return AppError(
        f"The picture index in {folder} cannot be used: {reason}.",
        "Check that the folder can be read and written, and that the disk is not full.",
    )


def disk_full(folder: Path) -> AppError:
    return AppError(
        f"The disk that holds the picture index in {folder} is nearly full.",
        f"Free at least {FREE_TO_WRITE // 2**20} MB; nothing was lost, and indexing continues on "
        "its own.",
        transient=True,
    )


def damaged(folder: Path, error: BaseException) -> AppError:
    return AppError(
        f"The picture index in {folder} is damaged: {first_line(error)}.",
        "Delete that folder and start again: its vectors can be rebuilt from the pictures.",
    )
