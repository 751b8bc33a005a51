"""What pictures are restricted to, in one line: session, days, format, shape."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from PySide6.QtCore import QDate, Qt, Signal
from PySide6.QtGui import QTextCharFormat
from PySide6.QtWidgets import (
    QCalendarWidget,
    QMenu,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
    QWidgetAction,
)

from app.api.search_schemas import PictureShape, SearchFilter
from app.printable import printable
from app.ui.parts import words
from app.ui.parts.choice_box import ChoiceBox
from app.ui.parts.flow_layout import FlowLayout
from app.ui.parts.theme import SPACE_S, icon
from app.ui.parts.widgets import button

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "HEIF", "AVIF", "RAW", "TIFF", "BMP")
SHAPES: tuple[tuple[str, PictureShape | None], ...] = (
    ("Any shape", None),
    ("Landscape", "landscape"),
    ("Portrait", "portrait"),
    ("Square", "square"),
)
COMBO_WIDTH = 170


class SearchFilters(QWidget):
    """The conditions; :meth:`value` has them."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._silent = False
        self.session = _combo("Session", "All sessions")
        self.from_button = DayButton("From")
        self.to_button = DayButton("To")
        self.format = _combo("Format", "Any format")
        self.shape = _combo("Shape", "")
        self.clear_button = button("Clear filters", "quiet", "x")
        self.format.addItems(FORMATS)
        self.shape.clear()
        for text, value in SHAPES:
            self.shape.addItem(text, value)
        flow = FlowLayout(spacing=SPACE_S)
        for part in (
            self.session,
            self.from_button,
            self.to_button,
            self.format,
            self.shape,
            self.clear_button,
        ):
            flow.addWidget(part)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(flow)
        self._connect()

    def _connect(self) -> None:
        for combo in (self.session, self.format, self.shape):
            combo.currentIndexChanged.connect(self._notify)
        self.from_button.changed.connect(lambda: self._keep_order(self.from_button))
        self.to_button.changed.connect(lambda: self._keep_order(self.to_button))
        self.clear_button.clicked.connect(self.clear)

    def value(self) -> SearchFilter:
        """The conditions as the service takes them."""
        return SearchFilter(
            sessionId=self.session.currentData(),
            takenFrom=self.from_button.day,
            takenTo=self.to_button.day,
            formats=[self.format.currentText()] if self.format.currentIndex() > 0 else [],
            orientation=self.shape.currentData(),
        )

    def number(self) -> int:
        """How many conditions are set."""
        value = self.value().model_dump()
        return sum(bool(part) for part in value.values())

    def show_sessions(self, sessions: Sequence[tuple[int, str]]) -> None:
        """Offer these sessions; the chosen one stays chosen."""
        chosen = self.session.currentData()
        known = [self.session.itemData(row) for row in range(1, self.session.count())]
        texts = [self.session.itemText(row) for row in range(1, self.session.count())]
        wanted = [(number, words.shorten(printable(name), 60)) for number, name in sessions]
        if chosen is not None and chosen not in (number for number, _ in wanted):
            wanted.append((chosen, f"Session {chosen}"))
        if list(zip(known, texts, strict=True)) == wanted:
            return
        self._silent = True
        while self.session.count() > 1:
            self.session.removeItem(1)
        for number, name in wanted:
            self.session.addItem(name, number)
        self.session.setCurrentIndex(max(self.session.findData(chosen), 0))
        self._silent = False
        if self.session.view().isVisible():
            self.session.showPopup()  # as high as its entries need now

    def only_session(self, number: int, name: str) -> None:
        """Only pictures of this session, and no other condition."""
        silent, self._silent = self._silent, True
        self.clear()
        if self.session.findData(number) < 0:
            self.session.addItem(words.shorten(name, 60), number)
        self.session.setCurrentIndex(self.session.findData(number))
        self._silent = silent
        self._notify()

    def clear(self) -> None:
        """No condition."""
        silent, self._silent = self._silent, True
        for combo in (self.session, self.format, self.shape):
            combo.setCurrentIndex(0)
        self.from_button.set_day(None)
        self.to_button.set_day(None)
        self._silent = silent
        self._notify()

    def _keep_order(self, last: DayButton) -> None:
        first, end = self.from_button.day, self.to_button.day
        if first and end and first > end:  # the other one follows what was set last
            silent, self._silent = self._silent, True
            (self.to_button if last is self.from_button else self.from_button).set_day(last.day)
            self._silent = silent
        self._notify()

    def _notify(self) -> None:
        if not self._silent:
            self.clear_button.setEnabled(self.number() > 0)
            self.changed.emit()


class DayButton(QPushButton):
    """A day, or none; a click opens a calendar."""

    changed = Signal()

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name
        self.day: date | None = None
        self.calendar = QCalendarWidget()
        self.calendar.setVerticalHeaderFormat(QCalendarWidget.VerticalHeaderFormat.NoVerticalHeader)
        self.calendar.setMaximumDate(QDate(9999, 12, 30))
        self._dress_calendar()
        self.calendar.activated.connect(self._picked)
        self.calendar.clicked.connect(self._picked)
        menu = QMenu(self)
        holder = QWidgetAction(menu)
        holder.setDefaultWidget(self.calendar)
        menu.addAction(holder)
        self._any = menu.addAction("Any day", lambda: self.set_day(None))
        menu.aboutToShow.connect(lambda: self.calendar.setFocus())
        self.setMenu(menu)
        self._show()

    def set_day(self, day: date | None) -> None:
        """Show this day."""
        if day != self.day:
            self.day = day
            self._show()
            self.changed.emit()

    def _dress_calendar(self) -> None:
        calendar = self.calendar
        calendar.setMinimumSize(300, 230)
        calendar.setStyleSheet("QTableView::item { padding: 0px; } QTableView { border: none; }")
        for day in (Qt.DayOfWeek.Saturday, Qt.DayOfWeek.Sunday):  # red is for what failed
            calendar.setWeekdayTextFormat(day, QTextCharFormat())
        for name, glyph in (("prev", "caret-left"), ("next", "caret-right")):
            step = calendar.findChild(QToolButton, f"qt_calendar_{name}month")
            if step is not None:
                step.setIcon(icon(glyph))

    def _picked(self, day: QDate) -> None:
        self.menu().close()
        self.set_day(date(day.year(), day.month(), day.day()))

    def _show(self) -> None:
        shown = "any day" if self.day is None else f"{self.day.day} {self.day:%B %Y}"
        self.setText(f"{self._name}: {shown}")
        self._any.setEnabled(self.day is not None)


def _combo(name: str, first: str) -> ChoiceBox:
    combo = ChoiceBox()
    combo.setAccessibleName(name)
    combo.addItem(first, None)
    combo.setMaximumWidth(COMBO_WIDTH)
    combo.setSizeAdjustPolicy(ChoiceBox.SizeAdjustPolicy.AdjustToContents)
    return combo
