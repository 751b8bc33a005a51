"""Watch the folders of a session for new and changed pictures, while somebody could care."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterable
from itertools import islice

from watchfiles import Change, watch

from app.api.update_schemas import WatchedFolder
from app.db.types import text_to_path
from app.queue.exclusions import Exclusions
from app.queue.file_walk import WalkReport, is_below, printable, walk

STEP_MS = 200
"""How often the thread looks whether it is to end."""
COUNTED = 10_000
"""More pictures than this are not told apart."""
LIMIT_HINT = (
    "This system does not allow to watch so many folders. Raise its limit with: "
    "sudo sysctl fs.inotify.max_user_watches=1048576"
)


class FolderWatch:
    """Counts the distinct new and changed pictures of a session's folders, in a thread of its own.

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
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=self._run, name=f"watch-{watched.session_id}", daemon=True
        )
        self._thread.start()

    def forget(self) -> None:
        """Count from nothing again: what was there has been indexed."""
        self._seen = set()

    def close(self) -> None:
        """End the thread and wait for it."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
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
        except OSError as error:
            if not self._stop.is_set():
                self._on_problem(_sentence(error, self._watched.folders[0]))

    def _take(self, changes: Iterable[tuple[Change, str]]) -> None:
        seen, before = self._seen, len(self._seen)
        for change, path in changes:
            if self._is_left_out(path):
                continue
            if change is Change.deleted:
                seen.discard(path)
            elif self._is_picture(path):
                seen.add(path)
            elif change is Change.added and self._watched.recursive and len(seen) < COUNTED:
                # a folder that was moved or copied here; nothing is told of what is in it
                extensions = self._watched.extensions
                found = walk(path, extensions, True, WalkReport(), self._exclusions)
                seen.update(text_to_path(file.path) for file in islice(found, COUNTED))
        if len(seen) != before and not self._stop.is_set():
            self._on_count(len(seen))

    def _is_picture(self, path: str) -> bool:
        return os.path.splitext(path)[1][1:].lower() in self._extensions

    def _is_left_out(self, path: str) -> bool:
        """Whether a picture, or a folder, is one that an update would not see."""
        if path in self._watched.folders:
            return False
        folder = not self._is_picture(path)
        begin = next((item for item in self._watched.folders if is_below(path, item)), None)
        return begin is None or bool(self._exclusions.of_path(path, begin, folder=folder))


def _sentence(error: OSError, folder: str) -> str:
    """Why a folder cannot be watched; the library wraps the system's words into its own."""
    text = str(error)
    if error.errno in (errno.ENOSPC, errno.EMFILE) or "limit" in text or "os error 28" in text:
        return LIMIT_HINT
    if isinstance(error, FileNotFoundError):
        return f"The folder {printable(folder)} is not there, so it cannot be watched."
    return f"The folder {printable(folder)} cannot be watched: {error.strerror or text}."
