"""One session: its state, how fast it goes, what it achieved, and its pictures."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal, SignalInstance
from PySide6.QtGui import QAction, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QMenu, QPushButton, QSplitter, QVBoxLayout, QWidget

from app.printable import printable
from app.ui.pages.sessions.job_table import FILTERS, JobTable, count_of
from app.ui.pages.sessions.model_ways import ModelWays
from app.ui.pages.sessions.progress_panel import ProgressPanel, details_text, left_out_text
from app.ui.pages.sessions.rate_chart import RateHistory
from app.ui.pages.sessions.session_actions import SessionActions, possible
from app.ui.pages.sessions.session_care import SessionCare
from app.ui.pages.sessions.update_actions import UpdateActions
from app.ui.pages.sessions.update_actions import possible as possible_updates
from app.ui.pages.sessions.update_panel import UpdatePanel
from app.ui.pages.sessions.update_watch import UpdateWatch
from app.ui.parts import words
from app.ui.parts.commands import follow
from app.ui.parts.flow_layout import FlowLayout
from app.ui.parts.slot import Slot, settle
from app.ui.parts.theme import SPACE_M, SPACE_S, SPACE_XS
from app.ui.parts.widgets import (
    CountChip,
    ElidedLabel,
    EmptyState,
    IconLabel,
    StateBadge,
    button,
    label,
    plain_tip,
)
from app.ui.pictures.evidence_panel import EvidencePanel
from app.ui.pictures.thumbnails import ThumbnailLoader

if TYPE_CHECKING:
    from app.api.training_schemas import JobRow, TrainingProgress
    from app.services.backend import Backend
    from app.ui.parts.actions import ActionRunner
    from app.ui.parts.poller import Poller

_ALWAYS = frozenset({"pending", "running", "completed", "failed"})
_ICONS = {
    "start": "play",
    "pause": "pause",
    "resume": "play",
    "cancel": "x",
    "retry": "arrow-counter-clockwise",
}
_CONTROLS = ("start", "pause", "resume")
"""They have one place."""
ROOMY = 540
FOLDER_EVERY_S = 5.0
AT_REST = ("pending", "paused", "completed", "failed")
MISSING = (
    "The folder of this session is not there. Connect its disk; or, where the folder was moved or "
    "renamed, say where it is now. Nothing is forgotten meanwhile."
)
STALLED = (
    "Nothing has finished for a while. A very large picture, a slow disk or a busy computer can "
    "be the cause; the System page shows what is going on."
)


class SessionView(QWidget):
    """What is shown right of the list, for the session that is selected there."""

    why_failed = Signal(int)
    """A person wants to know more about what failed in this session."""
    pictures_wanted = Signal(str, str)
    """A person wants to see the pictures below a folder that are in a state of the library."""
    search_wanted = Signal(int)
    """A person wants to find something among this session's pictures."""

    def __init__(
        self,
        backend: Backend,
        runner: ActionRunner,
        poller: Poller,
        thumbnails: ThumbnailLoader,
        actions: SessionActions,
    ) -> None:
        super().__init__()
        self._actions = actions
        self._progress: TrainingProgress | None = None
        self.status_filter: str | None = None
        self.name = ElidedLabel(role="section")
        self.badge = StateBadge()
        self.place = ElidedLabel(role="secondary")
        self.details = ElidedLabel(mode=Qt.TextElideMode.ElideRight, role="secondary")
        self.left_out = ElidedLabel(mode=Qt.TextElideMode.ElideRight, role="secondary")
        self.buttons = {name: _action_button(name, actions.actions[name]) for name in _ICONS}
        self.update_actions = UpdateActions(self, backend, runner, actions.menu_actions)
        self.care = SessionCare(self, backend, runner, actions.menu_actions)
        self.update_button = button("Update", "", "arrows-clockwise")
        self.more_button = button("", "quiet", "dots-three")
        self._control = Slot([self.buttons[name] for name in _CONTROLS], ["Pausing…"])
        self._cancel = Slot([self.buttons["cancel"]], ["Cancelling…"])
        self.banner = Banner()
        self.ways = ModelWays(backend, runner)
        self.panel = ProgressPanel()
        self.watch = UpdateWatch(self, backend, runner, poller)
        self.updates = UpdatePanel(backend, runner, self.update_actions, self.watch)
        self.chips = {status: CountChip(status) for status in FILTERS}
        self.chip_row = QWidget()
        self.search_button = button("Search these pictures", icon_name="magnifying-glass")
        self.why_button = button("Show what failed", icon_name="warning-circle")
        self.table = JobTable(backend, poller)
        self.nothing = EmptyState("image", "No pictures here")
        self.evidence = EvidencePanel(backend, runner, thumbnails)
        self._starting = False
        self._missing = ""
        """The shown session's folder, where it is not there."""
        self._lay_out()
        self._connect()
        self._folder_watch = poller.watch(
            self._look_for_folder, self._know_folder, owner=self, every_s=FOLDER_EVERY_S
        )

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.setSpacing(SPACE_S)
        top.addWidget(self.name, 1)
        for part in (self._control, self._cancel, self.more_button):
            top.addWidget(part)
        self.more_button.setAccessibleName("More")
        self.more_button.setToolTip("More that can be done with this session")
        menu = QMenu(self.more_button)
        menu.addActions([self.update_actions.actions[name] for name in ("relocate", "prune")])
        menu.addSeparator()
        menu.addActions([self.care.actions[name] for name in ("rename", "remove")])
        self.more_button.setMenu(menu)
        under = QHBoxLayout()
        under.setSpacing(SPACE_M)
        under.addWidget(self.badge)
        under.addWidget(self.place, 1)
        under.addWidget(self.details, 1)
        self.details.setAlignment(Qt.AlignmentFlag.AlignRight)
        row = FlowLayout(self.chip_row, SPACE_XS + 2)
        for chip in self.chips.values():
            row.addWidget(chip)
        self.leading = QWidget()
        leading = FlowLayout(self.leading, SPACE_S)
        for lead in (self.search_button, self.update_button, self.why_button):
            leading.addWidget(lead)
        leading.addWidget(self.buttons["retry"])
        self.split = QSplitter(Qt.Orientation.Horizontal)
        self.split.setObjectName("session-evidence")
        self.split.setChildrenCollapsible(False)
        self.split.addWidget(self.table)
        self.split.addWidget(self.evidence)
        self.split.setStretchFactor(0, 3)
        self.split.setStretchFactor(1, 1)
        self.split.setSizes([480, 240])
        self.table.setMinimumWidth(240)
        self.evidence.hide()
        self.nothing.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE_M)
        heading = QVBoxLayout()
        heading.setSpacing(SPACE_XS)
        heading.addLayout(top)
        heading.addLayout(under)
        column.addLayout(heading)
        column.addWidget(self.leading)  # above all that comes and goes by itself
        column.addWidget(self.left_out)
        column.addWidget(self.banner)
        column.addWidget(self.ways)
        self.ways.setContentsMargins(Banner.INDENT, 0, 0, 0)
        column.addWidget(self.panel)
        column.addWidget(self.chip_row)
        column.addWidget(self.split, 1)
        column.addWidget(self.nothing, 1)
        column.addWidget(self.updates)

    def _connect(self) -> None:
        for status, chip in self.chips.items():
            chip.toggled_by_person.connect(
                lambda on, status=status: self.set_filter(status if on else None)
            )
        self.updates.pictures_wanted.connect(self._show_in_library)
        follow(self.update_button, self.update_actions.actions["update"])
        for part in (self.update_actions, self.care, self.ways):
            part.changed.connect(self._actions.changed)
        for control, signal in (
            (self.why_button, self.why_failed),
            (self.search_button, self.search_wanted),
        ):
            control.clicked.connect(lambda _=False, signal=signal: self._lead(signal))
        self.table.picked.connect(self._picked)
        self.evidence.closed.connect(self.table.clear_choice)

    def show_progress(
        self, progress: TrainingProgress, history: RateHistory, *, starting: bool = False
    ) -> None:
        """Show a session as it is now."""
        other = self._progress is None or self._progress.sessionId != progress.sessionId
        self._progress, self._starting = progress, starting
        if other:
            self.status_filter = None
            self._folder_watch.now()
        self._actions.show_session(progress)
        self.update_actions.show_session(progress)
        self.care.show_session(progress, starting)
        self.ways.show_session(progress)
        self.updates.show_progress(progress)
        self.name.set_text(printable(progress.name))
        self._show_state(progress, starting)
        self.panel.show_progress(
            progress, history.of(progress.sessionId), starting=starting, jump=other
        )
        self._show_chips(progress)
        self._show_pictures()

    def set_filter(self, status: str | None) -> None:
        """Show only pictures of one status; None shows all."""
        self.status_filter = status
        if self._progress is not None:
            self._show_chips(self._progress)
            self._show_pictures()

    def _show_state(self, progress: TrainingProgress, starting: bool) -> None:
        begins = starting and progress.status != "running"
        self.badge.set_state(
            "running" if begins else progress.status,
            word="Looking for pictures…" if begins else words.state_word(progress.status),
        )
        self.place.set_text(printable(progress.rootPath))
        self.place.setToolTip(plain_tip(printable(progress.rootPath)))
        self.details.set_text(details_text(progress))
        self.left_out.set_text(left_out_text(progress))
        self.left_out.setVisible(bool(progress.skipped))
        able = possible(progress, starting)
        again = progress.status == "failed"  # said by the banner, with its own button
        control = next((name for name in _CONTROLS if name in able and not again), None)
        self._control.show_button(self.buttons[control] if control else None)
        self._cancel.show_button(self.buttons["cancel"] if "cancel" in able else None)
        self.buttons["retry"].setVisible("retry" in able)
        self._show_banner(progress, can_start="start" in able)

    def _show_banner(self, progress: TrainingProgress, *, can_start: bool) -> None:
        actions = self._actions.actions | self.update_actions.actions
        if self._is_missing(progress):
            relocate = "relocate" in possible_updates(progress)
            self.badge.set_state("failed", word="Folder not found")
            self.banner.show_text(
                "warning-circle", "failed", MISSING, actions["relocate"] if relocate else None
            )
        elif progress.status == "failed":
            reason = progress.errorMessage or "Something stopped this session."
            self.banner.show_text("warning-circle", "failed", reason, actions["start"])
            self.banner.button.setEnabled(can_start)
        elif progress.waitingFor:
            self.banner.show_text("hourglass", "paused", progress.waitingFor)
        elif progress.stalled:
            self.banner.show_text("hourglass", "paused", STALLED)
        else:
            self.banner.hide()

    def _is_missing(self, progress: TrainingProgress) -> bool:
        return progress.rootPath == self._missing and progress.status in AT_REST

    async def _look_for_folder(self) -> tuple[str, bool]:
        root = self._progress.rootPath if self._progress is not None else ""
        return root, bool(root) and not await asyncio.to_thread(os.path.isdir, root)

    def _know_folder(self, found: tuple[str, bool]) -> None:
        root, gone = found
        before, self._missing = self._missing, root if gone else ""
        if self._progress is not None and before != self._missing:
            self._show_state(self._progress, self._starting)

    def _show_chips(self, progress: TrainingProgress) -> None:
        summary = progress.jobsSummary
        for status, chip in self.chips.items():
            number = count_of(summary, status)
            chip.set_count(number)
            chip.setVisible(status in _ALWAYS or number > 0 or status == self.status_filter)
            chip.setChecked(status == self.status_filter)
            chip.setEnabled(number > 0 or status == self.status_filter)
        self.why_button.setVisible(summary.failed > 0)
        self.search_button.setEnabled(summary.completed > 0)
        some = progress.progress.total > 0
        self.chip_row.setVisible(some)
        self.leading.setVisible(some or bool(possible_updates(progress)))

    def _show_pictures(self) -> None:
        progress = self._progress
        assert progress is not None
        self.table.show_progress(progress, self.status_filter)
        empty = not count_of(progress.jobsSummary, self.status_filter)
        self.split.setVisible(not empty)
        self.nothing.setVisible(empty)
        if empty:
            self.nothing.set_text(*_nothing(progress, self.status_filter))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        """In a low window the drawings make room for the details of a picture."""
        enough = self.height() >= ROOMY or self.evidence.isHidden()
        self.panel.set_room(enough)
        self.updates.set_room(enough)

    def _show_in_library(self, state: str) -> None:
        if self._progress is not None:
            self.pictures_wanted.emit(self._progress.rootPath, state)

    def _lead(self, signal: SignalInstance) -> None:
        if self._progress is not None:
            signal.emit(self._progress.sessionId)

    def _picked(self, row: JobRow | None) -> None:
        if row is not None:
            self.evidence.show_row(row)
        self.evidence.setVisible(row is not None)
        self._fit()


class Banner(QWidget):
    """One sentence that needs attention, and what can be done about it."""

    INDENT = 18 + SPACE_S
    """Where the sentence begins."""

    def __init__(self) -> None:
        super().__init__()
        self._icon = IconLabel()
        self.text = label()
        self.text.setWordWrap(True)
        self.text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.button = button("")
        self._action: QAction | None = None
        self.button.clicked.connect(lambda: self._action and self._action.trigger())
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE_S)
        row.addWidget(self._icon)
        row.addWidget(self.text, 1)
        row.addWidget(self.button)
        self.hide()

    def show_text(
        self, icon_name: str, tone: str, text: str, action: QAction | None = None
    ) -> None:
        """Say something, with a button for what can be done about it."""
        self._icon.set_icon(icon_name, tone)
        if text != self.text.text():
            self.text.setText(text)
        if action is not self._action:
            settle(self.button)
        self._action = action
        if action is not None:
            self.button.setText(action.text().replace("&", ""))
            self.button.setEnabled(action.isEnabled())
        self.button.setVisible(action is not None)
        self.show()


def _action_button(name: str, action: QAction) -> QPushButton:
    result = button(
        action.text().replace("&", ""), "quiet" if name == "cancel" else "", _ICONS[name]
    )
    follow(result, action)
    action.changed.connect(lambda: result.setText(action.text().replace("&", "")))
    return result


def _nothing(progress: TrainingProgress, status: str | None) -> tuple[str, str, str]:
    if status == "failed":
        return "No picture failed", "", "check-circle"
    if status is not None:
        return f"No pictures: {words.picture_state_word(status)}", "", "image"
    if progress.status == "pending":
        return "Not started yet", "Its pictures are listed here as soon as it starts.", "image"
    if progress.discovering:
        return "Looking for pictures…", "", "magnifying-glass"
    return "No pictures here", "", "image"
