"""What can be done with the pictures that are selected in a grid; menus and buttons share these."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QUrl, Signal
from PySide6.QtGui import QAction, QDesktopServices, QGuiApplication, QImage, QKeySequence

from app.errors import AppError
from app.printable import printable
from app.ui.parts.reveal import reveal
from app.ui.parts.theme import icon
from app.ui.pictures.compare import LEAST
from app.ui.pictures.compare import MOST as MOST_BESIDE
from app.ui.pictures.files_out import CLIPBOARD_EDGE, MOST, files_to_paste, paths_as_text
from app.ui.pictures.grid import PictureGrid, Tile
from app.ui.pictures.large_picture import read_picture

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from app.ui.parts.actions import ActionRunner


SHORTCUTS = {
    "Open": "Ctrl+O",
    "More like this": "Ctrl+L",
    "Show in folder": "Ctrl+E",
    "Copy": "Ctrl+C",
    "Copy path": "Ctrl+Alt+C",
    "Copy to folder": "Ctrl+Shift+C",
    "Move to folder": "Ctrl+Shift+M",
    "Move to trash": "Del",
    "Undo": "Ctrl+Z",
    "Side by side": "C",
    "Show alike": "Ctrl+G",
}
"""The keys of what can be done with pictures, besides those that the grid itself knows."""
TOO_MANY = "These are too many pictures at once."
DRAG_FEWER = "Select fewer to drag them, or copy them (Ctrl+C) and paste them where they belong."


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
    """View, Side by side, Preview, Open, More like this, Show in folder, Copy, Copy path."""

    compare_wanted = Signal()
    """Two to four pictures are to be seen beside each other."""
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
        self.view = self._action("&View\tEnter", "frame-corners")
        self.compare = self._action("Side &by side", "columns")
        self.open = self._action("&Open", "arrow-square-out")
        self.preview = self._action("&Preview\tSpace", "eye")
        self.like = self._action("&More like this", "sparkle")
        self.reveal = self._action("&Show in folder", "folder-open")
        self.copy = self._action("&Copy", "copy")
        self.copy_path = self._action("Copy p&ath", "link")
        self.on_picture = (self.open, self.like, self.reveal, self.copy)
        self.all = (self.view, self.compare, self.preview, *self.on_picture, self.copy_path)
        grid.set_actions(self.all)
        grid.selectionModel().selectionChanged.connect(self._show_choice)
        grid.tiles.modelReset.connect(self._show_choice)
        self.open.triggered.connect(lambda: self._with_tile(lambda tile: self._open(tile.path)))
        self.view.triggered.connect(lambda: grid.viewed.emit(grid.currentIndex().row()))
        self.preview.triggered.connect(lambda: grid.previewed.emit(grid.currentIndex().row()))
        self.compare.triggered.connect(self.compare_wanted)
        self.like.triggered.connect(lambda: self._with_tile(self.like_wanted.emit))
        self.reveal.triggered.connect(lambda: self._with_tile(self._reveal))
        self.copy.triggered.connect(self._copy)
        self.copy_path.triggered.connect(self._copy_path)
        grid.too_many_dragged.connect(lambda: self.failed.emit(AppError(TOO_MANY, DRAG_FEWER)))
        self._show_choice()

    def _action(self, text: str, icon_name: str) -> QAction:
        action = QAction(icon(icon_name), text, self)
        name, _, key = text.replace("&", "").partition("\t")
        shortcut = SHORTCUTS.get(name, "")
        action.setIconText(name)
        action.setToolTip(f"{name} ({key or shortcut})")
        if shortcut:
            action.setShortcut(QKeySequence(shortcut))
        return action

    def _show_choice(self) -> None:
        for action in self.all:
            action.setEnabled(self._grid.selectionModel().hasSelection())
        self.compare.setEnabled(LEAST <= self._grid.selected_count() <= MOST_BESIDE)

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
        """Put the selected files on the clipboard, and the picture too where it is one."""
        self._with_paths(self.copy, self._copied)

    def _copy_path(self) -> None:
        def done(paths: list[str]) -> None:
            QGuiApplication.clipboard().setText(paths_as_text(paths))

        self._with_paths(self.copy_path, done)

    def _with_paths(self, action: QAction, done: Callable[[list[str]], None]) -> None:
        self.acted.emit()
        if self._grid.acted_count() > MOST:
            self.failed.emit(AppError(TOO_MANY, f"Select up to {MOST:,} pictures."))
            return
        ranges = self._grid.acted_ranges()

        async def work() -> list[str]:
            return [tile.path for tile in await self._grid.tiles.rows(ranges)]

        self._runner.run(action, work, done=done)

    def _copied(self, paths: list[str]) -> None:
        clipboard = QGuiApplication.clipboard()
        clipboard.setMimeData(files_to_paste(paths))  # reading the picture may take a second
        if len(paths) != 1:
            return
        copied = clipboard.mimeData().urls()

        async def read() -> QImage:
            return await asyncio.to_thread(read_picture, paths[0], CLIPBOARD_EDGE)

        def done(picture: QImage) -> None:
            there = clipboard.mimeData()  # None where somebody emptied it
            if there and there.urls() == copied:  # else something else was copied meanwhile
                clipboard.setMimeData(files_to_paste(paths, picture))

        self._runner.run(None, read, done=done)

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
