"""The causes of failure with how often each occurred, in two groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import (
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    QRect,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QFontMetrics, QPainter, QStandardItem, QStandardItemModel
from PySide6.QtWidgets import (
    QListView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from app.ui.pages.failed.model import kind_of
from app.ui.parts import words
from app.ui.parts.drawing import draw_background, draw_text
from app.ui.parts.theme import ROW_HEIGHT, SPACE_S, font

if TYPE_CHECKING:
    from app.api.training_schemas import FailureGroup

ALL = "all"
_KIND = int(Qt.ItemDataRole.UserRole) + 1
_COUNT = _KIND + 1
AGAIN, LOOK = "Worth another try", "Needs a look first"


def title_of(kind: str | None) -> str:
    """What a cause is called; None is all of them."""
    if kind is None:
        return "All causes"
    known = kind_of(kind)
    return known.title if known else "Another cause"


def is_transient(kind: str) -> bool:
    """Whether another try may succeed with the file as it is."""
    known = kind_of(kind)
    return bool(known and known.transient)


class CauseList(QListView):
    """Pick a cause to see its pictures; the first entry is all of them."""

    picked = Signal(object)
    """The cause, or None for all."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._groups: list[FailureGroup] = []
        self._items = QStandardItemModel(self)
        self.setModel(self._items)
        self.setItemDelegate(_CauseDelegate(self))
        self.setProperty("surface", "background")
        self.setMouseTracking(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setEditTriggers(QListView.EditTrigger.NoEditTriggers)
        self.setAccessibleName("Causes")
        self.kind: str | None = None
        self.selectionModel().currentChanged.connect(self._notify_picked)

    def show_groups(self, groups: Sequence[FailureGroup]) -> None:
        """Show these causes; the chosen one stays chosen, or becomes all when it is gone."""
        if list(groups) == self._groups:
            return
        self._groups = list(groups)
        blocked = self.blockSignals(True)
        before = self.kind
        self._items.clear()
        self._add(title_of(None), None, sum(group.count for group in groups))
        for heading, transient in ((AGAIN, True), (LOOK, False)):
            members = [group for group in groups if is_transient(group.errorKind) == transient]
            if members:
                self._items.appendRow(_heading(heading))
            for group in members:
                self._add(title_of(group.errorKind), group.errorKind, group.count)
        kinds = {group.errorKind for group in groups}
        self.kind = before if before in kinds else None
        self._mark()
        self.blockSignals(blocked)
        if self.kind != before:
            self.picked.emit(self.kind)

    def count_of(self, kind: str | None) -> int:
        """How many pictures failed for a cause."""
        return sum(g.count for g in self._groups if kind is None or g.errorKind == kind)

    def _mark(self) -> None:
        for row in range(self._items.rowCount()):
            item = self._items.item(row)
            if item.isEnabled() and item.data(_KIND) == (self.kind or ALL):
                flag = QItemSelectionModel.SelectionFlag.ClearAndSelect
                blocked = self.selectionModel().blockSignals(True)
                self.selectionModel().setCurrentIndex(item.index(), flag)
                self.selectionModel().blockSignals(blocked)
        self.viewport().update()

    def _notify_picked(self, current: QModelIndex, _previous: QModelIndex) -> None:
        kind = current.data(_KIND)
        if kind is not None:
            self.kind = None if kind == ALL else str(kind)
            self.picked.emit(self.kind)

    def _add(self, title: str, kind: str | None, count: int) -> None:
        item = QStandardItem(title)
        item.setData(kind or ALL, _KIND)
        item.setData(count, _COUNT)
        item.setData(f"{title}, {words.plural(count, 'picture')}", _ACCESSIBLE)
        item.setToolTip(title)
        self._items.appendRow(item)


_ACCESSIBLE = int(Qt.ItemDataRole.AccessibleTextRole)


def _heading(text: str) -> QStandardItem:
    item = QStandardItem(text)
    item.setFlags(Qt.ItemFlag.NoItemFlags)
    return item


class _CauseDelegate(QStyledItemDelegate):
    """A title on the left and its count on the right; headings are small and quiet."""

    def sizeHint(
        self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> QSize:
        return QSize(120, ROW_HEIGHT + 2 if index.data(_KIND) is not None else ROW_HEIGHT + 4)

    def paint(
        self,
        painter: QPainter,
        option: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,
    ) -> None:
        area = QRect(option.rect).adjusted(0, 1, 0, -1)
        title, count = str(index.data()), index.data(_COUNT)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if count is None:
            low = area.adjusted(SPACE_S, 10, -SPACE_S, 0)
            draw_text(painter, low, title, font("secondary"), "text-secondary")
            painter.restore()
            return
        draw_background(painter, option, area)
        inner = area.adjusted(SPACE_S, 0, -SPACE_S, 0)
        number = words.count(int(count))
        room = QFontMetrics(font("count")).horizontalAdvance(number)
        right = Qt.AlignmentFlag.AlignRight
        draw_text(painter, inner, number, font("count"), "text-secondary", side=right)
        draw_text(painter, inner.adjusted(0, 0, -room - SPACE_S, 0), title, font("body"), "text")
        painter.restore()
