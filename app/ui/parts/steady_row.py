"""A row of buttons that come and go, but never under the mouse."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from PySide6.QtCore import QEvent
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QWidget

from app.ui.parts.theme import SPACE_S


class SteadyRow(QWidget):
    """Shows some of its buttons; while the mouse is among them, no other one moves below it.

    Args:
        buttons: from the left.
        shared: buttons that take one place in turns, such as Pause and Resume: they change at
            once, because they do so when a person has pressed one of them.
    """

    def __init__(self, buttons: Sequence[QPushButton], shared: Collection[QPushButton]) -> None:
        super().__init__()
        self._buttons, self._shared = tuple(buttons), tuple(shared)
        self._wanted = frozenset(buttons)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE_S)
        for item in self._buttons:
            row.addWidget(item)
        width = max((item.sizeHint().width() for item in self._shared), default=0)
        for item in self._shared:
            item.setFixedWidth(width)

    def show_only(self, wanted: Collection[QPushButton], *, at_once: bool = False) -> None:
        """Show these; as soon as the mouse is elsewhere, where others would move.

        Args:
            at_once: wherever the mouse is: a person has chosen to see something else.
        """
        self._wanted = frozenset(wanted)
        if self.underMouse() and not at_once:
            self._take_turns()
        else:
            self._arrange()

    def _take_turns(self) -> None:
        before = next((item for item in self._shared if not item.isHidden()), None)
        after = next((item for item in self._shared if item in self._wanted), None)
        if before is None or after is None or before is after:
            return
        had_focus = before.hasFocus()
        before.hide()
        after.show()
        if had_focus:
            after.setFocus()

    def _arrange(self) -> None:
        self._take_turns()
        for item in self._buttons:
            item.setVisible(item in self._wanted)

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._arrange()
