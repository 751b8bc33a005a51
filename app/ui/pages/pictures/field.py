"""The field a description is typed into."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction, QKeyEvent
from PySide6.QtWidgets import QLineEdit

from app.ui.parts.theme import font, icon

MAX_LENGTH = 2_000
HINT = "Describe a picture, or narrow down: 2019, in:Norway, type:heic, name:IMG_12"
RECENT = "Earlier searches and examples"
KEYS = (
    ("Earlier searches", "Alt+Down"),
    ("Go to the pictures", "Down"),
    ("Clear the field", "Esc"),
)
"""What the field itself does with keys."""


class SearchField(QLineEdit):
    """Escape empties it, Down goes to the pictures, Enter asks at once; Alt+Down or the clock
    shows earlier searches."""

    entered = Signal()
    left_down = Signal()
    recent_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setFont(font("section"))
        bigger = self.font()
        bigger.setWeight(bigger.Weight.Normal)
        self.setFont(bigger)
        self.setStyleSheet("QLineEdit { min-height: 28px; }")
        self.setMaxLength(MAX_LENGTH)
        self.setPlaceholderText(HINT)
        self.setAccessibleName("Search")
        self.setToolTip("Search (Ctrl+F or /)")
        self.setAcceptDrops(False)  # a dropped file is an example, not a text: the page takes it
        self.setClearButtonEnabled(True)
        look = icon("magnifying-glass", "text-secondary")
        self.addAction(look, QLineEdit.ActionPosition.LeadingPosition)
        recent = QAction(icon("clock-counter-clockwise", "text-secondary"), RECENT, self)
        recent.setToolTip(f"{RECENT} (Alt+Down)")
        recent.triggered.connect(self.recent_wanted)
        self.addAction(recent, QLineEdit.ActionPosition.TrailingPosition)
        self.returnPressed.connect(self.entered)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape and self.text():
            self.clear()
        elif event.key() == Qt.Key.Key_Down and event.modifiers() & Qt.KeyboardModifier.AltModifier:
            self.recent_wanted.emit()
        elif event.key() == Qt.Key.Key_Down:
            self.left_down.emit()
        elif event.key() == Qt.Key.Key_Escape:
            event.ignore()
        else:
            super().keyPressEvent(event)
