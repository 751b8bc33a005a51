"""The address of Redis and the client to it; no server is needed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.config import get_settings
from app.errors import AppError
from app.queue.connection import address_file, embedded_server, get_redis, redis_url, safe_url


def write_address(port: int) -> None:
    address_file().parent.mkdir(parents=True, exist_ok=True)
    address_file().write_text(json.dumps({"port": port, "password": "secret", "pid": 1}))


@pytest.fixture
def given_url(monkeypatch: pytest.MonkeyPatch) -> str:
    url = "redis://user:secret@redis.example:6380/2"
    monkeypatch.setenv("REDIS_URL", url)
    get_settings.cache_clear()
    return url


def test_the_given_address_wins(given_url: str) -> None:
    write_address(7001)
    assert redis_url() == given_url


def test_the_embedded_server_is_found_by_its_file(data_dir: Path) -> None:
    write_address(7001)
    assert address_file() == data_dir / "run" / "redis.json"
    assert redis_url() == "redis://:secret@127.0.0.1:7001/0"
    assert "secret" not in repr(embedded_server())


@pytest.mark.parametrize("content", [None, "", "{}", "[]", "null", '{"port": "x", "pid": 1}'])
def test_without_a_readable_address_the_queue_is_not_running(content: str | None) -> None:
    if content is not None:
        write_address(7001)
        address_file().write_text(content)
    with pytest.raises(AppError, match=r"^The queue is not running\. .+"):
        get_redis()


def test_the_client_is_shared_until_the_address_changes() -> None:
    write_address(7001)
    first = get_redis()
    assert get_redis() is first
    write_address(7002)
    assert get_redis() is not first
    assert get_redis().connection_pool.connection_kwargs["port"] == 7002


def test_a_silent_server_is_noticed_within_seconds_except_by_who_waits_for_something(
    given_url: str,
) -> None:
    options = get_redis().connection_pool.connection_kwargs
    assert options["socket_timeout"] <= 5
    assert options["socket_connect_timeout"] <= 2
    waiting = get_redis(610).connection_pool.connection_kwargs
    assert waiting["socket_timeout"] == 610
    assert get_redis() is not get_redis(610)


def test_an_address_that_is_none_is_reported_without_its_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://:secret@host:port/0")
    get_settings.cache_clear()
    with pytest.raises(AppError, match="REDIS_URL is set to") as caught:
        get_redis()
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://localhost:6379/0", "redis://localhost:6379/0"),
        ("redis://:secret@localhost:6379/0", "redis://:***@localhost:6379/0"),
        ("rediss://user:secret@host/1", "rediss://user:***@host/1"),
        ("redis://user:se@c/r:et@host:1/0", "redis://user:***@host:1/0"),
        ("unix:///run/redis.sock?db=1", "unix:///run/redis.sock?db=1"),
        ("unix:///run/r.sock?db=1&password=secret", "unix:///run/r.sock?db=1&password=***"),
    ],
)
def test_a_shown_address_has_no_password(url: str, shown: str) -> None:
    assert safe_url(url) == shown
