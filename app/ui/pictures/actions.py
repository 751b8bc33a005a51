"""What can be done with the pictures that are selected in a grid; menus and buttons share these."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QUrl, Signal
from PySide6.QtGui import QAction, QDesktopServices, QGuiApplication, QKeySequence

from app.errors import AppError
from app.printable import printable
from app.ui.parts.reveal import reveal
from app.ui.parts.theme import icon
from app.ui.pictures.grid import PictureGrid, Tile

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from app.ui.parts.actions import ActionRunner


async def open_picture(path: str) -> None:
    """Open a file with the program that the system has for it.

    Raises:
        AppError: the file is gone, or there is no such program.
    """
    name = printable(os.path.basename(path))
    if not await asyncio.to_thread(os.path.exists, path):
        raise VanishedError(
            f"{name} is no longer there.",
            "It was moved, renamed or deleted, or its drive is not connected.",
        )
    if not QDesktopServices.openUrl(QUrl.fromEncoded(Path(path).as_uri().encode())):
        raise AppError(f"No program could be found that opens {name}.")


class VanishedError(AppError):
    """A picture's file is no longer there."""


class PictureActions(QObject):
    """Open, Preview, More like this, Show in folder, Copy path."""

    like_wanted = Signal(object)
    """A :class:`Tile` whose like is to be looked for."""
    failed = Signal(object)
    """An AppError, to be said beside the pictures."""
    acted = Signal()
    """A person made use of a picture."""

    def __init__(self, grid: PictureGrid, runner: ActionRunner) -> None:
        super().__init__(grid)
        self._grid, self._runner = grid, runner
        # The grid itself knows Enter and Space: the menu only names them.
        self.open = self._action("&Open\tEnter", "arrow-square-out")
        self.preview = self._action("&Preview\tSpace", "eye")
        self.like = self._action("&More like this", "sparkle", "Ctrl+L")
        self.reveal = self._action("&Show in folder", "folder-open", "Ctrl+E")
        self.copy = self._action("&Copy path", "copy", "Ctrl+C")
        self.on_picture = (self.open, self.like, self.reveal, self.copy)
        self.all = (self.open, self.preview, self.like, self.reveal, self.copy)
        grid.set_actions(self.all)
        grid.opened.connect(self._open)
        grid.selectionModel().selectionChanged.connect(self._show_choice)
        grid.tiles.modelReset.connect(self._show_choice)
        self.open.triggered.connect(lambda: self._with_tile(lambda tile: self._open(tile.path)))
        self.preview.triggered.connect(lambda: grid.previewed.emit(grid.currentIndex().row()))
        self.like.triggered.connect(lambda: self._with_tile(self.like_wanted.emit))
        self.reveal.triggered.connect(lambda: self._with_tile(self._reveal))
        self.copy.triggered.connect(self._copy)
        self._show_choice()

    def _action(self, text: str, icon_name: str, shortcut: str = "") -> QAction:
        action = QAction(icon(icon_name), text, self)
        name, _, key = text.replace("&", "").partition("\t")
        action.setIconText(name)
        action.setToolTip(f"{name} ({key or shortcut})")
        if shortcut:
            action.setShortcut(QKeySequence(shortcut))
        return action

    def _show_choice(self) -> None:
        for action in self.all:
            action.setEnabled(self._grid.selectionModel().hasSelection())

    def _with_tile(self, act: Callable[[Tile], None]) -> None:
        tile = self._grid.current_tile()
        if tile is not None:
            act(tile)

    def _open(self, path: str) -> None:
        self.acted.emit()
        self._try(lambda: open_picture(path), path)

    def _reveal(self, tile: Tile) -> None:
        self.acted.emit()
        self._try(lambda: reveal(tile.path), tile.path)

    def _copy(self) -> None:
        self.acted.emit()
        paths = [tile.path for tile in self._grid.selected_tiles()]
        text = "\n".join(os.fsencode(path).decode("utf-8", "replace") for path in paths)
        QGuiApplication.clipboard().setText(text)

    def _try(self, work: Callable[[], Awaitable[None]], path: str) -> None:
        async def guarded() -> AppError | None:
            try:
                await work()
            except AppError as error:
                return error
            return None

        def done(error: AppError | None) -> None:
            if isinstance(error, VanishedError):
                row = self._grid.tiles.find(lambda tile: tile.path == path)
                if row is not None:
                    self._grid.tiles.set_state(row, "missing")
            if error is not None:
                self.failed.emit(error)

        self._runner.run(None, guarded, done=done)
