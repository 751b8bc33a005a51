"""What is being indexed, in one slim line that every page but the sessions' own has at its foot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.ui.parts import words
from app.ui.parts.theme import SPACE_L, SPACE_M, SPACE_XS
from app.ui.parts.widgets import ElidedLabel, IconLabel, ProgressBar, button, label, line

if TYPE_CHECKING:
    from app.api.training_schemas import TrainingProgress

BAR_WIDTH = 180


class RunningBar(QWidget):
    """Takes no room while nothing runs."""

    wanted = Signal(int)
    """Somebody wants to see the session with this id."""

    def __init__(self) -> None:
        super().__init__()
        self._session_id = 0
        self._running = self._elsewhere = False
        self.text = ElidedLabel()
        self.left = label(role="secondary")
        self.bar = ProgressBar()
        self.bar.setFixedWidth(BAR_WIDTH)
        self.show_button = button("Show", "quiet", hint="Show this session")
        self.show_button.clicked.connect(lambda: self.wanted.emit(self._session_id))
        row = QHBoxLayout()
        row.setContentsMargins(SPACE_L, SPACE_XS, SPACE_M, SPACE_XS)
        row.setSpacing(SPACE_M)
        row.addWidget(IconLabel("play-circle", "running", 16))
        row.addWidget(self.text, 1)
        for part in (self.bar, self.left, self.show_button):
            row.addWidget(part)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(line())
        column.addLayout(row)
        self.hide()

    def set_page(self, key: str) -> None:
        """Which page is shown: that of the sessions says all this itself."""
        self._elsewhere = key != "sessions"
        self.setVisible(self._running and self._elsewhere)

    def show_running(self, sessions: Sequence[TrainingProgress]) -> None:
        """Show how far these are."""
        if sessions:
            self._show(sessions)
        self._running = bool(sessions)
        self.setVisible(self._running and self._elsewhere)

    def _show(self, sessions: Sequence[TrainingProgress]) -> None:
        first = sessions[0]
        done = sum(item.progress.current for item in sessions)
        total = sum(item.progress.total for item in sessions)
        counting = any(item.discovering for item in sessions)
        several = len(sessions) > 1
        name = words.plural(len(sessions), "session") if several else first.name
        self.text.set_text(f"{name}: {words.indexing(done, total, discovering=counting)}")
        self.text.setAccessibleName(self.text.full_text())
        self.left.setText(
            ""
            if several
            else words.time_left(first.progress.etaSeconds, first.stalled, first.discovering)
        )
        share = None if counting else done / total if total else 0.0
        another = not self._running or first.sessionId != self._session_id
        if another or (share is not None and share < self.bar.shown):  # retried ones wait again
            self.bar.reset_to(share)
        else:
            self.bar.set_progress(share)
        self._session_id = first.sessionId
