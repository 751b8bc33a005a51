"""What is looked for: the field, examples, things to be without, and filters."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSettings, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.api.search_schemas import SearchFilter
from app.file_types import DEFAULT_EXTENSIONS
from app.ui.pages.pictures.chips import TermChips
from app.ui.pages.pictures.field import SearchField
from app.ui.pages.pictures.filter_chips import FilterChips
from app.ui.pages.pictures.filters import SearchFilters
from app.ui.pages.pictures.nodes import LibraryNode
from app.ui.pages.pictures.query_words import Words, both, of_group, read_words, without
from app.ui.pages.pictures.recent import RecentPopup, RecentSearches
from app.ui.pages.pictures.terms import Term
from app.ui.parts.file_dialogs import choose_files
from app.ui.parts.theme import SPACE_M, SPACE_S
from app.ui.parts.widgets import button
from app.ui.pictures.thumbnails import ThumbnailLoader
from app.ui.pictures.thumbs import Thumbs

PICTURES = f"Pictures ({' '.join(f'*.{ending}' for ending in DEFAULT_EXTENSIONS)})"
HIGH = "QPushButton { min-height: 28px; padding-left: 9px; padding-right: 9px; }"


class SearchBar(QWidget):
    """Holds a whole question; says when it changes, and asks nobody."""

    changed = Signal()
    """Something else is looked for."""
    entered = Signal()
    """It is to be looked for at once."""
    group_removed = Signal()
    """The chosen folder or time is not to count any more."""

    def __init__(self, thumbnails: ThumbnailLoader, memory: QSettings, thumbs: Thumbs) -> None:
        super().__init__()
        self.thumbs = thumbs
        self._words: Words = read_words("")
        self._group: LibraryNode | None = None
        self.remembered = RecentSearches(memory)
        self.field = SearchField()
        self.side_button = button("", icon_name="folders")
        self.picture_button = button("Picture…", icon_name="image-square")
        self.without_button = button("Without…", icon_name="minus-circle")
        self.filters_button = button("Filters", icon_name="funnel")
        self.chips = TermChips(thumbnails)
        self.filter_chips = FilterChips()
        self.filters = SearchFilters()
        self.recent = RecentPopup(self.remembered, self.field)
        self._lay_out()
        self._connect()

    def _lay_out(self) -> None:
        self.side_button.setCheckable(True)
        self.side_button.setAccessibleName("Folders, dates, duplicates")
        self.side_button.setToolTip("Folders, dates, duplicates (F9)")
        self.filters_button.setCheckable(True)
        self.picture_button.setToolTip("Find pictures like one that you choose")
        self.without_button.setToolTip("Name something that results should not show")
        top, column = QHBoxLayout(), QVBoxLayout(self)
        top.setSpacing(SPACE_S)
        top.addWidget(self.side_button)
        top.addWidget(self.field, 1)
        for item in (self.picture_button, self.without_button, self.filters_button):
            item.setStyleSheet(HIGH)
            top.addWidget(item)
        self.side_button.setStyleSheet(HIGH)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE_M)
        column.addLayout(top)
        for part in (self.chips, self.filter_chips, self.filters):
            column.addWidget(part)
        self.filters.hide()

    def _connect(self) -> None:
        self.field.textChanged.connect(self._typed)
        self.field.entered.connect(self.entered)
        self.field.recent_wanted.connect(self.recent.open)
        self.chips.changed.connect(self.changed)
        self.filters.changed.connect(self._filters_changed)
        self.filters_button.toggled.connect(self.filters.setVisible)
        self.thumbs.changed.connect(self._show_filters)
        self.filter_chips.group_removed.connect(self.group_removed)
        self.filter_chips.thumbs_removed.connect(self.thumbs.clear)
        self.filter_chips.word_removed.connect(
            lambda chip: self.field.setText(without(self.field.text(), chip))
        )
        self.picture_button.clicked.connect(self._choose_picture)
        self.without_button.clicked.connect(self._add_without)
        self.recent.chosen.connect(self.search_for)

    # What is looked for

    def terms(self) -> list[Term]:
        """What pictures are to be like."""
        typed = Term(text=self._words.text)
        return [term for term in (typed, *self.chips.terms()) if term.picture or term.text.strip()]

    def only(self, *, group: bool = True) -> SearchFilter:
        """What pictures are restricted to; ``group``: also to the chosen folder or time."""
        chosen = [of_group(self._group.group)] if group and self._group else []
        return both(*chosen, self.filters.value(), self._words.only)

    def set_group(self, group: LibraryNode | None) -> None:
        """Only pictures of a folder or a time are wanted; None: of all."""
        self._group = group
        self._show_filters()

    def search_for(self, terms: Sequence[Term]) -> None:
        """Look for this and nothing else; the filters stay."""
        self.thumbs.clear()
        plain = [term for term in terms if not term.picture and not term.without]
        self.chips.set_terms([term for term in terms if term not in plain[:1]])
        self.field.setText(plain[0].text if plain else "")
        self.entered.emit()

    def clear_filters(self) -> None:
        """Want any picture that shows what is looked for."""
        self.group_removed.emit()
        self.filters.clear()
        self.field.setText(self._words.text)

    def remember(self) -> None:
        """Somebody made use of this search."""
        self.remembered.add([Term(text=self.field.text()), *self.chips.terms()])

    def set_usable(self, *, searches: bool, filters: bool) -> None:
        """Whether descriptions can be answered, and whether there is anything to filter."""
        self.field.setEnabled(searches or filters)
        self.filters_button.setEnabled(searches or filters)
        for part in (self.picture_button, self.without_button):
            part.setEnabled(searches and not self.chips.full)

    # Doing

    def focus_field(self) -> None:
        """Have the next letters go into the search field."""
        self.field.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.field.selectAll()

    def add_pictures(self, paths: Sequence[str]) -> None:
        """Look for pictures like these, too."""
        for path in paths:
            self.chips.add(Term(path=path))

    def _choose_picture(self) -> None:
        title = "Find pictures like this one"
        choose_files(self.window(), title, self.add_pictures, PICTURES)

    def _add_without(self) -> None:
        empty = [chip for chip in self.chips.chips if chip.edit and not chip.term.text.strip()]
        chip = empty[0] if empty else self.chips.add(Term(without=True))
        if chip is not None and chip.edit is not None:
            chip.edit.setFocus()

    def _typed(self, text: str) -> None:
        self._words = read_words(text)
        self._show_filters()
        self.changed.emit()

    def _filters_changed(self) -> None:
        number = self.filters.number()
        self.filters_button.setText(f"Filters ({number})" if number else "Filters")
        self.changed.emit()

    def _show_filters(self) -> None:
        thumbs = self.thumbs.describe()
        self.filter_chips.show_filters(self._group, self._words.chips, thumbs)
