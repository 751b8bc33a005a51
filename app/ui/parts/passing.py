"""What is said of something that is over goes by itself."""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtWidgets import QApplication, QWidget

READ_WITHIN_MS = 12_000


class Passing(QObject):
    """Tells when a sentence is to go: after a while in sight, or with the next act of a person.

    Args:
        shown: what says it; it stays while the mouse or the keyboard is there.
    """

    over = Signal()

    def __init__(self, shown: QWidget) -> None:
        super().__init__(shown)
        self._shown = shown
        self._timer = QTimer(self, singleShot=True, interval=READ_WITHIN_MS)
        self._timer.timeout.connect(self._look)
        self._passes = False

    def begin(self, passes: bool, *, by_itself: bool = True) -> None:
        """Something else is said now.

        Args:
            passes: it is about something that is over; else it stays.
            by_itself: it goes after a while, too.
        """
        self._passes = passes
        self._timer.stop()
        if passes and by_itself:
            self._timer.start()

    def pass_by(self) -> None:
        """A person does something else."""
        if self._passes:
            self.begin(False)
            self.over.emit()

    def _look(self) -> None:
        shown, focus = self._shown, QApplication.focusWidget()
        used = shown.underMouse() or (focus is not None and shown.isAncestorOf(focus))
        if shown.isHidden():
            self.begin(False)  # somebody has dismissed it
        elif used or not shown.isVisible():
            self._timer.start()
        else:
            self.pass_by()
