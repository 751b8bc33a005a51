"""What the rows of all lists draw: what is behind them, and a line of text."""

from __future__ import annotations

from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QFont, QFontMetrics, QPainter
from PySide6.QtWidgets import QStyle, QStyleOptionViewItem

from app.ui.parts.theme import RADIUS, theme


def draw_background(painter: QPainter, option: QStyleOptionViewItem, area: QRect) -> None:
    """What shows that a row is chosen or pointed at."""
    if option.state & QStyle.StateFlag.State_Selected:
        token = "selected"
    elif option.state & QStyle.StateFlag.State_MouseOver:
        token = "surface-hover"
    else:
        return
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(theme().color(token))
    painter.drawRoundedRect(area, RADIUS, RADIUS)


def draw_text(
    painter: QPainter,
    area: QRect,
    text: str,
    font: QFont,
    token: str,
    mode: Qt.TextElideMode = Qt.TextElideMode.ElideRight,
    side: Qt.AlignmentFlag = Qt.AlignmentFlag.AlignLeft,
) -> None:
    """One line of text, shortened to the room there is; also a right-to-left one begins where the
    others do.

    Args:
        token: of its colour.
    """
    painter.setFont(font)
    painter.setPen(theme().color(token))
    shown = QFontMetrics(font).elidedText(text, mode, area.width())
    place = side | Qt.AlignmentFlag.AlignAbsolute | Qt.AlignmentFlag.AlignVCenter
    painter.drawText(area, place, shown)
