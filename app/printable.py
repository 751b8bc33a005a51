"""Names of files as text: what the system allows in them is more than a line of text can show."""

from __future__ import annotations

import os


def printable(path: str) -> str:
    """A path that any terminal and window can show, whether it is UTF-8 and of one line or not."""
    text = os.fsencode(path).decode("utf-8", "replace")
    return text.replace("\r", "").replace("\n", "⏎")
