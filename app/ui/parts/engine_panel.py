"""The engine, where a page has to do with it: whether it is here, which fits, and the way to it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import shiboken6
from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.api.model_schemas import ModelDownload
from app.ui.parts import words
from app.ui.parts.choice_box import ChoiceBox
from app.ui.parts.confirm import ConfirmDialog, ask
from app.ui.parts.file_dialogs import choose_folder
from app.ui.parts.model_download import LOOK_EVERY_MS, DownloadBar
from app.ui.parts.theme import SPACE_M, SPACE_S
from app.ui.parts.widgets import button, label, line

if TYPE_CHECKING:
    from app.api.engine_schemas import EngineChoice, EngineState
    from app.services.backend import Backend
    from app.ui.parts.actions import ActionRunner

MISSING = (
    "The engine that understands pictures is not on this computer yet. It is downloaded once; "
    "until then, you can list folders, look at pictures, and find them by name."
)
NONE_FITS = (
    "The engine that understands pictures is not installed, and there is none to download for this "
    "system."
)


class EnginePanel(QWidget):
    """Hidden where nothing is to be said or done; whoever has it shows it what there is.

    Args:
        invite: only while there is no engine; else also to replace and remove the one there is.
    """

    changed = Signal()
    """There is another engine than before, or none."""

    def __init__(self, backend: Backend, runner: ActionRunner, *, invite: bool) -> None:
        super().__init__()
        self._backend, self._runner, self._invite = backend, runner, invite
        self._state: EngineState | None = None
        self.question: ConfirmDialog | None = None
        self.text, self.computer = label(), label(role="secondary")
        self.choice = ChoiceBox()
        self.choice.setAccessibleName("Engine")
        self.cost = label(role="count", tone="secondary")
        for part in (self.text, self.computer, self.cost):
            part.setWordWrap(True)
        self.install_button = button("Download engine", "primary", "download-simple")
        self.folder_button = button("From a folder…", "quiet", "folder-open")
        self.folder_button.setToolTip("Install it from a folder of wheels, without a network")
        self.remove_button = button("Remove engine…", "quiet", "trash")
        self.progress = DownloadBar()
        self._last: Path | None = None
        """The folder of wheels that was tried last, for once more."""
        self._lay_out()
        self.choice.currentIndexChanged.connect(self._show_cost)
        self.install_button.clicked.connect(lambda: self._install(None))
        self.folder_button.clicked.connect(self._choose_folder)
        self.remove_button.clicked.connect(self._ask_to_remove)
        self.progress.stop_asked.connect(self._stop)
        self.progress.start_asked.connect(lambda: self._install(self._last))
        self._timer = QTimer(self, interval=LOOK_EVERY_MS)
        self._timer.timeout.connect(self._look)
        self.hide()

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.setSpacing(SPACE_S)
        for control in (self.install_button, self.folder_button, self.remove_button):
            row.addWidget(control)
        row.addStretch()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE_S)
        for part in (self.text, self.computer, self.cost):
            column.addWidget(part)
        column.addWidget(self.choice, 0, Qt.AlignmentFlag.AlignLeft)
        column.addLayout(row)
        column.addWidget(self.progress)
        column.addSpacing(SPACE_M)
        column.addWidget(line())
        column.addSpacing(SPACE_S)

    # Looking

    def refresh(self) -> None:
        """Look at what there is."""
        self._runner.run(None, self._backend.engine.state, done=self._arrived)

    def _arrived(self, state: EngineState) -> None:
        if shiboken6.isValid(self):
            self.show_state(state)

    def show_state(self, state: EngineState) -> None:
        """Show what there is and what there could be."""
        self._state = state
        wanted = not state.ready or (state.own and not self._invite)
        self.setVisible(wanted or self._backend.engine.progress() is not None)
        self.text.setText(about(state))
        self.computer.setText("  ·  ".join([state.processor, *state.cards]))
        self.computer.setToolTip(state.reason)
        if self.choice.count() != len(state.choices):
            self._fill_choice(state)
        for part in (self.choice, self.install_button, self.folder_button, self.cost):
            part.setVisible(bool(state.choices))
        self.remove_button.setVisible(bool(state.usedBytes) and not self._invite)
        self._show_cost()
        self._look()

    def _fill_choice(self, state: EngineState) -> None:
        self.choice.clear()
        for choice in state.choices:
            mark = " (fits this computer)" if choice.suggested else ""
            self.choice.addItem(f"{choice.title}{mark}", choice.variant)
        if (best := state.suggested) is not None:
            self.choice.setCurrentIndex(self.choice.findData(best.variant))

    def _chosen(self) -> EngineChoice | None:
        choices = self._state.choices if self._state is not None else []
        variant = self.choice.currentData()
        return next((choice for choice in choices if choice.variant == variant), None)

    def _show_cost(self) -> None:
        chosen = self._chosen()
        if chosen is None or self._state is None:
            return
        self.cost.setText(cost(chosen, self._state))
        self.install_button.setText(
            f"Download {words.size(chosen.downloadBytes)}" if chosen.downloadBytes else "Install"
        )
        self.install_button.setAccessibleName(f"Download the engine: {chosen.title}")
        self._enable()

    def _enable(self) -> None:
        progress = self._backend.engine.progress()
        busy = progress is not None and progress.active
        chosen = self._chosen()
        for control in (self.install_button, self.folder_button):
            free = chosen is not None and not chosen.installed and not busy
            self._runner.set_enabled(control, free)
        self._runner.set_enabled(self.remove_button, not busy)
        self.choice.setEnabled(not busy)

    def _look(self) -> None:
        self.progress.show_state(self._backend.engine.progress())
        self._enable()

    # Doing

    def _install(self, wheels: Path | None) -> None:
        chosen = self._chosen()
        if chosen is None:
            return
        self._last = wheels

        async def work() -> ModelDownload:
            return await self._backend.engine.install(chosen.variant, wheels)

        task = self._runner.run(None, work, done=self._done)
        task.add_done_callback(self._ended)
        self.progress.show_state(ModelDownload(phase="connecting"))

    def _done(self, ended: ModelDownload) -> None:
        if ended.phase == "done" and shiboken6.isValid(self):
            self.changed.emit()

    def _ended(self, task: asyncio.Task[None]) -> None:
        if shiboken6.isValid(self) and not task.cancelled():
            self.refresh()

    def _stop(self) -> None:
        self._backend.engine.stop()
        self._look()

    def _choose_folder(self) -> None:
        choose_folder(
            self.window(), "Choose a folder of wheels", lambda name: self._install(Path(name))
        )

    def _ask_to_remove(self) -> None:
        assert self._state is not None
        self.question = ask(
            self,
            "Remove the engine?",
            f"This frees {words.size(self._state.usedBytes)}. Your index stays, but nothing can be "
            "searched by description or indexed until an engine is installed again.",
            yes="Remove engine",
            no="Keep it",
            then=self._remove,
        )

    def _remove(self) -> None:
        def done(_freed: int) -> None:
            self.changed.emit()
            self.refresh()

        self._runner.run(
            self.remove_button, self._backend.engine.remove, done=done, busy_text="Removing…"
        )

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._timer.start()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._timer.stop()


def about(state: EngineState) -> str:
    """Whether there is an engine, in a sentence."""
    if not state.ready:
        return MISSING if state.choices else NONE_FITS
    text = f"The engine is installed: {state.title}, {state.version}."
    return f"{text} This version of Afterimage has a newer one." if state.outdated else text


def cost(choice: EngineChoice, state: EngineState) -> str:
    """``1.9 GB on the disk, of which 43 GB are free. There is no graphics card…``"""
    text = (
        f"{words.size(choice.diskBytes)} on the disk, where {words.size(state.freeBytes)} are free."
    )
    return f"{text} {state.reason}" if choice.suggested else text
