"""Two to four pictures side by side; where one is looked at closely, so are the others."""

from __future__ import annotations

import os
from collections.abc import Sequence

from PySide6.QtCore import QSize, Signal
from PySide6.QtWidgets import QGridLayout, QVBoxLayout, QWidget

from app.printable import printable
from app.ui.parts.theme import SPACE_M, SPACE_S, SPACE_XS
from app.ui.parts.widgets import ElidedLabel
from app.ui.pictures.thumbnails import ThumbnailLoader
from app.ui.pictures.tiles import Tile
from app.ui.pictures.zoom_view import ZoomView

LEAST, MOST = 2, 4


class CompareView(QWidget):
    """Shows pictures beside each other, each with its name."""

    zoomed = Signal()
    """As with :class:`ZoomView`, of all of them."""

    def __init__(self, thumbnails: ThumbnailLoader) -> None:
        super().__init__()
        self._following = False
        self._cells = [_Cell(thumbnails) for _ in range(MOST)]
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(SPACE_M, SPACE_M, SPACE_M, SPACE_S)
        self._grid.setSpacing(SPACE_M)
        for cell in self._cells:
            cell.view.zoomed.connect(lambda cell=cell: self._follow(cell))
            cell.hide()

    @property
    def views(self) -> list[ZoomView]:
        """Those that are seen, from the left."""
        return [cell.view for cell in self._cells if not cell.isHidden()]

    @property
    def leader(self) -> ZoomView:
        """The one that the others follow: the first that can be zoomed."""
        return next((view for view in self.views if view.scale), self._cells[0].view)

    def show_tiles(self, tiles: Sequence[Tile]) -> None:
        """Show these and no others; none, and nothing is read any more."""
        columns = 2 if len(tiles) in (2, 4) else 3
        for at, cell in enumerate(self._cells):
            self._grid.removeWidget(cell)
            shown = tiles[at] if at < len(tiles) else None
            cell.show_tile(shown)
            if shown is not None:
                self._grid.addWidget(cell, at // columns, at % columns)

    def _follow(self, leader: _Cell) -> None:
        if self._following:
            return
        self._following = True
        for cell in self._cells:
            if cell is not leader and not cell.isHidden():
                cell.view.follow(leader.view)
        self._following = False
        self.zoomed.emit()


class _Cell(QWidget):
    """One picture and its name."""

    def __init__(self, thumbnails: ThumbnailLoader) -> None:
        super().__init__()
        self.view = ZoomView(thumbnails)
        self.name = ElidedLabel(role="secondary")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE_XS)
        column.addWidget(self.view, 1)
        column.addWidget(self.name)

    def show_tile(self, tile: Tile | None) -> None:
        """Show a picture; None: take no room."""
        size = QSize(tile.width or 0, tile.height or 0) if tile else QSize()
        self.view.show_picture(tile.path if tile else "", size)
        self.name.set_text(printable(os.path.basename(tile.path)) if tile else "")
        self.setVisible(tile is not None)
