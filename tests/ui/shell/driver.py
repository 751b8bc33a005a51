"""Runs the window in a process of its own, for tests of start and end; see ``test_start.py``."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from types import SimpleNamespace
from typing import Any

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QLabel

from app.ui.shell import main
from app.ui.shell.window import MainWindow

HEAVY = ("torch", "open_clip", "numpy", "sqlalchemy", "pydantic", "redis", "rq", "alembic", "PIL")


class NoProcesses:
    """A runtime that starts nothing."""

    def start(self) -> None: ...

    def status(self) -> Any:
        return SimpleNamespace(redis="starting", message="Starting the indexing process…")

    def renew_worker(self) -> None: ...

    def stop(self, timeout: float) -> None: ...


def loaded() -> list[str]:
    return [name for name in HEAVY if name in sys.modules]


def run(awaited: str, within_s: float = 30.0) -> None:
    """Show the window until it says something, end it by a signal, and report."""
    report: dict[str, Any] = {}
    paint = main.paint

    def painted(app: QApplication, window: MainWindow) -> None:
        paint(app, window)
        report["painted"] = window.painted
        report["at_first_paint"] = loaded()

        end = time.monotonic() + within_s
        timer = QTimer(window)

        def look() -> None:
            texts = [label.text() for label in window.findChildren(QLabel) if label.isVisible()]
            report["page"] = window.stack.currentWidget().accessibleName()
            if any(awaited in text for text in texts) or time.monotonic() > end:
                report["texts"] = texts
                timer.stop()
                os.kill(os.getpid(), signal.SIGTERM)

        timer.timeout.connect(look)
        timer.start(50)

    main.paint = painted
    main.make_runtime = NoProcesses  # type: ignore[assignment]
    main.end_in_time = lambda: None  # this process reports after its end
    begin = time.monotonic()
    report["code"] = main.run_window(*sys.argv[2:])
    report["seconds"] = time.monotonic() - begin
    report["at_end"] = loaded()
    print(json.dumps(report))


if __name__ == "__main__":
    run(sys.argv[1])
