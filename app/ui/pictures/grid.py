"""A grid of pictures over any number of rows: what is drawn, keys, selection, files dragged out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import (
    QItemSelection,
    QItemSelectionModel,
    QModelIndex,
    QRect,
    Qt,
    Signal,
)
from PySide6.QtGui import (
    QAction,
    QDrag,
    QFocusEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QRegion,
)
from PySide6.QtWidgets import QAbstractItemView, QListView, QStyle, QStyleOptionViewItem, QWidget

from app.ui.parts.paged_model import PAGE, Index
from app.ui.pictures.files_out import MOST, files_as_mime
from app.ui.pictures.justified_view import JustifiedView
from app.ui.pictures.thumbnails import ThumbnailLoader
from app.ui.pictures.thumbs import Thumbs, draw_thumbs, thumb_places
from app.ui.pictures.tiles import EDGE, HeldTiles, Tile, TileModel, tile_for

__all__ = ["HeldTiles", "PictureGrid", "Tile", "TileModel", "tile_for"]

DIMMED = 0.45
KEYS = (
    ("Move the selection", "Arrows"),
    ("Select more", "Shift+Arrows"),
    ("Select one more, or one less", "Ctrl+Space"),
    ("Select all", "Ctrl+A"),
    ("View a picture", "Enter"),
    ("Preview a picture", "Space"),
)
"""What the grid itself does with keys, besides those of its actions."""
Cursor = QAbstractItemView.CursorAction
Flag = QItemSelectionModel.SelectionFlag


class PictureGrid(JustifiedView):
    """Thumbnails in rows from edge to edge, under headings that stay in sight.

    Args:
        model: a :class:`TileModel` (pages of a long list) or :class:`HeldTiles` (what was found).
        caption_lines: none, one or two lines of text under each picture.
    """

    viewed = Signal(int)
    """A row: Enter or a double click."""
    previewed = Signal(int)
    """A row: Space."""
    current_changed = Signal(object)
    """The :class:`Tile` that the keys act on, or None; also when it arrives later."""
    too_many_dragged = Signal()
    """More is selected than can be dragged at once, or than is in memory."""

    def __init__(
        self,
        model: TileModel,
        thumbnails: ThumbnailLoader,
        *,
        caption_lines: int = 1,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(model, thumbnails, caption_lines, parent)
        self._dimmed = False
        self._notified: Tile | None = None
        self.shown_alone = False
        """A viewer shows the current picture, whatever else is selected."""
        self._thumbs: Thumbs | None = None
        self.begin()
        self.setProperty("surface", "background")
        self.setProperty("kind", "grid")
        self.setAccessibleName("Pictures")
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        self.setDragEnabled(True)
        self.setDragDropMode(QAbstractItemView.DragDropMode.DragOnly)
        self.setMouseTracking(True)
        self.setMinimumWidth(2 * EDGE)
        self.doubleClicked.connect(self._view)
        for moved in (self.entered, self.viewportEntered):
            moved.connect(self.viewport().update)
        model.stale.connect(self.viewport().update)
        model.arrived.connect(self._notify)
        thumbnails.ready.connect(self.viewport().update)

    # What a page asks for

    def set_actions(self, actions: Sequence[QAction]) -> None:
        """The context menu; their shortcuts work while the grid has the keyboard."""
        for action in actions:
            action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            self.addAction(action)

    def set_thumbs(self, thumbs: Thumbs) -> None:
        """Draw these on pictures, and let them be clicked."""
        self._thumbs = thumbs
        thumbs.changed.connect(self.viewport().update)

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

    def acted_ranges(self) -> list[tuple[int, int]]:
        """What is done with pictures is done with these rows: those selected, or the one that a
        viewer shows."""
        row = self.currentIndex().row()
        return [(row, row)] if self.shown_alone and row >= 0 else self.selected_ranges()

    def acted_count(self) -> int:
        """How many rows these are."""
        return sum(last - first + 1 for first, last in self.acted_ranges())

    def selected_tiles(self, limit: int = MOST) -> list[Tile]:
        """The first selected tiles that are in memory; ``await tiles.rows(ranges)`` has all."""
        found: list[Tile] = []
        for first, last in self.selected_ranges():
            for row in range(first, min(last, first + limit) + 1):
                tile = self.tiles.row(row)
                if tile is not None and len(found) < limit:
                    found.append(tile)
        return found

    def show_anew(self, change: Callable[[], object], gone: Sequence[tuple[int, int]] = ()) -> None:
        """As :meth:`show_in_place`; what was selected stays so, or the row after what is gone is
        selected in its place."""
        ranges, current = self.selected_ranges(), self.currentIndex().row()
        self.show_in_place(change, gone)
        count = self.tiles.rowCount()
        if gone and count:
            self.select_row(min(gone[0][0], count - 1))
        elif 0 <= current < count:
            self.selectionModel().setCurrentIndex(self.tiles.index(current, 0), Flag.NoUpdate)
            chosen = QItemSelection()
            for first, last in ranges:
                if last < count:
                    chosen.select(self.tiles.index(first, 0), self.tiles.index(last, 0))
            self.selectionModel().select(chosen, Flag.ClearAndSelect)

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
        for row in self._rows_in(event.rect()):
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
            if self._thumbs is not None and (tile := self.tiles.row(row)) is not None:
                hovered = bool(option.state & QStyle.StateFlag.State_MouseOver)
                draw_thumbs(painter, option.rect, self._thumbs.of(tile.asset_id), hovered)
        self._draw_headings(painter)

    # Thumbs

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if not self._click_thumb(event):
            super().mousePressEvent(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if not self._click_thumb(event):
            super().mouseDoubleClickEvent(event)

    def _click_thumb(self, event: QMouseEvent) -> bool:
        """Whether it was a thumb that was clicked."""
        point = event.position().toPoint()
        index = self.indexAt(point)
        if self._thumbs is None or not index.isValid():
            return False
        tile, places = self.tiles.row(index.row()), thumb_places(self.visualRect(index))
        up = next((up for up, place in places.items() if place.contains(point)), None)
        if tile is None or up is None or event.button() != Qt.MouseButton.LeftButton:
            return False
        self._thumbs.toggle([tile.asset_id], up)
        return True

    # Keys, selection

    def moveCursor(self, action: Cursor, modifiers: Qt.KeyboardModifier) -> QModelIndex:
        count, row = self.tiles.rowCount(), self.currentIndex().row()
        if not count:
            return QModelIndex()
        if row < 0:
            return self.tiles.index(0, 0)
        page = self.viewport().height()
        target = {
            Cursor.MoveLeft: row - 1,
            Cursor.MoveRight: row + 1,
            Cursor.MovePrevious: row - 1,
            Cursor.MoveNext: row + 1,
            Cursor.MoveHome: 0,
            Cursor.MoveEnd: count - 1,
        }.get(action)
        if target is None:
            steps = {Cursor.MoveUp: -1, Cursor.MoveDown: 1}
            pages = {Cursor.MovePageUp: -page, Cursor.MovePageDown: page}
            target = self._row_beside(row, steps.get(action, 0), pages.get(action, 0))
        return self.tiles.index(min(max(target, 0), count - 1), 0)

    def _row_beside(self, row: int, lines: int, pixels: int) -> int:
        """The picture above or below, so many lines or pixels from this one."""
        line = self._layout.line(row)
        other = line.end if lines > 0 else line.first - 1
        if pixels:
            bottom = self._layout.height - self._picture_height // 2
            other = self._layout.row_at(min(max(line.top + pixels, 0), bottom))
        if not 0 <= other < self.tiles.rowCount():
            return row
        return self._layout.beside(row, self._layout.line(other))

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
        chosen, top = QItemSelection(), area.top() + self.verticalOffset()
        for line in self._layout.lines(top, top + area.height()):
            hit = [self.tiles.index(row, 0) for row in range(line.first, line.end)]
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
        control = event.modifiers() & Qt.KeyboardModifier.ControlModifier
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and index.isValid():
            self.viewed.emit(index.row())
        elif key == Qt.Key.Key_Space and index.isValid() and not control:  # which selects it, too
            self.previewed.emit(index.row())
        else:
            super().keyPressEvent(event)

    def _view(self, index: Index) -> None:
        self.viewed.emit(index.row())

    def keyboardSearch(self, search: str) -> None:
        """Letters do nothing: Qt would walk over all rows."""

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
