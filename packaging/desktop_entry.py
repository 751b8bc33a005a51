"""Put Afterimage into the person's own applications menu, or take it out again.

    python packaging/desktop_entry.py install
    python packaging/desktop_entry.py uninstall

The entry starts the Python that ran this script. Nothing outside the person's own data folder
($XDG_DATA_HOME) is touched, and no administrator is needed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from app.bundled import RESOURCES
from app.desktop_entry import NAME, desktop_entry, remove_entry, write_entry
from app.errors import AppError

ICONS = {
    "afterimage.svg": "icons/hicolor/scalable/apps/afterimage.svg",
    "afterimage.png": "icons/hicolor/256x256/apps/afterimage.png",
}
"""From a file in ``resources/icons`` to its place in the data folder."""

ENTRY = f"applications/{NAME}.desktop"

OPENS = (
    "inode/directory",
    *(f"image/{name}" for name in ("jpeg", "png", "webp", "gif", "bmp", "tiff", "heif", "avif")),
)
"""What a file manager may hand over; camera RAW has no types that are known everywhere."""


def data_home(environ: Mapping[str, str] = os.environ) -> Path:
    """``$XDG_DATA_HOME``; a relative one is to be ignored, says the standard."""
    wanted = environ.get("XDG_DATA_HOME", "")
    return Path(wanted) if os.path.isabs(wanted) else Path.home() / ".local" / "share"


def menu_entry(command: Sequence[str]) -> bytes:
    """The entry of an applications menu; file managers may open folders and pictures with it.

    Raises:
        AppError: the command cannot be written into such a file.
    """
    return desktop_entry(command, {"MimeType": "".join(f"{name};" for name in OPENS)})


def install(home: Path, python: str) -> str:
    """Write entry and icons, replacing older ones; what was done, as a sentence.

    Raises:
        AppError: the entry cannot be written.
    """
    # -P: what lies in the current folder must not be taken for a module
    entry = menu_entry([python, "-P", "-m", "app"])
    for source, place in ICONS.items():
        write_entry(home / place, (RESOURCES / "icons" / source).read_bytes())
    write_entry(home / ENTRY, entry)
    _tell_desktop(home)
    return f"Afterimage is now in your applications menu ({home / ENTRY})."


def uninstall(home: Path) -> str:
    """Remove what :func:`install` wrote and nothing else; what was done, as a sentence.

    Raises:
        AppError: a file cannot be removed.
    """
    removed = [remove_entry(home / place) for place in (ENTRY, *ICONS.values())]
    if not any(removed):
        return "Afterimage was not in your applications menu."
    _tell_desktop(home)
    return "Afterimage is no longer in your applications menu; its data stays."


def _tell_desktop(home: Path) -> None:
    """Bring the desktop's own index up to date, where it has one."""
    applications = home / "applications"
    if (program := shutil.which("update-desktop-database")) and applications.is_dir():
        subprocess.run([program, "--quiet", str(applications)], check=False)


def main() -> int:
    """Do what the command line says; the exit code."""
    parser = argparse.ArgumentParser(description="Afterimage in your applications menu.")
    parser.add_argument("action", choices=("install", "uninstall"))
    action = parser.parse_args().action
    try:
        if sys.platform in ("win32", "darwin"):
            raise AppError(
                "Menu entries of this kind are for Linux desktops.", "Start it with: make run"
            )
        home = data_home()
        # not resolved: the link in the environment is what makes it the environment's Python
        python = os.path.abspath(sys.executable)
        print(install(home, python) if action == "install" else uninstall(home))
    except AppError as error:
        print(error.message, error.hint, sep="\n", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
