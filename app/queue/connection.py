"""Where Redis is, and a client for it."""

from __future__ import annotations

import json
from contextlib import suppress
from functools import lru_cache

from redis import Redis
from sqlalchemy.engine import make_url

from app.config import get_settings
from app.errors import AppError

ADDRESS_NAME = "redis.json"
"""In the run folder, readable by this user only: port, password and pid of the embedded server."""

SOCKET_TIMEOUT_S = 660.0
"""Above RQ's longest blocking call; redis-py's own default of 5 s would break it."""


def redis_url() -> str:
    """The server of ``REDIS_URL``, else the embedded one.

    Raises:
        AppError: neither is known.
    """
    if url := get_settings().redis_url:
        return url
    try:
        address = json.loads((get_settings().run_dir / ADDRESS_NAME).read_text())
        return f"redis://:{address['password']}@127.0.0.1:{address['port']}/0"
    except (OSError, ValueError, KeyError) as error:
        raise AppError("The queue is not running.", "It is started with the window.") from error


def get_redis() -> Redis:
    """A client for the server that is in use now; one a process and address."""
    return connect(redis_url())


@lru_cache(maxsize=4)
def connect(url: str) -> Redis:
    """A client that waits long for answers, but not for a connection."""
    return Redis.from_url(url, socket_timeout=SOCKET_TIMEOUT_S, socket_connect_timeout=2.0)


def close_redis() -> None:
    """Close every connection that this process holds."""
    if connect.cache_info().currsize:
        with suppress(AppError):  # the server is gone, and its connections with it
            get_redis().close()
        connect.cache_clear()


def safe_url(url: str) -> str:
    """The address without its password, fit to be shown."""
    return make_url(url).render_as_string(hide_password=True)
