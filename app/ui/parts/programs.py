"""The programs that can open a file, by the desktop's own entries, and how one is started.

See the Desktop Entry Specification of freedesktop.org. Other systems keep their list to themselves:
there, a program is chosen as a file.
"""

from __future__ import annotations

import configparser
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.errors import AppError

SECTION = "Desktop Entry"
_started: list[subprocess.Popen[bytes]] = []
"""Programs that may still run; they outlive the window."""


@dataclass(frozen=True, slots=True)
class DesktopProgram:
    """A program that says which kinds of files it opens."""

    name: str
    command: str
    """``Exec`` of its entry."""
    kinds: frozenset[str]
    """MIME types."""


def installed_programs() -> list[DesktopProgram]:
    """The programs that open any kind of picture, by name; reads many small files."""
    found: dict[str, DesktopProgram | None] = {}
    for folder in _data_folders():
        for file in sorted(Path(folder, "applications").rglob("*.desktop")):
            # the first folder wins: a person's own entry hides the system's
            found.setdefault(str(file.relative_to(Path(folder, "applications"))), _read(file))
    programs = {program.name: program for program in found.values() if program}
    return sorted(programs.values(), key=lambda program: program.name.casefold())


def _data_folders() -> Iterator[str]:
    if sys.platform in ("win32", "darwin"):
        return
    yield os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")
    everyone = os.environ.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share"
    yield from filter(os.path.isabs, everyone.split(":"))


def _read(file: Path) -> DesktopProgram | None:
    parser = configparser.RawConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    try:
        parser.read_string(file.read_text(encoding="utf-8"))
        entry = parser[SECTION]
    except (OSError, UnicodeError, KeyError, configparser.Error):
        return None
    kinds = frozenset(filter(None, entry.get("MimeType", "").split(";")))
    hidden = any(entry.get(key) == "true" for key in ("Hidden", "NoDisplay", "Terminal"))
    wanted = entry.get("TryExec")
    if (
        entry.get("Type") != "Application"
        or hidden
        or not entry.get("Exec")
        or not any(kind.startswith("image/") for kind in kinds)
        or (wanted and shutil.which(wanted) is None)
    ):
        return None
    language = os.environ.get("LC_MESSAGES") or os.environ.get("LANG", "")
    names = (f"Name[{language.partition('.')[0]}]", f"Name[{language[:2]}]", "Name")
    name = next((entry[key] for key in names if entry.get(key)), file.stem)
    return DesktopProgram(name, entry["Exec"], kinds)


def commands(program: DesktopProgram, paths: Sequence[str]) -> list[list[str]]:
    """What to start so that a program opens these files: once, or once a file."""
    words = shlex.split(program.command)
    if not any(word in ("%F", "%U") for word in words):
        return [_filled(words, [path]) for path in paths]
    return [_filled(words, paths)]


def _filled(words: Sequence[str], paths: Sequence[str]) -> list[str]:
    made: list[str] = []
    used = False
    for word in words:
        if word in ("%f", "%F"):
            made += paths
            used = True
        elif word in ("%u", "%U"):
            made += [Path(path).as_uri() for path in paths]
            used = True
        elif word == "%c" or not (len(word) == 2 and word[0] == "%"):  # %i and %k: nothing to say
            made.append(word.replace("%%", "%"))
    return made if used else [*made, *paths]


def open_with(program: DesktopProgram | str, paths: Sequence[str]) -> None:
    """Have a program open files; returns at once.

    Args:
        program: or the path of one.

    Raises:
        AppError: it cannot be started.
    """
    if isinstance(program, DesktopProgram):
        name, made = program.name, commands(program, paths)
    else:
        name = os.path.basename(program)
        bundle = sys.platform == "darwin" and program.endswith(".app")
        made = [["open", "-a", program, *paths] if bundle else [program, *paths]]
    _started[:] = [running for running in _started if running.poll() is None]
    for command in made:
        try:
            _started.append(
                subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    cwd=os.path.expanduser("~"),
                    start_new_session=True,
                )
            )
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise AppError(
                f"{name} could not be started: {reason}.", "Choose another program."
            ) from error
