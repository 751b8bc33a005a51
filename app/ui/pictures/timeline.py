"""The years beside a grid: a click or a drag goes there, through any number of pictures."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QPoint, QRect, QSize, Qt
from PySide6.QtGui import (
    QEnterEvent,
    QFontMetrics,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QWheelEvent,
)
from PySide6.QtWidgets import (
    QAbstractSlider,
    QApplication,
    QHBoxLayout,
    QSizePolicy,
    QToolTip,
    QWidget,
)

from app.ui.parts.theme import RADIUS, SPACE_S, SPACE_XS, font, theme
from app.ui.pictures.justified import Heading
from app.ui.pictures.justified_view import JustifiedView

WIDTH = 52
LINE = 16
"""Room that a year takes; years closer than this are left out."""
SEEN_WIDTH, LEAST_SEEN = 4, 8
EDGE = 10
"""Above the first pictures and below the last."""


class Timeline(QAbstractSlider):
    """Stands in for the grid's scroll bar where pictures are sorted by date.

    Where it is dragged to is a height in the grid: which pictures lie there is known from how many
    each month has, and only those that are seen are fetched.
    """

    def __init__(self, view: JustifiedView) -> None:
        super().__init__()
        self._view = view
        self._headings: Sequence[Heading] = ()
        self._years: dict[int, str] = {}
        """The first month of each year, by number, and the year."""
        self._tops: list[int] = []
        self._pointed: int | None = None
        self.setOrientation(Qt.Orientation.Vertical)
        self.setFixedWidth(WIDTH)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Expanding)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setMouseTracking(True)
        self.setAccessibleName("Timeline")
        view.moved.connect(self._follow)
        view.verticalScrollBar().rangeChanged.connect(lambda _low, _high: self._follow())
        self.valueChanged.connect(self._go)
        self.hide()

    def show_months(self, headings: Sequence[Heading]) -> None:
        """Months of the pictures, from the top; without any, the scroll bar takes over again."""
        self._headings = headings
        years = [heading.text.rpartition(" ")[2] for heading in headings]
        self._years = {at: year for at, year in enumerate(years) if year not in years[:at]}
        self.setVisible(bool(headings))
        policy = Qt.ScrollBarPolicy
        self._view.setVerticalScrollBarPolicy(
            policy.ScrollBarAlwaysOff if headings else policy.ScrollBarAsNeeded
        )
        self._follow()

    def sizeHint(self) -> QSize:
        return QSize(WIDTH, 200)

    # Where the grid is

    def _follow(self) -> None:
        """Take over from the grid what it shows."""
        bar = self._view.verticalScrollBar()
        self._tops = self._view.heading_tops()[: len(self._headings)] if self._headings else []
        blocked = self.blockSignals(True)
        self.setRange(0, bar.maximum())
        self.setPageStep(bar.pageStep())
        self.setSingleStep(bar.singleStep())
        if not self.isSliderDown():
            self.setValue(bar.value())
        self.blockSignals(blocked)
        self.setAccessibleDescription(self._text_at(bar.value()))
        self.update()

    def _go(self, value: int) -> None:
        self._view.verticalScrollBar().setValue(value)
        self.update()

    def _number_at(self, value: int) -> int:
        """The month at a height."""
        reached = [number for number, top in enumerate(self._tops) if top <= value + 1]
        return reached[-1] if reached else 0

    def _text_at(self, value: int) -> str:
        return self._headings[self._number_at(value)].text if self._headings else ""

    # Between heights in the grid and here

    @property
    def _whole(self) -> int:
        """The height of all pictures."""
        return self.maximum() + self._view.viewport().height()

    def _y(self, height: int) -> int:
        room = max(self.height() - 2 * EDGE, 1)
        return EDGE + round(min(height, self._whole) * room / max(self._whole, 1))

    def _value(self, y: int) -> int:
        room = max(self.height() - 2 * EDGE, 1)
        return min(round(min(max(y - EDGE, 0), room) * self._whole / room), self.maximum())

    # Mouse and keys

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.setSliderDown(True)
            self._drag_to(event.position().toPoint())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        where = event.position().toPoint()
        self._pointed = where.y()
        if self.isSliderDown():
            self._drag_to(where)
        self._say(where)
        self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self.setSliderDown(False)
        self._follow()

    def _drag_to(self, where: QPoint) -> None:
        self.setValue(self._value(where.y()))
        self._say(where)

    def _say(self, where: QPoint) -> None:
        """The month below the pointer, beside it."""
        if not self._headings:
            return
        text = self._text_at(self._value(where.y()))
        wide = QFontMetrics(QToolTip.font()).horizontalAdvance(text)
        beside = self.mapToGlobal(QPoint(-wide - 3 * SPACE_S, where.y() - LINE))
        QToolTip.showText(beside, text, self)

    def enterEvent(self, event: QEnterEvent) -> None:
        super().enterEvent(event)
        self._pointed = event.position().toPoint().y()

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._pointed = None
        self.update()

    def wheelEvent(self, event: QWheelEvent) -> None:
        QApplication.sendEvent(self._view.viewport(), event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Up and down go by months, Page up and down by years."""
        step = {
            Qt.Key.Key_Up: -1,
            Qt.Key.Key_Down: 1,
            Qt.Key.Key_PageUp: -12,
            Qt.Key.Key_PageDown: 12,
        }.get(Qt.Key(event.key()))
        if step is None or not self._tops:
            super().keyPressEvent(event)
            return
        number = self._number_at(self.value())
        if abs(step) > 1:
            number = self._other_year(number, forward=step > 0)
        elif step > 0 or self.value() <= self._tops[number] + 1:
            number += step
        self.setValue(self._tops[min(max(number, 0), len(self._tops) - 1)])

    def _other_year(self, number: int, *, forward: bool) -> int:
        """The first month of the next or previous year that there is."""
        if forward:
            return next((at for at in self._years if at > number), len(self._headings) - 1)
        return next((at for at in reversed(self._years) if at < number), 0)

    # Drawing

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(font("secondary"))
        right = self.width() - SPACE_XS
        last = -LINE
        for number, year in self._years.items():
            y = self._y(self._tops[number])
            if y - last >= LINE:
                painter.setPen(theme().color("text-secondary"))
                painter.drawText(QRect(0, y - LINE // 2, right, LINE), _RIGHT, year)
                last = y
        if self._pointed is not None and not self.isSliderDown():
            painter.fillRect(SPACE_XS, self._pointed, right, 1, theme().color("control-line"))
        if self.maximum():
            self._draw_seen(painter)
        if self.hasFocus():
            painter.setPen(QPen(theme().color("accent"), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(self.rect().adjusted(1, 1, -1, -1), RADIUS, RADIUS)

    def _draw_seen(self, painter: QPainter) -> None:
        """What part of all pictures is in sight, as a scroll bar would show it."""
        top = self._y(self.value())
        height = max(self._y(self.value() + self._view.viewport().height()) - top, LEAST_SEEN)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme().color("accent"))
        painter.drawRoundedRect(SPACE_XS, top, SEEN_WIDTH, height, 2, 2)


class BesideTimeline(QWidget):
    """A grid with its timeline at the right edge."""

    def __init__(self, view: JustifiedView, timeline: Timeline) -> None:
        super().__init__()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE_XS)
        row.addWidget(view, 1)
        row.addWidget(timeline)


_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
