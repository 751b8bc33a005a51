"""Rename and remove the session that is shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QInputDialog, QWidget

from app.printable import printable
from app.ui.parts import words
from app.ui.parts.confirm import ConfirmDialog, ask
from app.ui.parts.theme import SPACE_L, SPACE_S, SPACE_XL

if TYPE_CHECKING:
    from app.api.training_schemas import TrainingProgress
    from app.api.update_schemas import RemovalPreview
    from app.services.backend import Backend
    from app.ui.parts.actions import ActionRunner


class SessionCare(QObject):
    """One object behind menu, buttons and keys.

    Args:
        actions: those of the menu, by their names.
    """

    changed = Signal()
    removed = Signal(int)
    """A session is no longer there."""

    def __init__(
        self,
        parent: QWidget,
        backend: Backend,
        runner: ActionRunner,
        actions: Mapping[str, QAction],
    ) -> None:
        super().__init__(parent)
        self._page, self._backend, self._runner = parent, backend, runner
        self._shown: TrainingProgress | None = None
        self.question: ConfirmDialog | None = None
        self.field: QInputDialog | None = None
        self.actions = {name: actions[name] for name in ("rename", "remove")}
        self.actions["rename"].triggered.connect(self._ask_name)
        self.actions["remove"].triggered.connect(self._preview)
        self.show_session(None)

    def show_session(self, progress: TrainingProgress | None, starting: bool = False) -> None:
        """Act on this session from now on."""
        self._shown = progress
        at_rest = progress is not None and progress.status != "running" and not starting
        self._runner.set_enabled(self.actions["rename"], progress is not None)
        self._runner.set_enabled(self.actions["remove"], at_rest)

    def _ask_name(self) -> None:
        if self._shown is None:
            return
        session_id = self._shown.sessionId
        self.field = field = QInputDialog(self._page.window())
        field.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        field.setWindowTitle("Rename session")
        field.setLabelText("Name")
        field.setTextValue(printable(self._shown.name))
        field.setOkButtonText("Rename")
        if (layout := field.layout()) is not None:  # as in the other dialogs
            layout.setContentsMargins(SPACE_XL, SPACE_XL, SPACE_XL, SPACE_L)
            layout.setSpacing(SPACE_S)
        field.resize(420, field.sizeHint().height())
        field.textValueSelected.connect(lambda name: self._rename(session_id, name))
        field.open()

    def _rename(self, session_id: int, name: str) -> None:
        async def work() -> None:
            async with self._backend.db() as db:
                await self._backend.sessions.rename(db, session_id, name)

        self._runner.run(self.actions["rename"], work, done=lambda _: self.changed.emit())

    def _preview(self) -> None:
        if self._shown is None:
            return
        session_id, name = self._shown.sessionId, self._shown.name

        async def work() -> RemovalPreview:
            async with self._backend.db() as db:
                return await self._backend.sessions.preview_removal(db, session_id)

        def done(preview: RemovalPreview) -> None:
            self.question = ask(
                self._page,
                f"Remove “{words.shorten(printable(name), 60)}”?",
                removal_text(preview),
                yes="Remove session",
                no="Keep it",
                then=lambda: self._remove(session_id),
            )

        self._runner.run(self.actions["remove"], work, done=done)

    def _remove(self, session_id: int) -> None:
        async def work() -> None:
            async with self._backend.db() as db:
                await self._backend.sessions.remove(db, session_id)

        self._runner.run(
            self.actions["remove"],
            work,
            done=lambda _: self.removed.emit(session_id),
            busy_text="Removing…",
        )


def removal_text(preview: RemovalPreview) -> str:
    """What removing a session does, in its numbers."""
    lost = preview.pictures - preview.kept
    parts = []
    if lost:
        parts.append(f"{words.plural(lost, 'picture')} can no longer be found here.")
    if preview.kept:
        verb = "is" if preview.kept == 1 else "are"
        kept = f"{words.count(preview.kept)} that {verb} in other sessions, too,"
        parts.append(f"{kept} can still be found.")
    parts.append("Your files stay as they are.")
    return " ".join(parts)
