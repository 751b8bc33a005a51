"""Weights on their way from the hub to this computer; imports neither torch nor open_clip.

The hub's own client is asked what there is, but does not fetch it: since version 1.0 it forgets
what a broken download had got.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from filelock import FileLock, Timeout

from app.config import BUILTIN_MODEL
from app.embedding.tokenizers import fetch_tokenizer
from app.embedding.weights import (
    LOCK,
    PARTIAL,
    downloaded,
    files,
    names_on_hub,
    partly_downloaded,
    size_of,
    weights_folder,
)
from app.errors import AppError, first_line
from app.private_files import child

log = logging.getLogger(__name__)

_CONNECT_SECONDS = 5.0
_READ_SECONDS = 10.0
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
_REPORT_EVERY_SECONDS = 0.1
_ROOM_TO_SPARE = 100_000_000
_PIECE = 1_048_576


@dataclass(frozen=True, slots=True)
class DownloadProgress:
    """How far a download is."""

    phase: Literal["connecting", "downloading", "checking"]
    done: int
    """Bytes that are here, those of earlier attempts included; while checking, bytes checked."""
    total: int
    """Bytes of the whole file; 0 where that is not known yet."""


OnProgress = Callable[[DownloadProgress], None]


@dataclass(frozen=True, slots=True)
class _Remote:
    """A file as the hub describes it."""

    url: str
    name: str
    size: int
    """Bytes."""
    etag: str

    @property
    def sha256(self) -> str:
        """Of the content, in hexadecimal; empty where the hub does not tell it."""
        is_digest = len(self.etag) == 64 and set(self.etag) <= set("0123456789abcdef")
        return self.etag if is_digest else ""


class _WrongContentError(Exception):
    """A server sent something that cannot be this file, such as a page that says why not."""


class _Stopped(Exception):
    """The person does not want to wait any longer."""


def download(
    spec: str,
    hub_path: str,
    on_progress: OnProgress = lambda _: None,
    stop: threading.Event | None = None,
) -> Path | None:
    """Fetch the weights of a model, or the rest of them, check them, and fetch its tokenizer.

    Only one process downloads a model at a time; the others wait and take what it got.

    Args:
        spec: ``name/pretrained``.
        hub_path: as for :func:`find_weights`.
        on_progress: called in this thread, several times a second.
        stop: once it is set, the download ends within seconds and can be taken up later.

    Returns:
        the file of weights; None where it was stopped.

    Raises:
        AppError: no network, no such file, no room, no right to write, or the content is not what
            the hub says it is. What was downloaded is kept, but for the last.
    """
    from huggingface_hub import constants

    constants.HF_HUB_DISABLE_TELEMETRY = True  # the hub learns what is wanted, and nothing else
    transfer = _Transfer(spec, on_progress, stop or threading.Event())
    try:
        with transfer.alone():
            weights = downloaded(spec) or transfer.fetch(hub_path)
            fetch_tokenizer(spec)
            return weights
    except _Stopped:
        return None


class _Transfer:
    """One download by one process."""

    def __init__(self, spec: str, on_progress: OnProgress, stop: threading.Event) -> None:
        self._spec, self._on_progress, self._stop = spec, on_progress, stop
        self._folder = weights_folder(spec)
        self._reported_at, self._phase = 0.0, ""

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the folder; meanwhile, say how far the process is that holds it."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self._folder / LOCK)
            while True:
                self._check_stop()
                try:
                    lock.acquire(timeout=2 * _REPORT_EVERY_SECONDS)
                    break
                except Timeout:
                    self._report("downloading", partly_downloaded(self._spec), 0)
        except OSError as error:
            raise self._cannot_write(error) from error
        try:
            yield
        finally:
            lock.release()

    def fetch(self, hub_path: str) -> Path:
        """Look the file up, fetch what is missing of it, check it, give it its name."""
        self._report("connecting", 0, 0)
        remote = self._look_up(hub_path)
        target = child(self._folder, remote.name)
        # Named after the content: the rest of another version is never put behind this one.
        version = hashlib.sha256(remote.etag.encode()).hexdigest()[:16]
        partial = target.with_name(f"{remote.name}.{version}{PARTIAL}")
        for path in files(self._spec):
            if path.suffix == PARTIAL and path != partial:
                path.unlink(missing_ok=True)
        try:
            self._check_room(remote.size - size_of(partial))
            partial.touch()
            with partial.open("r+b") as file:
                file.seek(0, os.SEEK_END)
                self._fetch_rest(remote, file)
                file.flush()
                os.fsync(file.fileno())
            self._check(remote, partial)
            partial.replace(target)
        except OSError as error:
            raise self._cannot_write(error) from error
        return target

    # What there is

    def _look_up(self, hub_path: str) -> _Remote:
        from huggingface_hub import get_hf_file_metadata, hf_hub_url
        from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, OfflineModeIsEnabled

        network_error = _network_error()
        repository, names = names_on_hub(hub_path)
        for name in names:
            url = hf_hub_url(repository, name)
            try:
                found = get_hf_file_metadata(url, timeout=_CONNECT_SECONDS)
            except EntryNotFoundError:
                continue
            except HfHubHTTPError as error:
                raise self._failed(
                    f"{_host(url)} answered: {first_line(error)}",
                    "Try again later, or choose another model.",
                ) from error
            except OfflineModeIsEnabled as error:
                raise self._failed(
                    "HF_HUB_OFFLINE is set", "Unset it, then start the program again."
                ) from error
            except (network_error, OSError) as error:
                log.info("%s: %s", url, first_line(error))
                raise self._failed(
                    f"{_host(url)} cannot be reached",
                    "Connect to the internet and try again, or use a model folder of your own or "
                    f"{BUILTIN_MODEL}, the built-in one.",
                ) from error
            if found.size and found.etag and found.commit_hash:
                return _Remote(url, name, found.size, found.etag)
            raise self._not_the_file(url, "its answer does not name a file")
        raise self._failed(
            f"{repository} has no weights for it", "Choose another model, or try again later."
        )

    def _check_room(self, needed: int) -> None:
        free = shutil.disk_usage(self._folder).free
        if needed + _ROOM_TO_SPARE > free:
            raise AppError(
                f"There is not enough space for the model {self._spec}: {_mb(needed)} needed, "
                f"{_mb(free)} free in {self._folder.parent}.",
                "Free some space on that disk, then resume the download.",
            )

    # Fetching

    def _fetch_rest(self, remote: _Remote, file: BinaryIO) -> None:
        """Until all is there, each time from where it broke off, as long as that brings more."""
        network_error = _network_error()
        broken = wrong = 0
        furthest = file.tell()
        while (here := file.tell()) != remote.size:
            self._check_stop()
            if here > remote.size:  # never written by this program
                _begin_again(file)
                continue
            reason: Exception | None = None
            try:
                self._stream(remote, file)
            except _WrongContentError as error:
                wrong += 1
                if wrong >= _WRONG_ATTEMPTS:
                    raise self._not_the_file(remote.url, str(error)) from error
                reason = error
            except (network_error, OSError, ValueError) as error:
                reason = error
            broken = 1 if file.tell() >= min(furthest + _PROGRESS, remote.size) else broken + 1
            furthest = max(furthest, file.tell())
            if file.tell() == remote.size:
                return
            log.info(
                "%s broke off at %d: %s", remote.url, file.tell(), reason and first_line(reason)
            )
            if broken >= _ATTEMPTS:
                raise self._failed(
                    f"the connection was lost at {_mb(file.tell())} of {_mb(remote.size)}",
                    "Try again; the download resumes from there.",
                ) from reason
            self._stop.wait(_PAUSE_SECONDS)

    def _stream(self, remote: _Remote, file: BinaryIO) -> None:
        from huggingface_hub import get_session
        from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

        start = file.tell()
        headers = build_hf_headers(library_name="afterimage")
        headers |= {"Accept-Encoding": "identity", "Range": f"bytes={start}-"}
        with get_session().stream(
            "GET", remote.url, headers=headers, timeout=_READ_SECONDS
        ) as response:
            if response.status_code in _FINAL and response.status_code not in _PASSING:
                raise self._failed(
                    f"{_host(remote.url)} answered with status {response.status_code}",
                    "Try again later, or choose another model.",
                )
            if response.status_code not in (200, 206):
                raise ConnectionError(f"status {response.status_code}")
            _require_the_file(remote, response.status_code, response.headers, start)
            if response.status_code == 200:  # a server that knows no ranges begins at the start
                _begin_again(file)
            for piece in response.iter_raw():
                self._check_stop()
                if file.tell() + len(piece) > remote.size:
                    raise _WrongContentError(f"more than {_mb(remote.size)}")
                try:
                    file.write(piece)
                except OSError as error:
                    raise self._cannot_write(error) from error
                self._report("downloading", file.tell(), remote.size)

    def _check(self, remote: _Remote, partial: Path) -> None:
        """The content is what the hub says it is; else nothing of it is of use."""
        if not remote.sha256:
            return
        digest, done = hashlib.sha256(), 0
        with partial.open("rb") as file:
            while piece := file.read(_PIECE):
                self._check_stop()
                digest.update(piece)
                done += len(piece)
                self._report("checking", done, remote.size)
        if digest.hexdigest() != remote.sha256:
            partial.unlink()
            raise AppError(
                f"What was downloaded for the model {self._spec} is damaged: its checksum is not "
                "the one that the hub publishes.",
                "Try again; if it happens again, something on the network changes downloads, such "
                "as "
                "a proxy.",
            )

    # Saying so

    def _check_stop(self) -> None:
        if self._stop.is_set():
            raise _Stopped

    def _report(
        self, phase: Literal["connecting", "downloading", "checking"], done: int, total: int
    ) -> None:
        due = time.monotonic() - self._reported_at >= _REPORT_EVERY_SECONDS
        if due or done == total or phase != self._phase:
            self._reported_at, self._phase = time.monotonic(), phase
            self._on_progress(DownloadProgress(phase, done, total))

    def _not_the_file(self, url: str, what: str) -> AppError:
        return self._failed(
            f"{_host(url)} sent something other than the file ({what})",
            "Something on the network may be answering instead, such as a proxy, a filter, or a "
            "login page. Try another network.",
        )

    def _failed(self, why: str, hint: str) -> AppError:
        return AppError(f"The model {self._spec} could not be downloaded: {why}.", hint)

    def _cannot_write(self, error: OSError) -> AppError:
        if error.errno == errno.ENOSPC:
            return self._failed(
                f"the disk of {self._folder.parent} is full",
                "Free some space on it, then resume the download.",
            )
        return self._failed(
            f"{self._folder} cannot be written ({error.strerror})",
            "Check the permissions of that folder.",
        )


def _network_error() -> type[Exception]:
    """What the hub's client raises where the network fails; its library changes with versions."""
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]

    error: type[Exception] = HTTPError
    return error


def _require_the_file(remote: _Remote, status: int, headers: Mapping[str, str], start: int) -> None:
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


def _mb(number: int) -> str:
    return f"{max(number, 0) / 1_000_000:,.0f} MB"


def _host(url: str) -> str:
    return url.split("/")[2]
