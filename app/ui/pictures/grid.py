"""A grid of pictures over any number of rows.

Every tile has the same size, so where a row lies is arithmetic: nothing is laid out, and a million
rows open as fast as ten. Qt's own list view walks over all rows first; the grid is one only for
what screen readers are told about a list, and lays nothing out with it.
"""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import (
    QItemSelection,
    QItemSelectionModel,
    QModelIndex,
    QPoint,
    QRect,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import (
    QAction,
    QDrag,
    QFocusEvent,
    QKeyEvent,
    QPainter,
    QPaintEvent,
    QRegion,
    QResizeEvent,
)
from PySide6.QtWidgets import QAbstractItemView, QListView, QStyle, QStyleOptionViewItem, QWidget

from app.ui.parts.paged_model import PAGE, Index
from app.ui.parts.theme import SPACE_S, SPACE_XS
from app.ui.pictures.files_out import MOST, files_as_mime
from app.ui.pictures.thumbnails import ThumbnailLoader
from app.ui.pictures.tiles import (
    CAPTION_GAP,
    EDGE,
    LINE,
    HeldTiles,
    Tile,
    TileDelegate,
    TileModel,
    tile_for,
)

__all__ = ["HeldTiles", "PictureGrid", "Tile", "TileModel", "tile_for"]

DIMMED = 0.45
Cursor = QAbstractItemView.CursorAction
Flag = QItemSelectionModel.SelectionFlag


class PictureGrid(QListView):
    """Thumbnails in rows, as many beside each other as there is room for.

    Args:
        model: a :class:`TileModel` (pages of a long list) or :class:`HeldTiles` (what was found).
        caption_lines: one or two lines of text under each picture.
    """

    opened = Signal(object)
    """A path, which need not be UTF-8 and so is no Qt string: Enter or a double click."""
    previewed = Signal(int)
    """A row: Space."""
    current_changed = Signal(object)
    """The :class:`Tile` that the keys act on, or None; also when it arrives later."""
    too_many_dragged = Signal()
    """More is selected than can be dragged at once, or than is in memory."""
    near_end = Signal()
    """The last rows are in sight or nearly so: whoever has more may append them."""

    def __init__(
        self,
        model: TileModel,
        thumbnails: ThumbnailLoader,
        *,
        caption_lines: int = 1,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.tiles = model
        self._thumbnails = thumbnails
        self._cell = QSize(EDGE, EDGE + CAPTION_GAP + LINE * caption_lines)
        self._dimmed = False
        self._notified: Tile | None = None
        self._anchor = (0, 0)
        self._resizing = False
        self.setItemDelegate(TileDelegate(self, thumbnails, caption_lines))
        self.setModel(model)
        self.setProperty("surface", "background")
        self.setProperty("kind", "grid")
        self.setAccessibleName("Pictures")
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        self.setDragEnabled(True)
        self.setDragDropMode(QAbstractItemView.DragDropMode.DragOnly)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setMouseTracking(True)
        self.setMinimumWidth(2 * self._cell.width())
        self.doubleClicked.connect(self._open)
        for moved in (self.entered, self.viewportEntered):
            moved.connect(self.viewport().update)
        for changed in (model.rowsInserted, model.rowsRemoved, model.modelReset):
            changed.connect(self._count_changed)
        model.stale.connect(self.viewport().update)
        model.arrived.connect(self._notify)
        thumbnails.ready.connect(self.viewport().update)

    # What a page asks for

    def set_actions(self, actions: Sequence[QAction]) -> None:
        """The context menu; their shortcuts work while the grid has the keyboard."""
        for action in actions:
            action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            self.addAction(action)

    def set_dimmed(self, dimmed: bool) -> None:
        """Show that what is seen is about to be replaced."""
        if dimmed != self._dimmed:
            self._dimmed = dimmed
            self.viewport().update()

    def current_tile(self) -> Tile | None:
        """The tile that the keys act on; None where there is none or it is still fetched."""
        index = self.currentIndex()
        return self.tiles.row(index.row()) if index.isValid() else None

    def select_row(self, row: int) -> None:
        """Make a row the only selected one and bring it into sight."""
        self.setCurrentIndex(self.tiles.index(row, 0))

    def selected_ranges(self) -> list[tuple[int, int]]:
        """Selected rows as first and last of each run, from the top; cheap for any number."""
        return sorted(_ranges(self.selectionModel().selection()))

    def selected_count(self) -> int:
        """How many rows are selected."""
        return sum(last - first + 1 for first, last in self.selected_ranges())

    def selected_tiles(self, limit: int = MOST) -> list[Tile]:
        """The first selected tiles that are in memory; ``await tiles.rows(ranges)`` has all."""
        found: list[Tile] = []
        for first, last in self.selected_ranges():
            for row in range(first, min(last, first + limit) + 1):
                tile = self.tiles.row(row)
                if tile is not None and len(found) < limit:
                    found.append(tile)
        return found

    # Where rows lie

    @property
    def columns(self) -> int:
        """Pictures beside each other."""
        return max(self.viewport().width() // (self._cell.width() + SPACE_S), 1)

    @property
    def _line_height(self) -> int:
        return self._cell.height() + 2 * SPACE_S

    def _place(self, row: int) -> QRect:
        """Where a row's tile is, before scrolling; what is left over is spread between tiles."""
        line, column = divmod(row, self.columns)
        left = column * self.viewport().width() // self.columns
        return QRect(QPoint(SPACE_XS + left, SPACE_XS + line * self._line_height), self._cell)

    def _lines(self) -> int:
        return -(-self.tiles.rowCount() // self.columns)

    def _visible(self, area: QRect) -> range:
        """Rows that may touch an area of the viewport."""
        top = area.top() + self.verticalOffset()
        first = max((top - SPACE_XS) // self._line_height, 0)
        last = max((top + area.height()) // self._line_height, 0)
        end = min((last + 1) * self.columns, self.tiles.rowCount())
        return range(first * self.columns, end)

    def visualRect(self, index: Index) -> QRect:
        if not index.isValid():
            return QRect()
        return self._place(index.row()).translated(0, -self.verticalOffset())

    def indexAt(self, point: QPoint) -> QModelIndex:
        for row in self._visible(QRect(point, QSize(1, 1))):
            index = self.tiles.index(row, 0)
            if self.visualRect(index).contains(point):
                return index
        return QModelIndex()

    def horizontalOffset(self) -> int:
        return 0

    def verticalOffset(self) -> int:
        return self.verticalScrollBar().value()

    def isIndexHidden(self, index: Index) -> bool:
        return False

    def scrollTo(
        self,
        index: Index,
        hint: QAbstractItemView.ScrollHint = QAbstractItemView.ScrollHint.EnsureVisible,
    ) -> None:
        if not index.isValid():
            return
        place, bar = self._place(index.row()), self.verticalScrollBar()
        top, height = place.top() - SPACE_XS, self.viewport().height()
        bottom = place.bottom() + SPACE_S
        if hint == QAbstractItemView.ScrollHint.PositionAtCenter:
            bar.setValue(place.center().y() - height // 2)
        elif top < bar.value() or hint == QAbstractItemView.ScrollHint.PositionAtTop:
            bar.setValue(top)
        elif bottom > bar.value() + height:
            bar.setValue(bottom - height)

    def doItemsLayout(self) -> None:
        QAbstractItemView.doItemsLayout(self)  # the list's own would walk over all rows

    def updateGeometries(self) -> None:
        QAbstractItemView.updateGeometries(self)
        height, bar = self.viewport().height(), self.verticalScrollBar()
        whole = self._lines() * self._line_height
        bar.setRange(0, max(whole - height, 0))
        bar.setPageStep(max(height - self._line_height // 2, 1))
        bar.setSingleStep(self._line_height // 3)

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._resizing = True
        QAbstractItemView.resizeEvent(self, event)
        self.updateGeometries()
        row, rest = self._anchor  # what was at the top stays at the top
        self.verticalScrollBar().setValue(row // self.columns * self._line_height + rest)
        self._resizing = False
        self._look_for_end()

    def scrollContentsBy(self, dx: int, dy: int) -> None:
        self._thumbnails.cancel_waiting()  # what is in sight is asked for again by the paint
        self.viewport().update()
        if not self._resizing:
            line, rest = divmod(self.verticalOffset(), self._line_height)
            self._anchor = (line * self.columns, rest)
            self._look_for_end()

    def _count_changed(self) -> None:
        self.updateGeometries()
        self.viewport().update()
        self._notify()
        self._look_for_end()

    def reset(self) -> None:
        super().reset()
        self.verticalScrollBar().setValue(0)

    def _look_for_end(self) -> None:
        bar = self.verticalScrollBar()
        if self.tiles.rowCount() and bar.value() >= bar.maximum() - 2 * bar.pageStep():
            self.near_end.emit()

    # Drawing

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self.viewport())
        if self._dimmed:
            painter.setOpacity(DIMMED)
        chosen, current = self.selectionModel(), self.currentIndex().row()
        below = self.viewport().mapFromGlobal(self.cursor().pos())
        option = QStyleOptionViewItem()
        self.initViewItemOption(option)
        plain = option.state & ~(QStyle.StateFlag.State_HasFocus | QStyle.StateFlag.State_MouseOver)
        for row in self._visible(event.rect()):
            index = self.tiles.index(row, 0)
            option.rect = self.visualRect(index)
            option.state = plain
            if chosen.isSelected(index):
                option.state |= QStyle.StateFlag.State_Selected
            if row == current and self.hasFocus():
                option.state |= QStyle.StateFlag.State_HasFocus
            if self.viewport().underMouse() and option.rect.contains(below):
                option.state |= QStyle.StateFlag.State_MouseOver
            self.itemDelegate().paint(painter, option, index)

    # Keys, selection

    def moveCursor(self, action: Cursor, modifiers: Qt.KeyboardModifier) -> QModelIndex:
        count, row = self.tiles.rowCount(), self.currentIndex().row()
        if not count:
            return QModelIndex()
        if row < 0:
            return self.tiles.index(0, 0)
        page = max(self.viewport().height() // self._line_height, 1) * self.columns
        steps = {
            Cursor.MoveLeft: -1,
            Cursor.MoveRight: 1,
            Cursor.MovePrevious: -1,
            Cursor.MoveNext: 1,
            Cursor.MoveUp: -self.columns,
            Cursor.MoveDown: self.columns,
            Cursor.MovePageUp: -page,
            Cursor.MovePageDown: page,
            Cursor.MoveHome: -row,
            Cursor.MoveEnd: count,
        }
        target = row + steps[action]
        if action == Cursor.MoveUp and target < 0:
            target = row
        if (
            action == Cursor.MoveDown
            and target >= count
            and row // self.columns == self._lines() - 1
        ):
            target = row
        return self.tiles.index(min(max(target, 0), count - 1), 0)

    def setSelection(self, rect: QRect, command: Flag) -> None:
        if self.state() == QAbstractItemView.State.DragSelectingState:
            chosen = self._touched(rect.normalized())
        else:  # from one tile to another, like words
            ends = [self.indexAt(rect.topLeft()), self.indexAt(rect.bottomRight())]
            chosen = QItemSelection()
            if all(index.isValid() for index in ends):
                chosen.select(*sorted(ends, key=lambda index: index.row()))
        self.selectionModel().select(chosen, command)

    def _touched(self, area: QRect) -> QItemSelection:
        """Tiles that a rubber band touches, as one run for each line of tiles."""
        chosen, rows = QItemSelection(), self._visible(area)
        for start in range(rows.start, rows.stop, self.columns):
            line = range(start, min(start + self.columns, rows.stop))
            hit = [self.tiles.index(row, 0) for row in line]
            hit = [index for index in hit if self.visualRect(index).intersects(area)]
            if hit:
                chosen.select(hit[0], hit[-1])
        return chosen

    def visualRegionForSelection(self, selection: QItemSelection) -> QRegion:
        return QRegion(self.viewport().rect())

    def selectAll(self) -> None:
        if count := self.tiles.rowCount():  # the list's own goes through all rows
            every = QItemSelection(self.tiles.index(0, 0), self.tiles.index(count - 1, 0))
            self.selectionModel().select(every, Flag.ClearAndSelect)

    def selectionChanged(self, selected: QItemSelection, deselected: QItemSelection) -> None:
        # the list's own tells screen readers of it, and makes a list of all rows for that
        few = all(last - first < PAGE for first, last in _ranges(selected) + _ranges(deselected))
        (QListView if few else QAbstractItemView).selectionChanged(self, selected, deselected)

    def currentChanged(self, current: Index, previous: Index) -> None:
        super().currentChanged(current, previous)
        self.viewport().update()
        self._notify()

    def _notify(self) -> None:
        tile = self.current_tile()
        if tile != self._notified:
            self._notified = tile
            self.current_changed.emit(tile)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.viewport().update()
        by_key = event.reason() in (
            Qt.FocusReason.TabFocusReason,
            Qt.FocusReason.BacktabFocusReason,
        )
        if by_key and self.tiles.rowCount() and not self.selectionModel().hasSelection():
            self.select_row(max(self.currentIndex().row(), 0))  # Qt makes one current, no more

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key, index = event.key(), self.currentIndex()
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and index.isValid():
            self._open(index)
        elif key == Qt.Key.Key_Space and index.isValid():
            self.previewed.emit(index.row())
        else:
            super().keyPressEvent(event)

    def keyboardSearch(self, search: str) -> None:
        """Letters do nothing: Qt would walk over all rows."""

    def _open(self, index: Index) -> None:
        tile = self.tiles.row(index.row())
        if tile is not None:
            self.opened.emit(tile.path)

    # Dragging files out

    def startDrag(self, supported: Qt.DropAction) -> None:
        tiles = self.selected_tiles()
        if not tiles:
            return
        if len(tiles) < self.selected_count():  # some would be left behind, and nobody would know
            self.too_many_dragged.emit()
            return
        drag = QDrag(self)
        drag.setMimeData(files_as_mime([tile.path for tile in tiles]))
        picture = self._thumbnails.get(tiles[0].path, round(EDGE * self.devicePixelRatioF()))
        if picture is not None and not picture.isNull():
            drag.setPixmap(picture.scaled(96, 96, Qt.AspectRatioMode.KeepAspectRatio))
        drag.exec(Qt.DropAction.CopyAction)


def _ranges(selection: QItemSelection) -> list[tuple[int, int]]:
    parts = (selection.at(number) for number in range(selection.size()))
    return [(part.top(), part.bottom()) for part in parts]
