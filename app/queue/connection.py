"""Where Redis is, and the one client of this process to it."""

from __future__ import annotations

import json
import os
import socket
import struct
import sys
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
from redis import ConnectionPool, Redis
from redis.backoff import NoBackoff
from redis.connection import AbstractConnection, Connection, UnixDomainSocketConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry

from app.config import get_settings
from app.db.liveness import process_name
from app.errors import AppError
from app.masking import hide_in_address
from app.private_files import replace_file

CONNECT_WITHIN_S = 2.0
ANSWER_WITHIN_S = 5.0
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class EmbeddedServer:
    """The address of the embedded Redis, as its starter leaves it in the data folder."""

    socket: str
    """The path of its Unix socket, another one at each start."""
    pid: int

    @property
    def url(self) -> str:
        return f"unix://{quote(os.fsencode(self.socket))}"


@dataclass(frozen=True, slots=True)
class LoopbackServer:
    """The address of the server that takes its place where the system has no Unix sockets."""

    port: int
    password: str
    """Another one at each start."""
    pid: int

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@{LOOPBACK}:{self.port}"


OwnServer = EmbeddedServer | LoopbackServer


class _ToOneProcess(AbstractConnection):
    """A connection to one process; another program in its place is told nothing.

    Args:
        pid: the server's process id.
    """

    def __init__(self, *, pid: int, **options: Any) -> None:
        super().__init__(**options)
        self._server_pid = pid

    def _connect(self) -> socket.socket:
        connected: socket.socket = super()._connect()  # type: ignore[no-untyped-call, safe-super]
        if not (objection := self._objection(connected)):
            return connected
        connected.close()
        raise RedisConnectionError(objection)

    def _objection(self, connected: socket.socket) -> str:
        """Why this is not the server; empty where it is."""
        raise NotImplementedError


class OwnServerConnection(_ToOneProcess, UnixDomainSocketConnection):
    """A connection to the embedded server, and to nobody else who listens on its socket."""

    def _objection(self, connected: socket.socket) -> str:
        found = peer_pid(connected)
        if found in (self._server_pid, None):
            return ""
        return f"process {found} is listening on the queue server's socket"


class LoopbackConnection(_ToOneProcess, Connection):
    """A connection to our server on the loopback."""

    def _objection(self, connected: socket.socket) -> str:
        if _listens(self._server_pid, self.port):
            return ""
        return "the queue server does not listen on its port any more"


def _listens(pid: int, port: int) -> bool:
    try:
        sockets = psutil.Process(pid).net_connections("tcp4")
    except psutil.Error:
        return False
    return any(s.status == psutil.CONN_LISTEN and s.laddr == (LOOPBACK, port) for s in sockets)


def peer_pid(connected: socket.socket) -> int | None:
    """The process at the other end of a Unix socket; None where the system does not tell it."""
    if sys.platform == "linux":
        size = struct.calcsize("3i")  # process, user, group
        found = connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
        return int(struct.unpack("3i", found)[0])
    if sys.platform == "darwin":
        sol_local, local_peerpid = 0, 2  # of <sys/un.h>
        return connected.getsockopt(sol_local, local_peerpid)
    return None


def address_file() -> Path:
    """Where the embedded server's address is; only its owner may read it."""
    return get_settings().run_dir / "redis.json"


def write_address(server: OwnServer) -> None:
    """Leave the address of a server that was started.

    Raises:
        OSError: it cannot be written.
    """
    replace_file(address_file(), json.dumps(asdict(server)))


def embedded_server() -> OwnServer | None:
    """The embedded server that was started last; None where there is no readable address."""
    try:
        found = json.loads(address_file().read_text(encoding="utf-8"))
        if "port" in found:
            return LoopbackServer(int(found["port"]), str(found["password"]), int(found["pid"]))
        return EmbeddedServer(str(found["socket"]), int(found["pid"]))
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _address() -> str | OwnServer:
    """Of the Redis in use.

    Raises:
        AppError: ``AFTERIMAGE_REDIS_URL`` is not set and the embedded server is not running.
    """
    if url := get_settings().redis_url:
        return url
    if (server := embedded_server()) is None:
        raise AppError("The queue is not running.", "Open the program's window, or start a worker.")
    return server


def redis_url() -> str:
    """The address of the Redis in use, with its password.

    Raises:
        AppError: ``AFTERIMAGE_REDIS_URL`` is not set and the embedded server is not running.
    """
    address = _address()
    return address if isinstance(address, str) else address.url


def get_redis(within_s: float = ANSWER_WITHIN_S) -> Redis:
    """A client of this process: shared by its threads, and a new one once the address changes.

    Args:
        within_s: the longest that one command may take, waiting for something included; a server
            that went silent is noticed after so many seconds.

    Raises:
        AppError: no address is known, or ``AFTERIMAGE_REDIS_URL`` is not one.
    """
    return _client(_address(), within_s)


@lru_cache(maxsize=3)
def _client(address: str | OwnServer, within_s: float) -> Redis:
    client = connect(address, answer_within_s=within_s, client_name=process_name())
    _clients.append(client)
    return client


_clients: list[Redis] = []


def close_redis() -> None:
    """Close this process's clients; the next use makes new ones."""
    _client.cache_clear()
    while _clients:
        _clients.pop().close()


def connect(
    address: str | OwnServer, *, answer_within_s: float, client_name: str | None = None
) -> Redis:
    """A new client; nothing is sent yet.

    A connection that broke, because the server was started again, is opened again once. A server
    that is slow is not asked twice, as the default of redis-py would.

    Args:
        address: the embedded server, or the URL of another one.
        answer_within_s: the longest that one command may take, in seconds.
        client_name: what its connections are called in the server's list of clients.

    Raises:
        AppError: the address cannot be read.
    """
    options: dict[str, Any] = {
        "socket_timeout": answer_within_s,
        "socket_connect_timeout": CONNECT_WITHIN_S,
        "retry": Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
        "client_name": client_name,
    }
    if isinstance(address, EmbeddedServer):
        pool = ConnectionPool(OwnServerConnection, path=address.socket, pid=address.pid, **options)
        return Redis.from_pool(pool)
    if isinstance(address, LoopbackServer):
        options |= {"host": LOOPBACK, "port": address.port, "password": address.password}
        options |= {"pid": address.pid, "protocol": 2}  # in the older one the password comes first
        return Redis.from_pool(ConnectionPool(LoopbackConnection, **options))
    try:
        return Redis.from_url(address, **options)
    except ValueError:
        raise AppError(
            f"AFTERIMAGE_REDIS_URL is set to {hide_in_address(address)}, which is not an address "
            "of a Redis "
            "server.",
            "Write it like redis://host:6379/0, with :password@ before the host.",
        ) from None  # the error tells parts of the password
