"""A screen that nobody sees, for tests with real mouse, keys and windows."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from system_packages import need

GRID = str(Path(__file__).parent / "ui" / "grid_window.py")
"""A program that shows files in a grid; see there."""


@contextmanager
def virtual_screen(size: str = "1280x800") -> Iterator[str]:
    """An X server of the test's own; its name, for ``DISPLAY``."""
    need("Xvfb", "xdotool")
    reader, writer = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writer), "-screen", "0", f"{size}x24", "-nolisten", "tcp"],
        pass_fds=[writer],
        stderr=subprocess.DEVNULL,
    )
    os.close(writer)
    try:
        with os.fdopen(reader) as pipe:
            number = pipe.readline().strip()
        assert number, "Xvfb did not start"
        yield f":{number}"
    finally:
        server.terminate()
        server.wait(10)


@contextmanager
def program(screen: str, *arguments: str, **environment: str) -> Iterator[Callable[[], str]]:
    """Another Python process with a window; gives a function that waits for its next line."""
    with subprocess.Popen(
        [sys.executable, *arguments],
        env={**os.environ, "DISPLAY": screen, "QT_QPA_PLATFORM": "xcb", **environment},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        lines = process.stdout
        assert lines is not None
        try:
            yield lambda: lines.readline().rstrip("\n")
        finally:
            process.terminate()
