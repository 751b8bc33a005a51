"""One large file on its way to this computer: resumed where it broke off, and checked.

What was got stays in a partial file until it is whole; so a lost connection, a stop or a full disk
costs nothing that was there.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Literal

from app.errors import AppError, first_line

log = logging.getLogger(__name__)

CONNECT_SECONDS = 5.0
READ_SECONDS = 10.0
ROOM_TO_SPARE = 100_000_000
_ATTEMPTS = 5
"""So often a broken connection is taken up again where it brought next to nothing."""
_WRONG_ATTEMPTS = 2
"""So often a server may send something that is not the file."""
_PROGRESS = 65_536
"""Bytes beyond the furthest so far; with less, a connection has brought next to nothing."""
_FINAL = range(400, 500)
"""Answers that stay the same when asked again, but for those in ``_PASSING``."""
_PASSING = (408, 416, 425, 429)
_PAUSE_SECONDS = 1.0
REPORT_EVERY_SECONDS = 0.1
_PIECE = 1_048_576

Phase = Literal["connecting", "downloading", "checking", "unpacking", "testing"]


@dataclass(frozen=True, slots=True)
class DownloadProgress:
    """How far a download is."""

    phase: Phase
    done: int
    """Bytes that are here, those of earlier attempts included; while checking or unpacking, bytes
    of which that is done."""
    total: int
    """Bytes of the whole; 0 where that is not known yet."""


OnProgress = Callable[[DownloadProgress], None]
Stream = Callable[[str, Mapping[str, str], float], AbstractContextManager[Any]]
"""Begins to get an address with these headers; no piece of the answer may take so many seconds.
The answer is one of httpx's, or of what takes its place in another library."""


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file as a server describes it."""

    url: str
    name: str
    size: int
    """Bytes."""
    sha256: str = ""
    """Of the content, in hexadecimal; empty where it is not known."""


class Stopped(Exception):
    """The person does not want to wait any longer."""


class _WrongContentError(Exception):
    """A server sent something that cannot be this file, such as a page that says why not."""


@dataclass(slots=True)
class Reports:
    """Tells how far it is, several times a second, and whether to go on."""

    on_progress: OnProgress = lambda _: None
    stop: threading.Event = field(default_factory=threading.Event)
    before: int = 0
    """Bytes of other files that are done already."""
    whole: int = 0
    """Bytes of all files; 0: there is but one."""
    _at: float = 0.0
    _phase: str = ""

    def check_stop(self) -> None:
        """Raise Stopped where a person asked for it."""
        if self.stop.is_set():
            raise Stopped

    def report(self, phase: Phase, done: int, total: int) -> None:
        """Tell, where the last time is long enough ago, or something new begins or ends."""
        due = time.monotonic() - self._at >= REPORT_EVERY_SECONDS
        if due or done == total or phase != self._phase:
            self._at, self._phase = time.monotonic(), phase
            self.on_progress(DownloadProgress(phase, self.before + done, self.whole or total))


class Transfer:
    """Gets files into one folder.

    Args:
        what: is downloaded, within a sentence: ``the model NAME``.
        folder: where the files come to lie; named in what goes wrong.
        reports: is told how far it is, and says when to stop.
        stream: begins an answer of the server.
        network_error: what that raises where the network fails.
    """

    def __init__(
        self,
        what: str,
        folder: Path,
        reports: Reports,
        stream: Stream,
        network_error: type[Exception],
    ) -> None:
        self._what, self._folder = what, folder
        self._reports, self._begin = reports, stream
        self._network_error = network_error

    def check_room(self, needed: int) -> None:
        """Raise an AppError where so many bytes do not go onto the disk."""
        free = shutil.disk_usage(self._folder).free
        if needed + ROOM_TO_SPARE > free:
            raise AppError(
                f"There is not enough space for {self._what}: {mb(needed)} needed, "
                f"{mb(free)} free in {self._folder}.",
                "Free some space on that disk, then resume the download.",
            )

    def fetch(self, remote: RemoteFile, partial: Path, target: Path) -> None:
        """Get what is missing of a file into ``partial``, check it, and give it its name.

        Raises:
            Stopped: the person does not want to wait.
            AppError: no network, no such file, no right to write, or the content is not what it
                should be. What was downloaded is kept, but for the last.
            OSError: a file cannot be written; see :meth:`cannot_write`.
        """
        partial.touch()
        with partial.open("r+b") as file:
            file.seek(0, os.SEEK_END)
            self._fetch_rest(remote, file)
            file.flush()
            os.fsync(file.fileno())
        if remote.sha256 and not self.has_content(partial, remote):
            partial.unlink()
            raise AppError(
                f"What was downloaded for {self._what} is damaged: its checksum is not the "
                "published one.",
                "Try again; if it happens again, something on the network changes downloads, such "
                "as a proxy.",
            )
        partial.replace(target)

    def has_content(self, path: Path, remote: RemoteFile) -> bool:
        """Whether a file is what it should be, down to the last bit."""
        digest, done = hashlib.sha256(), 0
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                self._reports.check_stop()
                digest.update(piece)
                done += len(piece)
                self._reports.report("checking", done, remote.size)
        return digest.hexdigest() == remote.sha256

    def _fetch_rest(self, remote: RemoteFile, file: BinaryIO) -> None:
        """Until all is there, each time from where it broke off, as long as that brings more."""
        broken = wrong = 0
        furthest = file.tell()
        while (here := file.tell()) != remote.size:
            self._reports.check_stop()
            if here > remote.size:  # never written by this program
                _begin_again(file)
                continue
            reason: Exception | None = None
            try:
                self._stream(remote, file)
            except _WrongContentError as error:
                wrong += 1
                if wrong >= _WRONG_ATTEMPTS:
                    raise self.not_the_file(remote.url, str(error)) from error
                reason = error
            except (self._network_error, OSError, ValueError) as error:
                reason = error
            broken = 1 if file.tell() >= min(furthest + _PROGRESS, remote.size) else broken + 1
            furthest = max(furthest, file.tell())
            if file.tell() == remote.size:
                return
            log.info(
                "%s broke off at %d: %s", remote.url, file.tell(), reason and first_line(reason)
            )
            if broken >= _ATTEMPTS:
                raise self.failed(
                    f"the connection was lost at {mb(file.tell())} of {mb(remote.size)}",
                    "Try again; the download resumes from there.",
                ) from reason
            self._reports.stop.wait(_PAUSE_SECONDS)

    def _stream(self, remote: RemoteFile, file: BinaryIO) -> None:
        start = file.tell()
        headers = {"Accept-Encoding": "identity", "Range": f"bytes={start}-"}
        with self._begin(remote.url, headers, READ_SECONDS) as response:
            if response.status_code in _FINAL and response.status_code not in _PASSING:
                raise self.failed(
                    f"{host(remote.url)} answered with status {response.status_code}",
                    "Try again later.",
                )
            if response.status_code not in (200, 206):
                raise ConnectionError(f"status {response.status_code}")
            _require_the_file(remote, response.status_code, response.headers, start)
            if response.status_code == 200:  # a server that knows no ranges begins at the start
                _begin_again(file)
            for piece in response.iter_raw():
                self._reports.check_stop()
                if file.tell() + len(piece) > remote.size:
                    raise _WrongContentError(f"more than {mb(remote.size)}")
                try:
                    file.write(piece)
                except OSError as error:
                    raise self.cannot_write(error) from error
                self._reports.report("downloading", file.tell(), remote.size)

    # What went wrong

    def not_the_file(self, url: str, what: str) -> AppError:
        """Something else answered in the server's place."""
        return self.failed(
            f"{host(url)} sent something other than the file ({what})",
            "Something on the network may be answering instead, such as a proxy, a filter, or a "
            "login page. Try another network.",
        )

    def failed(self, why: str, hint: str) -> AppError:
        """It could not be downloaded."""
        subject = self._what[:1].upper() + self._what[1:]
        return AppError(f"{subject} could not be downloaded: {why}.", hint)

    def cannot_write(self, error: OSError) -> AppError:
        """The sentence for a file that cannot be written."""
        if error.errno == errno.ENOSPC:
            return self.failed(
                f"the disk of {self._folder} is full",
                "Free some space on it, then resume the download.",
            )
        return self.failed(
            f"{self._folder} cannot be written ({error.strerror})",
            "Check the permissions of that folder.",
        )


def _require_the_file(
    remote: RemoteFile, status: int, headers: Mapping[str, str], start: int
) -> None:
    """Raise a _WrongContentError where an answer cannot be the wanted part of the file.

    What is here already is still untouched then: a page must not cost what was fetched before.
    """
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in ("text/html", "application/xhtml+xml"):
        raise _WrongContentError("a page")
    length = headers.get("content-length", "")
    wanted = remote.size if status == 200 else remote.size - start
    if length.isdigit() and int(length) != wanted:
        raise _WrongContentError(f"{int(length):,} bytes instead of {wanted:,}")
    part = headers.get("content-range", "")
    if status == 206 and part and not part.startswith(f"bytes {start}-"):
        raise _WrongContentError(f"the part {part!r}")


def _begin_again(file: BinaryIO) -> None:
    file.seek(0)
    file.truncate()


def mb(number: int) -> str:
    """``1,234 MB``."""
    return f"{max(number, 0) / 1_000_000:,.0f} MB"


def host(url: str) -> str:
    """Of an address, its server."""
    return url.split("/")[2]
