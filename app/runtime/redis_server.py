"""The queue's server: the one that ``REDIS_URL`` names, or an embedded one that processes share.

Each process that uses the embedded server keeps one named connection to it open, so that the last
one to leave knows that it is the last. The system closes the connection of a killed process.
"""

from __future__ import annotations

import logging
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from filelock import FileLock, Timeout
from redis import Redis
from redis.exceptions import AuthenticationError, RedisError, ResponseError

from app.config import get_settings
from app.errors import AppError
from app.queue.connection import (
    EmbeddedServer,
    address_file,
    connect,
    embedded_server,
    safe_url,
)
from app.runtime import valkey

log = logging.getLogger(__name__)

START_ATTEMPTS = 3
START_WITHIN_S = 15.0
PING_WITHIN_S = 5.0
LOCK_WITHIN_S = 60.0
LOOK_AGAIN_S = 0.1
_USER_PREFIX = "afterimage-"

_children: list[subprocess.Popen[bytes]] = []
"""Servers that this process started and whose exit it has not seen yet."""


def ensure_redis() -> None:
    """Return once the queue's server answers; start the embedded one where none does.

    Raises:
        AppError: the server that ``REDIS_URL`` names does not answer, or none can be started here.
    """
    if url := get_settings().redis_url:
        _check_given(url)
        return
    with _locked():
        server = embedded_server()
        if server is None or not _answers(server):
            valkey.end_servers()  # one that hangs, or whose address was lost
            _start()


def stop_redis() -> None:
    """End the embedded server, unless another process of ours uses it.

    Raises:
        AppError: another process is busy starting or stopping it and does not finish.
    """
    settings = get_settings()
    if settings.redis_url or not settings.run_dir.is_dir():
        return
    with _locked():
        server = embedded_server()
        in_use = server is not None and _used_by_others(server)
        if server is not None:
            _user(server.url).close()
            _user.cache_clear()
        if not in_use:
            valkey.end_servers()
            address_file().unlink(missing_ok=True)
            _note_ended_children()


def _check_given(url: str) -> None:
    try:
        _user(url).ping()
    except (AuthenticationError, ResponseError) as error:
        raise AppError(
            f"The Redis server that REDIS_URL names, {safe_url(url)}, refuses the connection.",
            "Check the user name and the password in REDIS_URL.",
        ) from error
    except RedisError as error:
        raise AppError(
            f"The Redis server that REDIS_URL names, {safe_url(url)}, does not answer.",
            "Start that server, or correct REDIS_URL.",
        ) from error


@contextmanager
def _locked() -> Iterator[None]:
    """Only one process at a time starts or stops the server."""
    settings = get_settings()
    try:
        for folder in (settings.run_dir, settings.log_dir, valkey.data_folder()):
            folder.mkdir(parents=True, exist_ok=True)
        with FileLock(settings.run_dir / "redis.lock", timeout=LOCK_WITHIN_S):
            yield
    except Timeout as error:
        raise AppError(
            "Another process has been starting the queue for a minute and is not done.",
            "End the other windows and terminals of this program, then try again.",
        ) from error
    except OSError as error:
        raise AppError(
            f"The queue cannot be started in {settings.data_dir}: {error.strerror or error}.",
            "Check that the folder can be written and the disk is not full.",
        ) from error


@lru_cache(maxsize=1)
def _user(url: str) -> Redis:
    """The client whose open connection says that this process uses the embedded server."""
    name = None if get_settings().redis_url else _own_name()
    return connect(url, answer_within_s=PING_WITHIN_S, client_name=name)


def _own_name() -> str:
    return f"{_USER_PREFIX}{os.getpid()}"


def _answers(server: EmbeddedServer) -> bool:
    try:
        return bool(_user(server.url).ping())
    except RedisError:
        return False


def _used_by_others(server: EmbeddedServer) -> bool:
    """Looks twice: a process that is just ending may close its connection last."""
    for pause_s in (LOOK_AGAIN_S, 0.0):
        try:
            clients = _user(server.url).client_list()
        except RedisError:
            return False
        names = {str(client["name"]) for client in clients} - {_own_name()}
        if not any(name.startswith(_USER_PREFIX) for name in names):
            return False
        time.sleep(pause_s)
    return True


def _start() -> None:
    program = valkey.find_program()
    for attempt in range(1, START_ATTEMPTS + 1):
        if attempt == START_ATTEMPTS:
            # Two ports did not help, so the data may be damaged; the ledger knows all work.
            valkey.set_data_aside()
        _note_ended_children()
        server, child = valkey.launch(program)
        _children.append(child)
        if _becomes_ready(server, child):
            log.info("queue server %d listens on port %d", server.pid, server.port)
            return
        child.kill()
        child.wait()
        log.warning("the queue server did not start on port %d", server.port)
    address_file().unlink(missing_ok=True)
    raise AppError(
        "The queue's server does not start.",
        f"{valkey.log_file()} says why; or set REDIS_URL to the address of a Redis server.",
    )


def _becomes_ready(server: EmbeddedServer, child: subprocess.Popen[bytes]) -> bool:
    deadline = time.monotonic() + START_WITHIN_S
    while child.poll() is None and time.monotonic() < deadline:
        if _answers(server):
            return True
        time.sleep(0.005)
    return False


def _note_ended_children() -> None:
    _children[:] = [child for child in _children if child.poll() is None]
