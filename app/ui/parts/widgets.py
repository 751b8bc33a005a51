"""The small parts that every page is made of."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from PySide6.QtCore import QEvent, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from app.ui.parts import words
from app.ui.parts.progress_bar import ProgressBar
from app.ui.parts.theme import (
    RADIUS,
    ROW_HEIGHT,
    SPACE_L,
    SPACE_M,
    SPACE_S,
    SPACE_XS,
    FontRole,
    font,
    icon,
    state_icon_name,
    state_token,
    theme,
)

__all__ = [
    "CountChip",
    "ElidedLabel",
    "EmptyState",
    "IconLabel",
    "Page",
    "ProgressBar",
    "Skeleton",
    "StateBadge",
    "button",
    "label",
    "line",
    "plain_tip",
]


EMPTY_WIDTH = 400
LEADING = (
    Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignAbsolute | Qt.AlignmentFlag.AlignVCenter
)
"""For names, also right-to-left ones: all of them begin below each other."""
ICON_BESIDE_TEXT = QSize(20, 16)
"""A glyph of 16 in a little more room, because Qt leaves only 4 between icon and text."""


def label(text: str = "", role: FontRole = "body", tone: str = "") -> QLabel:
    """A line of plain text; ``tone`` is secondary, failed, paused or completed."""
    result = QLabel(text)
    result.setAlignment(LEADING)
    result.setTextFormat(Qt.TextFormat.PlainText)
    result.setFont(font(role))
    tone = tone or ("secondary" if role == "secondary" else "")
    if tone:
        result.setProperty("tone", tone)
    return result


def button(text: str, kind: str = "", icon_name: str = "", hint: str = "") -> QPushButton:
    """A button; ``kind`` is primary, danger, quiet or nothing."""
    result = QPushButton(text)
    if kind:
        result.setProperty("kind", kind)
    if icon_name:
        tokens = {"primary": "on-accent", "danger": "failed"}
        result.setIcon(icon(icon_name, tokens.get(kind, "text")))
        result.setIconSize(ICON_BESIDE_TEXT)
    if hint:
        result.setToolTip(plain_tip(hint))
    return result


def plain_tip(text: str) -> str:
    """Text for a tool tip that holds a name; Qt would take a ``<b>`` in it for markup."""
    return f"<p style='white-space:pre'>{escape(text)}</p>" if "<" in text else text


def line(vertical: bool = False) -> QFrame:
    """A one-pixel line."""
    result = QFrame()
    result.setProperty("kind", "line")
    if vertical:
        result.setFixedWidth(1)
    else:
        result.setFixedHeight(1)
    return result


class IconLabel(QLabel):
    """An icon that keeps the theme's colours."""

    def __init__(self, name: str = "", token: str = "text-secondary", size: int = 18) -> None:
        super().__init__()
        self._name, self._token, self._size = name, token, size
        self.setFixedSize(size, size)
        theme().changed.connect(self._draw)
        self._draw()

    def set_icon(self, name: str, token: str | None = None) -> None:
        """Show another icon."""
        if (name, token or self._token) != (self._name, self._token):
            self._name, self._token = name, token or self._token
            self._draw()

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.DevicePixelRatioChange:
            self._draw()
        return super().event(event)

    def _draw(self) -> None:
        if self._name:
            size, ratio = QSize(self._size, self._size), self.devicePixelRatioF()
            self.setPixmap(icon(self._name, self._token).pixmap(size, ratio))


class StateBadge(QWidget):
    """A state as icon, word and colour."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.status = ""
        self._icon = IconLabel()
        self._word = label()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE_XS + 2)
        row.addWidget(self._icon)
        row.addWidget(self._word)
        row.addStretch()
        theme().changed.connect(self._tint)

    def set_state(self, status: str, discovering: bool = False, word: str = "") -> None:
        """Show a session's state; ``word`` replaces the usual one."""
        self.status = status
        text = word or words.state_word(status, discovering)
        if text != self._word.text():
            self._word.setText(text)
            self.setAccessibleName(text)
        self._icon.set_icon(state_icon_name(status), state_token(status))
        self._tint()

    def _tint(self) -> None:
        if self.status:
            colour = theme().color(state_token(self.status)).name()
            self._word.setStyleSheet(f"color: {colour}")


class ElidedLabel(QLabel):
    """One line that shortens to the room there is; all of it is in the tool tip."""

    def __init__(
        self,
        text: str = "",
        mode: Qt.TextElideMode = Qt.TextElideMode.ElideMiddle,
        role: FontRole = "body",
        tone: str = "",
    ) -> None:
        super().__init__()
        self._full, self._mode = "", mode
        self.setAlignment(LEADING)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setFont(font(role))
        if tone or role == "secondary":
            self.setProperty("tone", tone or "secondary")
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.set_text(text)

    def set_text(self, text: str) -> None:
        """Show another text; line breaks become spaces."""
        text = " ".join(text.split("\n"))
        if text != self._full:
            self._full = text
            self.setAccessibleName(text)
            self._elide()

    def full_text(self) -> str:
        """The text before shortening."""
        return self._full

    def sizeHint(self) -> QSize:
        # one more: the width of a text is rounded, and what is rounded off would shorten it
        width = self.fontMetrics().horizontalAdvance(self._full) + 1
        return QSize(width, super().sizeHint().height())

    def minimumSizeHint(self) -> QSize:
        return QSize(0, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._elide()

    def _elide(self) -> None:
        shown = self.fontMetrics().elidedText(self._full, self._mode, max(self.width(), 0))
        self.setText(shown)
        self.setToolTip(plain_tip(self._full) if shown != self._full else "")


class EmptyState(QWidget):
    """What a page says when there is nothing on it: what belongs here, and the way to it."""

    def __init__(
        self, icon_name: str, title: str, text: str = "", action: QPushButton | str | None = None
    ) -> None:
        super().__init__()
        self.button = button(action, "primary") if isinstance(action, str) else action
        self._title, self._text = label(title, "section"), label(text, "body", "secondary")
        self._icon = IconLabel(icon_name, "text-secondary", 40)
        column = QVBoxLayout()
        column.setSpacing(SPACE_S)
        column.addStretch(2)
        column.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addSpacing(SPACE_S)
        for part in (self._title, self._text):
            part.setAlignment(Qt.AlignmentFlag.AlignHCenter)
            part.setWordWrap(True)
            part.setFixedWidth(EMPTY_WIDTH)
            column.addWidget(part)
        outer = QHBoxLayout(self)
        outer.addStretch()
        outer.addLayout(column)
        outer.addStretch()
        if self.button is not None:
            column.addSpacing(SPACE_S)
            column.addWidget(self.button, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addStretch(3)

    def set_text(self, title: str, text: str = "", icon_name: str = "") -> None:
        """Say something else."""
        self._title.setText(title)
        self._text.setText(text)
        if icon_name:
            self._icon.set_icon(icon_name)


class Skeleton(QWidget):
    """Grey bars where rows will be; they show only if the rows take more than 200 ms."""

    DELAY_MS = 200

    def __init__(self, rows: int = 6, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows = rows
        self._drawn = False
        self._timer = QTimer(self, singleShot=True, interval=self.DELAY_MS)
        self._timer.timeout.connect(self._reveal)
        self.setAccessibleName("Loading")

    def start(self) -> None:
        """Wait a moment, then draw."""
        self._drawn = False
        self._timer.start()
        self.update()

    def stop(self) -> None:
        """Draw nothing any more."""
        self._timer.stop()
        self._drawn = False
        self.update()

    @property
    def drawn(self) -> bool:
        return self._drawn

    def _reveal(self) -> None:
        self._drawn = True
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        if not self._drawn:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme().color("surface-hover"))
        for row in range(self._rows):
            top = SPACE_L + row * (ROW_HEIGHT + SPACE_S)
            share = (0.62, 0.48, 0.71, 0.55)[row % 4]
            width = int((self.width() - 2 * SPACE_L) * share)
            painter.drawRoundedRect(SPACE_L, top + 10, max(width, 40), 12, RADIUS, RADIUS)


class CountChip(QPushButton):
    """A number with its word that filters a list while it is pressed in."""

    toggled_by_person = Signal(bool)

    def __init__(self, status: str, word: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.status = status
        self._word = word or words.picture_state_word(status)
        self._number: int | None = None
        self.setCheckable(True)
        self.setFont(font("count"))
        self.setIcon(icon(state_icon_name(status), state_token(status)))
        self.setIconSize(ICON_BESIDE_TEXT)
        self.setProperty("kind", "chip")
        self.clicked.connect(self.toggled_by_person)
        self.set_count(None)

    @property
    def number(self) -> int:
        return self._number or 0

    def set_count(self, number: int | None) -> None:
        """Show another number; None: nobody has looked yet."""
        self._number = number
        if number is None:
            self.setText(self._word)
            self.setAccessibleName(self._word)
        else:
            self.setText(f"{words.count(number)}  {self._word}")
            self.setAccessibleName(f"{words.plural(number, 'picture')}: {self._word}")
        self.setToolTip(f"Show only: {self._word}")


class Page(QWidget):
    """A page: its title and, at the top right, its buttons; the rest goes into ``body``."""

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(title)
        self.title = label(title, "title")
        self.buttons = QHBoxLayout()
        self.buttons.setSpacing(SPACE_S)
        top = QHBoxLayout()
        top.setSpacing(SPACE_M)
        top.addWidget(self.title, 1)
        top.addLayout(self.buttons)
        self.body = QVBoxLayout()
        self.body.setSpacing(SPACE_M)
        column = QVBoxLayout(self)
        column.setContentsMargins(SPACE_L, SPACE_L, SPACE_L, SPACE_L)
        column.setSpacing(SPACE_L)
        column.addLayout(top)
        column.addLayout(self.body, 1)

    def add_buttons(self, buttons: Sequence[QPushButton]) -> None:
        """Put buttons at the top right, the primary one last."""
        for item in buttons:
            self.buttons.addWidget(item)


def text_width(text: str, role: FontRole = "body") -> int:
    """How wide a text is, for columns."""
    return QFontMetrics(font(role)).horizontalAdvance(text)


def mixed(one: QColor, other: QColor, share: float) -> QColor:
    """A colour between two; ``share`` of the other."""
    return QColor.fromRgbF(
        one.redF() + (other.redF() - one.redF()) * share,
        one.greenF() + (other.greenF() - one.greenF()) * share,
        one.blueF() + (other.blueF() - one.blueF()) * share,
    )
