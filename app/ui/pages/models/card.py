"""One model on the Models page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QHBoxLayout,
    QMenu,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from app.ui.pages.models import words as model_words
from app.ui.parts import words
from app.ui.parts.model_download import DownloadBar
from app.ui.parts.theme import SPACE_M, SPACE_S, SPACE_XS
from app.ui.parts.widgets import ElidedLabel, StateBadge, button, label, line, plain_tip

if TYPE_CHECKING:
    from app.api.model_schemas import ModelDownload, ModelIndex, ModelRow

BUTTON_WIDTH = 172


class ModelCard(QWidget):
    """What a model is, how far it is, and what can be done with it.

    ``wanted`` says what a person wants: download, stop, use, measure, switch, folder, remove,
    forget or remove-index.
    """

    wanted = Signal(str)

    def __init__(self, row: ModelRow) -> None:
        super().__init__()
        self.row = row
        self.title = ElidedLabel("", Qt.TextElideMode.ElideRight, "section")
        self.description = label(tone="secondary")
        self.description.setWordWrap(True)
        self.facts = label(role="count")
        self.indexed = StateBadge()
        self.details = ElidedLabel(role="secondary")
        self.reason = label(tone="paused")
        self.problem = label(tone="failed")
        for part in (self.facts, self.reason, self.problem):
            part.setWordWrap(True)
        self.badge = StateBadge()
        self.badge.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Preferred)
        self.action_button = button("")
        self.measure_button = button("Measure speed", "quiet", "gauge")
        self.more_button = button("", "quiet", "dots-three")
        self.download = DownloadBar()
        self.menu = QMenu(self)
        self.menu.setToolTipsVisible(True)
        self.actions_by_name: dict[str, QAction] = {}
        self._action = ""
        self._build_menu()
        self._lay_out()
        self._connect()
        self.show_row(row, others=False)
        self.show_download(None)

    def _build_menu(self) -> None:
        for name, text in (
            ("switch", "Index everything with it…"),
            ("measure", "Measure speed"),
            ("folder", "Show folder"),
            ("", ""),
            ("remove", "Remove download…"),
            ("forget", "Remove from the list"),
            ("remove-index", "Remove its index…"),
        ):
            if not name:
                self.menu.addSeparator()
                continue
            action = self.menu.addAction(text)
            action.triggered.connect(lambda _=False, name=name: self.wanted.emit(name))
            self.actions_by_name[name] = action

    def _lay_out(self) -> None:
        self.more_button.setFixedWidth(36)
        self.more_button.setStyleSheet("padding-left: 8px; padding-right: 8px")
        self.action_button.setMinimumWidth(BUTTON_WIDTH)
        top = QHBoxLayout()
        top.setSpacing(SPACE_S)
        top.addWidget(self.title, 1)
        top.addWidget(self.badge)
        top.addWidget(self.measure_button)
        top.addWidget(self.action_button)
        top.addWidget(self.more_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, SPACE_M, 0, 0)
        column.setSpacing(SPACE_XS)
        column.addLayout(top)
        column.addWidget(self.description)
        column.addWidget(self.reason)
        column.addWidget(self.facts)
        column.addWidget(self.indexed)
        column.addWidget(self.details)
        column.addWidget(self.problem)
        column.addWidget(self.download)
        column.addSpacing(SPACE_M)
        column.addWidget(line())
        self.problem.hide()

    def _connect(self) -> None:
        self.action_button.clicked.connect(lambda: self.wanted.emit(self._action))
        self.measure_button.clicked.connect(lambda: self.wanted.emit("measure"))
        self.more_button.clicked.connect(self._pop_up)
        self.download.stop_asked.connect(lambda: self.wanted.emit("stop"))
        self.download.start_asked.connect(lambda: self.wanted.emit("download"))

    def _pop_up(self) -> None:
        at = QPoint(self.more_button.width() - self.menu.sizeHint().width(), 0)
        at += QPoint(0, self.more_button.height() + 2)
        self.menu.popup(self.more_button.mapToGlobal(at))

    # What is shown

    def show_row(self, row: ModelRow, *, others: bool) -> None:
        """Show the model as it is now; ``others``: there are sessions with another model."""
        self.row = row
        unusable = row.state == "unavailable"
        self.setAccessibleName(row.title)
        self.more_button.setAccessibleName(f"{row.title}: more actions")
        self.title.set_text(f"{row.title} (recommended)" if row.recommended else row.title)
        self.description.setText(row.description)
        self.reason.setText(row.reason)
        self.reason.setVisible(unusable)
        self.facts.setText(model_words.facts(row))
        self.facts.setVisible(bool(self.facts.text()))
        self.measure_button.setVisible(row.state == "ready" and row.speed is None)
        self.measure_button.setAccessibleName(f"Measure the speed of {row.title}")
        text = model_words.indexed(row)
        self.indexed.setVisible(bool(text))
        self.indexed.set_state("running" if row.indexing else "completed", word=text)
        self.details.set_text(model_words.details(row))
        for part in (self.title, self.description, self.facts):
            part.setEnabled(not unusable)
        self._show_menu(others)
        self._show_action()

    def show_download(self, state: ModelDownload | None) -> None:
        """Show its download, where there is one."""
        self.download.show_state(state)
        self._show_action()

    def show_problem(self, text: str) -> None:
        """Say below it what went wrong, or nothing any more."""
        self.problem.setText(text)
        self.problem.setVisible(bool(text))

    def _show_action(self) -> None:
        """The one thing to do next, or that nothing is left to do."""
        row = self.row
        in_use = row.inUse and row.state == "ready"
        self.badge.setVisible(in_use)
        self.badge.set_state("completed", word="Used for new sessions" if in_use else "")
        action = {"ready": "use", "partial": "download", "absent": "download"}.get(row.state, "")
        if in_use or self.download.isVisibleTo(self):
            action = ""
        self._action = action
        self.action_button.setVisible(bool(action))
        if action == "use":
            self._set_action("Use for new sessions", "")
        elif row.state == "partial":
            self._set_action("Resume download", "primary" if row.recommended else "")
        elif action:
            size = words.size(row.downloadMb * 1_000_000) if row.downloadMb else ""
            self._set_action(f"Download {size}".strip(), "primary" if row.recommended else "")

    def _set_action(self, text: str, kind: str) -> None:
        self.action_button.setText(text)
        self.action_button.setAccessibleName(f"{text}: {self.row.title}")
        _set_kind(self.action_button, kind)

    def _show_menu(self, others: bool) -> None:
        row, actions = self.row, self.actions_by_name
        ready = row.state == "ready"
        actions["switch"].setEnabled(ready and others)
        actions["measure"].setEnabled(ready)
        actions["folder"].setEnabled(bool(row.folder))
        actions["remove"].setVisible(row.kind == "hub")
        actions["remove"].setEnabled(row.removable)
        actions["forget"].setVisible(row.kind == "folder")
        actions["forget"].setEnabled(not row.inUse and not row.sessions and not row.indexes)
        index = self.spare_index()
        actions["remove-index"].setEnabled(index is not None)
        actions["remove-index"].setToolTip(plain_tip(self._why_kept()) if index is None else "")

    def spare_index(self) -> ModelIndex | None:
        """An index that may be removed."""
        return next(
            (
                index
                for index in self.row.indexes
                if index.vectors and not index.sessions and not index.only
            ),
            None,
        )

    def _why_kept(self) -> str:
        if not self.row.vectors:
            return "Nothing is indexed with this model"
        if any(index.only for index in self.row.indexes):
            return "It is the only index there is"
        return "Sessions use it; index them with another model first"


def _set_kind(target: QPushButton, kind: str) -> None:
    """Change the look of a button; the style sheet looks at properties only when told to."""
    if target.property("kind") != kind:
        target.setProperty("kind", kind)
        target.style().unpolish(target)
        target.style().polish(target)
