"""Python's garbage collection, in the window's thread only.

By itself Python collects in whichever thread happens to allocate. A Qt object that dies in a
helper thread leaves its timers behind in the window's thread, and the next one that fires takes
the program down.
"""

from __future__ import annotations

import gc

from PySide6.QtCore import QObject, QTimer

LOOK_EVERY_MS = 500


class Collector(QObject):
    """Collects when Python would, from a timer; from ``start`` to ``stop``."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_EVERY_MS)
        self._timer.timeout.connect(collect)

    def start(self) -> None:
        """Take over from Python."""
        gc.disable()
        self._timer.start()

    def stop(self) -> None:
        """Collect what is left, and give back to Python."""
        self._timer.stop()
        gc.collect()
        gc.enable()


def collect() -> None:
    """Collect the oldest generation that is due, by Python's own thresholds."""
    for generation in (2, 1, 0):
        if gc.get_count()[generation] > gc.get_threshold()[generation]:
            gc.collect(generation)
            return
