"""Find picture files below a folder, as a stream, whatever the folder holds."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice

from app.db.files import FoundFile
from app.db.types import path_to_text
from app.errors import AppError
from app.pictures.file_times import storable_ns
from app.printable import printable
from app.scan.exclusions import BY_PATTERN, HIDDEN, Exclusions

FIRST_CHUNK = 256  # small, so that the first pictures are worked on within moments
CHUNK = 20_000
CHUNK_S = 0.5
"""A slow disk's files are entered this often, however few they are."""
CHECKED_EVERY = 256  # files
REASONS = 5
"""So many reasons are told in a line."""
GONE = (FileNotFoundError, NotADirectoryError)
"""What says that a file is not there; any other error says only that nobody can tell."""


@dataclass(slots=True)
class WalkReport:
    """What a walk left out, by reason; file types under ``.ext``."""

    skipped: Counter[str] = field(default_factory=Counter)
    unreadable: list[str] = field(default_factory=list)
    """Folders that are there, or that were asked for, and could not be read to their end."""


def walk(
    folder: str,
    extensions: Sequence[str],
    recursive: bool,
    report: WalkReport,
    exclusions: Exclusions | None = None,
) -> Iterator[FoundFile]:
    """Yield the picture files of a folder, opening none of them.

    Links to folders are not followed, so that no loop and no foreign disk is walked. A folder that
    is left out counts as one, whatever is in it. One that cannot be read is counted, never raised.

    Args:
        folder: absolute path.
        extensions: lower case, without the dot.
        recursive: also look into subfolders.
        report: filled while walking.
        exclusions: what is left out; None: what always is.
    """
    wanted = frozenset(extensions)
    exclusions = exclusions or Exclusions(folder)
    if exclusions.match(folder):
        report.skipped[BY_PATTERN] += 1
        return
    waiting = [folder]
    while waiting:
        here = waiting.pop()
        try:
            entries = os.scandir(here)
        except OSError as error:
            report.skipped["folders that cannot be read"] += 1
            if here == folder or not isinstance(error, GONE):
                report.unreadable.append(here)
            continue
        with entries:
            subfolders = waiting if recursive else None
            yield from _files(here, entries, wanted, subfolders, report, exclusions)


def _files(
    folder: str,
    entries: Iterator[os.DirEntry[str]],
    wanted: frozenset[str],
    subfolders: list[str] | None,
    report: WalkReport,
    exclusions: Exclusions,
) -> Iterator[FoundFile]:
    is_left_out = exclusions.of_files(folder)
    folder_text = path_to_text(folder)
    while True:
        try:
            entry = next(entries)
        except StopIteration:
            return
        except OSError:  # the folder vanished, or its disk did
            report.skipped["folders that cannot be read"] += 1
            report.unreadable.append(folder)
            return
        name = entry.name
        try:
            # the usual case first: this runs for every file of a million
            if name.rpartition(".")[2].lower() in wanted and name[0] != "." and entry.is_file():
                if is_left_out is not None and is_left_out(name):
                    report.skipped[BY_PATTERN] += 1
                    continue
                stat = entry.stat()
                path = path_to_text(entry.path)
                yield FoundFile(path, folder_text, stat.st_size, storable_ns(stat.st_mtime_ns))
            elif name[0] == ".":
                report.skipped[HIDDEN] += 1
            elif entry.is_dir(follow_symlinks=False):
                if subfolders is None:
                    continue
                if reason := exclusions.of_folder(folder, name):
                    report.skipped[reason] += 1
                else:
                    subfolders.append(entry.path)
            else:
                report.skipped[_reason(entry, wanted)] += 1
        except OSError:
            report.skipped["files that cannot be read"] += 1


def _reason(entry: os.DirEntry[str], wanted: frozenset[str]) -> str:
    """Why a file is left out."""
    _, dot, extension = entry.name.rpartition(".")
    if dot and extension.lower() in wanted:
        return "not regular files"  # a pipe, a device, a socket, a link to a folder or to nothing
    if entry.is_symlink() and entry.is_dir():
        return "links to folders"
    return f".{extension.lower()}" if dot else "without a file type"


def in_chunks(files: Iterator[FoundFile]) -> Iterator[list[FoundFile]]:
    """The files in parts; each is collected while the caller works on the one before."""
    with ThreadPoolExecutor(1, thread_name_prefix="walk") as ahead:
        following = ahead.submit(_collect, files, FIRST_CHUNK)
        while chunk := following.result():
            following = ahead.submit(_collect, files, CHUNK)
            yield chunk


def _collect(files: Iterator[FoundFile], limit: int) -> list[FoundFile]:
    chunk: list[FoundFile] = []
    deadline = time.monotonic() + CHUNK_S
    while some := list(islice(files, min(CHECKED_EVERY, limit - len(chunk)))):
        chunk += some
        if time.monotonic() > deadline:
            break
    return chunk


def is_gone(path: str) -> bool:
    """Whether a file is surely not there; an error that leaves it open counts as there."""
    try:
        os.lstat(path)
    except GONE:
        return True
    except (OSError, ValueError):
        return False
    return False


def is_below(path: str, folder: str) -> bool:
    """Whether a path lies somewhere inside a folder; both are normal paths."""
    return path.startswith(folder.rstrip(os.sep) + os.sep)


def check_folder(path: str) -> None:
    """Raise an AppError unless ``path`` is a folder that can be read."""
    try:
        os.scandir(path).close()
    except FileNotFoundError as error:
        raise missing_folder(path) from error
    except NotADirectoryError as error:
        raise AppError(
            f"{printable(path)} is a file, not a folder.", "Choose the folder that contains it."
        ) from error
    except PermissionError as error:
        raise AppError(
            f"You do not have permission to read the folder {printable(path)}.",
            "Ask its owner for access, or choose another folder.",
        ) from error
    except OSError as error:
        raise AppError(
            f"The folder {printable(path)} cannot be read: {error.strerror}.",
            "Check the disk or the network and try again.",
        ) from error


def missing_folder(path: str) -> AppError:
    """What is raised where the root folder is not there."""
    return AppError(
        f"The folder {printable(path)} does not exist.",
        "It may have been moved, or its disk is not connected.",
    )


def left_out_text(skipped: Mapping[str, int]) -> str:
    """What was left out and why, the most frequent first: ``12 × .mp4, 3 × hidden``."""
    first = Counter(skipped).most_common(REASONS)
    text = ", ".join(f"{count:,} × {reason}" for reason, count in first)
    return f"{text} and others" if len(skipped) > len(first) else text


def no_pictures(path: str, report: WalkReport) -> AppError:
    """What is raised where a first walk found nothing."""
    left_out = left_out_text(report.skipped)
    return AppError(
        f"There are no pictures in {printable(path)}.",
        f"Skipped: {left_out}." if left_out else "The folder is empty.",
    )
