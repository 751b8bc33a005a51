"""Pictures and what is done with them: a grid, a preview beside it, a viewer over the window."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from PySide6.QtCore import QItemSelectionModel, Signal
from PySide6.QtWidgets import QStackedWidget, QWidget

from app.ui.parts.notice import Notice
from app.ui.pictures.actions import PictureActions
from app.ui.pictures.grid import PictureGrid, Tile, TileModel
from app.ui.pictures.preview import Details, PicturePreview
from app.ui.pictures.preview_split import PreviewSplit
from app.ui.pictures.thumbs import ThumbActions, Thumbs
from app.ui.pictures.viewer import PictureViewer

if TYPE_CHECKING:
    from app.errors import AppError
    from app.ui.pictures.context import PictureContext

NO_UPDATE = QItemSelectionModel.SelectionFlag.NoUpdate


class PictureView(QWidget):
    """What pages of pictures have in common; they lay it out.

    Args:
        model: the pictures.
        thumbs: marks that are set here.
        name: what the preview's width is remembered by.
        thumbs_down: whether pictures can be marked as unlike what is wanted.
    """

    like_wanted = Signal(object)
    """A :class:`Tile` whose like is to be looked for."""
    part_wanted = Signal(object, object)
    """A :class:`Tile` and the region of it whose like is to be looked for."""
    acted = Signal()
    """A person made use of a picture."""
    viewed = Signal()
    """One picture covered the window, and does so no longer."""

    def __init__(
        self,
        context: PictureContext,
        model: TileModel,
        thumbs: Thumbs,
        name: str,
        *,
        caption_lines: int = 1,
        thumbs_down: bool = True,
    ) -> None:
        super().__init__()
        self._context = context
        self.grid = PictureGrid(model, context.thumbnails, caption_lines=caption_lines)
        model.setParent(self.grid)
        self.actions_ = PictureActions(self.grid, context.runner)
        self.thumb_actions = ThumbActions(self.grid, thumbs, down=thumbs_down)
        self._on_picture = (*self.actions_.on_picture, *self.thumb_actions.all)
        self.preview = PicturePreview(context, self.grid, self._on_picture)
        self.split = PreviewSplit(name, self.grid, self._stage(), self.preview, self.facts)
        self.notice = Notice()
        self.stack = QStackedWidget()
        self.grid.viewed.connect(self._view)
        self.split.opened.connect(self.acted)
        self.actions_.like_wanted.connect(self.like_wanted)
        self.actions_.acted.connect(self.acted)
        self.actions_.compare_wanted.connect(self.compare)
        for failed in (self.actions_.failed, thumbs.refused):
            failed.connect(self._show_failure)

    @cached_property
    def viewer(self) -> PictureViewer:
        """Shows one picture over all of the window; made when it is wanted first."""
        viewer = PictureViewer(self._context, self.grid, self.facts, self._on_picture)
        viewer.part_wanted.connect(self.part_wanted)
        viewer.closed.connect(self.viewed)
        return viewer

    @property
    def being_viewed(self) -> bool:
        """One picture covers the window."""
        return "viewer" in self.__dict__ and self.viewer.isVisible()

    def is_being_read(self) -> bool:
        """A person has scrolled down, selected something, or views a picture."""
        scrolled = self.grid.verticalScrollBar().value() > 0
        return scrolled or self.grid.selected_count() > 0 or self.being_viewed

    def compare(self) -> None:
        """Show the selected pictures side by side; in the viewer also the one again."""
        if self.being_viewed:
            self.viewer.compare.click()
            return
        self.acted.emit()
        current = self.grid.currentIndex()
        if not current.isValid():  # all were selected at once
            current = self.grid.tiles.index(self.grid.selected_ranges()[0][0], 0)
            self.grid.selectionModel().setCurrentIndex(current, NO_UPDATE)
        self.viewer.open(current.row(), side_by_side=True)

    def facts(self, tile: Tile) -> Details | None:
        """Names and values to show of a picture; None where it is not there yet."""
        raise NotImplementedError

    def _stage(self) -> QWidget:
        """The grid, or what it stands in."""
        return self.grid

    def _view(self, row: int) -> None:
        self.acted.emit()
        self.viewer.open(row)

    def _show_failure(self, error: AppError) -> None:
        if self.isVisible():
            self.notice.show_message("warning-circle", str(error), passes=True)
