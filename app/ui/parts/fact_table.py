"""A short table of facts that are refreshed in place, as high as its rows."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QGridLayout,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
    QWidget,
)

from app.ui.parts.theme import SPACE_L, SPACE_S, font
from app.ui.parts.widgets import ElidedLabel, label, plain_tip

ROW = 28


class FactTable(QTableWidget):
    """Columns share the width by weight; long texts are shortened and shown in the tool tip."""

    def __init__(self, columns: Sequence[str], weights: Sequence[int]) -> None:
        super().__init__(0, len(columns))
        self._weights = weights
        self.setHorizontalHeaderLabels(list(columns))
        self.setFont(font("count"))
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setProperty("kind", "facts")
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(ROW)
        header = self.horizontalHeader()
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        header.setSectionsClickable(False)
        header.setFixedHeight(ROW)
        self._fit()

    def set_rows(self, rows: Sequence[Sequence[str]]) -> None:
        """Show these rows; only cells that differ are touched."""
        if len(rows) != self.rowCount():
            self.setRowCount(len(rows))
            self._fit()
        for number, row in enumerate(rows):
            for column, text in enumerate(row):
                self._set(number, column, text)

    def texts(self) -> list[list[str]]:
        """What is shown."""
        return [
            [cell.text() if (cell := self.item(row, column)) else "" for column in self._columns()]
            for row in range(self.rowCount())
        ]

    def _columns(self) -> range:
        return range(self.columnCount())

    def _set(self, row: int, column: int, text: str) -> None:
        cell = self.item(row, column)
        if cell is None:
            cell = QTableWidgetItem()
            self.setItem(row, column, cell)
        if cell.text() != text:
            cell.setText(text)
            cell.setToolTip(plain_tip(text))

    def _fit(self) -> None:
        self.setFixedHeight(ROW * (self.rowCount() + 1) + 2)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        whole, total = self.viewport().width(), sum(self._weights)
        for column, weight in enumerate(self._weights):
            self.setColumnWidth(column, whole * weight // total)


class FactGrid(QWidget):
    """Names on the left, values on the right; long values are shortened."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(SPACE_L)
        grid.setVerticalSpacing(SPACE_S)
        grid.setColumnStretch(1, 1)
        self.values: dict[str, ElidedLabel] = {}
        for row, name in enumerate(names):
            value = ElidedLabel()
            value.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            self.values[name] = value
            grid.addWidget(label(name, tone="secondary"), row, 0)
            grid.addWidget(value, row, 1)

    def set_values(self, values: Sequence[str]) -> None:
        """Show these values, in the order of the names."""
        for part, value in zip(self.values.values(), values, strict=True):
            part.set_text(value)
