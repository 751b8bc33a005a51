"""Where thumbnails lie and when they hold: the freedesktop.org Thumbnail Managing Standard.

File managers use the same files, so that what one program made serves all others. Window and worker
share these rules; nothing here reads or decodes a picture.
"""

from __future__ import annotations

import glob
import hashlib
import os
import sys
from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib.metadata import version
from urllib.parse import quote

from app.config import get_settings

SIZES = {"normal": 128, "large": 256, "x-large": 512, "xx-large": 1024}
"""The folders, and the longest side of what lies in them, in pixels."""
SMALLEST_MADE = 256
"""A ``normal`` thumbnail of another program is used, but too small for the grids here."""

URI = "Thumb::URI"
MTIME = "Thumb::MTime"
SIZE = "Thumb::Size"
TRIES = "Afterimage::Tries"
"""In an entry about a failure: how often the picture was tried."""
MAX_TRIES = 2
"""Tries that may end with the death of the worker before a picture is left alone."""

_NOT_ESCAPED = "!$&'()*+,-./:=@_~"  # by GLib's g_filename_to_uri(); any other escape, another name


def thumbnails_dir() -> str:
    """The folder of all thumbnails of this user; in the data folder where there is no standard."""
    if sys.platform in ("win32", "darwin"):
        return str(get_settings().data_dir / "thumbnails")
    cache = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(cache):  # the standard wants a relative one ignored
        cache = os.path.expanduser("~/.cache")
    return os.path.join(cache, "thumbnails")


def file_uri(path: str) -> str:
    """The address of a file as GLib writes it, byte for byte; any name, also one not UTF-8."""
    name = os.fsencode(path)
    if os.sep != "/":
        name = name.replace(os.fsencode(os.sep), b"/")
    return f"file://{'' if name.startswith(b'/') else '/'}{quote(name, safe=_NOT_ESCAPED)}"


def made_edge(edge: int) -> int:
    """The longest side of the thumbnail that is made for a view of ``edge`` pixels."""
    wanted = max(edge, SMALLEST_MADE)
    return next((size for size in SIZES.values() if size >= wanted), max(SIZES.values()))


def thumbnail_file(path: str, edge: int) -> str:
    """Where the thumbnail of a picture is, for an ``edge`` of :data:`SIZES`."""
    folder = next(name for name, size in SIZES.items() if size == edge)
    return os.path.join(thumbnails_dir(), folder, _file_name(path))


def usable_files(path: str, edge: int) -> list[str]:
    """Where a thumbnail large enough for ``edge`` may be, smallest first."""
    edge = min(edge, max(SIZES.values()))
    return [thumbnail_file(path, size) for size in SIZES.values() if size >= edge]


def failure_file(path: str) -> str:
    """Where it is noted that this version of the program cannot make a picture's thumbnail."""
    return os.path.join(thumbnails_dir(), "fail", _failures(), _file_name(path))


def all_files(path: str) -> list[str]:
    """Where anything about a picture may be: thumbnails of all sizes, and notes of failures."""
    folder, name = thumbnails_dir(), _file_name(path)
    failures = glob.glob(os.path.join(glob.escape(folder), "fail", "afterimage-*", name))
    return [*(os.path.join(folder, size, name) for size in SIZES), *failures]


def remove_thumbnails(paths: Iterable[str]) -> int:
    """Remove everything about these pictures, whose files are gone; how many files that were."""
    return sum(_removed(file) for path in paths for file in all_files(path))


def _removed(file: str) -> bool:
    try:
        os.unlink(file)
    except OSError:  # mostly because it is not there; what stays is found stale by its next reader
        return False
    return True


def is_thumbnail(path: str) -> bool:
    """Whether the file is itself a thumbnail, of which none may be made."""
    return os.path.realpath(path).startswith(os.path.realpath(thumbnails_dir()) + os.sep)


def description(path: str, status: os.stat_result) -> dict[str, str]:
    """What must stand in a thumbnail or a note of a failure, to hold for this state of the file."""
    return {URI: file_uri(path), MTIME: _seconds(status), SIZE: str(status.st_size)}


def holds(texts: Mapping[str, str], path: str, status: os.stat_result) -> bool:
    """Whether a thumbnail shows the file as it is now.

    Args:
        texts: what stands in the thumbnail.
        status: of the picture's file.
    """
    return (
        texts.get(URI) == file_uri(path)
        and texts.get(MTIME, "").partition(".")[0] == _seconds(status)
        and texts.get(SIZE, str(status.st_size)) == str(status.st_size)
    )


def _file_name(path: str) -> str:
    digest = hashlib.md5(file_uri(path).encode("ascii"), usedforsecurity=False)
    return f"{digest.hexdigest()}.png"


def _seconds(status: os.stat_result) -> str:
    return str(status.st_mtime_ns // 1_000_000_000)


@lru_cache(maxsize=1)
def _failures() -> str:
    """Of each version its own, because the next one may read what this one cannot."""
    return f"afterimage-{version('afterimage')}"
