"""The narrow list of places on the left."""

from __future__ import annotations

from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtGui import QAction, QFontMetrics, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QToolButton, QVBoxLayout, QWidget

from app.ui.parts import words
from app.ui.parts.theme import SPACE_S, SPACE_XS, font, icon, theme

WIDTH = 84
_ICONS = {
    "pictures": "image-square",
    "sessions": "stack",
    "failed": "warning",
    "models": "brain",
    "system": "gauge",
}


class RailButton(QToolButton):
    """An icon over its label, with a count at the icon's corner."""

    def __init__(self, key: str, title: str, action: QAction) -> None:
        super().__init__()
        self._title = title
        self._count = 0
        self.setText(title)
        self.setFont(font("secondary"))
        self.setIcon(icon(_ICONS[key]))
        self.setIconSize(QSize(22, 22))
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
        self.setCheckable(True)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setProperty("kind", "rail")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(58)
        self.setAccessibleName(title)
        self.setToolTip(f"{title} ({action.shortcut().toString()})")
        self.clicked.connect(action.trigger)
        action.toggled.connect(self.setChecked)

    def set_count(self, number: int) -> None:
        """Show a number; none for 0."""
        if number != self._count:
            self._count = number
            pictures = words.plural(number, "picture")
            self.setAccessibleName(f"{self._title}, {pictures}" if number else self._title)
            self.update()

    def nextCheckState(self) -> None:
        """The page decides what is checked, through the action."""

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self.isChecked():  # a mark beside the colour, for those who see colours less well
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme().color("accent"))
            painter.drawRoundedRect(0, 14, 3, self.height() - 28, 1.5, 1.5)
        if self._count:
            self._paint_count(painter)

    def _paint_count(self, painter: QPainter) -> None:
        text = words.short_count(self._count)
        drawn = font("secondary")
        drawn.setPixelSize(10)
        drawn.setBold(True)
        width = max(QFontMetrics(drawn).horizontalAdvance(text) + 8, 16)
        area = QRect(self.width() // 2 + 5, 5, width, 16)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme().color("failed"))
        painter.drawRoundedRect(area, 8, 8)
        painter.setFont(drawn)
        painter.setPen(theme().color("on-failed"))
        painter.drawText(area, Qt.AlignmentFlag.AlignCenter, text)


class Rail(QWidget):
    """The places in their order; the last one stands at the bottom."""

    def __init__(self, pages: tuple[tuple[str, str], ...], actions: dict[str, QAction]) -> None:
        super().__init__()
        self.setFixedWidth(WIDTH)
        self.setAccessibleName("Places")
        self.buttons = {key: RailButton(key, title, actions[key]) for key, title in pages}
        column = QVBoxLayout(self)
        column.setContentsMargins(SPACE_S, SPACE_S, SPACE_S, SPACE_S)
        column.setSpacing(SPACE_XS)
        *others, last = self.buttons.values()
        for item in others:
            column.addWidget(item)
        column.addStretch()
        column.addWidget(last)
