"""What Qt says goes to the log; where it gives up, a person reads why before the process ends."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import suppress

from PySide6.QtCore import QMessageLogContext, QtMsgType, qInstallMessageHandler

_log = logging.getLogger(__name__)
_complaints: list[str] = []
"""What Qt warned of until the window was there: the reason, where it gives up after that."""
COMPLAINTS_KEPT = 20


def take_messages() -> None:
    """From now on; before the application is made, which is where Qt gives up without a screen."""
    qInstallMessageHandler(_take)


def _take(kind: QtMsgType, _context: QMessageLogContext, text: str | None) -> None:
    message = " ".join((text or "").split())
    if kind == QtMsgType.QtFatalMsg:
        _give_up(message)
    _log.debug("Qt: %s", message)
    if kind != QtMsgType.QtDebugMsg and len(_complaints) < COMPLAINTS_KEPT:
        _complaints.append(message)


def _give_up(message: str) -> None:
    """Qt would abort after this, with a dump of memory; there is nothing left that can be saved."""
    from app.logs import set_up_logs  # it takes time that the first paint has not

    with suppress(Exception):  # settings or disk may be wrong, too; the sentence comes anyway
        if not logging.getLogger().handlers:
            set_up_logs("window")
        _log.critical("Qt gave up: %s; before: %s", message, _complaints)
    reasons = [text for text in _complaints if "display" in text] or [*_complaints, message]
    reason = reasons[0].partition(". ")[0].rstrip(" .")
    print(
        f"The window cannot be opened: {reason}.",
        "Check DISPLAY, WAYLAND_DISPLAY and QT_QPA_PLATFORM; or use it in the terminal: "
        "afterimage --help",
        sep="\n",
        file=sys.stderr,
        flush=True,
    )
    os._exit(1)
