"""Pictures that are dropped onto the page become examples to search with."""

from __future__ import annotations

import os
from collections.abc import Sequence
from urllib.parse import unquote_to_bytes

from PySide6.QtCore import QEvent, QMimeData, QObject, QRect, Qt
from PySide6.QtGui import QColor, QDragEnterEvent, QDropEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from app.ui.pages.pictures.search_bar import SearchBar
from app.ui.pages.pictures.terms import Term
from app.ui.parts.theme import SPACE_L, font, icon, theme
from app.ui.pictures.grid import PictureGrid

MOST_DROPPED = 20


class PictureDrops(QObject):
    """Takes what is dropped anywhere onto a page: files, or pictures of the page itself.

    Args:
        grids: a picture that is let go over the grid that it comes from stays where it is.
    """

    def __init__(self, page: QWidget, bar: SearchBar, grids: Sequence[PictureGrid]) -> None:
        super().__init__(page)
        self._page, self._bar, self._grids = page, bar, grids
        self.hint = DropHint(page)
        page.setAcceptDrops(True)
        page.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QDragEnterEvent):
            self._enter(event)
        elif isinstance(event, QDropEvent) and event.type() == QEvent.Type.Drop:
            self.hint.hide()
            self._take(event)
        elif event.type() == QEvent.Type.DragLeave:
            self.hint.hide()
        else:
            return super().eventFilter(watched, event)
        return True

    def _enter(self, event: QDragEnterEvent) -> None:
        usable = self._bar.field.isEnabled() and not self._bar.chips.full
        if usable and dropped_files(event.mimeData()):
            event.setDropAction(Qt.DropAction.CopyAction)
            event.accept()
            if event.source() is None:
                self.hint.cover()
        else:
            event.ignore()

    def _take(self, event: QDropEvent) -> None:
        grid = next((grid for grid in self._grids if event.source() is grid), None)
        if grid is None:
            event.setDropAction(Qt.DropAction.CopyAction)
            event.accept()
            self._bar.add_pictures(dropped_files(event.mimeData()))
        elif not grid.rect().contains(grid.mapFrom(self._page, event.position().toPoint())):
            event.accept()
            for tile in grid.selected_tiles():
                self._bar.chips.add(Term(path=tile.path, asset_id=tile.asset_id))


class DropHint(QWidget):
    """Covers the page while a picture is held over it."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.hide()

    def cover(self) -> None:
        """Show over all of the page."""
        parent = self.parentWidget()
        assert parent is not None
        self.setGeometry(parent.rect())
        self.raise_()
        self.show()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ground = QColor(theme().color("background"))
        ground.setAlphaF(0.88)
        painter.fillRect(self.rect(), ground)
        painter.setPen(QPen(theme().color("accent"), 2, Qt.PenStyle.DashLine))
        frame = self.rect().adjusted(SPACE_L, SPACE_L, -SPACE_L, -SPACE_L)
        painter.drawRoundedRect(frame, 6, 6)
        mark = QRect(0, 0, 40, 40)
        mark.moveCenter(frame.center())
        icon("image-square", "accent").paint(painter, mark.translated(0, -28))
        painter.setFont(font("section"))
        painter.setPen(theme().color("text"))
        text = QRect(frame.left(), frame.center().y() + 4, frame.width(), 28)
        painter.drawText(text, Qt.AlignmentFlag.AlignCenter, "Drop to find pictures like it")


def dropped_files(data: QMimeData) -> list[str]:
    """Local files among what is dragged, folders left out; names need not be UTF-8."""
    if not data.hasUrls():
        return []
    lines = bytes(data.data("text/uri-list").data()).split(b"\r\n")
    paths = [os.fsdecode(unquote_to_bytes(line[7:])) for line in lines if line[:8] == b"file:///"]
    return [path for path in paths[:MOST_DROPPED] if not os.path.isdir(path)]
