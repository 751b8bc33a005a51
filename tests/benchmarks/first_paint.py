"""How long the window takes to appear, compared with an empty one that Qt shows.

Run as a program, this shows one of the two windows, says when it is painted, and ends.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from unittest.mock import patch

PAIRS = 15
_PAINTED = "painted"


def first_paint() -> tuple[float, float]:
    """The median ratio of our start to the bare one, and the median of ours in milliseconds.

    The two kinds of process take turns, so that what else the computer does meets both.
    """
    for kind in ("bare", "program"):  # files come from the disk only this once
        _seconds(kind)
    pairs = [(_seconds("program"), _seconds("bare")) for _ in range(PAIRS)]
    ratio = statistics.median(ours / bare for ours, bare in pairs)
    return ratio, 1000 * statistics.median(ours for ours, _ in pairs)


def _seconds(kind: str) -> float:
    """From the start of a process to its word that the window is painted."""
    began = time.perf_counter()
    command = [sys.executable, str(Path(__file__)), kind]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = process.stdout.readline().strip()
        seconds = time.perf_counter() - began
    if said != _PAINTED:
        raise RuntimeError(f"the {kind} window was not painted")
    return seconds


def _say_painted() -> None:
    os.write(sys.stdout.fileno(), f"{_PAINTED}\n".encode())


def show_program() -> None:
    """Start the program as a person does, up to the first paint of its window."""
    from PySide6.QtWidgets import QApplication

    from app.__main__ import main
    from app.ui.shell import main as root
    from app.ui.shell.window import MainWindow

    real_paint = root.paint

    def paint(app: QApplication, window: MainWindow) -> None:
        real_paint(app, window)
        if window.painted:
            _say_painted()
        sys.exit()

    sys.argv = ["afterimage"]
    with patch.object(root, "paint", paint):
        main()


def show_bare() -> None:
    """Start Qt with an empty main window, up to its first paint."""
    from PySide6.QtGui import QPaintEvent
    from PySide6.QtWidgets import QApplication, QMainWindow

    class Window(QMainWindow):
        painted = False

        def paintEvent(self, event: QPaintEvent) -> None:
            super().paintEvent(event)
            self.painted = True

    app = QApplication(sys.argv[:1])
    window = Window()
    window.resize(1100, 720)
    window.show()
    while not window.painted:
        app.processEvents()
    _say_painted()


if __name__ == "__main__":
    {"program": show_program, "bare": show_bare}[sys.argv[1]]()
