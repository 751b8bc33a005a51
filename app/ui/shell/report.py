"""What somebody who helps with a problem needs to know, to be read before it is handed on."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt, QTimer
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QDialog, QHBoxLayout, QPlainTextEdit, QVBoxLayout, QWidget

from app.errors import AppError
from app.ui.parts.file_dialogs import save_file
from app.ui.parts.fitting import fit_size
from app.ui.parts.theme import SPACE_L, SPACE_S, SPACE_XL
from app.ui.parts.widgets import button, label

if TYPE_CHECKING:
    from app.services.backend import Backend
    from app.ui.parts.actions import ActionRunner

SIZE = QSize(720, 620)
SHOWN_MS = 2_000
ABOUT = (
    "This is what somebody who helps you needs. Passwords are hidden, but it has names of your "
    "folders and files: read it before you hand it on. Nothing is sent from here."
)


class ReportDialog(QDialog):
    """Shows the diagnostics; copies or saves them, and opens nothing."""

    def __init__(self, parent: QWidget, backend: Backend, runner: ActionRunner) -> None:
        super().__init__(parent)
        self._backend, self._runner = backend, runner
        self.setWindowTitle("Report a problem")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.text = QPlainTextEdit()
        self.text.setReadOnly(True)
        self.text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.text.setAccessibleName("Diagnostics")
        self.text.setPlaceholderText("Collecting…")
        self.copy_button = button("Copy", "primary", "copy")
        self.save_button = button("Save…", icon_name="export")
        self.close_button = button("Close")
        self._lay_out()
        for part in (self.copy_button, self.save_button):
            part.setEnabled(False)
        self.copy_button.clicked.connect(self._copy)
        self.save_button.clicked.connect(self._ask_where_to_save)
        self.close_button.clicked.connect(self.reject)
        runner.run(None, self._collect, done=self._show)

    def _lay_out(self) -> None:
        about = label(ABOUT)
        about.setWordWrap(True)
        bottom = QHBoxLayout()
        bottom.setSpacing(SPACE_S)
        bottom.addStretch()
        for part in (self.close_button, self.save_button, self.copy_button):
            bottom.addWidget(part)
        column = QVBoxLayout(self)
        column.setContentsMargins(SPACE_XL, SPACE_XL, SPACE_XL, SPACE_L)
        column.setSpacing(SPACE_L)
        column.addWidget(about)
        column.addWidget(self.text, 1)
        column.addLayout(bottom)
        fit_size(self, SIZE)

    async def _collect(self) -> str:
        async with self._backend.db() as db:
            return await self._backend.system.diagnostics(db)

    def _show(self, text: str) -> None:
        self.text.setPlainText(text)
        for part in (self.copy_button, self.save_button):
            part.setEnabled(True)
        self.copy_button.setFocus()

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self.text.toPlainText())
        self.copy_button.setText("Copied")
        QTimer.singleShot(SHOWN_MS, self, lambda: self.copy_button.setText("Copy"))

    def _ask_where_to_save(self) -> None:
        save_file(self, "Save the report", self.save_to, "afterimage-report.txt", "Text (*.txt)")

    def save_to(self, target: str) -> None:
        """Write it to a file."""
        text = self.text.toPlainText()

        def write() -> None:
            try:
                Path(target).write_text(text, encoding="utf-8")
            except OSError as error:
                raise AppError(
                    f"The report could not be saved: {error.strerror}.", "Choose another folder."
                ) from error

        self._runner.run(self.save_button, lambda: asyncio.to_thread(write))
