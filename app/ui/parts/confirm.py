"""One question before something is done; the safe answer is the default."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QCheckBox, QDialog, QHBoxLayout, QVBoxLayout, QWidget

from app.ui.parts.theme import SPACE_L, SPACE_S, SPACE_XL
from app.ui.parts.widgets import button, label

WIDTH = 380


class ConfirmDialog(QDialog):
    """Says what will happen; Escape and Return both leave everything as it is."""

    def __init__(
        self, parent: QWidget, title: str, text: str, *, yes: str, no: str, may_skip: bool = False
    ) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Afterimage")
        self.setAccessibleName(title)
        self.setAccessibleDescription(text)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(SPACE_XL, SPACE_XL, SPACE_XL, SPACE_L)
        outer.setSpacing(SPACE_S)
        for words, role in ((title, "section"), (text, "body")):
            part = label(words, "section" if role == "section" else "body")
            part.setWordWrap(True)
            part.setFixedWidth(WIDTH)
            outer.addWidget(part)
        self.again = QCheckBox("Do not ask again")
        if may_skip:
            outer.addSpacing(SPACE_S)
            outer.addWidget(self.again)
        outer.addSpacing(SPACE_L)
        self.yes_button, self.no_button = button(yes, "danger"), button(no, "primary")
        self.yes_button.setAutoDefault(False)
        self.no_button.setDefault(True)
        self.yes_button.clicked.connect(self.accept)
        self.no_button.clicked.connect(self.reject)
        row = QHBoxLayout()
        row.setSpacing(SPACE_S)
        row.addStretch()
        row.addWidget(self.yes_button)
        row.addWidget(self.no_button)
        outer.addLayout(row)
        outer.setSizeConstraint(QVBoxLayout.SizeConstraint.SetFixedSize)
        self.no_button.setFocus()


def ask(
    parent: QWidget,
    title: str,
    text: str,
    *,
    yes: str,
    no: str,
    then: Callable[[], None],
    may_skip: bool = False,
) -> ConfirmDialog:
    """Ask, and call ``then`` if the answer is yes; returns at once.

    Args:
        may_skip: a box offers not to ask again; whoever asks looks whether it is ticked.
    """
    dialog = ConfirmDialog(parent.window(), title, text, yes=yes, no=no, may_skip=may_skip)
    dialog.accepted.connect(then)
    dialog.open()
    return dialog
