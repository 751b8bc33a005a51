"""Column types that both SQLite and PostgreSQL store without loss."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime

from sqlalchemy import DateTime, Dialect, Text
from sqlalchemy.types import TypeDecorator

# A path that went through os.path.normpath never holds two slashes in a row, so "//" is free to
# introduce an escape. What is escaped are lone surrogates: on POSIX os.fsdecode makes them from
# bytes that are not UTF-8, on Windows they may stand in the name itself.
_SURROGATE = re.compile("[\ud800-\udfff]")
_ESCAPE = re.compile("//([0-9a-f]{4})")


def path_to_text(path: str) -> str:
    """A file path as text that any database can store; undone by :func:`text_to_path`."""
    if path.isascii():  # known without a look at the letters
        return path
    return _SURROGATE.sub(lambda match: f"//{ord(match[0]):04x}", path)


def text_to_path(text: str) -> str:
    """The path that :func:`path_to_text` was given."""
    return _ESCAPE.sub(lambda match: chr(int(match[1], 16)), text)


def normal_path(path: str | os.PathLike[str]) -> str:
    """An absolute path without ``..``, double or trailing slashes; symbolic links are kept."""
    text = os.path.abspath(os.fspath(path))
    # POSIX lets exactly two leading slashes stand; one means the same on every system we run on.
    return "/" + text.lstrip("/") if text.startswith("//") else text


class PathText(TypeDecorator[str]):
    """A normalised file path; bytes that are not UTF-8 survive the round trip."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else path_to_text(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else text_to_path(value)


class UtcDateTime(TypeDecorator[datetime]):
    """A moment; always timezone-aware UTC in Python."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment needs a time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def utc_now() -> datetime:
    """Now, in UTC."""
    return datetime.now(UTC)
