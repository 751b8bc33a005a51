"""The tree of folders in the New session dialog."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTreeView, QWidget

from app.ui.pages.sessions.folder_model import FOLDER, PICTURES, FolderTreeModel
from app.ui.parts.theme import theme
from app.ui.parts.widgets import text_width


class FolderTree(QTreeView):
    """Folders with check boxes; the root stands open."""

    def __init__(
        self, track: Callable[[asyncio.Task[None]], object], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.folders = FolderTreeModel(track, self)
        self.setModel(self.folders)
        self.setUniformRowHeights(True)
        self.setHeaderHidden(True)
        self.setExpandsOnDoubleClick(True)
        self.setIndentation(20)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setAccessibleName("Folders to index")
        columns = self.header()
        columns.setStretchLastSection(False)
        columns.setSectionResizeMode(FOLDER, QHeaderView.ResizeMode.Stretch)
        columns.setSectionResizeMode(PICTURES, QHeaderView.ResizeMode.Fixed)
        columns.resizeSection(PICTURES, text_width("10,000,000", "count") + 32)
        self.folders.root_loaded.connect(self._unfold)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self.folders.root is None:
            painter = QPainter(self.viewport())
            painter.setPen(theme().color("text-secondary"))
            middle = Qt.AlignmentFlag.AlignCenter
            painter.drawText(self.viewport().rect(), middle, "Its folders are listed here.")

    def _unfold(self) -> None:
        self.setExpanded(self.folders.index(0, FOLDER), True)
