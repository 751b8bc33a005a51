"""Weights on their way from the hub to this computer; imports neither torch nor open_clip.

The hub's own client is asked what there is, but does not fetch it: since version 1.0 it forgets
what a broken download had got. :mod:`app.transfer` does.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

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
from app.errors import first_line
from app.private_files import child
from app.transfer import (
    CONNECT_SECONDS,
    REPORT_EVERY_SECONDS,
    OnProgress,
    RemoteFile,
    Reports,
    Stopped,
    Transfer,
    host,
)

log = logging.getLogger(__name__)


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
    weights = _Weights(spec, Reports(on_progress, stop or threading.Event()))
    try:
        with weights.alone():
            path = downloaded(spec) or weights.fetch(hub_path)
            fetch_tokenizer(spec)
            return path
    except Stopped:
        return None


class _Weights:
    """One download by one process."""

    def __init__(self, spec: str, reports: Reports) -> None:
        self._spec, self._reports = spec, reports
        self._folder = weights_folder(spec)
        self._transfer = Transfer(
            f"the model {spec}", self._folder.parent, reports, _stream, _network_error()
        )

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the folder; meanwhile, say how far the process is that holds it."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self._folder / LOCK)
            while True:
                self._reports.check_stop()
                try:
                    lock.acquire(timeout=2 * REPORT_EVERY_SECONDS)
                    break
                except Timeout:
                    self._reports.report("downloading", partly_downloaded(self._spec), 0)
        except OSError as error:
            raise self._transfer.cannot_write(error) from error
        try:
            yield
        finally:
            lock.release()

    def fetch(self, hub_path: str) -> Path:
        """Look the file up, fetch what is missing of it, check it, give it its name."""
        self._reports.report("connecting", 0, 0)
        remote, etag = self._look_up(hub_path)
        target = child(self._folder, remote.name)
        # Named after the content: the rest of another version is never put behind this one.
        version = hashlib.sha256(etag.encode()).hexdigest()[:16]
        partial = target.with_name(f"{remote.name}.{version}{PARTIAL}")
        for path in files(self._spec):
            if path.suffix == PARTIAL and path != partial:
                path.unlink(missing_ok=True)
        try:
            self._transfer.check_room(remote.size - size_of(partial))
            self._transfer.fetch(remote, partial, target)
        except OSError as error:
            raise self._transfer.cannot_write(error) from error
        return target

    def _look_up(self, hub_path: str) -> tuple[RemoteFile, str]:
        """The file of weights, and the hub's mark of its version."""
        from huggingface_hub import get_hf_file_metadata, hf_hub_url
        from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, OfflineModeIsEnabled

        failed = self._transfer.failed
        repository, names = names_on_hub(hub_path)
        for name in names:
            url = hf_hub_url(repository, name)
            try:
                found = get_hf_file_metadata(url, timeout=CONNECT_SECONDS)
            except EntryNotFoundError:
                continue
            except HfHubHTTPError as error:
                raise failed(
                    f"{host(url)} answered: {first_line(error)}",
                    "Try again later, or choose another model.",
                ) from error
            except OfflineModeIsEnabled as error:
                raise failed(
                    "HF_HUB_OFFLINE is set", "Unset it, then start the program again."
                ) from error
            except (_network_error(), OSError) as error:
                log.info("%s: %s", url, first_line(error))
                raise failed(
                    f"{host(url)} cannot be reached",
                    "Connect to the internet and try again, or use the built-in model or a model "
                    "folder.",
                ) from error
            if found.size and found.etag and found.commit_hash:
                return RemoteFile(url, name, found.size, _digest(found.etag)), found.etag
            raise self._transfer.not_the_file(url, "its answer does not name a file")
        raise failed(
            f"{repository} has no weights for it", "Choose another model, or try again later."
        )


def _stream(url: str, headers: Mapping[str, str], timeout: float) -> AbstractContextManager[Any]:
    """Begin to get a file, as the person that the hub knows, where there is one."""
    from huggingface_hub import get_session
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

    known = build_hf_headers(library_name="afterimage")
    answer: AbstractContextManager[Any] = get_session().stream(
        "GET", url, headers=known | dict(headers), timeout=timeout
    )
    return answer


def _network_error() -> type[Exception]:
    """What the hub's client raises where the network fails; its library changes with versions."""
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]

    error: type[Exception] = HTTPError
    return error


def _digest(etag: str) -> str:
    """The SHA-256 of the content, where that is what the hub marks it with."""
    is_digest = len(etag) == 64 and set(etag) <= set("0123456789abcdef")
    return etag if is_digest else ""
