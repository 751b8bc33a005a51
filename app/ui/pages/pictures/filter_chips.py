"""What the pictures are restricted to besides the filters' own line: each chip can be removed."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QPushButton, QVBoxLayout, QWidget

from app.ui.pages.pictures.nodes import LibraryNode
from app.ui.pages.pictures.query_words import Chip
from app.ui.parts import words
from app.ui.parts.flow_layout import FlowLayout
from app.ui.parts.theme import SPACE_S
from app.ui.parts.widgets import button

LONGEST = 40


class FilterChips(QWidget):
    """The chosen folder or time, then the words of the field that are filters; none, no room."""

    group_removed = Signal()
    thumbs_removed = Signal()
    word_removed = Signal(object)
    """The :class:`Chip` that is not wanted any more."""

    def __init__(self) -> None:
        super().__init__()
        self.chips: list[QPushButton] = []
        self._shown: tuple[str | None, str, list[Chip]] = (None, "", [])
        self._flow = FlowLayout(spacing=SPACE_S)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(self._flow)
        self.hide()

    def show_filters(
        self, group: LibraryNode | None, chips: Sequence[Chip], thumbs: str = ""
    ) -> None:
        """Show these and no others; ``thumbs`` says how many pictures have one."""
        shown = (group.key if group else None, thumbs, list(chips))
        if shown == self._shown:
            return
        self._shown = shown
        for old in self.chips:
            self._flow.removeWidget(old)
            old.hide()
            old.deleteLater()
        self.chips = []
        if group is not None:
            where = "in " if group.group.folder is not None else ""
            chip = self._add(f"{where}{group.heading}", group.hint)
            chip.clicked.connect(self.group_removed)
        if thumbs:
            chip = self._add(thumbs, "Pictures with a thumb: click to take all of them back")
            chip.clicked.connect(self.thumbs_removed)
        for item in chips:
            if item.text:
                chip = self._add(item.text)
                chip.clicked.connect(lambda _=False, item=item: self.word_removed.emit(item))
        self.setVisible(bool(self.chips))

    def _add(self, text: str, hint: str = "") -> QPushButton:
        chip = button(words.shorten(text, LONGEST), "chip", "x", hint)
        chip.setLayoutDirection(Qt.LayoutDirection.RightToLeft)  # the cross stands behind the words
        chip.setAccessibleName(f"Remove the filter: {text}")
        self._flow.addWidget(chip)
        self.chips.append(chip)
        return chip
