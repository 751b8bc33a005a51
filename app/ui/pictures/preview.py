"""One picture beside a grid: large, with what is known of it and what can be done with it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction, QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QScrollArea, QToolButton, QVBoxLayout, QWidget

from app.printable import printable
from app.ui.parts.flow_layout import FlowLayout
from app.ui.parts.theme import SPACE_L, SPACE_M, SPACE_S, SPACE_XS, icon
from app.ui.parts.widgets import ICON_BESIDE_TEXT, ElidedLabel, button, label
from app.ui.pictures.evidence_panel import FactForm, attempt_part
from app.ui.pictures.grid import PictureGrid, Tile
from app.ui.pictures.large_picture import LargePicture

if TYPE_CHECKING:
    from app.api.training_schemas import EvidenceRow
    from app.ui.pictures.context import PictureContext

SMALL = "This is the thumbnail: files of this kind cannot be shown larger here."
GONE = "The file is no longer there."
Details = list[tuple[str, str]]


class PicturePreview(QWidget):
    """Shows the current picture of a grid; arrow keys go on, Escape and Space close it.

    Args:
        actions: what becomes a row of buttons, such as ``PictureActions.on_picture``.
    """

    closed = Signal()

    def __init__(
        self, context: PictureContext, grid: PictureGrid, actions: Sequence[QAction]
    ) -> None:
        super().__init__()
        self._backend, self._runner, self._grid = context.backend, context.runner, grid
        self._tile: Tile | None = None
        self.setMinimumWidth(260)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setAccessibleName("Preview")
        self.picture = LargePicture(context.thumbnails)
        self.name = ElidedLabel(role="section")
        self.folder = ElidedLabel(role="secondary")
        self.note = label(role="secondary")
        self.note.setWordWrap(True)
        self.facts = FactForm()
        self.buttons = [_action_button(action) for action in actions]
        self.close_button = button("", "quiet", "x", "Close the preview (Escape)")
        self.close_button.setAccessibleName("Close the preview")
        self.details_button = button("Details", "quiet", "caret-right")
        self.details_button.setCheckable(True)
        self.details_button.setStyleSheet("padding-left: 0px;")
        self.attempts = QWidget()
        self._attempts = QVBoxLayout(self.attempts)
        self._lay_out()
        self.close_button.clicked.connect(self.closed)
        self.details_button.toggled.connect(self._show_details)
        self.picture.shown.connect(self._describe_shown)

    def _lay_out(self) -> None:
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(SPACE_L, 0, SPACE_S, SPACE_L)
        column.setSpacing(SPACE_S)
        top, actions = QHBoxLayout(), FlowLayout(spacing=SPACE_XS)
        top.addWidget(self.name, 1)
        top.addWidget(self.close_button)
        for item in self.buttons:
            actions.addWidget(item)
        column.addLayout(top)
        column.addWidget(self.picture, 1)
        column.addLayout(actions)
        for part in (self.note, self.folder, self.facts):
            column.addWidget(part)
        column.addWidget(self.details_button, 0, Qt.AlignmentFlag.AlignLeft)
        column.addWidget(self.attempts)
        self._attempts.setContentsMargins(0, 0, 0, 0)
        self._attempts.setSpacing(SPACE_M)
        self.note.hide()
        self.attempts.hide()
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setWidget(inside)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(area)

    def show_tile(self, tile: Tile, details: Details) -> None:
        """Show a picture.

        Args:
            details: names and values for the lines under it; empty values are left out.
        """
        another = self._tile is None or tile.path != self._tile.path
        self._tile = tile
        self.facts.show_facts(details)
        if not another:
            return
        self.name.set_text(printable(os.path.basename(tile.path)))
        self.folder.set_text(printable(os.path.dirname(tile.path)))
        self.setAccessibleDescription(self.name.full_text())
        self.note.hide()
        self.picture.show_file(tile.path)
        self._ask_for_details()

    def clear(self) -> None:
        """Show no picture."""
        self._tile = None
        self.picture.show_file("")
        self.note.hide()
        for part in (self.name, self.folder):
            part.set_text("")
        self.facts.show_facts([])
        self._show_attempts([])

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Escape, Qt.Key.Key_Space):
            self.closed.emit()
        elif event.key() in (Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_Down):
            self._grid.setFocus()
            self._grid.keyPressEvent(event)
        else:
            super().keyPressEvent(event)

    def _describe_shown(self, whole: bool) -> None:
        self.note.setVisible(not whole)
        if whole:
            return
        self.note.setText(SMALL)
        path = self.picture.path

        def done(why: str) -> None:
            if path == self.picture.path:
                self.note.setText(why)

        self._runner.run(None, lambda: asyncio.to_thread(why_small, path), done=done)

    # What the index knows of it

    def _show_details(self, shown: bool) -> None:
        self.details_button.setIcon(icon("caret-down" if shown else "caret-right"))
        self.attempts.setVisible(shown)
        self._ask_for_details()

    def _ask_for_details(self) -> None:
        self._show_attempts([])
        tile = self._tile
        if tile is None or not self.details_button.isChecked():
            return

        async def work() -> list[EvidenceRow]:
            async with self._backend.db() as db:
                return await self._backend.pictures.evidence_of_asset(db, tile.asset_id)

        def done(attempts: list[EvidenceRow]) -> None:
            if tile is self._tile:
                self._show_attempts(attempts, "Nothing is recorded about this picture yet.")

        self._runner.run(None, work, done=done)

    def _show_attempts(self, attempts: Sequence[EvidenceRow], otherwise: str = "") -> None:
        while (item := self._attempts.takeAt(0)) is not None:
            if (old := item.widget()) is not None:
                old.hide()
                old.deleteLater()
        for attempt in attempts:
            self._attempts.addWidget(attempt_part(attempt))
        if not attempts and otherwise:
            self._attempts.addWidget(label(otherwise, "secondary"))


def why_small(path: str) -> str:
    """Why a picture is not seen in full."""
    return SMALL if os.path.exists(path) else GONE


def _action_button(action: QAction) -> QToolButton:
    """An action as a button; its key is in the tool tip."""
    made = QToolButton()
    made.setDefaultAction(action)
    made.setIconSize(ICON_BESIDE_TEXT)
    made.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
    made.setAccessibleName(action.toolTip())
    return made
