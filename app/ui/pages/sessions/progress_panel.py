"""How far a session is: bar, numbers, speed, and where the time goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.ui.pages.sessions.rate_chart import RateChart, Sample, StageBar, slowest, stage_shares
from app.ui.parts import words
from app.ui.parts.theme import SPACE_S, SPACE_XL, SPACE_XS
from app.ui.parts.widgets import ProgressBar, label

if TYPE_CHECKING:
    from app.api.training_schemas import TrainingProgress


class ProgressPanel(QWidget):
    """Everything about progress, in the shape that fits the session's state."""

    def __init__(self) -> None:
        super().__init__()
        self._room = self._wanted = True
        self._fast = self._timed = False
        self.bar = ProgressBar()
        self.done = label(role="count")
        self.speed = label(role="count", tone="secondary")
        self.left = label(role="count")
        self.chart = RateChart()
        self.stages = StageBar()
        self._chart_title = label("Pictures a minute, last 3 minutes", "secondary")
        self._stages_title = label("Where the time goes", "secondary")
        numbers = QHBoxLayout()
        numbers.setSpacing(SPACE_S)
        for part in (self.done, self.speed):
            numbers.addWidget(part)
        numbers.addStretch()
        numbers.addWidget(self.left)
        self._drawings = QWidget()
        drawings = QHBoxLayout(self._drawings)
        drawings.setContentsMargins(0, 0, 0, 0)
        drawings.setSpacing(SPACE_XL)
        self._speed_part = _titled(self._chart_title, self.chart)
        self._stage_part = _titled(self._stages_title, self.stages)
        drawings.addWidget(self._speed_part, 1)
        drawings.addWidget(self._stage_part)
        drawings.addStretch()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE_S)
        column.addWidget(self.bar)
        column.addLayout(numbers)
        column.addSpacing(SPACE_XS)
        column.addWidget(self._drawings)

    def show_progress(
        self,
        progress: TrainingProgress,
        samples: list[Sample],
        *,
        starting: bool = False,
        jump: bool = False,
    ) -> None:
        """Show a session as it is now; ``jump`` when it is another one than before."""
        status, numbers = progress.status, progress.progress
        begins = starting and status != "running"
        share: float | None = numbers.current / numbers.total if numbers.total else 0.0
        if begins or progress.discovering:
            share = None
        shown_as = "running" if begins else status
        if jump or (share is not None and share < self.bar.shown):  # retried pictures wait again
            self.bar.reset_to(share, shown_as)
        else:
            self.bar.set_progress(share, shown_as)
        self.bar.setVisible(begins or status in ("running", "paused", "failed"))
        self.done.setText(done_text(progress, starting=begins))
        self.speed.setText(speed_text(progress))
        self.left.setText(left_text(progress))
        self.done.setVisible(bool(self.done.text()))
        self._show_drawings(progress, samples)

    def set_room(self, enough: bool) -> None:
        """Draw only where there is room for it."""
        if enough != self._room:
            self._room = enough
            self._drawings.setVisible(self._wanted and enough)

    def _show_drawings(self, progress: TrainingProgress, samples: list[Sample]) -> None:
        running = progress.status == "running"
        fast = running and bool(samples or not (progress.stalled or progress.waitingFor))
        self.chart.set_samples(samples)
        self.stages.set_times(progress.stageTimes)
        timed = bool(stage_shares(progress.stageTimes))
        self._stages_title.setText("Where the time goes" if running else "Where the time went")
        self._stage_part.setVisible(timed)
        self._fast, self._timed, self._wanted = fast, timed, fast or timed
        self._drawings.setVisible(self._wanted and self._room)
        self._fit()

    def _fit(self) -> None:
        """Where both drawings have no room beside each other, the speed is a number only."""
        beside = self._chart_title.sizeHint().width() + SPACE_XL + self.stages.sizeHint().width()
        self._speed_part.setVisible(self._fast and not (self._timed and self.width() < beside))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()


def done_text(progress: TrainingProgress, *, starting: bool = False) -> str:
    """How much is done, or what was achieved."""
    numbers, summary = progress.progress, progress.jobsSummary
    if starting:
        return "Looking for pictures…"
    if progress.status == "pending":
        return ""
    if progress.status in ("completed", "cancelled"):
        message = words.achieved(
            summary.completed, summary.failed, summary.reused, progress.activeSeconds
        )
        if summary.cancelled:
            message += f", {words.count(summary.cancelled)} skipped"
        part = slowest(progress.stageTimes)
        return f"{message}; slowest part: {part}" if part else message
    return words.indexing(numbers.current, numbers.total, progress.status, progress.discovering)


def speed_text(progress: TrainingProgress) -> str:
    """Pictures a minute, where that says something."""
    rate = progress.progress.imagesPerMinute
    if progress.status != "running" or not rate or progress.stalled or progress.waitingFor:
        return ""
    shown = words.count(round(rate)) if rate >= 10 else f"{rate:.1f}"
    return f"· {shown} a minute"


def left_text(progress: TrainingProgress) -> str:
    """An honest time left; nothing where there is nothing to wait for."""
    if progress.status != "running" or progress.discovering:
        return ""
    if progress.waitingFor:
        return "Waiting"
    if progress.stalled:
        return "Nothing has finished for a while"
    if progress.progress.current >= progress.progress.total:
        return "Finishing…"
    return words.time_left(progress.progress.etaSeconds)


def details_text(progress: TrainingProgress) -> str:
    """With what it is done: device, precision, model and size."""
    parts = [
        words.model_name(progress.model),
        words.device_name(progress.device),
        progress.precision or "",
        words.size(progress.totalBytes) if progress.totalBytes else "",
    ]
    return " · ".join(part for part in parts if part)


def left_out_text(progress: TrainingProgress) -> str:
    """What the look at the folders left out: ``Left out: 412 × .mp4, 3 × hidden``."""
    by_number = sorted(progress.skipped.items(), key=lambda item: -item[1])
    message = ", ".join(f"{words.count(number)} × {reason}" for reason, number in by_number)
    return message and f"Skipped: {message}"


def _titled(title: QWidget, drawing: QWidget) -> QWidget:
    part = QWidget()
    column = QVBoxLayout(part)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(SPACE_XS)
    column.addWidget(title)
    column.addWidget(drawing)
    column.addStretch()
    return part
