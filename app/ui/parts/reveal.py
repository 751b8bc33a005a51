"""Show a file in the system's file manager."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices

from app.errors import AppError
from app.printable import printable


async def reveal(path: str) -> None:
    """Open the folder of a file with the file selected, or just the folder.

    A folder that is gone opens its nearest parent that is there.

    Raises:
        AppError: there is no file manager.
    """
    folder = await asyncio.to_thread(_reveal, path)
    if folder and not QDesktopServices.openUrl(QUrl.fromLocalFile(folder)):
        raise AppError("No file manager could be opened.", f"The file is in {printable(folder)}.")


def _reveal(path: str) -> str:
    """Select the file where the system can do that; else the folder that is to be opened."""
    if os.path.exists(path) and _succeeds(_command(path)):
        return ""
    folder = os.path.dirname(path)
    while not os.path.isdir(folder) and os.path.dirname(folder) != folder:
        folder = os.path.dirname(folder)
    return folder


def _command(path: str) -> list[str]:
    if sys.platform == "darwin":
        return ["open", "-R", path]
    if sys.platform == "win32":
        return ["explorer", "/select,", path]
    # percent-encoded, so that any name survives; dbus-send would split an array at its commas
    url = Path(path).as_uri().replace(",", "%2C")
    return [
        "dbus-send",
        "--session",
        "--print-reply",
        "--dest=org.freedesktop.FileManager1",
        "--type=method_call",
        "/org/freedesktop/FileManager1",
        "org.freedesktop.FileManager1.ShowItems",
        f"array:string:{url}",
        "string:",
    ]


def _succeeds(command: list[str]) -> bool:
    try:
        code = subprocess.run(command, capture_output=True, timeout=5, check=False).returncode
    except (OSError, subprocess.TimeoutExpired):
        return False
    return code == 0 or sys.platform == "win32"  # explorer returns 1 also when it succeeded
