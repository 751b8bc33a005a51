"""How a person learns that something failed: three branches, one dialog, never a traceback."""

from __future__ import annotations

import asyncio
import logging
import platform
import sys
import traceback
from types import TracebackType
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QApplication,
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from app.errors import AppError
from app.masking import hide
from app.ui.parts.theme import SPACE_L, SPACE_S, SPACE_XL
from app.ui.parts.widgets import IconLabel, button, label

_log = logging.getLogger(__name__)
TEXT_WIDTH = 400


class ErrorDialog(QDialog):
    """One failure in words; ``details`` are only ever copied, never shown."""

    def __init__(
        self, parent: QWidget | None, message: str, hint: str = "", details: str = ""
    ) -> None:
        super().__init__(parent)
        self.message, self.hint, self.details = message, hint, details
        self.setWindowTitle("Afterimage")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setAccessibleName(message)
        self.setAccessibleDescription(hint)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(SPACE_XL, SPACE_XL, SPACE_XL, SPACE_L)
        outer.setSpacing(SPACE_XL)
        outer.addLayout(self._text())
        self.buttons = QDialogButtonBox(self)
        self.close_button = button("Close", "primary")
        self.close_button.setDefault(True)
        self.buttons.addButton(self.close_button, QDialogButtonBox.ButtonRole.RejectRole)
        self.buttons.rejected.connect(self.reject)
        self.copy_button: QPushButton | None = None
        if details:
            self.copy_button = self.buttons.addButton(
                "Copy details", QDialogButtonBox.ButtonRole.ActionRole
            )
            self.copy_button.clicked.connect(self._copy)
        outer.addWidget(self.buttons)
        outer.setSizeConstraint(QVBoxLayout.SizeConstraint.SetFixedSize)
        self.close_button.setFocus()

    def _text(self) -> QHBoxLayout:
        row, column = QHBoxLayout(), QVBoxLayout()
        row.setSpacing(SPACE_L)
        column.setSpacing(SPACE_S)
        row.addWidget(IconLabel("warning-circle", "failed", 28), 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(column, 1)
        for part in (label(self.message, "section"), label(self.hint)):
            part.setWordWrap(True)
            part.setFixedWidth(TEXT_WIDTH)
            part.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            part.setVisible(bool(part.text()))
            column.addWidget(part)
        return row

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self.details)
        assert self.copy_button is not None
        self.copy_button.setText("Copied")


def show_error(parent: QWidget | None, error: AppError) -> ErrorDialog:
    """Say what happened and what to do; returns at once."""
    cause = error if error.__cause__ is not None else None
    _log.info("shown to the person: %s", error, exc_info=cause)
    return _show(parent, error.message, error.hint)


def show_bug(parent: QWidget | None, error: BaseException) -> ErrorDialog:
    """Log a failure that nobody foresaw, and offer its details for a report; returns at once."""
    _log.error("unexpected", exc_info=error)
    return _show(
        parent,
        "Something went wrong inside Afterimage.",
        "Your pictures and what was indexed are safe. Try again; if it happens again, copy the "
        "details and report them.",
        details_of(error),
    )


def details_of(error: BaseException) -> str:
    """What a report of this failure needs."""
    system = f"{platform.platform()}, Python {platform.python_version()}"
    return hide(f"{system}\n{''.join(traceback.format_exception(error))}")


def _show(parent: QWidget | None, message: str, hint: str, details: str = "") -> ErrorDialog:
    window = parent.window() if parent is not None else None
    if window is not None:  # the same failure again and again is one dialog, not a pile
        for shown in window.findChildren(ErrorDialog):
            if shown.isVisible() and (shown.message == message or (details and shown.details)):
                return shown
    dialog = ErrorDialog(window, message, hint, details)
    dialog.open()
    return dialog


def install_handlers(window: QWidget, loop: asyncio.AbstractEventLoop | None = None) -> None:
    """Send everything that nobody caught to the log and the bug dialog."""

    def hook(_kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        report(window, error.with_traceback(trace))

    def loop_handler(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, BaseException):
            report(window, error)
        else:
            _log.error("event loop: %s", context.get("message"))

    sys.excepthook = hook
    if loop is not None:
        loop.set_exception_handler(loop_handler)


def report(parent: QWidget | None, error: BaseException) -> None:
    """The three branches: nothing for a cancellation, words for an AppError, else a bug."""
    if isinstance(error, asyncio.CancelledError):
        return
    if QApplication.instance() is None:  # too late for a dialog, Qt would abort
        _log.error("after the end: %s", error, exc_info=error)
    elif isinstance(error, AppError):
        show_error(parent, error)
    else:
        show_bug(parent, error)
