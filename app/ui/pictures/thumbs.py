"""Thumbs up and down: pictures that results are to be more like, and less like."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QRect, Signal
from PySide6.QtGui import QAction, QColor, QKeySequence, QPainter, QPen

from app.api.search_schemas import MAX_MARKED
from app.errors import AppError
from app.ui.parts.theme import SPACE_XS, icon, theme

if TYPE_CHECKING:
    from app.ui.pictures.grid import PictureGrid

SIDE = 26
LEAST_WIDTH = 3 * SIDE
"""Of a picture, for thumbs to be drawn on it."""
ICONS = {True: "thumbs-up", False: "thumbs-down"}
COLOURS = {True: "completed", False: "failed"}


class Thumbs(QObject):
    """The pictures that are marked; one for the whole search."""

    changed = Signal()
    refused = Signal(object)
    """An AppError: these were too many."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._marks: dict[int, bool] = {}

    @property
    def liked(self) -> list[int]:
        """The ids of pictures with a thumb up, in the order they got it."""
        return [asset_id for asset_id, up in self._marks.items() if up]

    @property
    def disliked(self) -> list[int]:
        """The same of those with a thumb down."""
        return [asset_id for asset_id, up in self._marks.items() if not up]

    def of(self, asset_id: int) -> bool | None:
        """A picture's thumb: up, down, or none."""
        return self._marks.get(asset_id)

    def toggle(self, asset_ids: Sequence[int], up: bool) -> None:
        """Give pictures this thumb; where all of them have it, take it away."""
        if not asset_ids:
            return
        if all(self.of(asset_id) is up for asset_id in asset_ids):
            for asset_id in asset_ids:
                del self._marks[asset_id]
        else:
            marks = self._marks | dict.fromkeys(asset_ids, up)
            if len(marks) > MAX_MARKED:
                self.refused.emit(
                    AppError(
                        f"At most {MAX_MARKED} pictures can have a thumb.",
                        "A few that show well what you mean are enough.",
                    )
                )
                return
            self._marks = marks
        self.changed.emit()

    def clear(self) -> None:
        """Take all thumbs away."""
        if self._marks:
            self._marks = {}
            self.changed.emit()

    def describe(self) -> str:
        """``like 2, unlike 1``; empty where no picture has a thumb."""
        counts = (("like", len(self.liked)), ("unlike", len(self.disliked)))
        return ", ".join(f"{word} {number}" for word, number in counts if number)


class ThumbActions(QObject):
    """The two marks as entries of a grid's menu, for what is selected in it."""

    def __init__(self, grid: PictureGrid, thumbs: Thumbs, *, down: bool = True) -> None:
        super().__init__(grid)
        self._grid, self._thumbs = grid, thumbs
        self.up = self._action("Thumb &up", "T", "More pictures like this one", True)
        self.down = self._action("Thumb do&wn", "Shift+T", "Fewer pictures like this one", False)
        self.all = (self.up, self.down) if down else (self.up,)
        grid.set_actions(self.all)
        grid.selectionModel().selectionChanged.connect(self._show)
        grid.tiles.modelReset.connect(self._show)
        thumbs.changed.connect(self._show)
        self._show()

    def _action(self, text: str, key: str, meaning: str, up: bool) -> QAction:
        action = QAction(icon(ICONS[up]), text, self, checkable=True)
        action.setShortcut(QKeySequence(key))
        action.setToolTip(f"{meaning} ({key}); again takes it back")
        action.triggered.connect(lambda _=False: self._toggle(up))
        return action

    def _toggle(self, up: bool) -> None:
        tiles = self._grid.selected_tiles(MAX_MARKED + 1)
        self._thumbs.toggle([tile.asset_id for tile in tiles], up)
        self._show()  # Qt has turned the tick, whatever came of it

    def _show(self) -> None:
        tiles = self._grid.selected_tiles(MAX_MARKED)
        for action, up in ((self.up, True), (self.down, False)):
            action.setEnabled(bool(tiles))
            action.setChecked(
                bool(tiles) and all(self._thumbs.of(tile.asset_id) is up for tile in tiles)
            )


def thumb_places(box: QRect) -> dict[bool, QRect]:
    """Where the two thumbs are on a picture; nowhere where it is too narrow."""
    if box.width() < LEAST_WIDTH:
        return {}
    down = QRect(box.right() - SIDE - SPACE_XS, box.top() + SPACE_XS + 1, SIDE, SIDE)
    return {True: down.translated(-SIDE - SPACE_XS, 0), False: down}


def draw_thumbs(painter: QPainter, box: QRect, mark: bool | None, hovered: bool) -> None:
    """Draw a picture's thumb, and both while the mouse is over it."""
    for up, place in thumb_places(box).items():
        if not hovered and mark is not up:
            continue
        painter.save()
        painter.setOpacity(1)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ground = QColor(theme().color("surface"))
        ground.setAlphaF(0.92)
        painter.setBrush(ground)
        painter.setPen(QPen(theme().color(COLOURS[up] if mark is up else "control-line"), 1))
        painter.drawEllipse(place)
        token = COLOURS[up] if mark is up else "text"
        icon(ICONS[up], token).paint(painter, place.adjusted(5, 5, -5, -5))
        painter.restore()
