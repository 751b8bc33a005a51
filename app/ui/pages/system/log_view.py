"""The end of a log, following it while it grows."""

from __future__ import annotations

from PySide6.QtWidgets import QHBoxLayout, QPlainTextEdit, QVBoxLayout, QWidget

from app.services.backend import Backend
from app.ui.parts.choice_box import ChoiceBox
from app.ui.parts.poller import Poller
from app.ui.parts.theme import SPACE_L, SPACE_M, font
from app.ui.parts.widgets import label

REFRESH_S = 2.0
LINES = 200
LOGS = (("worker", "Indexing process"), ("window", "Window"))


class LogView(QWidget):
    """Choose a log and read its newest lines."""

    def __init__(self, backend: Backend, poller: Poller) -> None:
        super().__init__()
        self._backend = backend
        self.choice = ChoiceBox()
        self.choice.setAccessibleName("Log of")
        for process, title in LOGS:
            self.choice.addItem(title, process)
        self.text = QPlainTextEdit()
        self.text.setReadOnly(True)
        self.text.setFont(font("mono"))
        self.text.setProperty("kind", "log")
        self.text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.text.setAccessibleName("Newest lines of the log")
        self.text.setMinimumHeight(80)
        row = QHBoxLayout()
        row.setSpacing(SPACE_M)
        row.addWidget(label("Log of"))
        row.addWidget(self.choice)
        row.addStretch()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, SPACE_L, 0, 0)
        column.setSpacing(SPACE_M)
        column.addLayout(row)
        column.addWidget(self.text, 1)
        self._watch = poller.watch(self._fetch, self._show, owner=self, every_s=REFRESH_S)
        self.choice.currentIndexChanged.connect(self._switch)

    async def _fetch(self) -> tuple[str, str]:
        process = str(self.choice.currentData())
        return process, await self._backend.system.log_tail(process, LINES)

    def _switch(self) -> None:
        self.text.clear()
        self._watch.now()

    def _show(self, answer: tuple[str, str]) -> None:
        process, text = answer
        cursor = self.text.textCursor()
        # Who is selecting a line to copy it must not lose it to the next refresh.
        if process != self.choice.currentData() or cursor.hasSelection():
            return
        if text == self.text.toPlainText():
            return
        bar = self.text.verticalScrollBar()
        at, follows = bar.value(), bar.value() >= bar.maximum() - 1
        self.text.setPlainText(text)
        bar.setValue(bar.maximum() if follows else at)
