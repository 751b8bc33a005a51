"""Find picture files below a folder, as a stream, whatever the folder holds."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from app.db.jobs import FoundFile


@dataclass(slots=True)
class WalkReport:
    """What a walk left out, by reason; file types under ``.ext``."""

    skipped: Counter[str] = field(default_factory=Counter)


def walk(
    folder: str, extensions: Sequence[str], recursive: bool, report: WalkReport
) -> Iterator[FoundFile]:
    """Yield the picture files of a folder, opening none of them.

    Hidden files and folders are left out, and links to folders are not followed, so that no loop
    and no foreign disk is walked. A folder that cannot be read is counted, never raised.

    Args:
        folder: absolute path.
        extensions: lower case, without the dot.
        recursive: also look into subfolders.
        report: filled while walking.
    """
    wanted = frozenset(extensions)
    waiting = [folder]
    while waiting:
        try:
            entries = os.scandir(waiting.pop())
        except OSError:
            report.skipped["folders that cannot be read"] += 1
            continue
        with entries:
            yield from _files(entries, wanted, waiting if recursive else None, report)


def _files(
    entries: Iterator[os.DirEntry[str]],
    wanted: frozenset[str],
    subfolders: list[str] | None,
    report: WalkReport,
) -> Iterator[FoundFile]:
    while True:
        try:
            entry = next(entries)
        except StopIteration:
            return
        except OSError:  # the folder vanished, or its disk did
            report.skipped["folders that cannot be read"] += 1
            return
        if entry.name.startswith("."):
            report.skipped["hidden"] += 1
            continue
        try:
            if entry.is_dir(follow_symlinks=False):
                if subfolders is not None:
                    subfolders.append(entry.path)
                continue
            found = _picture(entry, wanted, report)
        except OSError:
            report.skipped["files that cannot be read"] += 1
            continue
        if found is not None:
            yield found


def _picture(
    entry: os.DirEntry[str], wanted: frozenset[str], report: WalkReport
) -> FoundFile | None:
    extension = os.path.splitext(entry.name)[1][1:].lower()
    if extension not in wanted:
        if entry.is_symlink() and entry.is_dir():
            report.skipped["links to folders"] += 1
        else:
            report.skipped[f".{extension}" if extension else "without a file type"] += 1
        return None
    if not entry.is_file():  # a pipe, a device, a socket, a link to a folder or to nothing
        report.skipped["not regular files"] += 1
        return None
    stat = entry.stat()
    return FoundFile(entry.path, stat.st_size, stat.st_mtime_ns)
