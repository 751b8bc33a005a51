"""A bar that moves smoothly between polls and never goes backwards."""

from __future__ import annotations

from PySide6.QtCore import QEasingCurve, QRectF, QSize, QVariantAnimation
from PySide6.QtGui import QHideEvent, QPainter, QPaintEvent, QShowEvent
from PySide6.QtWidgets import QProgressBar, QWidget

from app.ui.parts.theme import state_color, theme

STEPS = 10_000
EASE_MS = 450  # a little less than one poll
SWEEP_MS = 1_800


class ProgressBar(QProgressBar):
    """``set_progress`` after each poll; ``reset_to`` when it shows something else."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setRange(0, STEPS)
        self.setTextVisible(False)
        self.setFixedHeight(8)
        self.setAccessibleName("Progress")
        self._status = "running"
        self._counting = False
        self._shown = 0.0
        self._target = 0.0
        self._ease = QVariantAnimation(self, duration=EASE_MS)
        self._ease.setEasingCurve(QEasingCurve.Type.OutCubic)
        self._ease.valueChanged.connect(self._move_to)
        self._sweep = QVariantAnimation(self, duration=SWEEP_MS)
        self._sweep.setLoopCount(-1)
        self._sweep.setStartValue(0.0)
        self._sweep.setEndValue(1.0)
        self._sweep.valueChanged.connect(self.update)

    def set_progress(self, share: float | None, status: str = "running") -> None:
        """Move to a share from 0 to 1; None while it is still being counted."""
        if status != self._status:
            self._status = status
            self.update()
        self._count(share is None)
        if share is not None and share > self._target:
            self._target = min(share, 1.0)
            self._ease.stop()
            if self.isVisible():
                self._ease.setStartValue(self._shown)
                self._ease.setEndValue(self._target)
                self._ease.start()
            else:
                self._move_to(self._target)

    def reset_to(self, share: float | None, status: str = "running") -> None:
        """Jump: the bar shows another session from now on."""
        self._ease.stop()
        self._status = status
        self._target = share or 0.0
        self._count(share is None)
        self._move_to(self._target)

    @property
    def shown(self) -> float:
        """The share that is drawn at the moment."""
        return self._shown

    @property
    def counting(self) -> bool:
        return self._counting

    def _count(self, counting: bool) -> None:
        if counting != self._counting:
            self._counting = counting
            if not counting:
                self._sweep.stop()
            elif self.isVisible():
                self._sweep.start()
            self.update()

    def _move_to(self, share: object) -> None:
        self._shown = float(share)  # type: ignore[arg-type]
        self.setValue(round(self._shown * STEPS))
        self.update()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._counting:
            self._sweep.start()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._sweep.stop()
        self._ease.stop()
        self._move_to(self._target)

    def sizeHint(self) -> QSize:
        return QSize(240, 8)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(theme().color("line"))
        area = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        radius = area.height() / 2
        painter.setBrush(theme().color("surface-pressed"))
        painter.drawRoundedRect(area, radius, radius)
        painter.setPen(state_color(self._status))
        painter.setBrush(state_color(self._status))
        if self._counting:
            width = area.width() * 0.22
            at = self._sweep.currentValue() or 0.0
            left = area.left() + (area.width() + width) * float(at) - width
            piece = QRectF(left, area.top(), width, area.height()).intersected(area)
        else:
            piece = QRectF(area)
            piece.setWidth(area.width() * self._shown)
        if piece.width() >= 1:
            radius = min(radius, piece.width() / 2)
            painter.drawRoundedRect(piece, radius, radius)
