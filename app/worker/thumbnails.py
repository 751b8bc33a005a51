"""Makes thumbnails for whoever looks at pictures just now, on the queue ``training-low``.

What was made is found in the folder of thumbnails, so a job that is lost or done twice does no
harm. Thumbnails of what nobody looks at are not made; see ``docs/decisions``.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from rq.timeouts import BaseTimeoutException

from app.api.error_kinds import ErrorKind
from app.config import get_settings
from app.errors import AppError, first_line
from app.pictures.decode import PictureError
from app.pictures.file_times import storable_ns
from app.pictures.files import read_file
from app.pictures.fork_server import Stopped
from app.pictures.thumbnail import empty_png, texts_of, thumbnail_png
from app.pictures.thumbnail_paths import (
    MAX_TRIES,
    TRIES,
    description,
    failure_file,
    holds,
    is_thumbnail,
    thumbnail_file,
    thumbnails_dir,
    usable_files,
)
from app.worker.context import context

log = logging.getLogger(__name__)


def make_thumbnails(paths: Sequence[str], edge: int) -> int:
    """Make the thumbnails that are not there yet.

    Args:
        paths: the pictures.
        edge: pixels of the longest side, one of ``thumbnail_paths.SIZES``.

    Returns:
        how many were made.
    """
    made = 0
    for path in paths:
        if context().stop.is_set():
            break
        try:
            made += _make(path, edge)
        except Stopped:
            break
        except OSError as error:
            log.warning("thumbnails cannot be saved: %s", first_line(error))
            break
        except (AppError, BaseTimeoutException):  # not this picture's fault
            raise
        except Exception:
            log.exception("unforeseen: no thumbnail of %s", path)
    return made


def _make(path: str, edge: int) -> bool:
    """Whether a thumbnail was made; raises OSError where none can be saved."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return False
    if is_thumbnail(path) or any(_holds(file, path, status) for file in usable_files(path, edge)):
        return False
    failure, about = failure_file(path), description(path, status)
    tries = _tries(failure, path, status)
    if tries >= MAX_TRIES:
        return False
    # noted first, so that a picture that kills the process is not tried for ever
    _write(failure, empty_png({**about, TRIES: str(tries + 1)}))
    try:
        content = read_file(path)
        thumbnail = _decoded(content.data, os.path.basename(path), edge, about)
    except AppError:  # it was not tried
        _remove(failure)
        raise
    except PictureError as error:
        if error.kind is ErrorKind.INTERNAL:
            log.exception("unforeseen: no thumbnail of %s", path)
        if error.kind.transient or error.kind in (ErrorKind.MISSING, ErrorKind.TOO_LARGE):
            _remove(failure)  # another time, or with another limit
        else:
            _write(failure, empty_png({**about, TRIES: str(MAX_TRIES)}))
        return False
    if (content.size, content.mtime_ns) == (status.st_size, storable_ns(status.st_mtime_ns)):
        _write(thumbnail_file(path, edge), thumbnail)
    _remove(failure)
    return True


def _decoded(data: bytes, name: str, edge: int, about: Mapping[str, str]) -> bytes:
    limit = get_settings().max_image_megapixels
    done = context().decoders.run(0, thumbnail_png, data, name, edge, limit, about)
    return done.result()


def _holds(file: str, path: str, status: os.stat_result) -> bool:
    texts = _texts(file)
    return texts is not None and holds(texts, path, status)


def _tries(failure: str, path: str, status: os.stat_result) -> int:
    """How often the picture, as it is now, was tried without coming to an end."""
    if not os.path.exists(failure):
        return 0
    texts = _texts(failure) or {}
    return int(texts.get(TRIES, MAX_TRIES)) if holds(texts, path, status) else 0


def _texts(file: str) -> dict[str, str] | None:
    """What stands in a thumbnail, which any program may have written; None where it is no good."""
    try:
        data = Path(file).read_bytes()
    except OSError:
        return None
    try:
        return context().decoders.run(0, texts_of, data).result()
    except PictureError:
        return None


def _write(file: str, data: bytes) -> None:
    """As a whole or not at all, for this user only, as the standard asks."""
    folder = os.path.dirname(file)
    for parent in (thumbnails_dir(), os.path.dirname(folder), folder):
        os.makedirs(parent, mode=0o700, exist_ok=True)
    handle, partial = tempfile.mkstemp(prefix=".", suffix=".part", dir=folder)  # mode 0600
    try:
        with open(handle, "wb") as out:
            out.write(data)
        os.replace(partial, file)
    except BaseException:
        _remove(partial)
        raise


def _remove(file: str) -> None:
    with suppress(FileNotFoundError):  # another worker made the same one
        os.unlink(file)
