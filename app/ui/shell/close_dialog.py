"""What to do with a running session when the window is closed."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QDialog, QHBoxLayout, QVBoxLayout, QWidget

from app.ui.parts import words
from app.ui.parts.theme import SPACE_L, SPACE_S, SPACE_XL
from app.ui.parts.widgets import button, label


class CloseDialog(QDialog):
    """Asks once; closing the question itself is the safe answer: nothing happens."""

    tray = Signal()
    pause_and_quit = Signal()

    def __init__(self, parent: QWidget, names: list[str], *, tray_available: bool) -> None:
        super().__init__(parent)
        self.setWindowTitle("Close Afterimage")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(SPACE_XL, SPACE_XL, SPACE_XL, SPACE_L)
        outer.setSpacing(SPACE_S)
        outer.setSizeConstraint(QVBoxLayout.SizeConstraint.SetFixedSize)
        outer.addWidget(label(_title(names), "section"))
        outer.addWidget(label(_text(tray_available)))
        outer.addSpacing(SPACE_L)
        self.tray_button = button("Keep running in the tray")
        self.pause_button = button("Pause and quit")
        self.stay_button = button("Do not close", "primary")
        self.stay_button.setDefault(True)
        self.tray_button.setVisible(tray_available)
        row = QHBoxLayout()
        row.setSpacing(SPACE_S)
        row.addStretch()
        for item in (self.tray_button, self.pause_button, self.stay_button):
            row.addWidget(item)
        outer.addLayout(row)
        self.tray_button.clicked.connect(self._keep)
        self.pause_button.clicked.connect(self._pause)
        self.stay_button.clicked.connect(self.reject)
        self.stay_button.setFocus()

    def _keep(self) -> None:
        self.accept()
        self.tray.emit()

    def _pause(self) -> None:
        self.accept()
        self.pause_and_quit.emit()


def _title(names: list[str]) -> str:
    if len(names) == 1:
        return f"“{words.shorten(names[0], 40)}” is still being indexed."
    return f"{words.plural(len(names), 'session')} are still being indexed."


def _text(tray_available: bool) -> str:
    quitting = "When you quit, it pauses after the current pictures; resume it whenever you like."
    if tray_available:
        return f"Indexing can continue while the window is closed.\n{quitting}"
    return quitting
