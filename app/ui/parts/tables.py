"""The one look of tables of pictures, and how their cells are drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QItemSelectionModel, QModelIndex, QPersistentModelIndex, QRectF, Qt
from PySide6.QtGui import QKeyEvent, QPainter, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from app.ui.parts.paged_model import PagedModel
from app.ui.parts.theme import ROW_HEIGHT, SPACE_S, theme

Elide = Qt.TextElideMode


class RowDelegate(QStyledItemDelegate):
    """Cells that shorten where it hurts least, and a grey bar while a row is fetched."""

    def __init__(self, parent: QWidget, middle: frozenset[int] = frozenset({0})) -> None:
        super().__init__(parent)
        self._middle = middle

    def initStyleOption(
        self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        super().initStyleOption(option, index)
        shortened = Elide.ElideMiddle if index.column() in self._middle else Elide.ElideRight
        option.textElideMode = shortened

    def paint(
        self,
        painter: QPainter,
        option: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,
    ) -> None:
        super().paint(painter, option, index)
        model = index.model()
        if isinstance(model, PagedModel) and model.row(index.row()) is None:
            area = QRectF(option.rect)
            bar = QRectF(area.left() + SPACE_S, area.center().y() - 5, area.width() * 0.6, 10)
            painter.save()
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme().color("surface-hover"))
            painter.drawRoundedRect(bar, 5, 5)
            painter.restore()


class PagedTable(QTableView):
    """A quiet table over a :class:`PagedModel`; a selected picture stays selected."""

    def __init__(self, model: PagedModel[Any], name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._paged = model
        self.setItemDelegate(RowDelegate(self))
        self.setModel(model)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.setCornerButtonEnabled(False)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        rows = self.verticalHeader()
        rows.hide()
        rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        rows.setMinimumSectionSize(ROW_HEIGHT)
        self.set_row_height(ROW_HEIGHT)
        columns = self.horizontalHeader()
        columns.setObjectName(name)
        columns.setHighlightSections(False)
        columns.setSectionsClickable(False)
        columns.setStretchLastSection(True)
        columns.setMinimumSectionSize(48)
        columns.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        # To draw a header, Qt asks every row of the selection whether all of it is selected: two
        # seconds for 100,000 rows. A selection model of its own, always empty, spares that.
        columns.setSelectionModel(QItemSelectionModel(model, columns))
        columns.sectionResized.connect(self._resized)
        model.stale.connect(self.viewport().update)
        self._fitted: Callable[[int], int] | None = None
        self._fitting = False

    def set_row_height(self, height: int) -> None:
        """All rows are equally high."""
        self.verticalHeader().setDefaultSectionSize(height)

    def set_widths(self, *widths: int) -> None:
        """First widths of the columns; the last one takes the rest."""
        for column, width in enumerate(widths):
            self.setColumnWidth(column, width)

    def fit_first_column(self, width_for: Callable[[int], int]) -> None:
        """Let the first column follow the table's width, until a person sets it."""
        self._fitted = width_for
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        if self._fitted is not None:
            self._fitting = True
            self.setColumnWidth(0, self._fitted(self.viewport().width()))
            self._fitting = False

    def _resized(self, column: int, _before: int, _after: int) -> None:
        if column == 0 and not self._fitting:
            self._fitted = None

    def select_quietly(self, row: int) -> None:
        """Select a row that moved, without scrolling to it."""
        self.setAutoScroll(False)
        flag = QItemSelectionModel.SelectionFlag
        self.selectionModel().setCurrentIndex(
            self._paged.index(row, 0), flag.ClearAndSelect | flag.Rows
        )
        self.setAutoScroll(True)

    def selected_ranges(self) -> list[tuple[int, int]]:
        """Selected rows as first and last of each run, from the top."""
        selection = self.selectionModel().selection()
        parts = (selection.at(number) for number in range(selection.size()))
        return sorted((part.top(), part.bottom()) for part in parts)

    def selected_count(self) -> int:
        """How many rows are selected; cheap for any number."""
        return sum(last - first + 1 for first, last in self.selected_ranges())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        # Home and End mean the first and the last picture; Qt means columns
        key = event.key()
        if key in (Qt.Key.Key_Home, Qt.Key.Key_End) and self._paged.rowCount():
            row = 0 if key == Qt.Key.Key_Home else self._paged.rowCount() - 1
            self.setCurrentIndex(self._paged.index(row, 0))
        else:
            super().keyPressEvent(event)
