"""Whether a session's folders can be reached: a disk that is gone is no picture's fault.

An unplugged disk shows itself in many ways: its folder is gone, or an empty mount point is left,
or every access ends in an error. So when a picture cannot be read, the folder is asked first, and
then the other pictures in it.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Sequence

from sqlalchemy import select

from app.api.error_kinds import ErrorKind
from app.db.engine import get_sync_engine
from app.db.jobs import ClaimedJob
from app.db.models import ImageAsset, TrainingJob, TrainingSession
from app.db.types import text_to_path
from app.errors import AppError
from app.printable import printable
from app.scan.file_walk import is_below
from app.worker.context import context
from app.worker.indexing.picture import Picture

SAMPLE = 64
"""Pictures at either end of a session that are looked for where one is missing."""
GOES_ON = "Indexing continues on its own once its disk or network is connected again."

_GONE = frozenset({errno.ENOENT, errno.ENOTDIR})
_AWAY = frozenset(
    getattr(errno, name)
    for name in (
        *("ENODEV", "ENXIO", "ESTALE", "ENOTCONN", "EHOSTDOWN", "EHOSTUNREACH", "ENETDOWN"),
        *("ENETUNREACH", "ETIMEDOUT", "ECONNREFUSED", "ECONNRESET", "ECONNABORTED", "EREMOTEIO"),
    )
    if hasattr(errno, name)
)
"""What no single file can be the cause of."""


class Places:
    """The root of a session and the folders in it that were chosen."""

    def __init__(self, session: TrainingSession) -> None:
        self._session_id = session.id
        self._root = session.root_path
        self._chosen = [text_to_path(text) for text in session.subdirectories]

    def require(self) -> None:
        """Raise a transient AppError unless the root folder can be listed."""
        _list(self._root)

    def judged(
        self, pictures: Sequence[Picture], read: Callable[[ClaimedJob], Picture]
    ) -> list[Picture]:
        """The pictures; those that could not be read but can be by now are read again.

        Raises:
            AppError: transient; what could not be read is not to blame, the folder cannot be
                reached.
        """
        again = self.excused(pictures)
        if not again:
            return list(pictures)
        judged = [read(picture.job) if id(picture) in again else picture for picture in pictures]
        self.excused(judged)
        return judged

    def excused(self, pictures: Sequence[Picture]) -> set[int]:
        """By :func:`id`, those that could not be read but can be by now; raises as above."""
        suspects = [p for p in pictures if p.outcome.error_kind in _OF_A_LOST_DISK]
        if not suspects:
            _remember(pictures)
            return set()
        self._require_around(suspects)
        found = {id(picture): _trouble(picture.job.path) for picture in suspects}
        if away := next((code for code in found.values() if code in _AWAY), None):
            raise _out_of_reach(self._root, os.strerror(away))
        if not _GONE.isdisjoint(found.values()):
            self._require_others(pictures)
        return {picture for picture, code in found.items() if code is None}

    def _require_around(self, suspects: Sequence[Picture]) -> None:
        for folder in (self._root, *self._chosen):
            if any(is_below(picture.job.path, folder) for picture in suspects) and not _list(
                folder
            ):
                raise AppError(f"The folder {printable(folder)} is empty.", GOES_ON, transient=True)

    def _require_others(self, pictures: Sequence[Picture]) -> None:
        """Raise unless other pictures are there at this moment, on each disk that was there."""
        for device, folder in list(context().seen_on.items()):
            if is_below(folder + os.sep, self._root) and _is_lost(device, folder):
                raise _out_of_reach(folder, "its disk is gone")
        read = [p.job.path for p in pictures if p.outcome.error_kind not in _OF_A_LOST_DISK]
        if not any(map(os.path.lexists, [*read, *self._sample()])):
            raise _out_of_reach(self._root, "none of its pictures is there")

    def _sample(self) -> list[str]:
        paths = (
            select(ImageAsset.path)
            .join(TrainingJob, TrainingJob.asset_id == ImageAsset.id)
            .where(TrainingJob.session_id == self._session_id, ImageAsset.missing_since.is_(None))
            .limit(SAMPLE)
        )
        with get_sync_engine().connect() as conn:
            ends = (TrainingJob.id.asc(), TrainingJob.id.desc())
            return [path for end in ends for path in conn.scalars(paths.order_by(end))]


_OF_A_LOST_DISK = frozenset({ErrorKind.MISSING, ErrorKind.UNREADABLE})


def _list(folder: str) -> bool:
    """Whether anything is in a folder, which must be there."""
    try:
        with os.scandir(folder) as entries:
            return next(entries, None) is not None
    except OSError as error:
        raise _out_of_reach(folder, error.strerror or type(error).__name__) from error


def _out_of_reach(folder: str, reason: str) -> AppError:
    return AppError(
        f"The folder {printable(folder)} cannot be reached: {reason}.", GOES_ON, transient=True
    )


def _trouble(path: str) -> int | None:
    """The number of the error that a file gives now; None where it can be read."""
    try:
        with open(path, "rb", opener=_open_at_once) as file:
            file.read(1)
    except OSError as error:
        if error.errno == errno.EIO and _has_no_device(os.path.dirname(path)):
            return errno.ENODEV
        return error.errno or errno.EIO
    except ValueError:  # no file can have this name
        return errno.EINVAL
    return None


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))  # a FIFO would wait for a writer


def _has_no_device(folder: str) -> bool:
    """Whether a folder is only remembered, and the disk below it was pulled out (Linux)."""
    try:
        device = os.stat(folder).st_dev
    except OSError:
        return False
    of_kernel = f"/sys/dev/block/{os.major(device)}:{os.minor(device)}" if device else ""
    return sys.platform == "linux" and os.major(device) > 0 and not os.path.exists(of_kernel)


def _remember(pictures: Sequence[Picture]) -> None:
    for folder in {os.path.dirname(picture.job.path) for picture in pictures}:
        try:
            context().seen_on[os.stat(folder).st_dev] = folder
        except OSError:  # gone since; the next picture in it tells
            continue


def _is_lost(device: int, folder: str) -> bool:
    """Whether a disk that held a folder is gone: what is left of the path lies on another one."""
    there = folder
    while not os.path.isdir(there) and there != os.path.dirname(there):
        there = os.path.dirname(there)
    try:
        if os.stat(there).st_dev == device:
            return False
        if there == folder and os.listdir(folder):  # it is back, under another number
            del context().seen_on[device]
            return False
    except OSError:
        return True
    return True
