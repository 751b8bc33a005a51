"""Looking at folders beside the window's thread: their subfolders, and how much is in them."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from app.errors import AppError
from app.scan.exclusions import Exclusions
from app.ui.parts import words

if TYPE_CHECKING:
    from app.scan.discovery import PictureCounter

COUNTED_AT_ONCE = 3

LINK = "a link to another folder is not followed"
FORBIDDEN = "cannot be read with your permissions"
MISSING = "does not exist; it may have been moved, or its disk is not connected"
GONE = "cannot be read"


@dataclass(slots=True)
class Count:
    """Pictures and their size; ``problem`` where they cannot be counted."""

    pictures: int = 0
    size: int = 0
    problem: str = ""
    leaf: bool = False
    """There are no folders below."""


@dataclass(slots=True)
class Subfolder:
    """A folder in a folder; one with a ``problem`` cannot be chosen."""

    name: str
    problem: str = ""


@dataclass(slots=True)
class FolderListing:
    """The folders in a folder, by name."""

    folders: list[Subfolder] = field(default_factory=list)
    problem: str = ""


def list_folders(path: str) -> FolderListing:
    """The subfolders of a folder that a walk looks into, sorted as people sort; slow on a slow
    disk. What matches a person's patterns is there, with no pictures in it."""
    exclusions = Exclusions(path)
    try:
        with os.scandir(path) as entries:
            kept = (entry for entry in entries if not exclusions.of_folder(path, entry.name))
            seen = [_subfolder(entry) for entry in kept]
    except FileNotFoundError:
        return FolderListing(problem=MISSING)
    except NotADirectoryError:
        return FolderListing(problem="is a file; choose the folder that contains it")
    except PermissionError:
        return FolderListing(problem=FORBIDDEN)
    except OSError:
        return FolderListing(problem=GONE)
    found = [folder for folder in seen if folder is not None]
    found.sort(key=lambda folder: words.sort_key(folder.name))
    return FolderListing(found)


def _subfolder(entry: os.DirEntry[str]) -> Subfolder | None:
    try:
        if not entry.is_dir():
            return None
        if entry.is_symlink():
            return Subfolder(entry.name, LINK)
    except OSError:
        return None
    readable = os.access(entry.path, os.R_OK | os.X_OK)
    return Subfolder(entry.name, "" if readable else FORBIDDEN)


def has_folders(path: str) -> bool:
    """Whether there is anything to unfold."""
    exclusions = Exclusions(path)
    try:
        with os.scandir(path) as entries:
            return any(not exclusions.of_folder(path, e.name) and e.is_dir() for e in entries)
    except OSError:
        return True


Request = tuple[str, bool, Callable[[Count], None]]
"""A folder, whether with everything below it, and whom to tell."""


class FolderCounter:
    """Counts pictures in many folders, a few at a time, until it is stopped.

    Args:
        track: is handed every task, so that the program can wait for it when it closes.
    """

    def __init__(
        self, counter: PictureCounter, track: Callable[[asyncio.Task[None]], object]
    ) -> None:
        self._counter = counter
        self._track = track
        self._waiting: deque[Request] = deque()
        self._running = 0
        self._stopped = False

    def ask(self, requests: Sequence[Request], *, soon: bool = False) -> None:
        """Count folders and hand over what was found; ``soon`` before all that waits."""
        if soon:
            self._waiting.extendleft(reversed(requests))
        else:
            self._waiting.extend(requests)
        self._start()

    def stop(self) -> None:
        """Forget what waits; what is being counted ends at its next few files."""
        self._stopped = True
        self._waiting.clear()

    @property
    def busy(self) -> bool:
        """Whether something is still to come."""
        return bool(self._waiting or self._running)

    def _start(self) -> None:
        while self._waiting and self._running < COUNTED_AT_ONCE and not self._stopped:
            self._running += 1
            self._track(asyncio.ensure_future(self._count(*self._waiting.popleft())))

    async def _count(self, path: str, recursive: bool, then: Callable[[Count], None]) -> None:
        try:
            count = await self._measured(path, recursive)
        finally:
            self._running -= 1
        if not self._stopped:
            then(count)
            self._start()

    async def _measured(self, path: str, recursive: bool) -> Count:
        try:
            found = await self._counter.count(path, recursive, lambda: self._stopped)
        except AppError as error:
            return Count(problem=error.message)
        leaf = recursive and not self._stopped and not await asyncio.to_thread(has_folders, path)
        return Count(found.pictures, found.bytes, leaf=leaf)
