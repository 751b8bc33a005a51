"""How many pictures are selected, and buttons for what can be done with their files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QToolButton, QWidget

from app.ui.parts import words
from app.ui.parts.theme import SPACE_XS, icon
from app.ui.parts.widgets import ICON_BESIDE_TEXT, label, text_width

if TYPE_CHECKING:
    from PySide6.QtGui import QAction

    from app.ui.pictures.grid import PictureGrid

Style = Qt.ToolButtonStyle


class SelectionBar(QWidget):
    """Shown while something is selected in the grid that is seen; its buttons have words where
    there is room for them.

    Args:
        actions: a button each, in this order.
        grids: of which one is seen.
    """

    has_selection = Signal(bool)
    """Something is selected now, or nothing is any more."""

    def __init__(self, actions: Sequence[QAction], grids: Sequence[PictureGrid]) -> None:
        super().__init__()
        self._grids = grids
        self.count = label(role="count")
        self.buttons = [_button(action) for action in actions]
        self.clear_button = QToolButton()
        self.clear_button.setIcon(icon("x"))
        self.clear_button.setIconSize(ICON_BESIDE_TEXT)
        self.clear_button.setToolTip("Select nothing")
        self.clear_button.setAccessibleName("Select nothing")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE_XS)
        row.addWidget(self.count)
        row.addSpacing(SPACE_XS)
        for item in (*self.buttons, self.clear_button):
            row.addWidget(item)
        self._without = row.sizeHint().width()
        self._set_style(Style.ToolButtonTextBesideIcon)
        self._with_words = row.sizeHint().width() + text_width("99,999", "count")
        self._set_style(Style.ToolButtonIconOnly)
        self.clear_button.clicked.connect(self._clear)
        for grid in grids:
            grid.selectionModel().selectionChanged.connect(self.look)
            grid.tiles.modelReset.connect(self.look)
        self.look()

    def look(self, *_: object) -> None:
        """Show what is selected now; also to be called when another grid is seen."""
        grid = next((grid for grid in self._grids if grid.isVisible()), None)
        number = grid.selected_count() if grid is not None else 0
        self.count.setText(f"{words.count(number)} selected")
        self.setVisible(number > 0)
        self.has_selection.emit(number > 0)

    def minimumSizeHint(self) -> QSize:
        return QSize(self._without, super().minimumSizeHint().height())

    def set_room(self, width: int) -> None:
        """Have as many pixels at most."""
        wide = width >= self._with_words
        self._set_style(Style.ToolButtonTextBesideIcon if wide else Style.ToolButtonIconOnly)

    def _set_style(self, style: Style) -> None:
        for item in self.buttons:
            item.setToolButtonStyle(style)

    def _clear(self) -> None:
        for grid in self._grids:
            if grid.isVisible():
                grid.clearSelection()
                grid.setFocus()


def _button(action: QAction) -> QToolButton:
    made = QToolButton()
    made.setDefaultAction(action)
    made.setIconSize(ICON_BESIDE_TEXT)
    made.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
    made.setAccessibleName(action.toolTip())
    return made
