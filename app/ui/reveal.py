"""Show a file in the system's file manager."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices


def reveal(path: str) -> None:
    """Open the folder of a file with the file selected, or just the folder; never waits.

    A folder that is gone opens its nearest parent that is there.
    """
    threading.Thread(target=_reveal, args=(path,), name="reveal", daemon=True).start()


def _reveal(path: str) -> None:
    if os.path.exists(path) and (command := _command(path)) and _succeeds(command):
        return
    folder = os.path.dirname(path)
    while not os.path.isdir(folder) and os.path.dirname(folder) != folder:
        folder = os.path.dirname(folder)
    QDesktopServices.openUrl(QUrl.fromLocalFile(folder))


def _command(path: str) -> list[str]:
    if sys.platform == "darwin":
        return ["open", "-R", path]
    if sys.platform == "win32":
        return ["explorer", "/select,", path]
    url = Path(path).as_uri()  # percent-encoded, so any name survives the trip
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
    return code == 0 or sys.platform == "win32"  # explorer always returns 1
