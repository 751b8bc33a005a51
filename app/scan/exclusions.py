"""What every look at folders leaves out: hidden files, leftovers of programs, a person's patterns.

One rule for discovery, updates, the watch over folders and the tree in the window.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence

from app.api.exclude_patterns import expressions, from_root

HIDDEN = "hidden"
OF_PROGRAMS = "folders of other programs (thumbnails, recycle bins)"
BY_PATTERN = "matching your patterns"
EXCLUDED = "excluded before"
"""One by one, by a person, or by an update of another session; the library has them."""

NAMES = {
    # thumbnails
    "@eadir": "Synology: thumbnails and indexes, in every folder of pictures",
    "@__thumb": "QNAP: thumbnails, in every folder of pictures",
    "thmbnl": "Sony cameras: thumbnails of films",
    # recycle bins
    "#recycle": "Synology and others",
    "@recycle": "QNAP",
    "$recycle.bin": "Windows",
    "recycler": "Windows XP",
    "files_trashbin": "Nextcloud, ownCloud",
    "network trash folder": "file servers for Macs",
    # earlier states of the same files
    "#snapshot": "Synology",
    "@recently-snapshot": "QNAP",
    "~snapshot": "NetApp",
    # what systems keep beside files
    "system volume information": "Windows: restore points",
    "lost+found": "Linux: pieces of files, found by a check of the disk",
    "__macosx": "archives made on a Mac: the other half of each file",
}
"""Folders that are left out, and why. No name that a person could have given ("Recycle", "Cache",
"Thumbnails"). Many others are hidden anyway: ``.Trashes``, ``.dtrash``, ``.thumbnails``."""

PLACES = (
    (r".*\.lrdata", "Lightroom: previews and smart previews beside a catalogue"),
    (r".*/appdata_oc[0-9a-z]{10}", "Nextcloud, ownCloud: previews"),
    (r".*/mipmaps-[0-9a-f]{40}\.d", "darktable: thumbnails"),
    (r"(captureone|.*\.cocatalog)/cache", "Capture One: thumbnails and previews"),
    (r"iphoto library/(data(\.noindex)?|previews|thumbnails)", "iPhoto: thumbnails and previews"),
    # what a person put in lies in these two; all else is made from it
    (
        r".*\.(photoslibrary|(migrated)?photolibrary|(migrated)?aplibrary)/(?!originals$|masters$).*",
        "Apple Photos, iPhoto, Aperture: previews and edited versions",
    ),
)
"""The same by ``folder above/name``."""

_PLACE = re.compile("|".join(f"(?:{place})" for place, _ in PLACES), re.DOTALL)


def is_leftover(parent: str, name: str) -> bool:
    """Whether a folder is one that other programs made for themselves.

    Args:
        parent: name or path of the folder that it lies in.
    """
    name = name.lower()
    place = f"{os.path.basename(parent).lower()}/{name}"
    return name in NAMES or _PLACE.fullmatch(place) is not None


class Exclusions:
    """What a walk leaves out below one root, whatever the file type.

    Where it begins is never judged by its name: who chooses a recycle bin wants to look into it.

    Args:
        root: absolute and normal; patterns are compared with what follows it.
        patterns: as ``SessionConfig.exclude`` has them.
    """

    def __init__(self, root: str, patterns: Sequence[str] = ()) -> None:
        self._top = root.rstrip(os.sep) + os.sep
        self._expressions = expressions(from_root(patterns, root))

    def of_folder(self, parent: str, name: str) -> str | None:
        """Why a folder is left out; None: it is not."""
        if name[0] == ".":
            return HIDDEN
        if is_leftover(parent, name):
            return OF_PROGRAMS
        return BY_PATTERN if self.match(os.path.join(parent, name)) else None

    def match(self, folder: str) -> bool:
        """Whether a folder, or one above it, matches a pattern."""
        if not self._expressions or not folder.startswith(self._top):
            return False
        below = self._below(folder)
        return any(item.search(below) for item in self._expressions)

    def of_files(self, folder: str) -> Callable[[str], bool] | None:
        """What tells whether a file of a folder matches a pattern; None: there are no patterns.

        A function of its own, as it is called for every file of a million.
        """
        if not self._expressions:
            return None
        below, searches = self._below(folder), [item.search for item in self._expressions]

        def is_left_out(name: str) -> bool:
            path = below + name
            return any(search(path) for search in searches)

        return is_left_out

    def of_path(self, path: str, begin: str, *, folder: bool = False) -> str | None:
        """Why a file, or a folder, below the place where a walk begins is not reached by it."""
        here, *names = begin.rstrip(os.sep), *path[len(begin) :].strip(os.sep).split(os.sep)
        last = None if folder else names.pop()
        if self.match(begin):
            return BY_PATTERN
        for name in names:
            if reason := self.of_folder(here, name):
                return reason
            here = f"{here}{os.sep}{name}"
        if last is None:
            return None
        if last[0] == ".":
            return HIDDEN
        is_left_out = self.of_files(here)
        return BY_PATTERN if is_left_out is not None and is_left_out(last) else None

    def _below(self, folder: str) -> str:
        """The path of a folder as patterns have it: empty for the root, else with ``/`` behind."""
        below = f"{folder.rstrip(os.sep)}{os.sep}"[len(self._top) :]
        return below.replace(os.sep, "/")
