"""The queue server: the one that ``AFTERIMAGE_REDIS_URL`` names, or an embedded one to share.

Each process that uses the embedded server holds a lock, shared with the others; the system takes it
from one that was killed. The server ends when nobody holds it any more: see ``server_guard``. Where
no Valkey comes with the program, one in Python takes its place, which itself sees who uses it.
"""

from __future__ import annotations

import logging
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path

from filelock import FileLock, Timeout
from redis import Redis
from redis.exceptions import AuthenticationError, RedisError, ResponseError

from app.config import get_settings
from app.errors import AppError
from app.locks import holders
from app.masking import hide_in_address
from app.queue.connection import (
    LoopbackServer,
    OwnServer,
    address_file,
    connect,
    embedded_server,
)
from app.runtime import loopback, valkey

log = logging.getLogger(__name__)

START_ATTEMPTS = 3
START_WITHIN_S = 15.0
PING_WITHIN_S = 5.0
LOCK_WITHIN_S = 60.0

_children: list[subprocess.Popen[bytes]] = []
"""Servers, or guards of servers, that this process started and whose exit it has not seen yet."""


def ensure_redis() -> None:
    """Return once the queue's server answers; start the embedded one where none does.

    Raises:
        AppError: the server of ``AFTERIMAGE_REDIS_URL`` does not answer, or none can be started.
    """
    if url := get_settings().redis_url:
        _check_given(url)
        return
    program = valkey.find_program()
    with _locked():
        if program is not None:
            _use.hold()
        server = embedded_server()
        if server is None or not _answers(server):
            _end_servers()  # one that hangs, or whose address was lost
            _start(program)


def stop_redis() -> None:
    """End the embedded server, unless another process of ours uses it.

    Raises:
        AppError: another process is busy starting or stopping it and does not finish.
    """
    if isinstance(embedded_server(), LoopbackServer):
        _close_client()
    if get_settings().redis_url or not _use.held:
        return
    with _locked():
        _close_client()
        if _use.is_last():
            _end_servers()
            address_file().unlink(missing_ok=True)
            _wait_for_children()
        _use.release()


def _check_given(url: str) -> None:
    try:
        _client(url).ping()
    except (AuthenticationError, ResponseError) as error:
        raise AppError(
            f"The Redis server that AFTERIMAGE_REDIS_URL names, {hide_in_address(url)}, refuses "
            "the "
            "connection.",
            "Check the user name and the password in AFTERIMAGE_REDIS_URL.",
        ) from error
    except RedisError as error:
        raise AppError(
            f"The Redis server that AFTERIMAGE_REDIS_URL names, {hide_in_address(url)}, does not "
            "answer.",
            "Start that server, or correct AFTERIMAGE_REDIS_URL.",
        ) from error


@contextmanager
def _locked() -> Iterator[None]:
    """Only one process at a time starts or stops the server."""
    settings = get_settings()
    lock = settings.run_dir / "redis.lock"
    try:
        for folder in (settings.run_dir, settings.log_dir, valkey.data_folder()):
            folder.mkdir(parents=True, exist_ok=True)
        with FileLock(lock, timeout=LOCK_WITHIN_S, fallback_to_soft=False):
            yield
    except Timeout as error:
        raise AppError(
            f"The queue server has been starting or stopping for {LOCK_WITHIN_S:.0f} seconds in "
            f"{holders(lock)}.",
            "End that process, then try again.",
        ) from error
    except OSError as error:
        raise AppError(
            f"The queue cannot be started in {settings.data_dir}: {error.strerror or error}.",
            "Check that the folder is writable and the disk is not full.",
        ) from error


class _Use:
    """This process's share of the lock that all users of the server hold; changed under the lock of
    ``_locked`` only."""

    def __init__(self) -> None:
        self._descriptor = -1

    @property
    def held(self) -> bool:
        return self._descriptor >= 0

    def hold(self) -> None:
        """Take part; a guard that is just ending a server that nobody used is waited for."""
        if not self.held:
            self._descriptor = os.open(valkey.users_file(), os.O_RDWR | os.O_CREAT, 0o600)
            self._lock("LOCK_SH")

    def is_last(self) -> bool:
        """Whether nobody else takes part; then this process has the lock alone."""
        if self._lock("LOCK_EX", "LOCK_NB"):
            return True
        if self._lock("LOCK_SH", "LOCK_NB"):
            return False
        return self._lock("LOCK_EX")  # a guard was quicker, and leaves once the server has ended

    def release(self) -> None:
        """Take part no more."""
        if self.held:
            os.close(self._descriptor)
            self._descriptor = -1

    def _lock(self, *how: str) -> bool:
        import fcntl  # where there is none, no embedded server is either

        try:
            fcntl.flock(self._descriptor, sum(getattr(fcntl, name) for name in how))
        except BlockingIOError:
            return False
        return True


_use = _Use()


@lru_cache(maxsize=1)
def _client(address: str | OwnServer) -> Redis:
    return connect(address, answer_within_s=PING_WITHIN_S)


def _close_client() -> None:
    if _client.cache_info().currsize and (server := embedded_server()) is not None:
        _client(server).close()
    _client.cache_clear()


def _answers(server: OwnServer) -> bool:
    try:
        return bool(_client(server).ping())
    except RedisError:
        return False


def _end_servers() -> None:
    valkey.end_servers()
    loopback.end_server()


def _start(program: Path | None) -> None:
    for attempt in range(1, START_ATTEMPTS + 1):
        if attempt == START_ATTEMPTS:
            # Twice did not help, so the data may be damaged; the ledger knows all work.
            valkey.set_data_aside()
        _note_ended_children()
        server, child = loopback.launch() if program is None else valkey.launch(program)
        _children.append(child)
        if _becomes_ready(server, child):
            log.info("queue server %d listens on %s", server.pid, hide_in_address(server.url))
            return
        _end_servers()
        log.warning("the queue server did not start on %s", hide_in_address(server.url))
    address_file().unlink(missing_ok=True)
    _wait_for_children()
    raise AppError(
        "The queue server does not start.",
        f"See {valkey.log_file()}; or set AFTERIMAGE_REDIS_URL to the address of a Redis server.",
    )


def _becomes_ready(server: OwnServer, child: subprocess.Popen[bytes]) -> bool:
    deadline = time.monotonic() + START_WITHIN_S
    while child.poll() is None and time.monotonic() < deadline:
        if _answers(server):
            return True
        time.sleep(0.005)
    return False


def _note_ended_children() -> None:
    _children[:] = [child for child in _children if child.poll() is None]


def _wait_for_children() -> None:
    for child in _children:
        with suppress(subprocess.TimeoutExpired):
            child.wait(valkey.STOP_WITHIN_S)
    _note_ended_children()
