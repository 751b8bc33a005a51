"""Tell sessions of the same name apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from app.printable import printable
from app.ui.parts import words

if TYPE_CHECKING:
    from app.api.training_schemas import TrainingProgress


def marks(sessions: Iterable[TrainingProgress]) -> dict[int, str]:
    """What tells each session from others of its name, by id: ``27 Nov 2026, Built-in model``."""
    listed = list(sessions)
    number = Counter(item.name for item in listed)
    twins = [item for item in listed if number[item.name] > 1]
    found = {item.sessionId: _mark(item, "%b %Y") for item in twins}
    again = Counter((item.name, found[item.sessionId]) for item in twins)
    for item in twins:
        if again[item.name, found[item.sessionId]] > 1:
            found[item.sessionId] = _mark(item, "%b %Y, %H:%M")
    return found


def full_names(sessions: Iterable[TrainingProgress]) -> dict[int, str]:
    """The name of each session by its id, with its mark where another one is called the same."""
    listed = list(sessions)
    told = marks(listed)
    return {
        item.sessionId: f"{printable(item.name)} ({told[item.sessionId]})"
        if item.sessionId in told
        else printable(item.name)
        for item in listed
    }


def _mark(item: TrainingProgress, form: str) -> str:
    made = item.createdAt.astimezone()
    return f"{made.day} {made:{form}}, {words.model_name(item.model)}"
