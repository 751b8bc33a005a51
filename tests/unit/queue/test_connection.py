"""The address of Redis and the client to it; no server is needed."""

from __future__ import annotations

import json
import traceback
from pathlib import Path

import pytest
from redis.connection import parse_url

from app.config import get_settings
from app.errors import AppError
from app.masking import hide_in_address
from app.queue.connection import (
    LoopbackServer,
    address_file,
    embedded_server,
    get_redis,
    redis_url,
)


def write_address(socket: str) -> None:
    address_file().parent.mkdir(parents=True, exist_ok=True)
    address_file().write_text(json.dumps({"socket": socket, "pid": 1}))


@pytest.fixture
def given_url(monkeypatch: pytest.MonkeyPatch) -> str:
    url = "redis://user:secret@redis.example:6380/2"
    monkeypatch.setenv("AFTERIMAGE_REDIS_URL", url)
    get_settings.cache_clear()
    return url


def test_the_given_address_wins(given_url: str) -> None:
    write_address("/run/a?b #%.sock")
    assert redis_url() == given_url


def test_the_embedded_server_is_found_by_its_file(data_dir: Path) -> None:
    write_address("/run/a?b #%.sock")
    assert address_file() == data_dir / "run" / "redis.json"
    assert redis_url() == "unix:///run/a%3Fb%20%23%25.sock"
    assert parse_url(redis_url())["path"] == "/run/a?b #%.sock"


def test_a_server_on_the_loopback_is_found_by_its_file() -> None:
    address_file().parent.mkdir(parents=True, exist_ok=True)
    address_file().write_text('{"port": 5, "password": "pass-word_1", "pid": 1}')
    assert embedded_server() == LoopbackServer(5, "pass-word_1", 1)
    options = parse_url(redis_url())
    assert (options["host"], options["port"], options["password"]) == (
        "127.0.0.1",
        5,
        "pass-word_1",
    )
    assert "pass-word_1" not in hide_in_address(redis_url())


@pytest.mark.parametrize(
    "content",
    [None, "", "{}", "[]", "null", '{"socket": "/x", "pid": "x"}', '{"port": 5, "pid": 1}'],
)
def test_without_a_readable_address_the_queue_is_not_running(content: str | None) -> None:
    if content is not None:
        write_address("/run/a?b #%.sock")
        address_file().write_text(content)
    with pytest.raises(AppError, match=r"^The queue is not running\. .+"):
        get_redis()


def test_the_client_is_shared_until_the_address_changes() -> None:
    write_address("/run/a?b #%.sock")
    first = get_redis()
    assert get_redis() is first
    write_address("/run/other.sock")
    assert get_redis() is not first
    assert get_redis().connection_pool.connection_kwargs["path"] == "/run/other.sock"


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
    monkeypatch.setenv("AFTERIMAGE_REDIS_URL", "redis://:sec/ret@host:port/0")
    get_settings.cache_clear()
    with pytest.raises(AppError, match="AFTERIMAGE_REDIS_URL is set to") as caught:
        get_redis()
    shown = "".join(traceback.format_exception(caught.value))
    assert "sec" not in shown.replace("secrets", "")
