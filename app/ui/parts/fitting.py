"""Windows that fit the screen they are on, whatever its size and scale."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QRect, QSize
from PySide6.QtWidgets import QWidget

FRAME = QSize(2, 34)
"""Room for the frame that the system draws around a window, which is known only afterwards."""


def room_for(window: QWidget) -> QSize:
    """The largest size that a window may have on its screen."""
    return window.screen().availableSize() - FRAME


def fit_size(window: QWidget, wanted: QSize) -> None:
    """Give a window this size, or as much of it as there is room for."""
    window.resize(wanted.boundedTo(room_for(window)))


def fit_to_screen(window: QWidget) -> None:
    """Bring a window that was put somewhere wholly onto its screen."""
    fit_size(window, window.size())
    window.move(_inside(window.screen().availableGeometry(), window.pos(), window.size() + FRAME))


def _inside(area: QRect, place: QPoint, size: QSize) -> QPoint:
    last = QPoint(area.right() + 1 - size.width(), area.bottom() + 1 - size.height())
    return QPoint(
        max(min(place.x(), last.x()), area.left()), max(min(place.y(), last.y()), area.top())
    )
