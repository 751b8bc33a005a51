"""Where Redis is, and the one client of this process to it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry

from app.config import get_settings
from app.errors import AppError
from app.queue.liveness import process_name

CONNECT_WITHIN_S = 2.0
ANSWER_WITHIN_S = 5.0


@dataclass(frozen=True, slots=True)
class EmbeddedServer:
    """The address of the embedded Redis, as its starter leaves it in the data folder."""

    port: int
    password: str = field(repr=False)
    pid: int

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"


def address_file() -> Path:
    """Where the embedded server's address is; only its owner may read it."""
    return get_settings().run_dir / "redis.json"


def embedded_server() -> EmbeddedServer | None:
    """The embedded server that was started last; None where there is no readable address."""
    try:
        found = json.loads(address_file().read_text(encoding="utf-8"))
        return EmbeddedServer(int(found["port"]), str(found["password"]), int(found["pid"]))
    except (OSError, ValueError, TypeError, KeyError):
        return None


def redis_url() -> str:
    """The address of the Redis in use, with its password.

    Raises:
        AppError: ``REDIS_URL`` is not set and the embedded server is not running.
    """
    if url := get_settings().redis_url:
        return url
    if (server := embedded_server()) is None:
        raise AppError("The queue is not running.", "Open the program's window, or start a worker.")
    return server.url


def get_redis(within_s: float = ANSWER_WITHIN_S) -> Redis:
    """A client of this process: shared by its threads, and a new one once the address changes.

    Args:
        within_s: the longest that one command may take, waiting for something included; a server
            that went silent is noticed after so many seconds.

    Raises:
        AppError: no address is known, or ``REDIS_URL`` is not one.
    """
    return _client(redis_url(), within_s)


@lru_cache(maxsize=3)
def _client(url: str, within_s: float) -> Redis:
    client = connect(url, answer_within_s=within_s, client_name=process_name())
    _clients.append(client)
    return client


_clients: list[Redis] = []


def close_redis() -> None:
    """Close this process's clients; the next use makes new ones."""
    _client.cache_clear()
    while _clients:
        _clients.pop().close()


def connect(url: str, *, answer_within_s: float, **options: Any) -> Redis:
    """A new client; nothing is sent yet.

    A connection that broke, because the server was started again, is opened again once. A server
    that is slow is not asked twice, as the default of redis-py would.

    Args:
        answer_within_s: the longest that one command may take, in seconds.
        options: further arguments for redis-py.

    Raises:
        AppError: the address cannot be read.
    """
    try:
        return Redis.from_url(
            url,
            socket_timeout=answer_within_s,
            socket_connect_timeout=CONNECT_WITHIN_S,
            retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
            **options,
        )
    except ValueError as error:
        raise AppError(
            f"REDIS_URL is set to {safe_url(url)}, which is not an address of a Redis server.",
            "Write it like redis://:password@host:6379/0.",
        ) from error


def safe_url(url: str) -> str:
    """The address with its password hidden, fit for windows and logs."""
    hidden = re.sub(r"(?<=://)([^:@/]*):.*@", r"\1:***@", url)
    return re.sub(r"(?<=[?&]password=)[^&]*", "***", hidden)
