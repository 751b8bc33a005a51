"""What people read about updates, missing pictures and moved folders."""

from __future__ import annotations

import os
import re
from datetime import datetime
from html import escape
from typing import TYPE_CHECKING

from app.ui.parts import words

if TYPE_CHECKING:
    from app.api.update_schemas import MissingPreview, RelocationPreview, UpdateSummary

SCHEDULES = ((0, "by hand"), (1, "every hour"), (24, "every day"), (24 * 7, "every week"))
"""Hours between two updates, and how the choice is called."""


def looking(number: int) -> str:
    """``Looking for changes… 12,000 files``."""
    return (
        f"Looking for changes… {words.plural(number, 'file')}"
        if number
        else ("Looking for changes…")
    )


def result(summary: UpdateSummary, now: datetime | None = None) -> str:
    """``Updated today, 10:32: 12 new, 3 changed, 2 missing``; or why that was not possible."""
    when = words.ago(summary.at, now)
    if summary.message and not has_changes(summary):
        return f"Checked {when}. {summary.message}"
    counts = ", ".join(
        f"{words.count(number)} {word}"
        for number, word in (
            (summary.new, "new"),
            (summary.changed, "changed"),
            (summary.moved, "moved"),
            (summary.missing, "missing"),
            (summary.back, "back again"),
            (summary.left_out, "now skipped"),
        )
        if number
    )
    message = f"Updated {when}: {counts or 'no changes'}"
    return f"{message}. {summary.message}" if summary.message else message


LINKED = {"missing": "missing", "now skipped": "excluded"}
"""Counts that lead to what they count, and the library's state of it."""


def linked(text: str) -> str:
    """A result as rich text, its counts as links to the states of the library."""
    shown = escape(breakable(text))
    for word, state in LINKED.items():
        link = rf'<a href="{state}">\1 {word}</a>'
        shown = re.sub(rf"(?<![\d,])([\d,]+) {word}\b", link, shown, count=1)
    return shown


def breakable(text: str) -> str:
    """A text whose paths may be broken into lines after each folder."""
    return text.replace(os.sep, os.sep + "\u200b")


def has_changes(summary: UpdateSummary) -> bool:
    """Whether an update found anything other than it was."""
    changes = (
        summary.new,
        summary.changed,
        summary.moved,
        summary.missing,
        summary.back,
        summary.left_out,
    )
    return any(changes)


def waiting(number: int) -> str:
    """``37 new pictures in this folder``."""
    return f"{words.plural(number, 'new picture')} in this folder"


def missing_text(preview: MissingPreview) -> str:
    """What removing does, in this session's numbers."""
    gone = f"{words.count(preview.missing)} of {words.plural(preview.total, 'picture')}"
    verb = "is" if preview.missing == 1 else "are"
    parts = [f"{gone} {verb} gone."]
    if preview.moved:
        parts.append(
            f"{words.count(preview.moved)} of them "
            f"{'was' if preview.moved == 1 else 'were'} moved or renamed and can still be found."
        )
    parts.append("They are removed from the index only; no file is touched.")
    return " ".join(parts)


def relocation_text(preview: RelocationPreview) -> str:
    """How well the new folder fits, and what moves with it."""
    if not preview.sampled:
        return "This session has no pictures yet, so nothing could be compared."
    if preview.found == preview.sampled:
        checked = (
            "all of them"
            if preview.sampled == preview.pictures
            else (f"all {words.count(preview.sampled)} that were checked")
        )
        fits = f"The pictures are there: {checked}."
    else:
        fits = (
            f"{words.count(preview.found)} of {words.plural(preview.sampled, 'picture')} "
            "that were checked are there."
        )
    parts = [fits, "The index is kept; nothing is indexed again."]
    if len(preview.sessions) > 1:
        parts.append(f"{words.plural(len(preview.sessions), 'session')} move to the new folder.")
    return " ".join(parts)
