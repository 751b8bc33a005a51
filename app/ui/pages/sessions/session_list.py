"""The list of sessions: its model, and how one line of it is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import (
    QAbstractListModel,
    QItemSelectionModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QFont, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QListView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from app.printable import printable
from app.ui.parts import words
from app.ui.parts.drawing import draw_background, draw_text
from app.ui.parts.paged_model import NO_PARENT, Index
from app.ui.parts.session_names import marks
from app.ui.parts.theme import SPACE_M, SPACE_S, font, state_color, state_icon, theme
from app.ui.parts.widgets import plain_tip

if TYPE_CHECKING:
    from app.api.training_schemas import TrainingProgress

ITEM_HEIGHT = 60
ItemRole = Qt.ItemDataRole
PROGRESS_ROLE = int(ItemRole.UserRole) + 1
STARTING_ROLE = int(ItemRole.UserRole) + 2
MARK_ROLE = int(ItemRole.UserRole) + 3


class SessionListModel(QAbstractListModel):
    """Sessions, the newest first; what did not change is left alone, so that nothing jumps."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._all: dict[int, TrainingProgress] = {}
        self._shown: list[int] = []
        self._wanted = ""
        self._starting: frozenset[int] = frozenset()
        self._marks: dict[int, str] = {}
        self.arranging = False
        """Rows come and go: a mark that moves now was not moved by a person."""

    def set_all(self, sessions: Sequence[TrainingProgress]) -> None:
        """Show these sessions."""
        self._all = {item.sessionId: item for item in sessions}
        self._marks = marks(sessions)
        before = {number: self._shown[number] for number in range(len(self._shown))}
        self._arrange()
        if len(before) == len(self._shown) and before == dict(enumerate(self._shown)):
            self._notify_changed(self._shown)

    def update(self, sessions: Sequence[TrainingProgress]) -> None:
        """Some of the sessions went on."""
        changed = [item for item in sessions if self._all.get(item.sessionId) != item]
        new = any(item.sessionId not in self._all for item in changed)
        self._all |= {item.sessionId: item for item in changed}
        if new:
            self._arrange()
        self._notify_changed([item.sessionId for item in changed])

    def forget(self, session_id: int) -> None:
        """A session is no longer there."""
        if self._all.pop(session_id, None) is not None:
            self._arrange()

    def set_starting(self, session_ids: frozenset[int]) -> None:
        """Sessions whose start was asked for and that are not running yet."""
        changed = self._starting ^ session_ids
        self._starting = session_ids
        self._notify_changed(list(changed))

    def set_filter(self, text: str) -> None:
        """Show only sessions with this in their name or folder."""
        self._wanted = text.strip().casefold()
        self._arrange()

    @property
    def sessions(self) -> dict[int, TrainingProgress]:
        """Every session by its id, filtered or not."""
        return self._all

    def row_of(self, session_id: int) -> int | None:
        """Where a session stands, unless it is filtered out."""
        try:
            return self._shown.index(session_id)
        except ValueError:
            return None

    def id_at(self, row: int) -> int | None:
        """Which session stands there."""
        return self._shown[row] if 0 <= row < len(self._shown) else None

    def rowCount(self, parent: Index = NO_PARENT) -> int:
        return 0 if parent.isValid() else len(self._shown)

    def data(self, index: Index, role: int = ItemRole.DisplayRole) -> Any:
        item = self._all.get(self.id_at(index.row()) or 0)
        if item is None:
            return None
        if role == PROGRESS_ROLE:
            return item
        if role == STARTING_ROLE:
            return item.sessionId in self._starting
        mark = self._marks.get(item.sessionId, "")
        if role == MARK_ROLE:
            return mark
        if role == ItemRole.DisplayRole:
            return words.shorten(item.name, 200)
        if role == ItemRole.AccessibleTextRole:
            second = second_line(item, item.sessionId in self._starting)
            return ", ".join(filter(None, (item.name, mark, second)))
        if role == ItemRole.ToolTipRole:
            lines = (printable(item.name), printable(item.rootPath), mark)
            return plain_tip("\n".join(filter(None, lines)))
        return None

    def _arrange(self) -> None:
        self.arranging = True
        self._rearrange()
        self.arranging = False

    def _rearrange(self) -> None:
        wanted = [key for key in sorted(self._all, reverse=True) if self._matches(key)]
        kept = set(wanted)
        for row in range(len(self._shown) - 1, -1, -1):
            if self._shown[row] not in kept:
                self.beginRemoveRows(NO_PARENT, row, row)
                del self._shown[row]
                self.endRemoveRows()
        row = 0
        while row < len(wanted):
            end = row
            known = self._shown[row] if row < len(self._shown) else None
            while end < len(wanted) and wanted[end] != known:
                end += 1
            if end > row:
                self.beginInsertRows(NO_PARENT, row, end - 1)
                self._shown[row:row] = wanted[row:end]
                self.endInsertRows()
            row = end + 1

    def _matches(self, session_id: int) -> bool:
        item = self._all[session_id]
        return self._wanted in f"{item.name}\n{item.rootPath}".casefold()

    def _notify_changed(self, session_ids: Sequence[int]) -> None:
        rows = [row for row in map(self.row_of, session_ids) if row is not None]
        if rows:
            self.dataChanged.emit(self.index(min(rows), 0), self.index(max(rows), 0))


def second_line(item: TrainingProgress, starting: bool) -> str:
    """The state of a session and its counts, in one line."""
    summary, progress = item.jobsSummary, item.progress
    if starting and item.status != "running":
        return "Looking for pictures…"
    if item.discovering and not item.waitingFor:
        return f"{words.count(progress.total)} so far, still counting"
    if item.status == "running":
        word = "Waiting" if item.waitingFor else "No progress" if item.stalled else "Indexing"
        return f"{word} · {words.count(progress.current)} of {words.count(progress.total)}"
    if item.status == "completed":
        failed = f" · {words.count(summary.failed)} failed" if summary.failed else ""
        return f"{words.count(summary.completed)} indexed{failed}"
    if item.status in ("paused", "cancelled") and progress.total:
        done = progress.current if item.status == "paused" else summary.completed
        word = words.state_word(item.status)
        return f"{word} · {words.count(done)} of {words.count(progress.total)}"
    return words.state_word(item.status)


class SessionDelegate(QStyledItemDelegate):
    """Name, state and counts, and a thin bar where there is something left to do."""

    def sizeHint(
        self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> QSize:
        return QSize(160, ITEM_HEIGHT)

    def paint(
        self,
        painter: QPainter,
        option: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,
    ) -> None:
        item = index.data(PROGRESS_ROLE)
        if item is None:
            return
        starting = bool(index.data(STARTING_ROLE))
        area = QRect(option.rect).adjusted(0, 1, 0, -1)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        draw_background(painter, option, area)
        status = "running" if starting else item.status
        inner = area.adjusted(SPACE_M, SPACE_S, -SPACE_M, -SPACE_S)
        ratio = painter.device().devicePixelRatioF()
        mark = state_icon(status).pixmap(QSize(16, 16), ratio)
        painter.drawPixmap(QPoint(inner.left(), inner.top() + 2), mark)
        left = inner.left() + 16 + SPACE_S
        text = QRect(left, inner.top(), inner.right() - left + 1, 20)
        name = font("body")
        name.setWeight(QFont.Weight.Medium)
        plain = printable(item.name)
        draw_text(painter, text, plain, name, "text", Qt.TextElideMode.ElideMiddle)
        stands = item.status == "running" and (item.stalled or item.waitingFor)
        failed = item.status == "failed" or stands
        tone = ("failed" if item.status == "failed" else "paused") if failed else "text-secondary"
        small = font("secondary")
        small.setFeature(QFont.Tag("tnum"), 1)
        text.translate(0, 20)
        second = second_line(item, starting)
        if told := str(index.data(MARK_ROLE) or ""):
            second = f"{told} · {second}"
        draw_text(painter, text, second, small, tone)
        if item.status in ("running", "paused") and item.progress.total and not item.discovering:
            line = QRectF(left, area.bottom() - 8, text.width(), 3)
            _bar(painter, line, item.progress.current / item.progress.total, item.status)
        painter.restore()


def _bar(painter: QPainter, area: QRectF, share: float, status: str) -> None:
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(theme().color("surface-pressed"))
    painter.drawRoundedRect(area, 1.5, 1.5)
    painter.setBrush(state_color(status))
    area.setWidth(max(area.width() * min(share, 1.0), 2.0))
    painter.drawRoundedRect(area, 1.5, 1.5)


class SessionList(QListView):
    """The list; ``picked`` says which session a person chose."""

    picked = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.sessions = SessionListModel(self)
        self.setModel(self.sessions)
        self.setItemDelegate(SessionDelegate(self))
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)
        self.setProperty("surface", "background")
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setAccessibleName("Sessions")
        self.selectionModel().currentChanged.connect(self._notify_picked)

    def show_selected(self, session_id: int) -> None:
        """Mark a session, without saying that a person chose it."""
        row = self.sessions.row_of(session_id)
        model = self.selectionModel()
        blocked = self.blockSignals(True)
        flag = QItemSelectionModel.SelectionFlag
        if row is None:
            model.clear()
        elif self.currentIndex().row() != row:
            model.setCurrentIndex(self.sessions.index(row, 0), flag.ClearAndSelect)
        self.blockSignals(blocked)

    def _notify_picked(self, current: QModelIndex, _previous: QModelIndex) -> None:
        session_id = self.sessions.id_at(current.row()) if current.isValid() else None
        if session_id is not None and not self.sessions.arranging:
            self.picked.emit(session_id)
