"""The pictures that are looked through: a heading, states to choose from, grid and preview."""

from __future__ import annotations

import calendar
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QAction, QHideEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.api.library_schemas import LibraryOrder, LibraryPicture, Section
from app.printable import printable
from app.ui.parts import words
from app.ui.parts.choice_box import ChoiceBox
from app.ui.parts.flow_layout import FlowLayout
from app.ui.parts.theme import SPACE_S, SPACE_XS, icon
from app.ui.parts.widgets import CountChip, ElidedLabel, EmptyState, Skeleton, button, label
from app.ui.pictures.camera_words import date_of, time_taken
from app.ui.pictures.grid import Tile, TileModel
from app.ui.pictures.justified import Heading
from app.ui.pictures.picture_view import PictureView
from app.ui.pictures.preview import Details
from app.ui.pictures.thumbs import Thumbs
from app.ui.pictures.timeline import BesideTimeline, Timeline

if TYPE_CHECKING:
    from app.api.library_schemas import PictureState
    from app.ui.parts.paged_model import Fetch
    from app.ui.pictures.context import PictureContext

STATES: dict[str, tuple[str, str, str]] = {
    "": ("All", "image-square", "text-secondary"),
    "indexed": ("Indexed", "check-circle", "completed"),
    "changed": ("Changed", "arrows-clockwise", "paused"),
    "waiting": ("Waiting", "clock", "pending"),
    "failed": ("Failed", "warning-circle", "failed"),
    "missing": ("Missing", "file-x", "failed"),
    "excluded": ("Excluded", "prohibit", "pending"),
}
"""State: word, icon, colour; the first is all of them."""

ORDERS: dict[LibraryOrder, tuple[str, int]] = {
    "date": ("By date", 0),
    "name": ("By name", 1),
    "size": ("By size", 2),
    "folder": ("By folder", 1),
}
"""Order: words, and lines under each picture: what they are sorted by is seen."""

NO_SUCH = {
    "": ("No pictures here", ""),
    "indexed": ("Nothing here is indexed yet", "Once it is, searches can find it."),
    "changed": ("No picture here has changed", "Every indexed file is unchanged."),
    "waiting": ("No picture here is waiting", "Each one has been processed."),
    "failed": ("No picture here failed", ""),
    "missing": ("No picture here is missing", "Every file was there at the last check."),
    "excluded": ("No picture here is excluded", ""),
}


@dataclass(frozen=True, slots=True)
class LibraryTile(Tile):
    """A tile, and all that the library says of its picture."""

    picture: LibraryPicture | None = None


def library_tile(picture: LibraryPicture, second_line: str, note: str = "") -> LibraryTile:
    """A tile with the file's name, and another line under it."""
    name = printable(os.path.basename(picture.path))
    return LibraryTile(
        picture.assetId,
        picture.path,
        f"{name}\n{second_line}",
        "" if picture.state == "indexed" else picture.state,
        note,
        picture.width,
        picture.height,
        picture=picture,
    )


def dimensions(picture: LibraryPicture) -> str:
    """``4,000 × 3,000``; empty where nobody has looked yet."""
    return words.dimensions(picture.width, picture.height)


SECOND_LINES: dict[LibraryOrder, Callable[[LibraryPicture], str]] = {
    "date": lambda picture: time_taken(picture.takenAt),
    "name": dimensions,
    "size": lambda picture: words.size(picture.size),
    "folder": dimensions,
}
"""What is said of each picture besides its name, by order."""


def heading_of(section: Section) -> Heading:
    """``June 2019``, or a folder."""
    if section.year is None or section.month is None:
        return Heading(printable(section.folder or ""), section.pictures)
    return Heading(f"{calendar.month_name[section.month]} {section.year}", section.pictures)


class LibraryPictures(PictureView):
    """Shows rows that somebody else fetches."""

    state_picked = Signal(str)
    """A person wants only those in this state; empty: all."""
    order_picked = Signal()
    include_wanted = Signal()
    """Take the excluded ones among the selected pictures back."""
    anew_wanted = Signal()

    def __init__(self, context: PictureContext, thumbs: Thumbs) -> None:
        self.model = TileModel(context.poller)
        # of all pictures, none is one too many
        super().__init__(
            context, self.model, thumbs, "library-preview", caption_lines=0, thumbs_down=False
        )
        self.state: PictureState | None
        self._states_wanted = True
        self.include_action = QAction(icon("arrow-u-up-left"), "&Include again", self.grid)
        self.heading, self.subtitle = ElidedLabel(role="section"), label(role="secondary")
        self.chips = {state: _chip(state) for state in STATES}
        self.set_state(None)
        self.order_box = ChoiceBox()
        self.anew_button = button("Something changed: show it", "quiet", "arrows-clockwise")
        self.skeleton = Skeleton()
        self.nothing = EmptyState("image-square", "")
        self.trouble = EmptyState(
            "warning-circle", "These pictures cannot be shown", "", "Try again"
        )
        self._lay_out()
        self._connect()
        self.show_counts({})

    def _stage(self) -> QWidget:
        self.timeline = Timeline(self.grid)
        return BesideTimeline(self.grid, self.timeline)

    def _lay_out(self) -> None:
        for part in (self.skeleton, self.split, self.nothing, self.trouble):
            self.stack.addWidget(part)
        self.states = QWidget()
        chips = FlowLayout(self.states)
        for chip in self.chips.values():
            chips.addWidget(chip)
        texts, top = QVBoxLayout(), QHBoxLayout()
        texts.setSpacing(SPACE_XS)
        texts.addWidget(self.heading)
        texts.addWidget(self.subtitle)
        top.addLayout(texts, 1)
        for word, _ in ORDERS.values():
            self.order_box.addItem(word)
        self.order_box.setAccessibleName("Order of the pictures")
        top.addWidget(self.anew_button, 0, Qt.AlignmentFlag.AlignVCenter)
        top.addWidget(self.order_box, 0, Qt.AlignmentFlag.AlignVCenter)
        self.anew_button.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE_S)
        column.addLayout(top)
        column.addWidget(self.states)
        column.addWidget(self.notice)
        column.addWidget(self.stack, 1)

    def _connect(self) -> None:
        self.grid.set_actions([self.include_action])
        self.grid.selectionModel().selectionChanged.connect(self._show_choice)
        self.model.modelReset.connect(self._show_choice)
        self.model.arrived.connect(self._show_choice)
        self.include_action.triggered.connect(self.include_wanted)
        self.anew_button.clicked.connect(self.anew_wanted)
        assert self.trouble.button is not None
        self.trouble.button.clicked.connect(self.anew_wanted)
        self.order_box.currentIndexChanged.connect(lambda _at: self.order_picked.emit())
        for state, chip in self.chips.items():
            chip.clicked.connect(lambda _on, state=state: self.state_picked.emit(state))
        self._show_choice()

    # What is shown

    def show_title(self, title: str, subtitle: str) -> None:
        """Say what is shown."""
        self.heading.set_text(title)
        self.subtitle.setText(subtitle)

    @property
    def order(self) -> LibraryOrder:
        """How they are to be sorted."""
        return list(ORDERS)[self.order_box.currentIndex()]

    def set_order(self, order: str) -> None:
        """Show which one is in force; an unknown one is that by date."""
        blocked = self.order_box.blockSignals(True)
        at = [str(key) for key in ORDERS].index(order) if order in ORDERS else 0
        self.order_box.setCurrentIndex(at)
        self.order_box.blockSignals(blocked)

    def show_rows(
        self,
        fetch: Fetch[Tile] | None,
        count: int,
        *,
        headings: Sequence[Heading] = (),
        caption_lines: int = 2,
        nothing: tuple[str, str, str] | None = None,
    ) -> None:
        """Show other pictures, from the first one on.

        Args:
            headings: what stands above them.
            nothing: title, text and icon where there are none.
        """
        self.skeleton.stop()
        self.anew_button.hide()
        self.grid.set_dimmed(False)
        self._context.thumbnails.cancel_waiting()
        self.model.set_source(fetch, count)
        self.grid.set_caption_lines(caption_lines)
        self.grid.set_headings(headings)
        self.timeline.show_months(headings if self.order == "date" else ())
        if self.state is None:  # the others follow, as counting may take a second
            self.chips[""].set_count(count)
        self.stack.setCurrentWidget(self.split if count else self.nothing)
        if not count:
            state = self.state or ""
            self.nothing.set_text(*(nothing or (*NO_SUCH[state], STATES[state][1])))
        elif self.preview.isVisible() and not self.grid.currentIndex().isValid():
            self.grid.select_row(0)

    def show_waiting(self) -> None:
        """Other pictures are on their way: what is there stays, dimmed, or grey bars stand in."""
        if self.model.rowCount():
            self.grid.set_dimmed(True)
        elif self.stack.currentWidget() is not self.skeleton:
            self.skeleton.start()
            self.stack.setCurrentWidget(self.skeleton)

    def show_trouble(self) -> None:
        """They could not be read."""
        self.skeleton.stop()
        self.stack.setCurrentWidget(self.trouble)

    def show_counts(self, counts: Mapping[PictureState, int]) -> None:
        """How many are in each state."""
        numbers: dict[str, int] = {str(state): number for state, number in counts.items()}
        numbers[""] = sum(counts.values())
        for state, chip in self.chips.items():
            number = numbers.get(state, 0)
            chip.set_count(number if counts else None)  # else nobody has counted yet
            chip.setVisible(bool(number) or state in ("", self.state or ""))
        only_indexed = set(counts) <= {"indexed"} and not self.state
        self.states.setVisible(self._states_wanted and not only_indexed)

    def want_states(self, wanted: bool) -> None:
        """Whether they can be told apart by their state and sorted."""
        self._states_wanted = wanted
        self.states.setVisible(wanted)
        self.order_box.setVisible(wanted)

    def set_state(self, state: PictureState | None) -> None:
        """Only pictures in this state are wanted from now on; None: all."""
        self.state = state
        for name, chip in self.chips.items():
            chip.setChecked(name == (state or ""))

    # What can be done

    def _show_choice(self, *_: object) -> None:
        excluded = any(tile.state == "excluded" for tile in self.grid.selected_tiles())
        self.include_action.setVisible(excluded)

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._context.thumbnails.cancel_waiting()

    def facts(self, tile: Tile) -> Details | None:
        picture = tile.picture if isinstance(tile, LibraryTile) else None
        if picture is None:
            return None
        return [
            ("State", STATES[picture.state][0]),
            ("Dimensions", dimensions(picture)),
            ("File size", words.size(picture.size)),
            date_of(picture.takenAt, picture.modifiedNs),
        ]


def _chip(state: str) -> CountChip:
    word, icon_name, token = STATES[state]
    chip = CountChip(state, word)
    chip.setIcon(icon(icon_name, token))
    chip.setIconSize(QSize(20, 16))
    return chip
