"""The folder of a new session: the field it is typed into, and what is known of it already."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QWidget

from app.printable import printable
from app.ui.pages.sessions.update_actions import possible
from app.ui.parts import words
from app.ui.parts.theme import SPACE_S
from app.ui.parts.widgets import IconLabel, button, label

if TYPE_CHECKING:
    from app.api.training_schemas import TrainingProgress


class SameFolder(QWidget):
    """Says that there is a session over this folder already, and offers to update it instead."""

    def __init__(self) -> None:
        super().__init__()
        self.text = label()
        self.text.setWordWrap(True)
        self.update_button = button("Update it instead", icon_name="arrows-clockwise")
        self.update_button.setAutoDefault(False)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE_S)
        row.addWidget(IconLabel("folder-open", "accent"))
        row.addWidget(self.text, 1)
        row.addWidget(self.update_button)
        self.hide()

    def show_session(self, known: TrainingProgress | None) -> None:
        """Show a session; None where there is none."""
        self.setVisible(known is not None)
        if known is None:
            return
        name = f"“{words.shorten(printable(known.name), 40)}”"
        may_update = "update" in possible(known)
        self.update_button.setVisible(may_update)
        self.text.setText(
            f"{name} has the pictures of this folder. An update adds what is new."
            if may_update
            else f"{name} is over this folder already."
        )


class FolderField(QLineEdit):
    """Enter ends the editing, and goes on to the dialog's button only where nothing was edited."""

    def keyPressEvent(self, event: QKeyEvent) -> None:
        edited = self.isModified()
        super().keyPressEvent(event)
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and edited:
            self.setModified(False)
            event.accept()
