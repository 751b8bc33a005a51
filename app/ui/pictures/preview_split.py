"""A grid, and beside it the preview of its current picture once a person asks for one."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QSplitter, QWidget

from app.ui.pictures.grid import PictureGrid
from app.ui.pictures.preview import Details, PicturePreview
from app.ui.pictures.tiles import Tile


class PreviewSplit(QSplitter):
    """Opens and closes the preview, and keeps it at the current picture.

    Args:
        name: what its widths are remembered by.
        shown: the grid, or what it stands in.
        facts: names and values to show beside a picture; None where it is not there yet.
    """

    opened = Signal()

    def __init__(
        self,
        name: str,
        grid: PictureGrid,
        shown: QWidget,
        preview: PicturePreview,
        facts: Callable[[Tile], Details | None],
    ) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self._grid, self._preview, self._facts = grid, preview, facts
        self.setObjectName(name)
        self.setChildrenCollapsible(False)
        self.addWidget(shown)
        self.addWidget(preview)
        self.setStretchFactor(0, 3)
        self.setStretchFactor(1, 2)
        self.setSizes([600, 400])
        preview.hide()
        preview.closed.connect(self.close_preview)
        grid.previewed.connect(self._toggle)
        grid.current_changed.connect(self._show_current)

    def close_preview(self) -> None:
        """Give its room back to the grid."""
        if self._preview.isVisible():
            self._preview.hide()
            self._preview.clear()
            self._grid.setFocus()

    def _toggle(self, row: int) -> None:
        if self._preview.isVisible():
            self.close_preview()
            return
        self.opened.emit()
        self._preview.show()
        self._show_current(self._grid.tiles.row(row))
        self._grid.scrollTo(self._grid.tiles.index(row, 0))

    def _show_current(self, tile: Tile | None) -> None:
        if not self._preview.isVisible():
            return
        facts = None if tile is None else self._facts(tile)
        if tile is None or facts is None:
            self._preview.clear()
        else:
            self._preview.show_tile(tile, facts)
