"""Put Afterimage into the person's own applications menu, or take it out again.

    python packaging/desktop_entry.py install
    python packaging/desktop_entry.py uninstall

The entry starts the Python that ran this script. Nothing outside the person's own data folder
($XDG_DATA_HOME) is touched, and no administrator is needed.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from app.bundled import RESOURCES
from app.errors import AppError

NAME = "afterimage"
"""Of the entry and its icon; the window tells the desktop the same (``setDesktopFileName``)."""

WINDOW_CLASS = "Afterimage"
"""The class that the window has under X11."""

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

_PLAIN = re.compile(r"[\w@%+:,./-]+", re.ASCII)
_TEXT_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", "\t": r"\t", "\r": r"\r"})
_QUOTED_ESCAPES = str.maketrans({char: f"\\{char}" for char in '\\"`$'})


def data_home(environ: Mapping[str, str] = os.environ) -> Path:
    """``$XDG_DATA_HOME``; a relative one is to be ignored, says the standard."""
    wanted = environ.get("XDG_DATA_HOME", "")
    return Path(wanted) if os.path.isabs(wanted) else Path.home() / ".local" / "share"


def exec_value(command: Sequence[str]) -> str:
    """The value of ``Exec`` that starts ``command``, whatever its arguments contain.

    Raises:
        AppError: the standard has no way to write this program's path.
    """
    if "=" in command[0]:
        raise AppError(
            f"A menu entry cannot start {command[0]}, because its path has an equals sign.",
            "Move Afterimage to a folder without one and set it up again.",
        )
    return " ".join(_quoted(argument) for argument in command).translate(_TEXT_ESCAPES)


def _quoted(argument: str) -> str:
    text = argument.replace("%", "%%")
    return text if _PLAIN.fullmatch(text) else f'"{text.translate(_QUOTED_ESCAPES)}"'


def desktop_entry(python: str) -> bytes:
    """The file that describes Afterimage to a desktop, started by this Python.

    Raises:
        AppError: the path of ``python`` cannot be written into such a file.
    """
    # -P: what lies in the current folder must not be taken for a module
    return menu_entry([python, "-P", "-m", "app"])


def menu_entry(command: Sequence[str]) -> bytes:
    """The same for any command.

    Raises:
        AppError: the command cannot be written into such a file.
    """
    lines = {
        "Type": "Application",
        "Name": "Afterimage",
        "GenericName": "Picture Search",
        "Comment": "Find any of your pictures by describing it",
        "Exec": f"{exec_value(command)} %f",
        # with the program gone, the entry is hidden instead of failing
        "TryExec": command[0].translate(_TEXT_ESCAPES),
        "Icon": NAME,
        "Categories": "Graphics;Photography;",
        "Keywords": "photo;picture;image;search;find;",
        "MimeType": "".join(f"{name};" for name in OPENS),
        "StartupNotify": "true",
        "StartupWMClass": WINDOW_CLASS,
        "Terminal": "false",
    }
    text = "\n".join(["[Desktop Entry]", *(f"{key}={value}" for key, value in lines.items()), ""])
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        shown = os.fsencode(command[0]).decode("utf-8", "replace")
        raise AppError(
            f"A menu entry cannot start {shown}, because its path is not in UTF-8.",
            "Move Afterimage to a folder with a plain name and set it up again.",
        ) from error


def install(home: Path, python: str) -> str:
    """Write entry and icons, replacing older ones; what was done, as a sentence.

    Raises:
        AppError: the entry cannot be written.
    """
    entry = desktop_entry(python)
    for source, place in ICONS.items():
        _write(home / place, (RESOURCES / "icons" / source).read_bytes())
    _write(home / ENTRY, entry)
    _tell_desktop(home)
    return f"Afterimage is now in your applications menu ({home / ENTRY})."


def uninstall(home: Path) -> str:
    """Remove what :func:`install` wrote and nothing else; what was done, as a sentence.

    Raises:
        AppError: a file cannot be removed.
    """
    removed = [_remove(home / place) for place in (ENTRY, *ICONS.values())]
    if not any(removed):
        return "Afterimage was not in your applications menu."
    _tell_desktop(home)
    return "Afterimage is no longer in your applications menu; its data stays."


def _write(path: Path, content: bytes) -> None:
    partial = path.with_name(f".{path.name}.partial")  # a desktop never reads half a file
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(content)
        partial.replace(path)
    except OSError as error:
        raise AppError(
            f"{path} could not be written: {error.strerror}.",
            "Check that the folder is yours and the disk is not full.",
        ) from error


def _remove(path: Path) -> bool:
    try:
        path.unlink()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise AppError(
            f"{path} could not be removed: {error.strerror}.", "Check that the folder is yours."
        ) from error
    return True


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
