"""All sessions at a glance, for what is not on their page: title, tray, task bar."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from app.ui.parts import words

if TYPE_CHECKING:
    from app.api.training_schemas import TrainingProgress


class SessionsFeed(QObject):
    """Takes in each look at the sessions and tells what is new in it."""

    progressed = Signal(object, str)
    """Percentage and name of what runs; None and an empty name where nothing does."""
    running = Signal(object)
    """The sessions that run, as they are now."""
    ended = Signal(str, str)
    """A session came to its end: a title and a sentence."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._sessions: list[TrainingProgress] = []

    def running_names(self) -> list[str]:
        """Names of the sessions that run."""
        return [session.name for session in self._running()]

    def running_ids(self) -> list[int]:
        """Ids of the sessions that run."""
        return [session.sessionId for session in self._running()]

    def show(self, sessions: Iterable[TrainingProgress]) -> None:
        """Take in how every session is now."""
        ran = set(self.running_ids())
        self._sessions = list(sessions)
        self.progressed.emit(*self._progress())
        self.running.emit(self._running())
        for session in self._sessions:
            if session.sessionId in ran:
                self._notify_end(session)

    def _running(self) -> list[TrainingProgress]:
        return [item for item in self._sessions if item.status == "running"]

    def _progress(self) -> tuple[float | None, str]:
        running = self._running()
        if not running:
            return None, ""
        if len(running) == 1:
            return running[0].progress.percentage, running[0].name
        total = sum(item.progress.total for item in running)
        done = sum(item.progress.current for item in running)
        return (done * 100 / total if total else 0.0), words.plural(len(running), "session")

    def _notify_end(self, session: TrainingProgress) -> None:
        name, summary = f"“{words.shorten(session.name, 40)}”", session.jobsSummary
        if session.status == "completed":
            achieved = words.achieved(
                summary.completed, summary.failed, summary.reused, session.activeSeconds
            )
            self.ended.emit(f"{name} is finished.", f"{achieved}.")
        elif session.status == "failed":
            self.ended.emit(f"{name} was stopped by an error.", session.errorMessage or "")
