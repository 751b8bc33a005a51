"""One picture over all of the window: the next, the previous, closely, and what is known of it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QObject, QSize, Qt, Signal
from PySide6.QtGui import QAction, QKeyEvent, QKeySequence
from PySide6.QtWidgets import (
    QHBoxLayout,
    QPushButton,
    QScrollArea,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app.api.search_schemas import LEAST_PART
from app.printable import printable
from app.ui.parts import words
from app.ui.parts.theme import SPACE_L, SPACE_M, SPACE_S
from app.ui.parts.widgets import ElidedLabel, button, label, line
from app.ui.pictures.camera_words import camera_details
from app.ui.pictures.compare import LEAST, MOST, CompareView
from app.ui.pictures.evidence_panel import FactForm
from app.ui.pictures.grid import PictureGrid, Tile
from app.ui.pictures.preview import Details, why_small
from app.ui.pictures.region_picker import RegionPicker
from app.ui.pictures.zoom_view import ZoomView

if TYPE_CHECKING:
    from app.api.library_schemas import CameraFacts
    from app.ui.pictures.context import PictureContext

DETAILS_WIDTH = 300
KEYS = (
    ("Next, previous picture", "Right, Left"),
    ("Nearer, further", "+, −"),
    ("All of the picture", "0"),
    ("Pixel for pixel", "1"),
    ("Search for a part of it", "S"),
    ("Two to four side by side", "C"),
    ("Details", "I"),
    ("Full screen", "F11"),
    ("Back to the pictures", "Esc"),
)
"""What each key does in here, and the key."""
BELOW = (Qt.Key.Key_F, Qt.Key.Key_Plus, Qt.Key.Key_Equal, Qt.Key.Key_Minus)
"""Keys that with Control do something on the page below."""
DRAG = "Drag over the part to search for."
TOO_SMALL = f"That is too small to search for: at least {LEAST_PART} × {LEAST_PART} pixels."


class PictureViewer(QWidget):
    """Covers the window that a grid is in; the grid goes along with what is looked at.

    Args:
        facts: names and values to show of a picture; None where it is not there yet.
        actions: what can be done with the picture; their keys work here, too.
    """

    part_wanted = Signal(object, object)
    """A :class:`Tile` and the region of it that is to be searched for."""
    closed = Signal()

    def __init__(
        self,
        context: PictureContext,
        grid: PictureGrid,
        facts: Callable[[Tile], Details | None],
        actions: Sequence[QAction],
    ) -> None:
        super().__init__(grid.window())
        self._backend, self._runner = context.backend, context.runner
        self._grid, self._facts = grid, facts
        self._tile: Tile | None = None
        self._details: Details = []
        self._full_screen = False
        self.setProperty("surface", "background")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setAccessibleName("Viewer")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.view = ZoomView(context.thumbnails)
        self.compared = CompareView(context.thumbnails)
        self.picker = RegionPicker(self.view)
        self.stack = QStackedWidget()
        self.name, self.place = ElidedLabel(role="section"), label(role="secondary")
        self.scale, self.note = label(role="count", tone="secondary"), label(role="secondary")
        self.facts = FactForm()
        self.back = _tool("arrow-left", "Back to the pictures (Esc)")
        self.previous = _tool("caret-left", "Previous picture (Left)")
        self.next = _tool("caret-right", "Next picture (Right)")
        self.further = _tool("magnifying-glass-minus", "Further (−)")
        self.nearer = _tool("magnifying-glass-plus", "Nearer (+)")
        self.fit = _tool("frame-corners", "All of the picture (0)")
        self.part = _tool("bounding-box", "Search for a part of it (S)")
        self.compare = _tool("columns", "Side by side (C)")
        self.info = _tool("info", "Details (I)")
        self.full = _tool("corners-out", "Full screen (F11)")
        for switch in (self.part, self.compare, self.info):
            switch.setCheckable(True)
        self.panel = QScrollArea()
        self.addActions(list(actions))
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        self._lay_out()
        self._connect()
        self.hide()

    def _lay_out(self) -> None:
        top, middle, column = QHBoxLayout(), QHBoxLayout(), QVBoxLayout(self)
        top.setContentsMargins(SPACE_M, SPACE_S, SPACE_M, SPACE_S)
        top.setSpacing(SPACE_S)
        for item in (self.back, self.previous, self.next):
            top.addWidget(item)
        top.addSpacing(SPACE_S)
        top.addWidget(self.name, 1)
        for part in (self.note, self.place, self.scale, self.further, self.nearer, self.fit):
            top.addWidget(part)
        top.addSpacing(SPACE_S)
        for item in (self.part, self.compare, self.info, self.full):
            top.addWidget(item)
        inside = QWidget()
        facts = QVBoxLayout(inside)
        facts.setContentsMargins(SPACE_L, SPACE_L, SPACE_L, SPACE_L)
        facts.addWidget(self.facts)
        facts.addStretch()
        self.panel.setWidgetResizable(True)
        self.panel.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.panel.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.panel.setWidget(inside)
        self.panel.setFixedWidth(DETAILS_WIDTH)
        self.panel.hide()
        middle.setSpacing(0)
        self.stack.addWidget(self.view)
        self.stack.addWidget(self.compared)
        middle.addWidget(self.stack, 1)
        self._edge = line(vertical=True)
        self._edge.hide()
        middle.addWidget(self._edge)
        middle.addWidget(self.panel)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(top)
        column.addWidget(line())
        column.addLayout(middle, 1)

    def _connect(self) -> None:
        self._grid.current_changed.connect(self._show_current)
        self._grid.installEventFilter(self)
        self.back.clicked.connect(self.close_viewer)
        self.previous.clicked.connect(lambda: self._go(-1))
        self.next.clicked.connect(lambda: self._go(1))
        self.nearer.clicked.connect(lambda: self._seen().zoom(2))
        self.further.clicked.connect(lambda: self._seen().zoom(-2))
        self.fit.clicked.connect(lambda: self._seen().fit())
        self.part.toggled.connect(self._choose_part)
        self.picker.chosen.connect(self._want_part)
        self.picker.too_small.connect(lambda: self.note.setText(TOO_SMALL))
        self.compare.toggled.connect(self._compare)
        self.info.toggled.connect(self._show_panel)
        self.full.clicked.connect(self._toggle_full_screen)
        for zooming in (self.view, self.compared):
            zooming.zoomed.connect(self._show_scale)
        self.view.shown.connect(self._note_shown)

    # Opening and closing

    def open(self, row: int, *, side_by_side: bool = False) -> None:
        """Show the picture of a row, or all that are selected ``side_by_side``; what is selected
        stays so until another one is shown."""
        window = self._grid.window()
        if self.parent() is not window:
            self.setParent(window)
        window.installEventFilter(self)
        if self._grid.currentIndex().row() != row:
            self._grid.select_row(row)
        self.addActions(_of_use(self._grid.actions(), self.actions()))
        self._grid.shown_alone = True
        self._tile = None
        self.setGeometry(window.rect())
        self.show()
        self.raise_()
        self.setFocus()
        self.compare.setEnabled(LEAST <= self._grid.selected_count() <= MOST)
        if side_by_side:
            self.compare.setChecked(True)
        else:
            self._show_current(self._grid.current_tile())

    def close_viewer(self) -> None:
        """Go back to the grid, where it was left or at the picture that was looked at last."""
        if not self.isVisible():
            return
        if self._full_screen:
            self._toggle_full_screen()
        self.window().removeEventFilter(self)
        self.compare.setChecked(False)
        self._grid.shown_alone = False
        self.part.setChecked(False)
        self.hide()
        self._tile = None
        self.view.show_picture("", QSize())
        self._grid.setFocus()
        self.closed.emit()

    def _toggle_full_screen(self) -> None:
        window = self.window()
        self._full_screen = not window.isFullScreen()
        window.setWindowState(window.windowState() ^ Qt.WindowState.WindowFullScreen)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self._grid and event.type() == QEvent.Type.Hide:
            self.close_viewer()  # another page is shown
        elif watched is self.window() and event.type() == QEvent.Type.Resize:
            self.setGeometry(self.window().rect())
            self.part.setChecked(False)
        return super().eventFilter(watched, event)

    # What is shown

    def _seen(self) -> ZoomView:
        """What keys and buttons zoom."""
        return self.compared.leader if self.compare.isChecked() else self.view

    def _compare(self, wanted: bool) -> None:
        """Show all that are selected beside each other, or the current one again."""
        self._grid.shown_alone = not wanted
        tiles = self._grid.selected_tiles(MOST) if wanted else []
        self.compared.show_tiles(tiles)
        self.stack.setCurrentWidget(self.compared if wanted else self.view)
        for part in (self.previous, self.next, self.place, self.scale, self.info, self.part):
            part.setVisible(not wanted)
        for part in (self.info, self.part):  # their keys have no meaning then
            part.setDisabled(wanted)
        self.part.setChecked(False)
        if wanted:
            self.name.set_text(f"{len(tiles)} pictures side by side")
            self.note.setText("")
            self.setAccessibleDescription(self.name.full_text())
        else:
            self._show_current(self._grid.current_tile())
        self.info.setChecked(self.info.isChecked() and not wanted)
        self._show_scale()

    def _note_shown(self, whole: bool) -> None:
        if self.part.isChecked():
            return
        self.note.setText("")
        if whole or self._tile is None:
            return
        path = self._tile.path

        def done(why: str) -> None:
            if self._tile is not None and path == self._tile.path and not self.part.isChecked():
                self.note.setText(why)

        self._runner.run(None, lambda: asyncio.to_thread(why_small, path), done=done)

    def _choose_part(self, wanted: bool) -> None:
        self.note.setText(DRAG if wanted else "")
        if wanted:
            self.picker.begin()
        else:
            self.picker.hide()

    def _want_part(self, region: object) -> None:
        tile = self._tile
        if tile is not None:
            self.close_viewer()
            self.part_wanted.emit(tile, region)

    def _go(self, step: int) -> None:
        if self.compare.isChecked():
            return
        row = self._grid.currentIndex().row() + step
        if 0 <= row < self._grid.tiles.rowCount():
            self._grid.select_row(row)

    def _show_current(self, tile: Tile | None) -> None:
        if not self.isVisible():
            return
        row, count = self._grid.currentIndex().row(), self._grid.tiles.rowCount()
        if row < 0:
            if not count:
                self.close_viewer()  # there is nothing left
            return  # else the next one follows
        self.place.setText(f"{words.count(row + 1)} of {words.count(count)}")
        self.previous.setEnabled(row > 0)
        self.next.setEnabled(row < count - 1)
        another = tile is None or self._tile is None or tile.path != self._tile.path
        self._tile = tile
        self.name.set_text("" if tile is None else printable(os.path.basename(tile.path)))
        self.setAccessibleDescription(f"{self.name.full_text()}, {self.place.text()}")
        if another:
            self.part.setChecked(False)
            self.note.setText("")
            size = QSize(tile.width or 0, tile.height or 0) if tile else QSize()
            self.view.show_picture(tile.path if tile else "", size)
            self._show_scale()
        self._show_details(read=another)

    def _show_scale(self) -> None:
        scale, seen = self.view.scale, self._seen()
        self.scale.setText(f"{max(round(scale * 100), 1)} %" if scale else "")
        self.nearer.setEnabled(not seen.nearest)
        for part in (self.fit, self.further):
            part.setEnabled(not seen.fitted)

    def _show_panel(self, shown: bool) -> None:
        self._edge.setVisible(shown)
        self.panel.setVisible(shown)
        self._show_details(read=shown)

    def _show_details(self, *, read: bool) -> None:
        tile = self._tile
        if tile is None or self.panel.isHidden():
            return
        folder = ("Folder", printable(os.path.dirname(tile.path)))
        known = [("Name", self.name.full_text()), *(self._facts(tile) or []), folder]
        if not read:
            self.facts.show_facts([*known, *self._details])
            return
        self._details = []
        self.facts.show_facts(known)

        async def work() -> CameraFacts:
            return await self._backend.pictures.camera(tile.path)

        def done(found: CameraFacts) -> None:
            if tile is self._tile:
                self._details = camera_details(found)
                self.facts.show_facts([*known, *self._details])

        self._runner.run(None, work, done=done)

    # Keys

    def event(self, event: QEvent) -> bool:
        """Plain keys, and those for sizes and the search field, are not for what lies below."""
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            if QKeySequence(event.keyCombination()) in [act.shortcut() for act in self.actions()]:
                return super().event(event)
            control = event.modifiers() & Qt.KeyboardModifier.ControlModifier
            if event.key() in BELOW or not (control or event.key() == Qt.Key.Key_F1):
                event.accept()
                return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = event.key()
        do: Callable[[], object] | None = {
            Qt.Key.Key_Escape: self._leave,
            Qt.Key.Key_Left: lambda: self._go(-1),
            Qt.Key.Key_Right: lambda: self._go(1),
            Qt.Key.Key_PageUp: lambda: self._go(-1),
            Qt.Key.Key_PageDown: lambda: self._go(1),
            Qt.Key.Key_Plus: lambda: self._seen().zoom(1),
            Qt.Key.Key_Equal: lambda: self._seen().zoom(1),
            Qt.Key.Key_Minus: lambda: self._seen().zoom(-1),
            Qt.Key.Key_0: lambda: self._seen().fit(),
            Qt.Key.Key_1: lambda: self._seen().show_pixels(),
            Qt.Key.Key_S: self.part.click,
            Qt.Key.Key_C: self.compare.click,
            Qt.Key.Key_I: self.info.click,
            Qt.Key.Key_F11: self._toggle_full_screen,
        }.get(Qt.Key(key))
        control = event.modifiers() & Qt.KeyboardModifier.ControlModifier
        if do is not None and not (control and key not in BELOW):
            do()
        elif key not in (Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_Space):  # the page's, below
            super().keyPressEvent(event)

    def _leave(self) -> None:
        """Give up choosing a part, or go back to the grid."""
        if self.part.isChecked():
            self.part.setChecked(False)
        else:
            self.close_viewer()

    def focusNextPrevChild(self, forwards: bool) -> bool:
        """Tab stays in here: what lies below cannot be seen."""
        stops = [part for part in self.findChildren(QPushButton) if part.isEnabled()]
        here = self.focusWidget()
        at = stops.index(here) if here in stops else (-1 if forwards else 0)
        reason = Qt.FocusReason.TabFocusReason if forwards else Qt.FocusReason.BacktabFocusReason
        stops[(at + (1 if forwards else -1)) % len(stops)].setFocus(reason)
        return True


def _of_use(actions: Sequence[QAction], known: Sequence[QAction]) -> list[QAction]:
    """What a grid offers and makes sense here, too: all that is done with files."""
    return [
        act
        for act in actions
        if act not in known and (act.menu() or act.isSeparator() or not act.shortcut().isEmpty())
    ]


def _tool(icon_name: str, hint: str) -> QPushButton:
    made = button("", "quiet", icon_name, hint)
    made.setAccessibleName(hint.partition(" (")[0])
    made.setStyleSheet("padding-left: 7px; padding-right: 7px;")
    return made
