"""A button for another try, with a small menu of other ways to do it."""

from __future__ import annotations

from PySide6.QtCore import QPoint, Signal
from PySide6.QtWidgets import QHBoxLayout, QMenu, QWidget

from app.ui.pages.failed.actions import HOWS
from app.ui.parts.widgets import button


class RetryButton(QWidget):
    """``wanted`` says how to try again; empty is as before."""

    wanted = Signal(str)

    def __init__(self, text: str, kind: str = "") -> None:
        super().__init__()
        self.button = button(text, kind)
        self.more = button("", kind, "caret-down", "Other ways to retry")
        self.more.setAccessibleName(f"{text}: other ways")
        self.more.setFixedWidth(32)
        self.more.setStyleSheet("padding-left: 6px; padding-right: 6px")
        self.menu = QMenu(self)
        for how, title in HOWS[1:]:
            action = self.menu.addAction(title)
            action.triggered.connect(lambda _=False, how=how: self.wanted.emit(how))
        self.button.clicked.connect(lambda: self.wanted.emit(""))
        # not QPushButton.setMenu: that runs an event loop inside the event loop
        self.more.clicked.connect(self._pop_up)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(2)
        row.addWidget(self.button)
        row.addWidget(self.more)

    def _pop_up(self) -> None:
        self.menu.popup(self.more.mapToGlobal(QPoint(0, self.more.height() + 2)))
