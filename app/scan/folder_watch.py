"""Watch the folders of a session for new and changed pictures, while somebody could care.

The system tells of changes on disks of this computer. Of what other computers change in a network
folder it tells nothing, so that one is looked through now and then; so is every folder where the
system's means are used up.
"""

from __future__ import annotations

import errno
import logging
import os
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import islice

import psutil
from watchfiles import Change, watch

from app.api.update_schemas import WatchedFolder
from app.db.engine import get_sync_engine
from app.db.errors import DATABASE_ERRORS
from app.db.files import FoundFile, states_in_session
from app.db.types import text_to_path
from app.errors import first_line
from app.pictures.file_times import storable_ns
from app.printable import printable
from app.scan.exclusions import Exclusions
from app.scan.file_walk import WalkReport, is_below, walk

STEP_MS = 200
"""How often the thread looks whether it is to end."""
COUNTED = 10_000
"""More pictures than this are not told apart."""
LIMIT_HINT = (
    "This system does not allow more folders to be watched, so they are checked at intervals. "
    "Raise the limits with: sudo sysctl fs.inotify.max_user_watches=1048576 "
    "fs.inotify.max_user_instances=1024"
)
POLL_EVERY_S = 5.0
POLL_SHARE = 0.05
"""At most this share of the time is spent on looking through folders."""
CLOSE_WITHIN_S = 1.0
# fmt: off
NETWORK_TYPES = frozenset((
    "9p", "afpfs", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "gfs2", "glusterfs", "gpfs",
    "lustre", "ncpfs", "nfs", "nfs3", "nfs4", "ocfs2", "prl_fs", "smb", "smb2", "smb3", "smbfs",
    "vboxsf", "virtiofs", "webdav",
))
# fmt: on
"""Kinds of file systems whose files others change without this system's knowledge; with every
``fuse.…``, such as sshfs, but not ``fuseblk``, a disk."""

log = logging.getLogger(__name__)


class FolderWatch:
    """Counts the distinct new and changed pictures of a session's folders, in a thread of its own.

    What the ledger knows as it is does not count: the program may have moved it there itself.

    Args:
        on_count: called in that thread with the number so far, at most every second or so.
        on_problem: called there with a sentence, where the folders cannot be watched.
    """

    def __init__(
        self,
        watched: WatchedFolder,
        on_count: Callable[[int], None],
        on_problem: Callable[[str], None],
    ) -> None:
        self._watched = watched
        self._extensions = frozenset(watched.extensions)
        self._exclusions = Exclusions(watched.root, watched.exclude)
        self._on_count, self._on_problem = on_count, on_problem
        self._seen: set[str] = set()
        self._known: set[int] | None = None
        self._counting = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=self._run, name=f"watch-{watched.session_id}", daemon=True
        )
        self._thread.start()

    def forget(self) -> None:
        """Count from nothing again: what was there has been indexed."""
        self._seen = set()
        self._known = None

    def look_again(self) -> None:
        """Count no longer what the ledger has come to know; not for the window's thread."""
        with self._counting:
            seen, before = self._seen, len(self._seen)
            seen -= self._as_in_ledger(seen)
        if len(seen) != before and not self._stop.is_set():
            self._on_count(len(seen))

    def close(self) -> None:
        """End the thread, and wait for it unless a disk that is away holds it."""
        self._stop.set()
        self._thread.join(CLOSE_WITHIN_S)

    def _run(self) -> None:
        try:
            if not any(map(sends_no_events, self._watched.folders)):
                self._listen()
            if not self._stop.is_set():
                self._poll()
        except Exception as error:  # it must not end in silence, whatever it was
            log.exception("the folders of session %d are not watched", self._watched.session_id)
            self._complain(f"The folders cannot be watched: {first_line(error)}.")

    def _listen(self) -> None:
        """Take what the system tells, to the end, or until it turns out that it cannot."""
        try:
            for folder in self._watched.folders:
                os.stat(folder)  # the library passes over what is not there
            for changes in watch(
                *self._watched.folders,
                watch_filter=None,
                step=STEP_MS,
                stop_event=self._stop,
                raise_interrupt=False,
                recursive=self._watched.recursive,
                ignore_permission_denied=True,
            ):
                self._take(changes)
        except Exception as error:  # the library raises OSError, and RuntimeErrors of its own
            log.info("session %d: %s", self._watched.session_id, error, exc_info=error)
            self._complain(_sentence(error, self._watched.folders[0]))

    def _poll(self) -> None:
        """Look through the folders again and again, the less often the longer it takes."""
        while not self._stop.is_set():
            begin = time.monotonic()
            self._look_through()
            took = time.monotonic() - begin
            self._stop.wait(max(POLL_EVERY_S, took / POLL_SHARE))

    def _look_through(self) -> None:
        """Count what differs from the first look; a number stands for a file and its state."""
        states: set[int] = set()
        seen: set[str] = set()
        known, report = self._known, WalkReport()
        for folder in self._watched.folders:
            for file in self._walk(folder, self._watched.recursive, report):
                state = hash((file.path, file.size, file.mtime_ns))
                states.add(state)
                if known is not None and state not in known and len(seen) < COUNTED:
                    seen.add(text_to_path(file.path))
                if self._stop.is_set():
                    return
        if report.unreadable:  # a disk that is away for a moment tells nothing of its files
            return
        if known is None:
            self._known = states
            return
        seen -= self._as_in_ledger(seen)
        if seen != self._seen:
            self._seen = seen
            self._on_count(len(seen))

    def _complain(self, sentence: str) -> None:
        if not self._stop.is_set():
            self._on_problem(sentence)

    def _take(self, changes: Iterable[tuple[Change, str]]) -> None:
        with self._counting:
            seen, before = self._seen, len(self._seen)
            arrived: set[str] = set()
            for change, path in changes:
                if self._is_left_out(path):
                    continue
                if change is Change.deleted:
                    seen.discard(path)
                    arrived.discard(path)
                elif self._is_picture(path):
                    arrived.add(path)
                elif change is Change.added and self._watched.recursive and len(seen) < COUNTED:
                    # a folder that was moved or copied here; nothing is told of what is in it
                    found = self._walk(path, True, WalkReport())
                    arrived.update(text_to_path(file.path) for file in islice(found, COUNTED))
            known = self._as_in_ledger(arrived)
            seen |= arrived - known
            seen -= known  # what was put back as it had been
        if len(seen) != before and not self._stop.is_set():
            self._on_count(len(seen))

    def _as_in_ledger(self, paths: Collection[str]) -> set[str]:
        """Those of these files that the session has, as they are."""
        if not paths:
            return set()
        try:
            with get_sync_engine().connect() as conn:
                states = states_in_session(conn, self._watched.session_id, paths)
        except DATABASE_ERRORS as error:  # a number that is too large is put right by an update
            log.info("session %d: %s", self._watched.session_id, first_line(error))
            return set()
        return {path for path, state in states.items() if state == _state_of(path)}

    def _walk(self, folder: str, recursive: bool, report: WalkReport) -> Iterator[FoundFile]:
        return walk(folder, self._watched.extensions, recursive, report, self._exclusions)

    def _is_picture(self, path: str) -> bool:
        return os.path.splitext(path)[1][1:].lower() in self._extensions

    def _is_left_out(self, path: str) -> bool:
        """Whether a picture, or a folder, is one that an update would not see."""
        if path in self._watched.folders:
            return False
        folder = not self._is_picture(path)
        begin = next((item for item in self._watched.folders if is_below(path, item)), None)
        return begin is None or bool(self._exclusions.of_path(path, begin, folder=folder))


def _state_of(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return status.st_size, storable_ns(status.st_mtime_ns)


def sends_no_events(folder: str) -> bool:
    """Whether a folder lies on a file system that others change behind this system's back."""
    kind = _file_system(folder)
    return kind in NETWORK_TYPES or kind.startswith("fuse.")


def _file_system(folder: str) -> str:
    """The kind of the file system that a folder lies on, in lower case; empty where unknown."""
    path, found, longest = os.path.realpath(folder), "", -1
    for partition in psutil.disk_partitions(all=True):
        place = partition.mountpoint
        inside = path == place or is_below(path, place)
        if inside and len(place) >= longest:  # of two on one place, the later one is seen
            found, longest = partition.fstype.lower(), len(place)
    return found


def _sentence(error: Exception, folder: str) -> str:
    """Why a folder cannot be watched; the library wraps the system's words into its own."""
    text = str(error)
    number = getattr(error, "errno", None)
    used_up = ("limit", "os error 28", "os error 24", "Too many open files")
    if number in (errno.ENOSPC, errno.EMFILE) or any(words in text for words in used_up):
        return LIMIT_HINT
    if isinstance(error, FileNotFoundError):
        return f"The folder {printable(folder)} does not exist, so it cannot be watched."
    reason = getattr(error, "strerror", None) or first_line(error)
    return f"The folder {printable(folder)} cannot be watched: {reason}."
