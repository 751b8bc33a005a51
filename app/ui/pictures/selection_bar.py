"""How many pictures are selected, and buttons for what can be done with their files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QToolButton, QWidget

from app.ui.parts import words
from app.ui.parts.theme import SPACE_XS, icon
from app.ui.parts.widgets import ICON_BESIDE_TEXT, label, text_width

if TYPE_CHECKING:
    from PySide6.QtGui import QAction, QIcon

    from app.ui.pictures.grid import PictureGrid

Style = Qt.ToolButtonStyle
NAMED = Style.ToolButtonTextBesideIcon
ICON = Style.ToolButtonIconOnly
STYLES = ((NAMED, NAMED), (ICON, NAMED), (NAMED, ICON), (ICON, ICON))
"""Of the button to compare and of the others, from the widest to the narrowest."""


class SelectionBar(QWidget):
    """Shown while something is selected in the grid that is seen; its buttons have words where
    there is room for them.

    Args:
        actions: a button each, in this order.
        compare: by grid, of which one is seen, what shows its pictures side by side; its button is
            there while it can do so.
    """

    has_selection = Signal(bool)
    """Something is selected now, or nothing is any more."""

    def __init__(self, actions: Sequence[QAction], compare: Mapping[PictureGrid, QAction]) -> None:
        super().__init__()
        self._compare = compare
        self.count = label(role="count")
        self.buttons = [_button(action) for action in actions]
        one_of_them = next(iter(compare.values()))
        self.compare_button = _plain_button(one_of_them.icon(), one_of_them.toolTip())
        self.compare_button.setText(one_of_them.iconText())
        self.clear_button = _plain_button(icon("x"), "Select nothing")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE_XS)
        row.addWidget(self.count)
        row.addSpacing(SPACE_XS)
        for item in (self.compare_button, *self.buttons, self.clear_button):
            row.addWidget(item)
        self._widths = [self._width(row, *styles) for styles in STYLES]
        self.compare_button.clicked.connect(self._show_side_by_side)
        self.clear_button.clicked.connect(self._clear)
        for grid in compare:
            grid.selectionModel().selectionChanged.connect(self.look)
            grid.tiles.modelReset.connect(self.look)
        self.look()

    def look(self, *_: object) -> None:
        """Show what is selected now; also to be called when another grid is seen."""
        grid = self._seen()
        number = grid.selected_count() if grid is not None else 0
        self.compare_button.setVisible(grid is not None and self._compare[grid].isEnabled())
        self.count.setText(f"{words.count(number)} selected")
        self.setVisible(number > 0)
        self.has_selection.emit(number > 0)

    def minimumSizeHint(self) -> QSize:
        return QSize(self._widths[-1], super().minimumSizeHint().height())

    def set_room(self, width: int) -> None:
        """Have as many pixels at most; what is selected changes no style, as buttons would move."""
        digits = text_width("99,999", "count")
        fitting = (at for at, needed in enumerate(self._widths) if needed + digits <= width)
        self._set_styles(*STYLES[next(fitting, -1)])

    def _width(self, row: QHBoxLayout, compare: Style, others: Style) -> int:
        self._set_styles(compare, others)
        return row.sizeHint().width()

    def _set_styles(self, compare: Style, others: Style) -> None:
        self.compare_button.setToolButtonStyle(compare)
        for item in self.buttons:
            item.setToolButtonStyle(others)

    def _seen(self) -> PictureGrid | None:
        return next((grid for grid in self._compare if grid.isVisible()), None)

    def _show_side_by_side(self) -> None:
        if (grid := self._seen()) is not None:
            self._compare[grid].trigger()

    def _clear(self) -> None:
        if (grid := self._seen()) is not None:
            grid.clearSelection()
            grid.setFocus()


def _button(action: QAction) -> QToolButton:
    made = QToolButton()
    made.setDefaultAction(action)
    made.setIconSize(ICON_BESIDE_TEXT)
    made.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
    made.setAccessibleName(action.toolTip())
    return made


def _plain_button(picture: QIcon, hint: str) -> QToolButton:
    made = QToolButton()
    made.setIcon(picture)
    made.setIconSize(ICON_BESIDE_TEXT)
    made.setToolTip(hint)
    made.setAccessibleName(hint)
    return made
