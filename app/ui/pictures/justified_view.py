"""A list whose pictures lie in full rows: where they are, how it scrolls, headings that stay.

Only what is seen is laid out (:mod:`app.ui.pictures.justified`), so that a million rows open as
fast as ten. Qt's own list view walks over all rows first; this is one only for what screen readers
are told about a list, and lays nothing out with it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QModelIndex, QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QListView, QWidget

from app.ui.parts import words
from app.ui.parts.drawing import draw_text
from app.ui.parts.paged_model import PAGE, Index
from app.ui.parts.theme import SPACE_M, SPACE_S, SPACE_XS, font, theme
from app.ui.pictures.justified import Heading, JustifiedLayout, aspect
from app.ui.pictures.thumbnails import ThumbnailLoader
from app.ui.pictures.tiles import HeldTiles, TileDelegate, TileModel

LEAST_HEIGHT, USUAL_HEIGHT, MOST_HEIGHT = 80, 180, 400
"""Of a picture, in pixels."""
HEADING_CLEARNESS = 0.92
AT_THE_BEGINNING = (0, -10_000)
"""The place above everything, whatever stands above the first picture."""


class JustifiedView(QListView):
    """Lays out what is seen, and what is near it.

    What is at the top stays there when more becomes known of what is above: the anchor is a row
    and how many pixels of its line are above the edge.
    """

    moved = Signal()
    """Other pictures are at the top, or the whole has another height."""
    near_end = Signal()
    """The last rows are in sight or nearly so: whoever has more may append them."""

    def __init__(
        self,
        model: TileModel,
        thumbnails: ThumbnailLoader,
        caption_lines: int,
        parent: QWidget | None,
    ) -> None:
        super().__init__(parent)
        self.tiles = model
        self._thumbnails = thumbnails
        self._layout = JustifiedLayout(PAGE)
        self._picture_height = USUAL_HEIGHT
        self._anchor = AT_THE_BEGINNING
        self._settling = False
        self._tile_delegate = TileDelegate(self, thumbnails)
        self._tile_delegate.lines = caption_lines
        self.setItemDelegate(self._tile_delegate)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)

    def begin(self) -> None:
        """Show the model, once everything is there that its first signals ask for."""
        model = self.tiles
        self.setModel(model)
        for changed in (model.rowsInserted, model.rowsRemoved):
            changed.connect(self._count_changed)
        model.modelReset.connect(self._begin_again)
        model.dataChanged.connect(self._rows_came)

    # Where rows lie

    def set_headings(self, headings: Sequence[Heading]) -> None:
        """What stands above the pictures, from the top; until other pictures are shown."""
        self._layout.set_headings(headings)
        self._lay_out_again()

    def set_picture_height(self, height: int) -> None:
        """How high pictures are, about: rows are filled to the edge."""
        self._picture_height = min(max(height, LEAST_HEIGHT), MOST_HEIGHT)
        self._lay_out_again()

    def set_caption_lines(self, lines: int) -> None:
        """None, one or two lines of text under each picture."""
        self._tile_delegate.lines = lines
        self._lay_out_again()

    def heading_tops(self) -> list[int]:
        """Where each heading stands, at least nearly; in pixels from the beginning."""
        return self._layout.heading_tops()

    def heading_in_sight(self) -> int:
        """The number of the heading that the topmost pictures stand under; -1: there is none."""
        found = self._layout.heading_at(self._anchor[0])
        return found[0] if found else -1

    def picture_rect(self, index: Index) -> QRect:
        """Where a picture is seen, without its caption."""
        return self.visualRect(index).adjusted(0, 0, 0, -self._tile_delegate.caption_height)

    def show_in_place(
        self, change: Callable[[], object], gone: Sequence[tuple[int, int]] = ()
    ) -> None:
        """Have other rows shown, while what is at the top stays there.

        Args:
            change: gives the model other rows.
            gone: rows, as first and last of each run, that are not among them any more.
        """
        row, rest = self._anchor
        row -= sum(min(last, row - 1) - first + 1 for first, last in gone if first < row)
        change()
        self._anchor = (max(min(row, self.tiles.rowCount() - 1), 0), rest)
        self._keep_place()
        self._settle()
        self.viewport().update()
        self.moved.emit()

    def visualRect(self, index: Index) -> QRect:
        if not index.isValid():
            return QRect()
        return self._layout.place(index.row()).translated(0, -self.verticalOffset())

    def indexAt(self, point: QPoint) -> QModelIndex:
        for row in self._rows_in(QRect(point, QSize(1, 1))):
            index = self.tiles.index(row, 0)
            if self.visualRect(index).contains(point):
                return index
        return QModelIndex()

    def _rows_in(self, area: QRect) -> list[int]:
        """Rows in the lines that touch an area of the viewport."""
        top = area.top() + self.verticalOffset()
        lines = self._layout.lines(top, top + area.height())
        return [row for line in lines for row in range(line.first, line.end)]

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
        page = index.row() // PAGE
        if self._layout.settle(range(page, page + 1)):
            self._keep_place()
        place, bar = self._layout.place(index.row()), self.verticalScrollBar()
        covered = self._layout.head if self._layout.heading_at(index.row()) else 0
        top, height = place.top() - covered - SPACE_XS, self.viewport().height()
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
        bar.setRange(0, max(self._layout.height + SPACE_S - height, 0))
        bar.setPageStep(max(height - self._picture_height // 2, 1))
        bar.setSingleStep(max(self._picture_height // 3, 1))

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._settling = True
        QAbstractItemView.resizeEvent(self, event)
        self._settling = False
        self._lay_out_again()
        self._look_for_end()

    def scrollContentsBy(self, dx: int, dy: int) -> None:
        self._thumbnails.cancel_waiting()  # what is in sight is asked for again by the paint
        self.viewport().update()
        if self._settling:
            return
        here = self.verticalOffset()
        self._layout.settle(self._layout.pages(here, here))  # moves only what is below
        self._note_place()
        self._settle()
        self._look_for_end()
        self.moved.emit()

    def _note_place(self) -> None:
        """What is at the top stays there, whatever becomes known of the rest."""
        here = self.verticalOffset()
        row = self._layout.row_at(here + self._picture_height // 2)
        self._anchor = (row, here - self._top_of(row)) if here else AT_THE_BEGINNING

    def _top_of(self, row: int) -> int:
        return self._layout.line(row).top if row < self.tiles.rowCount() else 0

    def _keep_place(self) -> None:
        """Scroll to where that now is."""
        self._settling = True
        self.updateGeometries()
        row, rest = self._anchor
        self.verticalScrollBar().setValue(self._top_of(row) + rest)
        self._settling = False

    def _settle(self) -> None:
        """Lay out what is seen and what is near it, so that scrolling enters nothing unknown."""
        height, moved = self.viewport().height(), False
        for _ in range(4):
            here = self.verticalOffset()
            pages = self._layout.pages(here - height, here + 2 * height)
            for page in pages:
                self.tiles.row(page * PAGE)  # fetches what is not there
            if not self._layout.settle(pages):
                break
            moved = True
            self._keep_place()
        if moved:
            self.moved.emit()

    def _lay_out_again(self) -> None:
        self._layout.set_room(
            self.viewport().width(), self._picture_height, self._tile_delegate.caption_height
        )
        self._keep_place()
        self._settle()
        self.viewport().update()
        self.moved.emit()

    def _rows_came(self, first: Index, last: Index) -> None:
        moved = [self._take_shapes(page) for page in _pages(first.row(), last.row())]
        if any(moved):
            self._settle()
            self.viewport().update()

    def _take_shapes(self, page: int) -> bool:
        tiles = self.tiles.held(page)
        return self._layout.set_aspects(page, [aspect(tile.width, tile.height) for tile in tiles])

    def _begin_again(self) -> None:
        self._layout.forget(0)
        self._anchor = AT_THE_BEGINNING
        self._count_changed()

    def _count_changed(self, *_: object) -> None:
        before, count = self._layout.count, self.tiles.rowCount()
        self._layout.set_count(count)
        if isinstance(self.tiles, HeldTiles):
            for page in _pages(min(before, count), max(count - 1, 0)):
                self._take_shapes(page)
        self._keep_place()
        self._settle()
        self.viewport().update()
        self._notify()
        self._look_for_end()
        self.moved.emit()

    def _notify(self) -> None:
        """Other rows may be current, or be there now."""
        raise NotImplementedError

    def reset(self) -> None:
        super().reset()
        self.verticalScrollBar().setValue(0)

    def _look_for_end(self) -> None:
        bar = self.verticalScrollBar()
        if self.tiles.rowCount() and bar.value() >= bar.maximum() - 2 * bar.pageStep():
            self.near_end.emit()

    # Headings

    def _draw_headings(self, painter: QPainter) -> None:
        """Those in sight; the one of the topmost pictures stays at the top."""
        painter.setOpacity(1)
        here, height = self.verticalOffset(), self.viewport().height()
        tops = [(top - here, item) for top, item in self._layout.heads(here, here + height)]
        tops = [(top, item) for top, item in tops if top >= 0]
        for top, item in tops:
            self._draw_heading(painter, top, item)
        stuck = self._layout.heading_at(self._layout.row_at(here + 1))
        if stuck and self._layout.count and not any(item is stuck[1] for _, item in tops):
            following = min((top for top, _ in tops), default=height)
            self._draw_heading(painter, min(0, following - self._layout.head), stuck[1])

    def _draw_heading(self, painter: QPainter, top: int, heading: Heading) -> None:
        area = QRect(0, top, self.viewport().width(), self._layout.head)
        ground = QColor(theme().color("background"))
        ground.setAlphaF(HEADING_CLEARNESS if top <= 0 else 1)
        painter.fillRect(area, ground)
        room = area.adjusted(0, 0, -SPACE_S, 0)
        number = words.plural(heading.pictures, "picture")
        used = QFontMetrics(font("secondary")).horizontalAdvance(number)
        title = room.adjusted(0, 0, -used - SPACE_M, 0)
        wide = QFontMetrics(font("section")).horizontalAdvance(heading.text)
        draw_text(
            painter, title, heading.text, font("section"), "text", Qt.TextElideMode.ElideMiddle
        )
        beside = QRect(room)
        beside.setLeft(min(wide + SPACE_M, title.right() + SPACE_M))
        draw_text(painter, beside, number, font("secondary"), "text-secondary")


def _pages(first: int, last: int) -> range:
    return range(first // PAGE, last // PAGE + 1)
