"""What windows, scripts and the library service hand each other."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Literal, NamedTuple

from pydantic import BaseModel

PictureState = Literal["indexed", "changed", "waiting", "failed", "missing", "excluded"]
"""Of one picture and one model; where several hold, the last of them counts, but that a picture
with a vector is never waiting or failed."""

LibraryOrder = Literal["date", "name", "size", "folder"]
"""The newest first, by when they were taken or else written; by the file's name; the largest
first; folder by folder."""

DuplicateKind = Literal["exact", "similar"]
DuplicateOrder = Literal["size", "newest"]
KeepRule = Literal["best", "largest", "oldest", "folder"]
"""Which picture of each group of duplicates is kept: the best, as it comes first in its group; the
largest file; the one that was taken, or else written, first; the best of those in a folder."""
ScanState = Literal["never", "waiting", "running", "done", "failed", "stopped"]


@dataclass(frozen=True, slots=True)
class LibraryGroup:
    """Which pictures; without any value: all of them, by path."""

    folder: str | None = None
    """Absolute; pictures in its subfolders count too."""
    year: int | None = None
    month: int | None = None
    """1 to 12, with a year."""


@dataclass(frozen=True, slots=True)
class FolderPictures:
    """How many pictures lie in one folder, its subfolders left out."""

    path: str
    pictures: int


@dataclass(frozen=True, slots=True)
class MonthPictures:
    """How many pictures were taken in one month, or else their files written."""

    year: int
    month: int
    pictures: int


@dataclass(frozen=True, slots=True)
class Section:
    """Pictures that follow each other in a listing and have something in common."""

    pictures: int
    year: int | None = None
    month: int | None = None
    """1 to 12, with a year."""
    folder: str | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """Pictures or groups in their order as they were when it was made.

    Made once and read in pages, so that a page costs the same at the end of a million pictures.
    """

    count: int
    pages: tuple[str, ...]
    """Ids joined by commas, ``PAGE_IDS`` a page: 8 MB for a million pictures."""
    sections: tuple[Section, ...] = ()
    """Months or folders, where pictures are in their order."""


class LibraryPicture(BaseModel):
    """One picture of the ledger."""

    assetId: int
    path: str
    state: PictureState
    size: int
    """Bytes."""
    width: int | None
    height: int | None
    takenAt: datetime | None
    modifiedNs: int = 0
    """When the file was last written, in nanoseconds since 1970."""


class DuplicateGroup(BaseModel):
    """Files with the same content, or pictures that look alike; at least two."""

    groupId: int
    """The least asset id of the group."""
    pictures: int
    spare: int
    """Bytes that all but the best of them take."""
    best: LibraryPicture


class KnownFile(NamedTuple):
    """A file as it was when something was planned with it."""

    asset_id: int
    path: str
    size: int
    """Bytes."""
    mtime_ns: int


@dataclass(frozen=True)
class CleanUpPlan:
    """What would go of all groups of duplicates, and what would be kept."""

    groups: tuple[tuple[KnownFile, ...], ...]
    """In each, the first is kept and the others go."""
    untouched: int = 0
    """Groups that have none that the rule would keep."""

    @cached_property
    def going(self) -> int:
        """How many files go."""
        return sum(len(group) - 1 for group in self.groups)

    @cached_property
    def bytes(self) -> int:
        """What they take together."""
        return sum(file.size for group in self.groups for file in group[1:])


class ScanStatus(BaseModel):
    """The last scan of a model's pictures for those that look alike."""

    state: ScanState
    share: float = 0.0
    """How much of it is done, 0 to 1; a scan that waits and has begun goes on from there."""
    endedAt: datetime | None = None
    error: str = ""
    """Why it failed, or could not go on and is tried again."""


class CameraFacts(BaseModel):
    """How a picture was taken, as its file says; empty or None: it does not say so."""

    camera: str = ""
    lens: str = ""
    exposureSeconds: float | None = None
    aperture: float | None = None
    """The f-number."""
    iso: float | None = None
    focalLength: float | None = None
    """Millimetres."""
    latitude: float | None = None
    """Degrees, south below 0."""
    longitude: float | None = None
    """Degrees, west below 0."""
