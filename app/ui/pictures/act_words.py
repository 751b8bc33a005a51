"""What is said of acts on files: the question before, how far they are, what came of them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from app.printable import printable
from app.ui.parts import words

if TYPE_CHECKING:
    from app.api.file_schemas import ActResult, FileActKind

NAME_LENGTH = 40
UNDER_WAY: dict[FileActKind, str] = {
    "copy": "Copying",
    "move": "Moving",
    "trash": "Moving to the trash:",
    "restore": "Restoring",
}
WHERE_IT_GOES = "You find {} in the trash of this computer until you empty it."


def trash_question(number: int) -> tuple[str, str]:
    """Title and text of the question before files go to the trash."""
    them = "it" if number == 1 else "them"
    this = "this picture" if number == 1 else words.plural(number, "picture")
    return f"Move {this} to the trash?", WHERE_IT_GOES.format(them)


def under_way(kind: FileActKind, number: int, folder: str = "") -> str:
    """``Moving 12 pictures to Family``."""
    to = f" to {folder_name(folder)}" if folder else ""
    return f"{UNDER_WAY[kind]} {words.plural(number, 'picture')}{to}"


def outcome(result: ActResult) -> str:
    """What came of an act, in a sentence or two."""
    done, number = len(result.done), len(result.done) + len(result.failed) + result.left
    noun = ("copy", "copies") if result.undoes and result.kind == "trash" else ("picture",)
    all_of_them = words.plural(number, *noun)
    first = all_of_them if done == number else f"{words.count(done)} of {all_of_them}"
    parts = [f"{first} {_what_was_done(result)}."]
    if result.failed:
        parts.append(_not_done(result))
    if result.ended:
        parts.append(result.ended)
    elif result.left:
        parts.append("It was stopped before the others.")
    return " ".join(parts)


def interrupted(result: ActResult) -> str:
    """What came of an act that the program did not live to see the end of."""
    verb = {"copy": "copied", "move": "moved", "trash": "moved"}.get(result.kind, "restored")
    where = folder_name(result.folder) if result.folder else ""
    to = " to the trash" if result.kind == "trash" else where and f" to {where}"
    parts = [f"{_were(len(result.done), 'picture')} {verb}"] if result.done else []
    parts += [f"{_were(len(result.failed))} not"] if result.failed else []
    first = f"Afterimage ended while pictures were being {verb}{to}: {', '.join(parts)}."
    return f"{first} {_not_done(result)}" if len(result.failed) == 1 else first


def _were(number: int, noun: str = "") -> str:
    counted = words.plural(number, noun) if noun else words.count(number)
    return f"{counted} {'was' if number == 1 else 'were'}"


def _what_was_done(result: ActResult) -> str:
    to = f" to {folder_name(result.folder)}" if result.folder else ""
    return {
        "copy": f"copied{to}",
        "move": "moved back" if result.undoes else f"moved{to}",
        "trash": "moved to the trash",
        "restore": "restored",
    }[result.kind]


def _not_done(result: ActResult) -> str:
    path, reason = result.failed[0]
    first = f"{file_name(path)}: {reason}"
    others = len(result.failed) - 1
    return f"{first} {words.count(others)} more could not be." if others else first


def file_name(path: str) -> str:
    """A file's name, short enough for a sentence."""
    return words.shorten(printable(os.path.basename(path)), NAME_LENGTH)


def folder_name(path: str) -> str:
    """A folder's name, short enough for a sentence."""
    return words.shorten(printable(os.path.basename(path) or path), NAME_LENGTH)
