"""What windows and the file service hand each other."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Literal

FileActKind = Literal["copy", "move", "trash", "restore"]


@dataclass(frozen=True, slots=True)
class ChosenFile:
    """A picture that a person chose, by the path at which they saw it."""

    asset_id: int
    path: str


@dataclass(frozen=True, slots=True)
class ActResult:
    """What came of an act."""

    act: str
    """Its name in the log."""
    kind: FileActKind
    folder: str | None
    """Where the files were to go; None: to the trash, or to where they were before."""
    done: tuple[int, ...]
    """Pictures whose files were copied, moved, trashed or restored."""
    bytes: int
    """Of these files."""
    failed: tuple[tuple[str, str], ...]
    """Paths of those that were not, and why, as sentences."""
    left: int = 0
    """Files that nothing was tried with, because the act was stopped or could not go on."""
    ended: str = ""
    """Why it could not go on, as a sentence and what to do."""
    can_undo: bool = True
    undoes: bool = False
    """It undid another one."""


@dataclass(slots=True)
class ActProgress:
    """How far an act is; a window reads it while a thread writes it."""

    total: int = 0
    done: int = 0
    """Files."""
    share: float = 0.0
    """0 to 1, by bytes where these are copied."""
    stop: threading.Event = field(default_factory=threading.Event)
    """Set it to end the act after what is written at this moment; what was done stays done."""
