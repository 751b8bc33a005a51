"""Passwords in addresses, in whatever shape and whatever text."""

from __future__ import annotations

import logging

import pytest

from app import masking
from app.errors import AppError
from app.logs import log_file, set_up_logs
from app.masking import hide, hide_in_address, kind_of, learn

SHOWN = [
    ("redis://localhost:6379/0", "redis://localhost:6379/0"),
    ("redis://:secret@localhost:6379/0", "redis://:***@localhost:6379/0"),
    ("rediss://user:secret@host/1", "rediss://user:***@host/1"),
    ("redis://user:se@c/r:et@host:1/0", "redis://user:***@host:1/0"),
    ("redis://:secret", "redis://:***"),
    ("redis://:se/cret", "redis://:***"),
    ("redis://secret@host", "redis://***@host"),
    ("unix:///run/redis.sock?db=1", "unix:///run/redis.sock?db=1"),
    ("unix:///run/r.sock?db=1&password=secret", "unix:///run/r.sock?db=1&password=***"),
    ("postgresql://alice@db/x", "postgresql://alice@db/x"),
    ("postgresql://alice:s%40cret@db/x", "postgresql://alice:***@db/x"),
    ("postgresql://alice:secret%40db/x", "postgresql://alice:***"),
    ("postgresql:///x?user=a&password=secret", "postgresql:///x?user=a&password=***"),
    ("postgresql://h/x?sslpassword=secret&port=1", "postgresql://h/x?sslpassword=***&port=1"),
    ("https://secret@host:6333", "https://***@host:6333"),
    ("https://:secret@host:6333", "https://:***@host:6333"),
    ("https://host:6333?api_key=secret", "https://host:6333?api_key=***"),
    ("https://host:6333?api-key=secret&x=1", "https://host:6333?api-key=***&x=1"),
    ("http://[::1]:6333", "http://[::1]:6333"),
    ("sqlite:////home/a@b/x.sqlite3", "sqlite:////home/a@b/x.sqlite3"),
]


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masking, "_known", set())


@pytest.mark.parametrize(("address", "shown"), SHOWN)
def test_an_address_is_shown_without_its_password(address: str, shown: str) -> None:
    assert hide_in_address(address) == shown


@pytest.mark.parametrize(("address", "shown"), SHOWN)
def test_an_address_in_a_sentence_is_shown_without_its_password(address: str, shown: str) -> None:
    assert hide(f"The server at {address}, or '{address}', is away.") == (
        f"The server at {shown}, or '{shown}', is away."
    )


def test_an_address_without_its_beginning_is_hidden_too() -> None:
    assert hide_in_address("alice:secret@db/x") == "alice:***@db/x"
    assert kind_of("alice:secret@db/x") == ""
    assert kind_of("mysql://x") == "mysql://"


def test_the_words_of_a_database_driver_are_hidden() -> None:
    assert hide("host=db user=a password='se cret' port=1") == "host=db user=a password=*** port=1"


def test_a_known_password_is_hidden_wherever_it_stands() -> None:
    learn("postgresql://alice:much%20ado@db/x?sslpassword=about-it")
    assert (
        hide("invalid value 'much ado' (much%20ado), about-it") == "invalid value '***' (***), ***"
    )


def test_a_password_that_is_also_an_innocent_word_is_not_looked_for() -> None:
    learn("postgresql://postgres:postgres@db/x")
    learn("redis://:a@db")
    assert hide("postgresql is away") == "postgresql is away"


def test_an_error_for_people_hides_what_it_quotes() -> None:
    error = AppError("No redis://:secret@host here.", "Try password=secret.")
    assert (error.message, error.hint) == ("No redis://:***@host here.", "Try password=***.")
    assert "secret" not in repr(error)


def test_the_log_hides_passwords_also_in_the_text_of_errors(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    set_up_logs("window")
    log = logging.getLogger("app.test")
    try:
        raise ValueError("cannot parse redis://:s3cr3t@host")
    except ValueError:
        log.exception("no connection to %s", "https://host?api_key=s3cr3t")
    for handler in logging.getLogger().handlers:
        handler.close()
    written = log_file("window").read_text()
    assert "cannot parse redis://:***@host" in written
    assert "api_key=***" in written
    assert "s3cr3t" not in written
