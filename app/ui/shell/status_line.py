"""The quiet line at the bottom: who works, on what, and what is wrong, if anything is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QHBoxLayout, QWidget

from app.ui.parts import words
from app.ui.parts.theme import SPACE_L, SPACE_S, SPACE_XL, SPACE_XS
from app.ui.parts.widgets import ElidedLabel, IconLabel, label, line

if TYPE_CHECKING:
    from app.api.training_schemas import SystemStatus, WorkerStatus

STARTING_PROGRAM = "Starting…"
MESSAGE_MS = 8_000


class StatusLine(QWidget):
    """One sentence on the left; queue and store on the right."""

    def __init__(self) -> None:
        super().__init__()
        self._problem = ""
        self._runtime = STARTING_PROGRAM
        self._message = ""
        self._indexing = False
        self._system: SystemStatus | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._forget)
        self._icon = IconLabel("circle-half", "pending", 16)
        self._sentence = ElidedLabel(STARTING_PROGRAM, role="secondary")
        self._queue, self._store = label(role="secondary"), label(role="secondary")
        self._gap = line(vertical=True)
        row = QHBoxLayout(self)
        row.setContentsMargins(SPACE_L, SPACE_XS, SPACE_L, SPACE_XS)
        row.setSpacing(SPACE_S)
        row.addWidget(self._icon)
        row.addWidget(self._sentence, 1)
        row.addSpacing(SPACE_XL)
        for part in (self._queue, self._gap, self._store):
            row.addWidget(part)
        self.setFixedHeight(28)
        self._show()

    @property
    def text(self) -> str:
        """The sentence that is shown."""
        return self._sentence.full_text()

    def set_runtime(self, message: str) -> None:
        """What the processes are doing, where they are not simply running."""
        if message != self._runtime:
            self._runtime = message
            if self._system is not None and not any(one.alive for one in self._system.workers):
                self._system = None  # from before there was one: the next look will know
            self._show()

    def set_indexing(self, indexing: bool) -> None:
        """Whether a session runs: known sooner than from the worker's next sign of life."""
        if indexing != self._indexing:
            self._indexing = indexing
            self._show()

    def set_problem(self, sentence: str) -> None:
        """What cannot be shown at the moment; empty when all is well."""
        if sentence != self._problem:
            self._problem = sentence
            self._show()

    def show_message(self, sentence: str) -> None:
        """Say something that happened, for a few seconds."""
        self._message = " ".join(sentence.split())
        self._timer.start(MESSAGE_MS)
        self._show()

    def _forget(self) -> None:
        self._message = ""
        self._show()

    def set_system(self, system: SystemStatus) -> None:
        """A fresh look at worker, queue and store."""
        self._system = system
        self._show()

    def _show(self) -> None:
        if self._problem:
            self._display("warning-circle", "failed", self._problem)
        elif self._message:
            self._display("info", "running", self._message)
        elif self._runtime:
            self._display("circle-half", "pending", self._runtime)
        elif self._system is not None:
            self._display(*_sentence(self._system.workers, self._indexing))
        system = self._system
        settled = system is not None and not self._runtime
        self._queue.setText(_queue(system) if system and settled else "")
        self._store.setText(_store(system) if system else "")
        self._gap.setVisible(settled)

    def _display(self, icon_name: str, token: str, sentence: str) -> None:
        self._icon.set_icon(icon_name, token)
        self._sentence.set_text(sentence)
        self.setAccessibleName(f"Status: {sentence}")


def _sentence(workers: list[WorkerStatus], indexing: bool) -> tuple[str, str, str]:
    alive = [worker for worker in workers if worker.alive]
    if not alive:
        return "warning-circle", "paused", "Nothing is indexing: no indexing process is running."
    first = next((worker for worker in alive if worker.state != "idle"), alive[0])
    where = words.device_name(first.device)
    on = f" on {where}" if where and where != "Automatic" else ""
    more = f", {words.plural(len(alive), 'process', 'processes')}" if len(alive) > 1 else ""
    if first.notice:
        return "info", "paused", first.notice
    if first.state == "loading the model":
        return "circle-half", "pending", "Loading the model…"
    if indexing or first.state.startswith("session"):
        return "play-circle", "running", f"Indexing{on}{more}"
    return "check-circle", "completed", f"Ready{on}{more}"


def _queue(system: SystemStatus) -> str:
    if system.redisPingMs is None:
        return "Queue does not answer"
    waiting = sum(queue.waiting for queue in system.queues)
    return f"{words.count(waiting)} waiting in the queue" if waiting else "Queue ready"


def _store(system: SystemStatus) -> str:
    server = system.vectorStore.startswith(("http://", "https://"))
    return f"Index on {system.vectorStore}" if server else "Index on this computer"
