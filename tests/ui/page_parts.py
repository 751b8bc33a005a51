"""What a page needs to live in a test: a poller and a runner that are closed in order."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from PySide6.QtGui import QColor, QImage
from PySide6.QtWidgets import QWidget

from app.ui.pages.pictures.tree import GroupTree
from app.ui.parts.actions import ActionRunner
from app.ui.parts.commands import Commands
from app.ui.parts.poller import Poller
from app.ui.parts.theme import theme
from app.ui.pictures.context import PictureContext
from app.ui.pictures.thumbnails import ThumbnailLoader


class Parts:
    """Poller and runner of one test::

    async with Parts(backend) as parts:
        page = parts.show(ModelsPage(backend, parts.runner, parts.poller))
    """

    def __init__(self, backend: Any) -> None:
        theme()  # as in the program: colours are there before the first widget
        self._backend = backend
        self._thumbnails: list[ThumbnailLoader] = []
        self.window = QWidget()
        self.window.resize(1100, 720)
        self.commands = Commands(self.window)
        self.window.addActions(list(self.commands.session_actions.values()))
        self.poller = Poller(self.window)
        self.runner = ActionRunner(self.window, backend)
        self.problems: list[str] = []
        self.poller.problem.connect(lambda text: text and self.problems.append(text))

    async def __aenter__(self) -> Parts:
        self.poller.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.window.hide()
        await asyncio.sleep(0.02)  # what is still painted now is fetched
        self.poller._timer.stop()
        while self.poller._tasks:  # a connection that is cut off while it opens leaves a thread
            await asyncio.wait(self.poller._tasks, timeout=5)
        await self.poller.close()
        await self.runner.close()
        for loader in self._thumbnails:
            loader.close()
        assert not self.problems

    def context(self, **services: Any) -> PictureContext:
        """What everything that shows pictures works with.

        Args:
            services: take the place of those that the backend has.
        """
        backend = replace(self._backend, **services)
        loader = ThumbnailLoader(backend.thumbnails, self.window)
        self._thumbnails.append(loader)
        return PictureContext(backend, self.runner, self.poller, loader)

    def show(self, widget: Any, width: int = 1000, height: int = 680) -> Any:
        """Show a widget as the window would."""
        if not widget.isWindow():
            widget.setParent(self.window)
        widget.resize(width, height)
        self.window.show()
        widget.show()
        return widget


def choose_node(tree: GroupTree, key: str) -> None:
    """Choose a folder or a month as a click does."""
    row = tree.nodes.row_of(key)
    assert row is not None
    tree.setCurrentIndex(tree.nodes.index(row, 0))


def save_picture(path: str, width: int = 64, height: int = 48, colour: str = "teal") -> str:
    """Write a picture file of one colour."""
    image = QImage(width, height, QImage.Format.Format_RGB32)
    image.fill(QColor(colour))
    assert image.save(path)
    return path
