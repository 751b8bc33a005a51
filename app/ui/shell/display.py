"""Whether a window can be shown here; asked before Qt, which would abort instead of raising."""

from __future__ import annotations

import ctypes
import os
import sys

from app.errors import AppError, first_line
from app.imports import importing

LIBRARIES = {
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libgssapi_krb5.so.2": "libgssapi-krb5-2",
}
"""What Qt's window plugin needs on Linux, and Debian's package for each."""


def has_display() -> bool:
    """There is a screen, or Qt was told to do without one."""
    if not sys.platform.startswith("linux") or os.environ.get("QT_QPA_PLATFORM"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def missing_packages() -> list[str]:
    """Debian packages that a window needs and that are not installed."""
    if not sys.platform.startswith("linux") or os.environ.get("QT_QPA_PLATFORM"):
        return []
    return [package for name, package in LIBRARIES.items() if not _loads(name)]


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def require_libraries() -> None:
    """Raise an AppError that says what to install, where something is missing."""
    if packages := missing_packages():
        raise AppError(
            "Some system libraries that the window needs are missing.",
            f"Install them with: sudo apt-get install {' '.join(packages)}",
        )


def open_window(path: str = "", *, in_tray: bool = False) -> int:
    """Show the window until it is closed; the exit code.

    Args:
        path: a folder or picture that a person opens with the program.
        in_tray: begin as an icon in the tray.

    Raises:
        AppError: something that it needs is not installed.
    """
    require_libraries()
    try:
        with importing():
            from app.ui.shell.main import run_window
    except ImportError as error:
        raise AppError(
            f"The window cannot be opened: {first_line(error)}.",
            "Install the program again; or use it in the terminal: afterimage --help",
        ) from error
    return run_window(path, in_tray=in_tray)


if __name__ == "__main__":
    print(" ".join(missing_packages()) if has_display() else "")
