"""Start with the desktop: an entry in the person's autostart folder, as freedesktop.org has it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from app.desktop_entry import NAME, desktop_entry, remove_entry, write_entry
from app.program import program_command

IN_TRAY = "--in-tray"
"""The program's argument for a start without a window."""
_OFF = ("hidden=true", "x-gnome-autostart-enabled=false")
"""What desktops write into an entry instead of removing it."""


def is_known_here() -> bool:
    """Whether this system starts programs by such entries."""
    return sys.platform.startswith("linux")


def entry_file(environ: Mapping[str, str] = os.environ) -> Path:
    """The entry in ``$XDG_CONFIG_HOME``; a relative one is to be ignored, says the standard."""
    wanted = environ.get("XDG_CONFIG_HOME", "")
    home = Path(wanted) if os.path.isabs(wanted) else Path.home() / ".config"
    return home / "autostart" / f"{NAME}.desktop"


def is_on() -> bool:
    """Whether Afterimage starts with the desktop."""
    try:
        lines = entry_file().read_text(encoding="utf-8", errors="replace").lower().split("\n")
    except OSError:
        return False
    return not any(line.strip().replace(" ", "") in _OFF for line in lines)


def set_on(on: bool) -> None:
    """Have it start with the desktop, in the tray, or not.

    Raises:
        AppError: the entry cannot be written or removed.
    """
    if on:
        # not resolved: the link in the environment is what makes it the environment's Python
        program, *arguments = program_command(IN_TRAY)
        command = [os.path.abspath(program), *arguments]
        more = {"X-GNOME-Autostart-enabled": "true"}
        write_entry(entry_file(), desktop_entry(command, more))
    else:
        remove_entry(entry_file())
