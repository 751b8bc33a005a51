"""How fast a session was in the last minutes, and where its time goes: two small drawings."""

from __future__ import annotations

import math
import time
from collections import deque
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.ui.parts import words
from app.ui.parts.theme import SPACE_S, SPACE_XS, font, theme
from app.ui.parts.widgets import mixed

if TYPE_CHECKING:
    from app.api.training_schemas import StageTimes, TrainingProgress

SPAN_S = 180.0
GAP_S = 10.0
"""Without a sample for longer than this the line is broken: nobody looked, or it stood still."""

Sample = tuple[float, float]


class RateHistory:
    """Pictures a minute of every session that is watched, kept for three minutes."""

    def __init__(self) -> None:
        self._samples: dict[int, deque[Sample]] = {}

    def add(self, progress: TrainingProgress, now: float | None = None) -> None:
        """Take what one poll of a running session says."""
        now = time.monotonic() if now is None else now
        rate = progress.progress.imagesPerMinute
        samples = self._samples.setdefault(progress.sessionId, deque())
        if progress.status == "running" and rate is not None:
            samples.append((now, 0.0 if progress.stalled or progress.waitingFor else rate))
        while samples and samples[0][0] < now - SPAN_S:
            samples.popleft()

    def of(self, session_id: int) -> list[Sample]:
        """Moments and rates, the oldest first."""
        return list(self._samples.get(session_id, ()))


class RateChart(QWidget):
    """Pictures a minute over the last three minutes, as a line over its own scale."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._samples: list[Sample] = []
        self._now = 0.0
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Pictures a minute, last three minutes")

    def set_samples(self, samples: list[Sample], now: float | None = None) -> None:
        """Draw these, with ``now`` at the right edge."""
        self._samples = samples
        self._now = time.monotonic() if now is None else now
        if samples:
            self.setAccessibleDescription(f"now {words.count(round(samples[-1][1]))} a minute")
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(240, 56)

    def minimumSizeHint(self) -> QSize:
        return QSize(120, 56)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        small = font("secondary")
        painter.setFont(small)
        top = nice_top(max((rate for _, rate in self._samples), default=0.0))
        scale = words.count(top)
        room = QFontMetrics(small).horizontalAdvance(scale) + SPACE_S if self._samples else 0
        area = QRectF(self.rect()).adjusted(0, SPACE_S, -room, -1)
        painter.setPen(QPen(theme().color("line"), 1))
        for y in (area.top(), area.bottom()):
            painter.drawLine(QPointF(area.left(), y + 0.5), QPointF(area.right(), y + 0.5))
        painter.setPen(theme().color("text-secondary"))
        if not self._samples:
            painter.drawText(area, Qt.AlignmentFlag.AlignCenter, "Measuring the speed…")
            return
        beside = QRectF(area.right(), 0, room, self.height())
        right = Qt.AlignmentFlag.AlignRight
        painter.drawText(beside, right | Qt.AlignmentFlag.AlignTop, scale)
        painter.drawText(beside, right | Qt.AlignmentFlag.AlignBottom, "0")
        for run in _runs(self._samples):
            self._draw(painter, area, run, top)

    def _draw(self, painter: QPainter, area: QRectF, run: list[Sample], top: int) -> None:
        points = [
            QPointF(
                area.right() - (self._now - moment) / SPAN_S * area.width(),
                area.bottom() - rate / top * area.height(),
            )
            for moment, rate in run
        ]
        painter.save()
        painter.setClipRect(area.adjusted(0, -2, 2, 2))
        accent = theme().color("accent")
        below = QColor(accent)
        below.setAlpha(36)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(below)
        ends = [QPointF(points[-1].x(), area.bottom()), QPointF(points[0].x(), area.bottom())]
        painter.drawPolygon(QPolygonF([*points, *ends]))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(accent, 1.5))
        painter.drawPolyline(QPolygonF(points))
        painter.restore()


def nice_top(highest: float) -> int:
    """The end of a scale that holds ``highest``: 1, 2 or 5 times a power of ten, at least 10."""
    power = 10 ** math.floor(math.log10(max(highest, 10.0)))
    return next(round(power * step) for step in (1, 2, 5, 10) if power * step >= highest)


def _runs(samples: list[Sample]) -> list[list[Sample]]:
    runs: list[list[Sample]] = []
    for sample in samples:
        if not runs or sample[0] - runs[-1][-1][0] > GAP_S:
            runs.append([])
        runs[-1].append(sample)
    return runs


STAGES = (
    ("reading", "readMs"),
    ("decoding", "decodeMs"),
    ("analysing", "embedMs"),
    ("saving", "storeMs"),
)


def stage_shares(times: StageTimes) -> list[tuple[str, int]]:
    """Each stage with its share of the work in per cent, adding up to 100; empty before any."""
    spent = [int(getattr(times, field)) for _, field in STAGES]
    total = sum(spent)
    if not total:
        return []
    shares = [part * 100 // total for part in spent]
    by_rest = sorted(range(len(STAGES)), key=lambda at: -(spent[at] * 100 % total))
    for at in by_rest[: 100 - sum(shares)]:
        shares[at] += 1
    return [(name, share) for (name, _), share in zip(STAGES, shares, strict=True)]


def slowest(times: StageTimes) -> str:
    """The stage that took most of the time; empty before any."""
    return max(stage_shares(times), key=lambda item: item[1], default=("", 0))[0]


WORDS_TOP, SQUARE = 13, 8
"""Pixels: where the words begin below the bar, and the side of the square before each."""


class StageBar(QWidget):
    """One thin bar for what an indexed picture goes through, and the words for it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shares: list[tuple[str, int]] = []
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def set_times(self, times: StageTimes) -> None:
        """Show where the time went."""
        shares = stage_shares(times)
        if shares != self._shares:
            self._shares = shares
            sentence = self.sentence()
            self.setAccessibleName(f"Where the time goes: {sentence}")
            self.setToolTip(
                "Reading the files, decoding the pictures in them, "
                "analysing them with the model, saving the results"
                if sentence
                else ""
            )
            self.update()

    def sentence(self) -> str:
        """``reading 4 %, decoding 41 %, analysing 48 %, saving 7 %``"""
        return ", ".join(f"{name} {share} %" for name, share in self._shares)

    def sizeHint(self) -> QSize:
        metrics = QFontMetrics(font("secondary"))
        texts = (metrics.horizontalAdvance(f"{name} 88 %") for name, _ in STAGES)
        width = sum(text + SQUARE + SPACE_XS + 10 for text in texts)
        return QSize(width, WORDS_TOP + metrics.height())

    def paintEvent(self, event: QPaintEvent) -> None:
        if not self._shares:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        colours = _colours()
        left, gap = 0.0, 2.0
        room = self.width() - gap * (len(self._shares) - 1)
        for (_, share), colour in zip(self._shares, colours, strict=True):
            width = max(room * share / 100, 1.0)
            painter.setBrush(colour)
            painter.drawRoundedRect(QRectF(left, 2, width, 6), min(3, width / 2), 3)
            left += width + gap
        self._draw_words(painter, colours)

    def _draw_words(self, painter: QPainter, colours: list[QColor]) -> None:
        small = font("secondary")
        small.setFeature(small.Tag("tnum"), 1)
        painter.setFont(small)
        metrics = QFontMetrics(small)
        left, baseline = 0, WORDS_TOP + metrics.ascent()
        square_top = baseline - (metrics.capHeight() + SQUARE) / 2
        for (name, share), colour in zip(self._shares, colours, strict=True):
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(colour)
            painter.drawRoundedRect(QRectF(left, square_top, SQUARE, SQUARE), 2, 2)
            left += SQUARE + SPACE_XS
            text = f"{name} {share} %"
            painter.setPen(theme().color("text-secondary"))
            painter.drawText(left, baseline, text)
            left += metrics.horizontalAdvance(text) + 10


def _colours() -> list[QColor]:
    accent, quiet = theme().color("accent"), theme().color("background")
    return [mixed(accent, quiet, share) for share in (0, 0.3, 0.52, 0.74)]
