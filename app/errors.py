"""The one kind of error that a person is shown; anything else that is raised is a bug."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.masking import hide

if TYPE_CHECKING:
    from pydantic import ValidationError


class AppError(Exception):
    """Something that a person can act on.

    Args:
        message: what happened and why, as one plain sentence.
        hint: what to do about it, as one plain sentence; may be empty.
        transient: it passes, by itself or once a person has acted, and whoever it stopped can
            simply try again: a server that is away, a disk that is full or not connected.

    Passwords in either are hidden, because others' errors and addresses are quoted in them.
    """

    def __init__(self, message: str, hint: str = "", *, transient: bool = False) -> None:
        self.message = hide(message)
        self.hint = hide(hint)
        self.transient = transient
        super().__init__(self.message)

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


def first_line(error: BaseException) -> str:
    """The first line of an error's text, or its class where it has none: without a full stop, so
    that it can end a sentence."""
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(" .:") if lines else type(error).__name__


def first_refused(error: ValidationError) -> tuple[str, str]:
    """The first value that pydantic refused: its name, empty for the whole, and what it should have
    been, as the end of a sentence: ``must be greater than 0``."""
    first = error.errors()[0]
    message = first["msg"].removeprefix("Value error, ")
    for subject in ("Input", "String"):
        message = message.replace(f"{subject} should", "must", 1)
    return str(first["loc"][0]) if first["loc"] else "", message
