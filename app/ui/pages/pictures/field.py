"""The field a description is typed into, and the files that are dropped around it."""

from __future__ import annotations

import os
from urllib.parse import unquote_to_bytes

from PySide6.QtCore import QMimeData, QRect, Qt, Signal
from PySide6.QtGui import QAction, QColor, QKeyEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QLineEdit, QWidget

from app.ui.parts.theme import SPACE_L, font, icon, theme

MAX_LENGTH = 2_000
MOST_DROPPED = 20
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


class DropHint(QWidget):
    """Covers the page while a picture is held over it."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.hide()

    def cover(self) -> None:
        """Show over all of the page."""
        parent = self.parentWidget()
        assert parent is not None
        self.setGeometry(parent.rect())
        self.raise_()
        self.show()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ground = QColor(theme().color("background"))
        ground.setAlphaF(0.88)
        painter.fillRect(self.rect(), ground)
        painter.setPen(QPen(theme().color("accent"), 2, Qt.PenStyle.DashLine))
        frame = self.rect().adjusted(SPACE_L, SPACE_L, -SPACE_L, -SPACE_L)
        painter.drawRoundedRect(frame, 6, 6)
        mark = QRect(0, 0, 40, 40)
        mark.moveCenter(frame.center())
        icon("image-square", "accent").paint(painter, mark.translated(0, -28))
        painter.setFont(font("section"))
        painter.setPen(theme().color("text"))
        text = QRect(frame.left(), frame.center().y() + 4, frame.width(), 28)
        painter.drawText(text, Qt.AlignmentFlag.AlignCenter, "Drop to find pictures like it")


def dropped_files(data: QMimeData) -> list[str]:
    """Local files among what is dragged, folders left out; names need not be UTF-8."""
    if not data.hasUrls():
        return []
    lines = bytes(data.data("text/uri-list").data()).split(b"\r\n")
    paths = [os.fsdecode(unquote_to_bytes(line[7:])) for line in lines if line[:8] == b"file:///"]
    return [path for path in paths[:MOST_DROPPED] if not os.path.isdir(path)]
