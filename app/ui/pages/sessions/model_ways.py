"""Ways on for a session whose model cannot be had: the built-in one, another one, a folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, Signal
from PySide6.QtWidgets import QMenu, QWidget

from app.config import BUILTIN_MODEL
from app.ui.parts import words
from app.ui.parts.confirm import ConfirmDialog, ask
from app.ui.parts.file_dialogs import choose_folder
from app.ui.parts.flow_layout import FlowLayout
from app.ui.parts.language import person_language
from app.ui.parts.theme import SPACE_S
from app.ui.parts.widgets import button

if TYPE_CHECKING:
    from app.api.model_schemas import ModelRow
    from app.api.training_schemas import TrainingProgress
    from app.services.backend import Backend
    from app.ui.parts.actions import ActionRunner


class ModelWays(QWidget):
    """A button for each, below the sentence that says why; takes no room while it is not needed."""

    changed = Signal()
    """The session has another model."""
    models_wanted = Signal()
    """A person wants a model that is not on this computer yet."""

    def __init__(self, backend: Backend, runner: ActionRunner) -> None:
        super().__init__()
        self._backend, self._runner = backend, runner
        self._progress: TrainingProgress | None = None
        self.question: ConfirmDialog | None = None
        self.builtin_button = button("Use the built-in model", hint="It needs no download")
        self.other_button = button("Use another model…")
        self.folder_button = button("Use a model folder…", hint="A checkpoint of OpenCLIP")
        self.menu = QMenu(self)
        row = FlowLayout(self, SPACE_S)
        for control in (self.builtin_button, self.other_button, self.folder_button):
            row.addWidget(control)
        self.builtin_button.clicked.connect(lambda: self.use(BUILTIN_MODEL, "the built-in model"))
        self.other_button.clicked.connect(self._look_for_others)
        self.folder_button.clicked.connect(self._choose_folder)
        self.hide()

    def show_session(self, progress: TrainingProgress) -> None:
        """Act on this session from now on."""
        self._progress = progress
        self.builtin_button.setVisible(progress.model != BUILTIN_MODEL)
        self.setVisible(progress.status == "failed" and progress.errorKind == "model")

    def use(self, spec: str, title: str) -> None:
        """Have the session go on with a model, after a question where its pictures have vectors."""
        progress = self._progress
        if progress is None:
            return
        session_id, indexed = progress.sessionId, progress.jobsSummary.completed
        if not indexed:
            self._switch(session_id, spec)
            return
        again = (
            f"{words.plural(indexed, 'picture')} {'is' if indexed == 1 else 'are'} indexed again"
        )
        self.question = ask(
            self,
            f"Go on with {title}?",
            f"{again}. Until that is done, searches use the present index, which is kept.",
            yes="Index again",
            no="Not now",
            then=lambda: self._switch(session_id, spec),
        )

    def _switch(self, session_id: int, spec: str) -> None:
        async def work() -> None:
            async with self._backend.db() as db:
                await self._backend.models.switch_sessions(db, spec, [session_id])

        self._runner.run(self.builtin_button, work, done=lambda _: self.changed.emit())

    def _look_for_others(self) -> None:
        async def work() -> list[ModelRow]:
            async with self._backend.db() as db:
                return await self._backend.models.list(db, person_language())

        self._runner.run(self.other_button, work, done=self._offer)

    def _offer(self, rows: list[ModelRow]) -> None:
        """List the models that are here; where there is none, go where they are downloaded."""
        now = self._progress.model if self._progress is not None else ""
        others = [
            row for row in rows if row.state == "ready" and row.spec not in (now, BUILTIN_MODEL)
        ]
        if not others:
            self.models_wanted.emit()
            return
        self.menu.clear()
        for row in others:
            entry = self.menu.addAction(row.title.replace("&", "&&"))
            entry.triggered.connect(lambda _=False, row=row: self.use(row.spec, row.title))
        self.menu.addSeparator()
        self.menu.addAction("More models…").triggered.connect(self.models_wanted)
        below = QPoint(0, self.other_button.height() + 2)
        self.menu.popup(self.other_button.mapToGlobal(below))

    def _choose_folder(self) -> None:
        choose_folder(self.window(), "Choose the folder of an OpenCLIP model", self.use_folder)

    def use_folder(self, folder: str) -> None:
        """Have the session go on with a checkpoint of a person's own."""
        self._runner.run(
            self.folder_button,
            lambda: self._backend.models.add_folder(folder),
            done=lambda spec: self.use(spec, "the model in this folder"),
            busy_text="Checking…",
        )
