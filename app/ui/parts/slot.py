"""Places of buttons: what comes and goes by itself never stands where something else was."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QPushButton, QSizePolicy, QStackedWidget, QWidget

SETTLED_AFTER_MS = 600
"""A click that was under way is over by then, and a person has seen what is there."""


class Slot(QStackedWidget):
    """One place for buttons of which one is there at a time, or none; it keeps its room.

    Args:
        buttons: they mean the same, or what undoes it, such as Pause and Resume.
        texts: what they say at times, beside their texts of now.
    """

    def __init__(self, buttons: Sequence[QPushButton], texts: Sequence[str] = ()) -> None:
        super().__init__()
        self._nothing = QWidget()
        self.addWidget(self._nothing)
        for item in buttons:
            self.addWidget(item)
            item.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        sizes = [_size(item, text) for item in buttons for text in (item.text(), *texts)]
        self.setFixedSize(max(size[0] for size in sizes), max(size[1] for size in sizes))

    def show_button(self, wanted: QPushButton | None) -> None:
        """Show one of the buttons, or none."""
        after = wanted or self._nothing
        if after is self.currentWidget():
            return
        self.setCurrentWidget(after)  # which hands the keyboard on
        if wanted is not None and self.isVisible():
            settle(wanted)


def settle(button: QPushButton) -> None:
    """Have a button that has just come, or means something else now, take no click for a moment."""
    ignores = Qt.WidgetAttribute.WA_TransparentForMouseEvents
    button.setAttribute(ignores)
    QTimer.singleShot(SETTLED_AFTER_MS, button, lambda: button.setAttribute(ignores, False))


def _size(button: QPushButton, text: str) -> tuple[int, int]:
    now = button.text()
    button.setText(text)
    size = button.sizeHint()
    button.setText(now)
    return size.width(), size.height()
