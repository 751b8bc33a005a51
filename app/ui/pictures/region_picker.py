"""A rectangle dragged over a picture chooses a part of it."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QRect, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from app.api.search_schemas import LEAST_PART
from app.ui.parts.theme import theme
from app.ui.pictures.zoom_view import ZoomView

CLICK = 4
"""Pixels of the screen that a mouse moves in a click."""
VEIL = 0.55


class RegionPicker(QWidget):
    """Covers a view while a part is to be chosen; what is beside the rectangle is darkened."""

    chosen = Signal(object)
    """A :data:`app.api.search_schemas.Region`."""
    too_small = Signal()

    def __init__(self, view: ZoomView) -> None:
        super().__init__(view)
        self._view = view
        self._begin: QPoint | None = None
        self._area = QRect()
        self.setCursor(Qt.CursorShape.CrossCursor)
        self.hide()

    def begin(self) -> None:
        """Have the next drag choose a part."""
        self._begin, self._area = None, QRect()
        self.setGeometry(self._view.rect())
        self.show()
        self.raise_()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._begin = event.position().toPoint()
            self._area = QRect()
            self.update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._begin is not None:
            area = QRect(self._begin, event.position().toPoint()).normalized()
            self._area = area & self._view.place().toAlignedRect() & self.rect()
            self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self._begin is None or event.button() != Qt.MouseButton.LeftButton:
            return
        self._begin, area = None, self._area
        if max(area.width(), area.height()) <= CLICK:
            self._area = QRect()
        elif self._pixels(area) < LEAST_PART:
            self._area = QRect()
            self.too_small.emit()
        else:
            self.chosen.emit(self._shares(area))
        self.update()

    def _pixels(self, area: QRect) -> int:
        """The picture's own pixels on the rectangle's shorter side."""
        ratio = self.devicePixelRatioF() / max(self._view.scale, 1e-9)
        return round(min(area.width(), area.height()) * ratio)

    def _shares(self, area: QRect) -> tuple[float, float, float, float]:
        place = self._view.place()
        across, down = place.width(), place.height()
        return (
            max((area.left() - place.left()) / across, 0.0),
            max((area.top() - place.top()) / down, 0.0),
            min((area.right() + 1 - place.left()) / across, 1.0),
            min((area.bottom() + 1 - place.top()) / down, 1.0),
        )

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        if self._area.isEmpty():
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        beside = QPainterPath()
        beside.addRect(QRectF(self.rect()))
        beside.addRect(QRectF(self._area))  # odd and even: this is the hole
        veil = QColor(theme().color("background"))
        veil.setAlphaF(VEIL)
        painter.fillPath(beside, veil)
        painter.setPen(QPen(theme().color("accent"), 2))
        painter.drawRect(self._area)
