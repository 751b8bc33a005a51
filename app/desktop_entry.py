"""How Linux desktops are told of this program, after freedesktop.org's Desktop Entry standard."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from app.errors import AppError

NAME = "afterimage"
"""Of the entry and its icon; the window tells the desktop the same (``setDesktopFileName``)."""

WINDOW_CLASS = "Afterimage"
"""The class that the window has under X11."""

_PLAIN = re.compile(r"[\w@%+:,./-]+", re.ASCII)
_TEXT_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", "\t": r"\t", "\r": r"\r"})
_QUOTED_ESCAPES = str.maketrans({char: f"\\{char}" for char in '\\"`$'})


def desktop_entry(command: Sequence[str], more: Mapping[str, str] | None = None) -> bytes:
    """The file that describes Afterimage to a desktop.

    Args:
        command: what starts it.
        more: further lines; with a ``MimeType``, files can be opened with it.

    Raises:
        AppError: the command cannot be written into such a file.
    """
    more = more or {}
    lines = {
        "Type": "Application",
        "Name": "Afterimage",
        "GenericName": "Picture Search",
        "Comment": "Find any of your pictures by describing it",
        "Exec": exec_value(command) + (" %f" if "MimeType" in more else ""),
        # with the program gone, the entry is hidden instead of failing
        "TryExec": command[0].translate(_TEXT_ESCAPES),
        "Icon": NAME,
        "Categories": "Graphics;Photography;",
        "Keywords": "photo;picture;image;search;find;",
        "StartupNotify": "true",
        "StartupWMClass": WINDOW_CLASS,
        "Terminal": "false",
        **more,
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


def write_entry(path: Path, content: bytes) -> None:
    """Write a file that a desktop looks at, never half of it.

    Raises:
        AppError: it cannot be written.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(content)
        partial.replace(path)
    except OSError as error:
        raise AppError(
            f"{path} could not be written: {error.strerror}.",
            "Check that the folder is yours and the disk is not full.",
        ) from error


def remove_entry(path: Path) -> bool:
    """Remove such a file; whether it was there.

    Raises:
        AppError: it cannot be removed.
    """
    try:
        path.unlink()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise AppError(
            f"{path} could not be removed: {error.strerror}.", "Check that the folder is yours."
        ) from error
    return True
