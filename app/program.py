"""The program itself as a command: how it starts its own child processes, installed or packaged."""

from __future__ import annotations

import sys

FROZEN = bool(getattr(sys, "frozen", False))
"""It runs out of a package that brings its own Python, whose executable is the program."""


def program_command(*arguments: str) -> list[str]:
    """What starts this program once more, with other arguments."""
    if FROZEN:
        return [sys.executable, *arguments]
    # -P: files in the current folder must not be taken for modules
    return [sys.executable, "-P", "-m", "app", *arguments]
