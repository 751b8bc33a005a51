"""What is known of one picture: how it looks, where it lies, and what each attempt at it did."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from app.ui.parts import words
from app.ui.parts.reveal import reveal
from app.ui.parts.theme import RADIUS, SPACE_L, SPACE_M, SPACE_S, SPACE_XS, theme
from app.ui.parts.widgets import ElidedLabel, IconLabel, StateBadge, button, label, line
from app.ui.pictures.job_rows import dimensions, file_name, folder_name, state_of
from app.ui.pictures.thumbnails import ThumbnailLoader

if TYPE_CHECKING:
    from app.api.training_schemas import EvidenceRow, JobRow
    from app.services.backend import Backend
    from app.ui.parts.actions import ActionRunner

PREVIEW = 200


class Preview(QWidget):
    """One thumbnail in a frame of constant size."""

    def __init__(self, thumbnails: ThumbnailLoader) -> None:
        super().__init__()
        self._thumbnails = thumbnails
        self._path = ""
        self.setFixedHeight(150)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._none = IconLabel("image-square", "text-secondary", 32)
        self._none.setParent(self)
        self._none.hide()
        thumbnails.ready.connect(self._came)

    def show_file(self, path: str) -> None:
        """Show this picture as soon as it is read."""
        if path != self._path:
            self._path = path
            self._none.hide()
            self.update()

    def _came(self, path: str) -> None:
        if path == self._path:
            self.update()

    def sizeHint(self) -> QSize:
        return QSize(PREVIEW, 150)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme().color("background"))
        painter.drawRoundedRect(self.rect(), RADIUS, RADIUS)
        if not self._path:
            return
        ratio = self.devicePixelRatioF()
        picture = self._thumbnails.get(self._path, round(PREVIEW * ratio))
        missing = picture is not None and picture.isNull()
        if missing != self._none.isVisible():
            self._none.move(self.width() // 2 - 16, self.height() // 2 - 16)
            self._none.setVisible(missing)
        if picture is not None and not missing:
            inner = self.rect().adjusted(SPACE_S, SPACE_S, -SPACE_S, -SPACE_S)
            size = picture.size() / ratio
            if size.width() > inner.width() or size.height() > inner.height():
                size = size.scaled(inner.size(), Qt.AspectRatioMode.KeepAspectRatio)
            target = inner.adjusted(0, 0, 0, 0)
            target.setSize(size)
            target.moveCenter(self.rect().center())
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.drawPixmap(target, picture)


class EvidencePanel(QWidget):
    """Beside the table, for the picture that is selected there."""

    closed = Signal()

    def __init__(self, backend: Backend, runner: ActionRunner, thumbnails: ThumbnailLoader) -> None:
        super().__init__()
        self._backend, self._runner = backend, runner
        self._row: JobRow | None = None
        self._wanted = 0
        self.setMinimumWidth(220)
        self.setAccessibleName("Details of the selected picture")
        self.preview = Preview(thumbnails)
        self.name = ElidedLabel(role="section")
        self.badge = StateBadge()
        self.message = label(role="secondary")
        self.message.setWordWrap(True)
        self.show_button = button("Show in folder", "quiet", "folder-open")
        self.close_button = button("", "quiet", "x", "Close the details")
        self.close_button.setAccessibleName("Close the details")
        self.close_button.clicked.connect(self.closed)
        self.show_button.clicked.connect(self._reveal)
        self._facts = FactForm()
        self._attempts = QVBoxLayout()
        self._attempts.setSpacing(SPACE_M)
        self._lay_out()

    def _lay_out(self) -> None:
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(SPACE_L, 0, SPACE_S, SPACE_L)
        column.setSpacing(SPACE_S)
        top = QHBoxLayout()
        top.setSpacing(SPACE_XS)
        top.addWidget(self.name, 1)
        top.addWidget(self.close_button)
        column.addLayout(top)
        column.addWidget(self.preview)
        for part in (self.badge, self.message, self._facts):
            column.addWidget(part)
        column.addWidget(self.show_button, 0, Qt.AlignmentFlag.AlignLeft)
        column.addWidget(line())
        column.addLayout(self._attempts)
        column.addStretch()
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setWidget(inside)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(area)

    def show_row(self, row: JobRow) -> None:
        """Show a picture, and ask for its attempts when it or its state is another one."""
        if row == self._row:
            return
        another = self._row is None or self._row.jobId != row.jobId
        self._row = row
        self.name.set_text(file_name(row))
        self.preview.show_file(row.path)
        self.badge.set_state(state_of(row), word=words.picture_state_word(state_of(row)))
        self.message.setText(row.errorMessage or "")
        self.message.setVisible(bool(row.errorMessage))
        self._facts.show_facts(
            [
                ("Folder", folder_name(row)),
                ("File size", words.size(row.size)),
                ("Dimensions", dimensions(row)),
            ]
        )
        if another:
            self._show_attempts([])
        self._ask(row.jobId)

    @property
    def job_id(self) -> int | None:
        """Whose details are shown."""
        return self._row.jobId if self._row else None

    def _ask(self, job_id: int) -> None:
        self._wanted += 1
        number = self._wanted

        async def work() -> list[EvidenceRow]:
            async with self._backend.db() as db:
                return await self._backend.pictures.evidence(db, job_id)

        def done(attempts: list[EvidenceRow]) -> None:
            if number == self._wanted:
                self._show_attempts(attempts)

        self._runner.run(None, work, done=done)

    def _show_attempts(self, attempts: list[EvidenceRow]) -> None:
        while (item := self._attempts.takeAt(0)) is not None:
            if (old := item.widget()) is not None:
                old.deleteLater()
        for attempt in attempts:
            self._attempts.addWidget(attempt_part(attempt))

    def _reveal(self) -> None:
        if self._row is not None:
            path = self._row.path
            self._runner.run(self.show_button, lambda: reveal(path))


def attempt_part(record: EvidenceRow) -> QWidget:
    """What one attempt at a picture did."""
    part = QWidget()
    column = QVBoxLayout(part)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(SPACE_XS)
    head = QHBoxLayout()
    head.setSpacing(SPACE_S)
    head.addWidget(label(f"Attempt {record.attempt}"))
    head.addStretch()
    when = label(words.ago(record.createdAt), "secondary")
    when.setToolTip(record.createdAt.astimezone().strftime("%Y-%m-%d %H:%M:%S"))
    head.addWidget(when)
    column.addLayout(head)
    for text, tone in ((record.errorMessage, "failed"), (record.note, "secondary")):
        if text:
            paragraph = label(text, "secondary", tone)
            paragraph.setWordWrap(True)
            paragraph.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            column.addWidget(paragraph)
    version = f" ({record.modelVersion})" if record.modelVersion else ""
    device = " · ".join(filter(None, (words.device_name(record.device), record.precision)))
    facts = FactForm()
    facts.show_facts(
        [
            ("Model", f"{record.modelName}{version}" if record.modelName else ""),
            ("Weights", record.weightsDigest[:12]),
            ("Device", device),
            ("Time", f"{words.count(record.processingTimeMs)} ms"),
            ("Checksum", (record.embeddingChecksum or "")[:16]),
        ]
    )
    column.addWidget(facts)
    return part


class FactForm(QWidget):
    """Names and values in two columns; what is empty is left out."""

    def __init__(self) -> None:
        super().__init__()
        self._form = QFormLayout(self)
        self._form.setContentsMargins(0, 0, 0, 0)
        self._form.setHorizontalSpacing(SPACE_M)
        self._form.setVerticalSpacing(SPACE_XS)
        self._form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self._shown: list[tuple[str, str]] = []

    def show_facts(self, facts: list[tuple[str, str]]) -> None:
        """Show these, from the top."""
        facts = [fact for fact in facts if fact[1]]
        if facts == self._shown:
            return
        self._shown = facts
        while self._form.rowCount():
            self._form.removeRow(0)
        for name, value in facts:
            shown: QLabel = ElidedLabel(value, role="secondary", tone="text")
            shown.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            self._form.addRow(label(name, "secondary"), shown)
