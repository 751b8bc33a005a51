"""The table of failed pictures: its model and how its cells are drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QModelIndex, QObject, QPersistentModelIndex, QRect, Qt
from PySide6.QtGui import QFontMetrics, QPainter
from PySide6.QtWidgets import QStyle, QStyleOptionViewItem, QWidget

from app.api.error_kinds import ErrorKind
from app.ui import words
from app.ui.job_table import file_name, folder_name
from app.ui.paged_model import NO_PARENT, Index, PagedModel
from app.ui.tables import RowDelegate
from app.ui.theme import SPACE_S, font, icon, theme
from app.ui.thumbnails import ThumbnailLoader

if TYPE_CHECKING:
    from app.api.training_schemas import JobRow
    from app.services.backend import Backend
    from app.ui.poller import Poller

COLUMNS = ("Picture", "What happened", "Session", "Tries", "When")
PICTURE, WHY, SESSION, TRIES, WHEN = range(5)
THUMBNAIL = 40
ROW_HEIGHT = 52
ROW_ROLE = int(Qt.ItemDataRole.UserRole) + 1
Role = Qt.ItemDataRole
_KINDS = {kind.value: kind for kind in ErrorKind}


class FailedModel(PagedModel):
    """Failed pictures, the newest first, of one cause or of all."""

    def __init__(self, backend: Backend, poller: Poller, parent: QObject | None = None) -> None:
        super().__init__(poller, parent)
        self._backend = backend
        self._sessions: Mapping[int, str] = {}

    def show_cause(self, session_id: int | None, kind: str | None, count: int) -> None:
        """Show what failed for a cause, in one session or in all."""

        async def fetch(offset: int, limit: int) -> Sequence[JobRow]:
            async with self._backend.db() as db:
                return await self._backend.pictures.failures(
                    db, session_id, error_kind=kind, offset=offset, limit=limit
                )

        self.set_source(fetch, count)

    def name_sessions(self, names: Mapping[int, str]) -> None:
        """What the sessions are called."""
        if names != self._sessions:
            self._sessions = names
            self.stale.emit()

    def columnCount(self, parent: Index = NO_PARENT) -> int:
        return 0 if parent.isValid() else len(COLUMNS)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Role.DisplayRole
    ) -> Any:
        if orientation == Qt.Orientation.Horizontal and role == Role.DisplayRole:
            return COLUMNS[section]
        return None

    def data(self, index: Index, role: int = Role.DisplayRole) -> Any:
        column = index.column()
        if role == Role.ForegroundRole:
            return theme().color("text" if column in (PICTURE, WHY) else "text-secondary")
        if role == Role.FontRole:
            return font("count") if column in (TRIES, WHEN) else None
        if role not in (Role.DisplayRole, Role.ToolTipRole, Role.AccessibleTextRole, ROW_ROLE):
            return None
        row = self.row(index.row())
        if row is None or role == ROW_ROLE:
            return row
        if role == Role.ToolTipRole:
            return _tip(row, column)
        return self._text(row, column)

    def _text(self, row: JobRow, column: int) -> str:
        if column == PICTURE:
            return file_name(row)
        if column == WHY:
            return sentence(row)
        if column == SESSION:
            return words.printable(self._sessions.get(row.sessionId, ""))
        if column == TRIES:
            return str(row.attempts)
        return words.ago(row.finishedAt) if row.finishedAt else ""


def kind_of(text: str | None) -> ErrorKind | None:
    """The cause that the ledger names; None for one that this version does not know."""
    return _KINDS.get(text or "")


def sentence(row: JobRow) -> str:
    """Why a picture failed, in one line."""
    kind = kind_of(row.errorKind)
    text = row.errorMessage or (kind.title if kind else "The cause is not known")
    return " ".join(text.split())


def _tip(row: JobRow, column: int) -> str:
    if column == PICTURE:
        return f"{file_name(row)}\n{folder_name(row)}"
    if column == WHY:
        kind = kind_of(row.errorKind)
        return "\n".join(filter(None, (row.errorMessage, kind.advice if kind else "")))
    if column == WHEN and row.finishedAt:
        return row.finishedAt.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    return ""


class FailedDelegate(RowDelegate):
    """The first column shows the picture, its name and its folder."""

    def __init__(self, parent: QWidget, thumbnails: ThumbnailLoader) -> None:
        super().__init__(parent)
        self._thumbnails = thumbnails

    def paint(
        self,
        painter: QPainter,
        option: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,
    ) -> None:
        row = index.data(ROW_ROLE) if index.column() == PICTURE else None
        if row is None:
            super().paint(painter, option, index)
            return
        plain = QStyleOptionViewItem(option)
        self.initStyleOption(plain, index)
        plain.text = ""
        widget = plain.widget
        widget.style().drawControl(QStyle.ControlElement.CE_ItemViewItem, plain, painter, widget)
        area: QRect = option.rect
        painter.save()
        frame = QRect(area.left() + SPACE_S, area.top() + 6, THUMBNAIL, THUMBNAIL)
        self._draw_thumbnail(painter, frame, row)
        left = frame.right() + 1 + SPACE_S + 2
        text = QRect(left, area.top() + 7, area.right() - left - 4, 20)
        _draw_line(painter, text, file_name(row), "body", "text")
        text.translate(0, 19)
        _draw_line(painter, text, folder_name(row), "secondary", "text-secondary")
        painter.restore()

    def _draw_thumbnail(self, painter: QPainter, frame: QRect, row: JobRow) -> None:
        ratio = painter.device().devicePixelRatioF()
        picture = self._thumbnails.get(row.path, round(THUMBNAIL * ratio))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if picture is None or picture.isNull():
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme().color("surface-hover"))
            painter.drawRoundedRect(frame, 4, 4)
            if picture is not None:
                icon("image-square", "text-secondary").paint(
                    painter, frame.adjusted(10, 10, -10, -10)
                )
            return
        size = picture.size() / ratio
        target = QRect(0, 0, max(size.width(), 1), max(size.height(), 1))
        target.moveCenter(frame.center())
        painter.drawPixmap(target, picture)


def _draw_line(painter: QPainter, area: QRect, text: str, role: str, tone: str) -> None:
    used = font("body" if role == "body" else "secondary")
    painter.setFont(used)
    painter.setPen(theme().color(tone))
    shown = QFontMetrics(used).elidedText(text, Qt.TextElideMode.ElideMiddle, area.width())
    painter.drawText(area, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, shown)
