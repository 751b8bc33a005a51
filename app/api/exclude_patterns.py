"""A person's own patterns for what a session leaves out: those of ``.gitignore``, no exceptions."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence

MOST = 200
LONGEST = 500


def clean(patterns: Iterable[str]) -> list[str]:
    """The patterns without blanks around them, empty ones and repeated ones.

    Raises:
        ValueError: one can match nothing, or would match everything; in words for people.
    """
    cleaned = list(dict.fromkeys(item for text in patterns if (item := text.strip())))
    if len(cleaned) > MOST:
        raise ValueError(f"can have at most {MOST} patterns")
    for pattern in cleaned:
        if not pattern.strip("*/"):
            raise ValueError(f"would skip everything because of “{pattern}”")
        if len(pattern) > LONGEST or _expression(pattern) is None:
            raise ValueError(
                f"cannot use “{pattern[:40]}”; write patterns like this: *.png, Exports/"
            )
    return cleaned


def from_root(patterns: Iterable[str], root: str) -> list[str]:
    """The same patterns, those that name a place by its whole path written from the root on."""
    top = root.rstrip(os.sep)
    return [
        item[len(top) :] if item.startswith(top + os.sep) else item for item in map(str, patterns)
    ]


def expressions(patterns: Sequence[str]) -> list[re.Pattern[str]]:
    """What to search for in a path below the root; a folder's path ends with ``/``.

    A match of a folder's path says the same of all that is in it.
    """
    return [found for pattern in patterns if (found := _expression(pattern)) is not None]


def _expression(pattern: str) -> re.Pattern[str] | None:
    """None: not a pattern. What is a comment or an exception elsewhere is a name here."""
    from pathspec import GitIgnoreSpec  # for those who have patterns

    if pattern[0] in "#!":
        pattern = f"\\{pattern}"
    try:
        (translated,) = GitIgnoreSpec.from_lines([pattern]).patterns
    except ValueError:
        return None
    found = getattr(translated, "regex", None)
    # people do not tell IMG.PNG from img.png, and a name may hold a line break
    return found and re.compile(found.pattern, re.IGNORECASE | re.DOTALL)
