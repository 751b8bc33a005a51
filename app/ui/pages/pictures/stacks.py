"""Results that look alike, behind the best of them until somebody opens the stack."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QAction, QKeySequence, QMouseEvent

from app.ui.parts.theme import icon
from app.ui.pictures.actions import SHORTCUTS
from app.ui.pictures.tiles import Tile, stack_badge

if TYPE_CHECKING:
    from app.api.search_schemas import SearchHit
    from app.ui.pictures.grid import PictureGrid

OPEN, CLOSE = "Show alike", "Hide alike"


@dataclass(slots=True)
class _Stack:
    """Hits that look alike, the best first."""

    hits: list[SearchHit] = field(default_factory=list)
    opened: bool = False
    tiles: list[Tile] = field(default_factory=list)
    """What is shown of it; empty: to be made."""


class Stacks:
    """All hits of a search, one row a stack, and a row for each picture of those that are open.

    Two pictures are alike if their files have the same content, or if the last scan for near
    duplicates says so.

    Args:
        tile: makes a row.
    """

    def __init__(self, tile: Callable[[SearchHit], Tile]) -> None:
        self._tile = tile
        self._stacks: list[_Stack] = []
        self._of: dict[Hashable, _Stack] = {}

    def add(self, hits: Iterable[SearchHit]) -> None:
        """More hits, worse than those that are there."""
        for hit in hits:
            keys = _keys(hit)
            stack = next((self._of[key] for key in keys if key in self._of), None)
            if stack is None:
                stack = _Stack()
                self._stacks.append(stack)
            stack.hits.append(hit)
            stack.tiles = []
            for key in (hit.assetId, *keys):
                self._of.setdefault(key, stack)

    def begin(self, hits: Iterable[SearchHit]) -> None:
        """Other hits; a stack that begins with the same picture stays open."""
        opened = {stack.hits[0].assetId for stack in self._stacks if stack.opened}
        self._stacks, self._of = [], {}
        self.add(hits)
        for stack in self._stacks:
            stack.opened = stack.hits[0].assetId in opened and len(stack.hits) > 1

    def without(self, asset_ids: Collection[int]) -> None:
        """Some pictures are gone."""
        for stack in self._stacks:
            left = [hit for hit in stack.hits if hit.assetId not in asset_ids]
            if len(left) < len(stack.hits):
                stack.hits, stack.tiles = left, []
                stack.opened = stack.opened and len(left) > 1
        self._stacks = [stack for stack in self._stacks if stack.hits]
        self._of = {key: stack for key, stack in self._of.items() if stack.hits}

    def tiles(self) -> list[Tile]:
        """The rows, from the first on."""
        rows: list[Tile] = []
        for stack in self._stacks:
            stack.tiles = stack.tiles or self._rows(stack)
            rows += stack.tiles
        return rows

    def toggle(self, asset_id: int) -> int | None:
        """Open or close the stack that a picture is in; the first picture of it, or None where it
        is in none."""
        stack = self._of.get(asset_id)
        if stack is None or len(stack.hits) < 2:
            return None
        stack.opened, stack.tiles = not stack.opened, []
        return stack.hits[0].assetId

    def _rows(self, stack: _Stack) -> list[Tile]:
        first = self._tile(stack.hits[0])
        if len(stack.hits) == 1:
            return [first]
        first = replace(first, stack=len(stack.hits), opened=stack.opened)
        others = stack.hits[1:] if stack.opened else []
        return [first, *(replace(self._tile(hit), stack=1) for hit in others)]


def _keys(hit: SearchHit) -> list[Hashable]:
    keys: list[Hashable] = []
    if hit.alike is not None:
        keys.append(("alike", hit.alike))
    if hit.content is not None:
        keys.append(("content", hit.content))
    return keys


class StackOpener(QObject):
    """Has a click on a stack's number, or a key, open and close it.

    Args:
        toggle: called with the picture.
    """

    def __init__(self, grid: PictureGrid, toggle: Callable[[int], None]) -> None:
        super().__init__(grid)
        self._grid, self._toggle = grid, toggle
        self.action = QAction(icon("stack"), OPEN, self)
        self.action.setShortcut(QKeySequence(SHORTCUTS[OPEN]))
        self.action.triggered.connect(self._toggle_current)
        grid.set_actions([self.action])
        grid.viewport().installEventFilter(self)
        grid.current_changed.connect(self._offer)
        self._offer(None)

    def _offer(self, tile: Tile | None) -> None:
        self.action.setVisible(bool(tile and tile.stack))
        opened = bool(tile and (tile.opened or tile.stack == 1))
        self.action.setText(CLOSE if opened else OPEN)

    def _toggle_current(self) -> None:
        tile = self._grid.current_tile()
        if tile is not None and tile.stack:
            self._toggle(tile.asset_id)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        presses = (QEvent.Type.MouseButtonPress, QEvent.Type.MouseButtonDblClick)
        if event.type() in presses and isinstance(event, QMouseEvent):
            point, left = event.position().toPoint(), event.button() == Qt.MouseButton.LeftButton
            index = self._grid.indexAt(point)
            tile = self._grid.tiles.row(index.row()) if index.isValid() and left else None
            if (
                tile
                and tile.stack
                and stack_badge(self._grid.picture_rect(index), tile).contains(point)
            ):
                self._toggle(tile.asset_id)
                return True
        return super().eventFilter(watched, event)
