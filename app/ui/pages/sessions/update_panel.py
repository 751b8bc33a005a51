"""What is new in a session's folders, what the last update found, and how often it is done."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QCheckBox, QHBoxLayout, QVBoxLayout, QWidget

from app.ui.pages.sessions import update_words
from app.ui.pages.sessions.update_watch import UpdateWatch
from app.ui.parts.choice_box import ChoiceBox
from app.ui.parts.commands import follow
from app.ui.parts.slot import Slot
from app.ui.parts.theme import SPACE_L, SPACE_S, theme
from app.ui.parts.widgets import IconLabel, button, label

if TYPE_CHECKING:
    from app.api.training_schemas import TrainingProgress
    from app.api.update_schemas import FolderSettings
    from app.services.backend import Backend
    from app.ui.pages.sessions.update_actions import UpdateActions
    from app.ui.parts.actions import ActionRunner

ONE_LINE = 860
"""From this width on, result and settings stand beside each other."""
LATER_S = 3600.0


class UpdatePanel(QWidget):
    """The lines of a session that is at rest; while it runs, only what still matters."""

    pictures_wanted = Signal(str)
    """A person wants to see the pictures in this state of the library."""

    def __init__(
        self, backend: Backend, runner: ActionRunner, actions: UpdateActions, watch: UpdateWatch
    ) -> None:
        super().__init__()
        self._backend, self._runner = backend, runner
        self._actions, self._watch = actions, watch
        self._progress: TrainingProgress | None = None
        self._later: dict[int, float] = {}
        self._room = True
        self.news = NewPictures()
        self._icon = IconLabel("arrows-clockwise", "text-secondary", 16)
        self.result = label(role="secondary")
        self.result.setWordWrap(True)
        self.result.setTextInteractionFlags(Qt.TextInteractionFlag.TextBrowserInteraction)
        self.stop_button = button("Stop looking", "quiet", "x")
        self.prune_button = button("Remove missing…", "quiet")
        self._stop_place, self._prune_place = Slot([self.stop_button]), Slot([self.prune_button])
        self.settings = UpdateSettings()
        self._lay_out()
        self._connect()

    def _lay_out(self) -> None:
        self._found = QWidget()
        found = QHBoxLayout(self._found)
        found.setContentsMargins(0, 0, 0, 0)
        found.setSpacing(SPACE_S)
        found.addWidget(self._icon)
        found.addWidget(self.result, 1)
        found.addWidget(self._stop_place)
        found.addWidget(self._prune_place)
        self._row = QBoxLayout(QBoxLayout.Direction.BottomToTop)
        self._row.setSpacing(SPACE_S)
        self._row.addWidget(self.settings)  # at the left and the bottom, whatever is found
        self._row.addWidget(self._found, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE_S)
        column.addWidget(self.news)
        column.addLayout(self._row)

    def _connect(self) -> None:
        follow(self.prune_button, self._actions.actions["prune"])
        self.stop_button.clicked.connect(self._stop)
        self.result.linkActivated.connect(self.pictures_wanted)
        self.news.update_button.clicked.connect(self._actions.actions["update"].trigger)
        self.news.later_button.clicked.connect(self._put_off)
        self.settings.watch_box.clicked.connect(self._save)
        self.settings.schedule.activated.connect(self._save)
        theme().changed.connect(self._tint)
        self._actions.stepped.connect(self._changed)
        self._actions.updated.connect(self._watch.forget)
        self._watch.counted.connect(self._changed)

    def show_progress(self, progress: TrainingProgress) -> None:
        """Show a session as it is now."""
        other = self._progress is None or self._progress.sessionId != progress.sessionId
        self._progress = progress
        if other:
            self.settings.setEnabled(False)
            self._load(progress.sessionId)
        self._show()

    def set_room(self, enough: bool) -> None:
        """Leave the settings out where there is no room for them."""
        if enough != self._room:
            self._room = enough
            if self._progress is not None:
                self._show()

    def _show(self) -> None:
        progress = self._progress
        assert progress is not None
        looked_at = self._actions.looked_at(progress.sessionId)
        looking = looked_at is not None
        at_rest = progress.status in ("completed", "paused", "failed")
        summary = progress.lastUpdate
        problem = self._watch.problems.get(progress.sessionId, "")
        has_result = summary is not None or bool(problem)
        if looked_at is not None:
            self._show_message(update_words.looking(looked_at))
        elif problem:
            self._show_message(problem)
        elif summary is not None:
            self._show_message(update_words.result(summary), links=True)
        warned = not looking and bool(problem or (summary and summary.message))
        self._icon.set_icon(
            "warning-circle" if warned else "arrows-clockwise",
            "paused" if warned else "text-secondary",
        )
        gone = summary is not None and summary.gone > 0
        prune = not looking and at_rest and gone
        self._stop_place.show_button(self.stop_button if looking else None)
        self._prune_place.show_button(self.prune_button if prune else None)
        for place in (self._stop_place, self._prune_place):
            place.setVisible(looking or prune)
        self._found.setVisible(looking or (at_rest and has_result))
        self.settings.setVisible(at_rest and self._room)
        number = self._watch.counts.get(progress.sessionId, 0)
        put_off = time.monotonic() < self._later.get(progress.sessionId, 0.0)
        self.news.show_number(0 if looking or put_off or not at_rest else number)
        self.setVisible(looking or at_rest)

    def _show_message(self, text: str, *, links: bool = False) -> None:
        text = update_words.linked(text) if links else update_words.breakable(text)
        if text != self.result.text():
            form = Qt.TextFormat.RichText if links else Qt.TextFormat.PlainText
            self.result.setTextFormat(form)
            self.result.setText(text)

    def _tint(self) -> None:
        """Links keep the colours in which they were set."""
        text = self.result.text()
        self.result.clear()
        self.result.setText(text)

    def _changed(self, session_id: int) -> None:
        if self._progress is not None and self._progress.sessionId == session_id:
            self._show()

    def _stop(self) -> None:
        if self._progress is not None:
            self._actions.stop(self._progress.sessionId)
            self._show_message("Stopping…")

    def _put_off(self) -> None:
        if self._progress is not None:
            self._later[self._progress.sessionId] = time.monotonic() + LATER_S
            self._show()

    def _load(self, session_id: int) -> None:
        async def work() -> FolderSettings:
            async with self._backend.db() as db:
                return await self._backend.updates.settings(db, session_id)

        def done(found: FolderSettings) -> None:
            if self._progress is not None and self._progress.sessionId == session_id:
                self.settings.show_settings(found.watch, found.update_every_hours)
                self.settings.setEnabled(True)

        self._runner.run(None, work, done=done)

    def _save(self) -> None:
        if self._progress is None:
            return
        session_id = self._progress.sessionId
        watch, hours = self.settings.watch_box.isChecked(), self.settings.schedule.currentData()

        async def work() -> None:
            from app.api.update_schemas import FolderSettings

            wanted = FolderSettings(watch=watch, update_every_hours=hours)
            async with self._backend.db() as db:
                await self._backend.updates.change_settings(db, session_id, wanted)

        self._runner.run(None, work, done=lambda _: self._watch.refresh())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        wide = self.width() >= ONE_LINE
        self._row.setDirection(
            QBoxLayout.Direction.LeftToRight if wide else QBoxLayout.Direction.BottomToTop
        )


class NewPictures(QWidget):
    """A quiet line that tells of new pictures."""

    def __init__(self) -> None:
        super().__init__()
        self.text = label()
        self.update_button = button("Update")
        self.later_button = button("Later", "quiet")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE_S)
        row.addWidget(IconLabel("image", "accent"))
        row.addWidget(self.text, 1)
        row.addWidget(self.update_button)
        row.addWidget(self.later_button)
        self.hide()

    def show_number(self, number: int) -> None:
        """Tell of so many; 0 hides it."""
        if number:
            self.text.setText(update_words.waiting(number))
        self.setVisible(bool(number))


class UpdateSettings(QWidget):
    """Whether the folder is watched, and how often it is looked through."""

    def __init__(self) -> None:
        super().__init__()
        self.watch_box = QCheckBox("Watch this folder")
        self.watch_box.setToolTip("Tell me about new pictures while this window is open")
        self.schedule = ChoiceBox()
        for hours, title in update_words.SCHEDULES:
            self.schedule.addItem(f"Update: {title}", hours)
        self.schedule.setAccessibleName("Update")
        self.schedule.setToolTip("How often this folder is checked for changes")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE_L)
        row.addWidget(self.watch_box)
        row.addWidget(self.schedule)
        row.addStretch()

    def show_settings(self, watch: bool, every_hours: int) -> None:
        """Show what is set; a rhythm that is not on the list is added to it."""
        if self.schedule.findData(every_hours) < 0:
            self.schedule.addItem(f"Update: every {every_hours} hours", every_hours)
        with QSignalBlocker(self.watch_box), QSignalBlocker(self.schedule):
            self.watch_box.setChecked(watch)
            self.schedule.setCurrentIndex(self.schedule.findData(every_hours))
