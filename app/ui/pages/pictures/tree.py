"""The tree of folders or dates at the left of the library.

A table draws it: what is open lies in one flat list, so that a folder with 50,000 subfolders opens
as fast as one with five. (Qt's own tree asks the model about every row first.)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from PySide6.QtCore import (
    QAbstractListModel,
    QItemSelectionModel,
    QModelIndex,
    QObject,
    QRect,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QFontMetrics, QKeyEvent, QMouseEvent, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from app.ui.pages.pictures.nodes import LibraryNode
from app.ui.parts import words
from app.ui.parts.drawing import draw_background, draw_text
from app.ui.parts.paged_model import NO_PARENT, Index
from app.ui.parts.theme import ROW_HEIGHT, SPACE_S, SPACE_XS, font, icon
from app.ui.parts.widgets import plain_tip

NODE_ROLE = int(Qt.ItemDataRole.UserRole) + 1
OPEN_ROLE = NODE_ROLE + 1
INDENT = 16
CARET = 14


class TreeModel(QAbstractListModel):
    """The nodes that can be seen: those whose parents are all open."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._tops: list[LibraryNode] = []
        self._rows: list[LibraryNode] = []
        self._open: dict[str, bool] = {}
        """What a person opened or closed; the rest is as it is at first."""
        self._open_at_first = ""

    def set_nodes(self, tops: Sequence[LibraryNode]) -> None:
        """Show these; what was open stays open."""
        self.beginResetModel()
        self._tops = list(tops)
        self._open_at_first = next((node.key for node in tops if node.children), "")
        self._rows = list(self._visible(self._tops))
        self.endResetModel()

    def node(self, row: int) -> LibraryNode | None:
        """What stands in a row."""
        return self._rows[row] if 0 <= row < len(self._rows) else None

    def row_of(self, key: str) -> int | None:
        """Where a node can be seen."""
        return next((row for row, node in enumerate(self._rows) if node.key == key), None)

    def parent_row(self, row: int) -> int | None:
        """The row of the node that this one lies in."""
        depth = self._rows[row].depth
        return next((at for at in range(row, -1, -1) if self._rows[at].depth < depth), None)

    def is_open(self, node: LibraryNode) -> bool:
        """Whether what lies in a node is shown."""
        return bool(node.children) and self._open.get(node.key, node.key == self._open_at_first)

    def set_open(self, row: int, wanted: bool) -> None:
        """Show or hide what lies in the node of a row."""
        node = self._rows[row]
        if not node.children or self.is_open(node) == wanted:
            return
        if wanted:
            self._open[node.key] = True
            inside = list(self._visible(node.children))
            self.beginInsertRows(NO_PARENT, row + 1, row + len(inside))
            self._rows[row + 1 : row + 1] = inside
            self.endInsertRows()
        else:
            inside = list(self._visible(node.children))
            self._open[node.key] = False
            self.beginRemoveRows(NO_PARENT, row + 1, row + len(inside))
            del self._rows[row + 1 : row + 1 + len(inside)]
            self.endRemoveRows()
        self.dataChanged.emit(self.index(row, 0), self.index(row, 0))

    def rowCount(self, parent: Index = NO_PARENT) -> int:
        return 0 if parent.isValid() else len(self._rows)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        node = self.node(index.row())
        if node is None:
            return None
        if role == NODE_ROLE:
            return node
        if role == OPEN_ROLE:
            return self.is_open(node)
        if role == Qt.ItemDataRole.DisplayRole:
            return node.title
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tip(node.hint)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            state = ("open" if self.is_open(node) else "closed") if node.children else ""
            parts = (node.hint, words.plural(node.total, "picture"), state)
            return ", ".join(filter(None, parts))
        return None

    def _visible(self, nodes: Sequence[LibraryNode]) -> Iterator[LibraryNode]:
        for node in nodes:
            yield node
            if self.is_open(node):
                yield from self._visible(node.children)


class RowList(QTableView):
    """A quiet list of rows of one height, any number of them."""

    def __init__(self, name: str, row_height: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        self.setProperty("surface", "background")
        self.setShowGrid(False)
        self.setMouseTracking(True)
        self.setTabKeyNavigation(False)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.horizontalHeader().hide()
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.verticalHeader().hide()
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.verticalHeader().setMinimumSectionSize(1)
        self.verticalHeader().setDefaultSectionSize(row_height)

    def mark_row(self, row: int) -> None:
        """Show a row as chosen, without saying that a person chose it."""
        blocked = self.selectionModel().blockSignals(True)
        flag = QItemSelectionModel.SelectionFlag.ClearAndSelect
        self.selectionModel().setCurrentIndex(self.model().index(row, 0), flag)
        self.selectionModel().blockSignals(blocked)
        self.viewport().update()


class GroupTree(RowList):
    """Pick a folder or a time to see its pictures; left and right close and open."""

    picked = Signal(object)
    """The :class:`Node` that a person chose, or None where there is none any more."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(name, ROW_HEIGHT, parent)
        self.nodes = TreeModel(self)
        self._key: str | None = None
        self.setModel(self.nodes)
        self.setItemDelegate(_NodeDelegate(self))
        self.doubleClicked.connect(self._toggle)
        self.selectionModel().currentRowChanged.connect(self._notify_picked)

    def show_nodes(self, tops: Sequence[LibraryNode]) -> None:
        """Show these; what was chosen stays chosen, or the first of them is.

        ``picked`` tells of it only where it is another one than before.
        """
        place = self.verticalScrollBar().value()
        before = self._key
        self.nodes.set_nodes(tops)
        row = self.nodes.row_of(before) if before is not None else None
        node = self.nodes.node(row or 0)
        self._key = node.key if node else None
        self.mark_row(row or 0)
        self.verticalScrollBar().setValue(place)
        if self._key != before:
            self.picked.emit(node)

    def chosen(self) -> LibraryNode | None:
        """The node whose pictures are wanted."""
        return self.nodes.node(self.currentIndex().row())

    def _notify_picked(self, current: QModelIndex, _previous: QModelIndex) -> None:
        node = self.nodes.node(current.row())
        if node is not None and node.key != self._key:
            self._key = node.key
            self.picked.emit(node)

    # Opening and closing

    def _toggle(self, index: Index) -> None:
        self._set_open(index.row(), not index.data(OPEN_ROLE))

    def _set_open(self, row: int, wanted: bool) -> None:
        current = self.currentIndex().row()
        node = self.nodes.node(row)
        if node is None:
            return
        inside = not wanted and self.nodes.parent_row(current) is not None
        if inside and self._lies_in(current, row):
            self.setCurrentIndex(self.nodes.index(row, 0))  # before it goes out of sight
        self.nodes.set_open(row, wanted)

    def _lies_in(self, row: int, above: int) -> bool:
        at: int | None = row
        while at is not None and at > above:
            at = self.nodes.parent_row(at)
        return at == above and row != above

    def keyPressEvent(self, event: QKeyEvent) -> None:
        row, key = self.currentIndex().row(), event.key()
        node = self.nodes.node(row)
        if node is None or key not in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            super().keyPressEvent(event)
        elif key == Qt.Key.Key_Right:
            self._set_open(row, True)
        elif self.nodes.is_open(node):
            self._set_open(row, False)
        elif (above := self.nodes.parent_row(row)) is not None:
            self.setCurrentIndex(self.nodes.index(above, 0))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        index = self.indexAt(event.position().toPoint())
        node = self.nodes.node(index.row())
        if node is not None and node.children and event.position().x() < _text_left(node):
            self._toggle(index)
        else:
            super().mousePressEvent(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        index = self.indexAt(event.position().toPoint())
        node = self.nodes.node(index.row())
        if node is not None and event.position().x() < _text_left(node):
            self.mousePressEvent(event)
        else:
            super().mouseDoubleClickEvent(event)


def _text_left(node: LibraryNode) -> int:
    return SPACE_XS + node.depth * INDENT + CARET + SPACE_XS


class _NodeDelegate(QStyledItemDelegate):
    """A caret where something lies within, the name, and at the right how many pictures."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(120, ROW_HEIGHT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        node: LibraryNode | None = index.data(NODE_ROLE)
        if node is None:
            return
        area = QRect(option.rect).adjusted(0, 1, 0, -1)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        draw_background(painter, option, area)
        left = area.left() + _text_left(node)
        if node.children:
            caret = "caret-down" if index.data(OPEN_ROLE) else "caret-right"
            top = area.center().y() - CARET // 2 + 1
            spot = QRect(left - CARET - SPACE_XS, top, CARET, CARET)
            icon(caret, "text-secondary").paint(painter, spot)
        number = words.count(node.total)
        right = area.right() - SPACE_S
        room = QFontMetrics(font("count")).horizontalAdvance(number)
        count = QRect(right - room, area.top(), room + 1, area.height())
        draw_text(painter, count, number, font("count"), "text-secondary")
        title = QRect(left, area.top(), right - room - SPACE_S - left, area.height())
        mode = Qt.TextElideMode.ElideRight if node.depth else Qt.TextElideMode.ElideMiddle
        draw_text(painter, title, node.title, font("body"), "text", mode)
        painter.restore()
