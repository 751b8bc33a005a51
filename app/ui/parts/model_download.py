"""A download of a model, as every page shows it: how far, how long still, and the ways out."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import shiboken6
from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.api.model_schemas import ModelDownload
from app.embedding.catalogue import model_folder, model_title
from app.ui.parts import words
from app.ui.parts.slot import settle
from app.ui.parts.theme import SPACE_M, SPACE_S, SPACE_XS
from app.ui.parts.widgets import ProgressBar, button, label

if TYPE_CHECKING:
    from app.services.backend import Backend
    from app.ui.parts.actions import ActionRunner

LOOK_EVERY_MS = 500
_PHASES = {
    "waiting": "Waiting for another download",
    "connecting": "Connecting…",
    "checking": "Checking the download…",
    "unpacking": "Unpacking…",
    "testing": "Trying it on this computer…",
}


class DownloadBar(QWidget):
    """A bar with its words; hidden while there is nothing to show.

    Args:
        others: offer other models where it failed.
    """

    stop_asked = Signal()
    start_asked = Signal()
    """Once more, after it failed."""
    others_asked = Signal()
    """Another model instead, after it failed."""

    def __init__(self, *, others: bool = False) -> None:
        super().__init__()
        self._others = others
        self.bar = ProgressBar()
        self.bar.setAccessibleName("Download progress")
        self.text = label(role="count", tone="secondary")
        self.text.setWordWrap(True)
        self.problem = label(tone="failed")
        self.problem.setWordWrap(True)
        self.stop_button = button("Stop")
        self.stop_button.setToolTip("What has been downloaded is kept")
        self.again_button = button("Try again")
        self.others_button = button("Use another model…")
        self.others_button.clicked.connect(self.others_asked)
        self.stop_button.clicked.connect(self.stop_asked)
        self.again_button.clicked.connect(self.start_asked)
        self._phase = ""
        left = QVBoxLayout()
        left.setSpacing(SPACE_XS)
        for part in (self.bar, self.text, self.problem):
            left.addWidget(part)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, SPACE_S, 0, 0)
        row.setSpacing(SPACE_M)
        row.addLayout(left, 1)
        for control in (self.stop_button, self.others_button, self.again_button):
            row.addWidget(control, 0, Qt.AlignmentFlag.AlignTop)
        self.hide()

    def show_state(self, state: ModelDownload | None) -> None:
        """Show how it is; nothing where there is no download, or it has ended well."""
        failed = state is not None and state.phase == "failed"
        active = state is not None and state.active
        self.bar.setVisible(active)
        self.text.setVisible(active)
        self.stop_button.setVisible(active)
        self.problem.setVisible(failed)
        self.again_button.setVisible(failed)
        self.others_button.setVisible(failed and self._others)
        self.setVisible(active or failed)
        if state is None or not (active or failed):
            self._phase = ""
            return
        if failed and self._phase not in ("", state.phase):
            for control in (self.again_button, self.others_button):
                settle(control)  # they stand where *Stop* was
        self.problem.setText(f"{state.message} {state.hint}".strip())
        self.text.setText(describe(state))
        self.setAccessibleDescription(self.text.text() if active else self.problem.text())
        share = state.doneBytes / state.totalBytes if state.totalBytes else None
        if state.phase in ("waiting", "connecting", "testing"):
            share = 0.0 if state.phase == "waiting" else None
        if state.phase != self._phase:  # a check begins at zero again
            self._phase = state.phase
            self.bar.reset_to(share, "paused" if state.phase == "waiting" else "running")
        else:
            self.bar.set_progress(share)


def describe(state: ModelDownload) -> str:
    """``312 of 605 MB, 8.1 MB a second. About 2 minutes left``"""
    if state.phase in _PHASES:
        return _PHASES[state.phase]
    done, total = words.size(state.doneBytes), words.size(state.totalBytes)
    parts = [f"{done} of {total}" if state.totalBytes else done]
    if state.bytesPerSecond:
        parts.append(f"{words.size(round(state.bytesPerSecond))} a second")
    text = ", ".join(parts)
    return f"{text}. {words.time_left(state.secondsLeft)}" if state.bytesPerSecond else text


class DownloadOffer(QWidget):
    """For where a model is chosen: says whether it is here, and gets it.

    Args:
        at_once: a model that is chosen is downloaded without another click.
    """

    others_asked = Signal()
    """The download failed, and a person wants to choose another model, or a folder."""

    def __init__(self, backend: Backend, runner: ActionRunner, *, at_once: bool) -> None:
        super().__init__()
        self._backend, self._runner, self._at_once = backend, runner, at_once
        self._spec = ""
        self.text = label(role="secondary")
        self.text.setWordWrap(True)
        self.download_button = button("Download now", "", "download-simple")
        self.progress = DownloadBar(others=True)
        self.progress.others_asked.connect(self.others_asked)
        self.download_button.clicked.connect(self.start)
        self.progress.start_asked.connect(self.start)
        self.progress.stop_asked.connect(self._stop)
        self._offer = QWidget()
        row = QHBoxLayout(self._offer)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE_M)
        row.addWidget(self.text, 1)
        row.addWidget(self.download_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE_S)
        column.addWidget(self._offer)
        column.addWidget(self.progress)
        self._offer.hide()
        # what this process itself does is looked at, so no question to anybody is involved
        self._timer = QTimer(self, interval=LOOK_EVERY_MS)
        self._timer.timeout.connect(self._look)

    def show_model(self, spec: str, chosen: bool = False) -> None:
        """Show one model; ``chosen``: a person has picked it just now."""
        self._spec = spec
        self._offer.hide()
        self._look()
        if model_folder(spec) is None:  # else there is nothing to download
            # by the loop, which does not run yet where a page is built
            QTimer.singleShot(0, self, lambda: self._ask(spec, chosen))

    def _ask(self, spec: str, chosen: bool) -> None:
        async def ask() -> bool:
            return await self._backend.models.on_disk(spec)

        def answered(here: bool) -> None:
            if shiboken6.isValid(self) and spec == self._spec:
                self._show_offer(here, chosen)

        self._runner.run(None, ask, done=answered)

    def start(self) -> None:
        """Download what is shown, or go on with it."""
        spec = self._spec
        self._offer.hide()
        task = self._runner.run(None, lambda: self._backend.models.download(spec))
        task.add_done_callback(self._ended)
        self.progress.show_state(ModelDownload(phase="connecting"))

    def _ended(self, task: asyncio.Task[None]) -> None:
        if shiboken6.isValid(self) and not task.cancelled():
            self.show_model(self._spec)

    def _stop(self) -> None:
        self._backend.models.stop_download(self._spec)
        self._look()

    def _show_offer(self, here: bool, chosen: bool) -> None:
        if here or self._spec in self._backend.models.downloads():
            return
        if chosen and self._at_once:
            self.start()
            return
        self.text.setText(
            f"{model_title(self._spec)} is not on this computer yet. It is downloaded when the "
            "session starts, or now."
        )
        self._offer.show()

    def _look(self) -> None:
        self.progress.show_state(self._backend.models.downloads().get(self._spec))

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._look()
        self._timer.start()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._timer.stop()
