"""The line over what was found: how many, the less likely ones, newer ones, the least score."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QSlider, QWidget

from app.ui.parts import words
from app.ui.parts.theme import SPACE_S
from app.ui.parts.widgets import ElidedLabel, button, label, text_width


class ResultsLine(QWidget):
    """What is said of an answer, and what it is restricted to by score."""

    changed = Signal()
    """Another least score is wanted."""

    def __init__(self) -> None:
        super().__init__()
        self.status_text = ElidedLabel(mode=Qt.TextElideMode.ElideRight, role="secondary")
        self.status_text.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self.more_button = button("Show less likely ones", "quiet")
        self.again_button = button("", "quiet", "arrows-clockwise")
        self.score_text = label(role="secondary")
        self.score = QSlider(Qt.Orientation.Horizontal)
        self.score.setRange(0, 100)
        self.score.setFixedSize(140, 24)
        self.score.setAccessibleName("Minimum score")
        self.score_text.setFixedWidth(text_width("At least 0.00", "secondary") + 4)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE_S)
        row.addWidget(self.status_text)
        row.addWidget(self.more_button)
        row.addStretch(1)
        row.addWidget(self.again_button)
        row.addWidget(self.score_text)
        row.addWidget(self.score)
        self.more_button.hide()
        self.again_button.hide()
        self.score.valueChanged.connect(self._show_score)
        self._show_score()

    @property
    def least(self) -> float | None:
        """The least score that is wanted; None: any."""
        return self.score.value() / 100 or None

    def set_least(self, least: float) -> None:
        """Want another one."""
        self.score.setValue(round(least * 100))

    def show_count(self, found: int, *, more: bool, left_out: bool) -> None:
        """Say how many there are; ``more``: below these; ``left_out``: less likely ones."""
        number = words.plural(found, "picture") if found else ""
        self._say(f"Best {number}, more below" if found and more else number)
        self.more_button.setVisible(left_out)

    def say(self, sentence: str) -> None:
        """Say something else."""
        self._say(sentence)
        self.more_button.hide()

    def show_growth(self, number: int) -> None:
        """Offer to look for the same among so many more pictures; 0: nothing."""
        if number:
            self.again_button.setText(f"{words.count(number)} more indexed: search again")
            picture, were = ("picture", "was") if number == 1 else ("pictures", "were")
            self.again_button.setToolTip(
                f"{words.count(number)} more {picture} {were} indexed since this search"
            )
        self.again_button.setVisible(number > 0)

    def _say(self, sentence: str) -> None:
        self.status_text.set_text(sentence)
        self.status_text.updateGeometry()

    def _show_score(self) -> None:
        least = self.least
        self.score_text.setText(f"At least {least:.2f}" if least else "Any score")
        self.changed.emit()
