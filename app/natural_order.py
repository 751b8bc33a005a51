"""Names as people sort them: without regard to case, numbers in them by their value."""

from __future__ import annotations

import re

_NUMBER = re.compile(r"\d+")
_LONGEST = 40
"""Digits of a number; longer ones are sorted like words."""


def natural_key(name: str) -> str:
    """A text that sorts, letter by letter, as the name does naturally: ``IMG_2`` before ``IMG_10``.

    How many digits a number has stands before it, as a sign between the digits and the letters.
    """
    return _NUMBER.sub(_measured, name.casefold())


def _measured(number: re.Match[str]) -> str:
    digits = number[0].lstrip("0")
    return chr(ord("0") + min(len(digits), _LONGEST)) + digits
