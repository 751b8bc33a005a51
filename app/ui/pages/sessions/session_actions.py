"""What can be done with a session, and doing it: one object behind menu, buttons and keys."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QWidget

from app.ui.parts import words
from app.ui.parts.confirm import ConfirmDialog, ask

if TYPE_CHECKING:
    from app.api.training_schemas import TrainingProgress
    from app.services.backend import Backend
    from app.ui.parts.actions import ActionRunner

NAMES = ("start", "pause", "resume", "cancel", "retry")


def possible(progress: TrainingProgress | None, starting: bool = False) -> frozenset[str]:
    """The actions that can act on a session as it is."""
    if progress is None:
        return frozenset()
    by_status = {
        "pending": {"cancel"} if starting else {"start", "cancel"},
        "running": {"pause", "cancel"},
        "paused": {"cancel"} if starting else {"resume", "cancel"},
        "failed": {"cancel"} if starting else {"start", "cancel"},
        "completed": set[str](),
        "cancelled": set[str](),
    }
    names = by_status.get(progress.status, set())
    if progress.jobsSummary.failed and progress.status in ("running", "completed"):
        names = names | {"retry"}
    return frozenset(names)


class SessionActions(QObject):
    """Start, pause, resume, cancel and retry of the session that is shown.

    Args:
        actions: those of the menu, by the names in ``NAMES`` and those of other parts of the page.
    """

    changed = Signal()
    """Something was done: ask how the session is now."""

    def __init__(
        self,
        parent: QWidget,
        backend: Backend,
        runner: ActionRunner,
        actions: Mapping[str, QAction],
    ) -> None:
        super().__init__(parent)
        self._page = parent
        self._backend = backend
        self._runner = runner
        self._shown: TrainingProgress | None = None
        self._starting: dict[int, asyncio.Task[None]] = {}
        self.question: ConfirmDialog | None = None
        self.menu_actions = actions
        """All of the menu, those of other parts of the page included."""
        self.actions = {name: actions[name] for name in NAMES}
        for name, action in self.actions.items():
            action.triggered.connect(getattr(self, f"_{name}"))
        self.show_session(None)

    def show_session(self, progress: TrainingProgress | None) -> None:
        """Act on this session from now on."""
        self._shown = progress
        able = possible(progress, self.is_starting(progress.sessionId if progress else 0))
        for name, action in self.actions.items():
            self._runner.set_enabled(action, name in able)
        again = progress is not None and progress.status == "failed"
        self._runner.set_text(self.actions["start"], "&Start again" if again else "&Start")

    def is_starting(self, session_id: int) -> bool:
        """Whether a start is under way: its folders are being walked."""
        return session_id in self._starting

    def start_session(self, session_id: int) -> None:
        """Start or resume a session; asking twice starts it once.

        The walk over its folders may take minutes, during which the session runs already and
        other sessions can be started: this is why no control is busy meanwhile.
        """
        if session_id in self._starting:
            return

        async def work() -> None:
            async with self._backend.db() as db:
                await self._backend.training.enqueue_training(db, session_id)

        task = self._runner.run(None, work)
        self._starting[session_id] = task
        task.add_done_callback(lambda _: self._started(session_id))
        self.show_session(self._shown)
        self.changed.emit()

    def _started(self, session_id: int) -> None:
        self._starting.pop(session_id, None)
        self.show_session(self._shown)
        self.changed.emit()

    def _start(self) -> None:
        if self._shown is not None:
            self.start_session(self._shown.sessionId)

    _resume = _start

    def _pause(self) -> None:
        session_id = self._id()

        async def work() -> None:
            async with self._backend.db() as db:
                await self._backend.training.pause(db, session_id)

        self._run("pause", work, "Pausing…")

    def _retry(self) -> None:
        session_id = self._id()

        async def work() -> None:
            async with self._backend.db() as db:
                await self._backend.training.retry_failed(db, session_id)

        self._run("retry", work, "Starting…")

    def _cancel(self) -> None:
        progress = self._shown
        if progress is None:
            return
        session_id = progress.sessionId

        async def work() -> None:
            async with self._backend.db() as db:
                await self._backend.training.cancel(db, session_id)

        self.question = ask(
            self._page,
            f"Cancel “{words.shorten(progress.name, 60)}”?",
            cancel_text(progress),
            yes="Cancel session",
            no="Keep it",
            then=lambda: self._run("cancel", work, "Cancelling…"),
        )

    def _run(self, name: str, work: object, busy_text: str) -> None:
        self._runner.run(
            self.actions[name],
            work,  # type: ignore[arg-type]
            done=lambda _: self.changed.emit(),
            busy_text=busy_text,
        )

    def _id(self) -> int:
        return self._shown.sessionId if self._shown else 0


def cancel_text(progress: TrainingProgress) -> str:
    """What cancelling does, in this session's numbers."""
    summary = progress.jobsSummary
    left = summary.pending + summary.running
    parts = ["A cancelled session cannot be started again."]
    if progress.discovering:
        parts.append("The rest of the folder will be skipped.")
    elif left:
        parts.append(f"{words.plural(left, 'picture')} will be skipped.")
    if summary.completed:
        indexed = words.plural(summary.completed, "picture")
        parts.append(f"{indexed} already indexed can still be found.")
    return " ".join(parts)
