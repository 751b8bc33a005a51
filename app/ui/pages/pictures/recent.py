"""The last searches, kept in the window's memory, and the list that offers them."""

from __future__ import annotations

import json
from collections.abc import Sequence

from PySide6.QtCore import QPoint, QRect, QSettings, QSize, Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from app.ui.pages.pictures.terms import Term, describe, term_from_json
from app.ui.parts.flow_layout import FlowLayout
from app.ui.parts.theme import SPACE_L, SPACE_S, SPACE_XL, SPACE_XS
from app.ui.parts.widgets import ElidedLabel, IconLabel, button, label

KEPT = 20
KEY = "search/recent"
COLUMN = 620
POPUP_LEAST, POPUP_MOST = 360, 460
EXAMPLES = (
    "children on a beach",
    "a red car in the snow",
    "mountains at sunset",
    "a birthday cake",
)
BUILTIN_EXAMPLES = ("a cat", "a cup of coffee", "a temple", "a boat near mountains")
HINT = "Describe what the picture shows, or drop a picture here to find others like it."

Search = tuple[Term, ...]


class RecentSearches:
    """The last searches, the newest first."""

    def __init__(self, memory: QSettings) -> None:
        self._memory = memory

    def all(self) -> list[Search]:
        """What is remembered; what cannot be read is left out."""
        try:
            noted = json.loads(str(self._memory.value(KEY, "[]")))
            return [tuple(term_from_json(term) for term in search) for search in noted]
        except (ValueError, TypeError, AttributeError):
            return []

    def add(self, terms: Sequence[Term]) -> None:
        """Remember a search as the newest one."""
        search = _kept(terms)
        if search:
            self._keep([search, *(other for other in self.all() if other != search)])

    def remove(self, search: Search) -> None:
        """Forget one."""
        self._keep([other for other in self.all() if other != search])

    def clear(self) -> None:
        """Forget all."""
        self._memory.remove(KEY)

    def _keep(self, searches: Sequence[Search]) -> None:
        noted = [[term.as_json() for term in search] for search in searches[:KEPT]]
        self._memory.setValue(KEY, json.dumps(noted))


def _kept(terms: Sequence[Term]) -> Search:
    """A search without what a later start does not know."""
    known = (term for term in terms if term.path or term.asset_id is None)
    return tuple(term_from_json(term.as_json()) for term in known if term.path or term.text.strip())


class RecentList(QScrollArea):
    """What an empty search field offers: the last searches and a few examples."""

    chosen = Signal(object)
    """A search, as terms."""

    def __init__(self, recent: RecentSearches) -> None:
        super().__init__()
        self._recent = recent
        self._examples: Sequence[str] = EXAMPLES
        self.rows: list[_Row] = []
        self.clear_button = button("Forget all", "quiet")
        self.clear_button.clicked.connect(self._forget_all)
        self._head, self._list = QWidget(), QVBoxLayout()
        self._hints = FlowLayout(spacing=SPACE_S)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setWidget(self._lay_out())
        self.refresh()

    def _lay_out(self) -> QWidget:
        inside, narrow = QWidget(), QWidget()
        narrow.setMaximumWidth(COLUMN)
        narrow.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        column = QVBoxLayout(narrow)
        column.setContentsMargins(0, SPACE_L, 0, SPACE_L)
        column.setSpacing(SPACE_S)
        hint = label(HINT, tone="secondary")
        hint.setWordWrap(True)
        column.addWidget(hint)
        column.addLayout(self._hints)
        column.addSpacing(SPACE_XL - SPACE_S)
        head = QHBoxLayout(self._head)
        head.setContentsMargins(0, 0, 0, 0)
        head.addWidget(label("Recent searches", "section"), 1)
        head.addWidget(self.clear_button)
        column.addWidget(self._head)
        self._list.setSpacing(0)
        column.addLayout(self._list)
        column.addStretch()
        outer = QHBoxLayout(inside)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addStretch()
        outer.addWidget(narrow, 10)
        outer.addStretch()
        return inside

    def show_examples(self, builtin: bool) -> None:
        """Offer what the model can find: the built-in one knows kinds of things only."""
        examples = BUILTIN_EXAMPLES if builtin else EXAMPLES
        if examples != self._examples:
            self._examples = examples
            self.refresh()

    def refresh(self) -> None:
        """Show what is remembered now."""
        for layout in (self._list, self._hints):
            while (item := layout.takeAt(0)) is not None:
                if (old := item.widget()) is not None:
                    old.hide()
                    old.deleteLater()
        for text in self._examples:
            example = button(text, "chip", "magnifying-glass")
            example.clicked.connect(lambda _=False, text=text: self.chosen.emit((Term(text),)))
            self._hints.addWidget(example)
        self.rows = [_Row(search) for search in self._recent.all()]
        for row in self.rows:
            row.open_button.clicked.connect(lambda _=False, row=row: self.chosen.emit(row.search))
            row.remove_button.clicked.connect(lambda _=False, row=row: self._forget(row))
            self._list.addWidget(row)
        self._head.setVisible(bool(self.rows))

    def _forget(self, row: _Row) -> None:
        at = self.rows.index(row)
        self._recent.remove(row.search)
        self.refresh()
        if self.rows:  # who works by keyboard goes on with the next one
            self.rows[min(at, len(self.rows) - 1)].remove_button.setFocus()

    def _forget_all(self) -> None:
        self._recent.clear()
        self.refresh()


class RecentPopup(QFrame):
    """The list below the search field, once somebody asks for it."""

    chosen = Signal(object)
    """A search, as terms."""

    def __init__(self, recent: RecentSearches, field: QWidget) -> None:
        super().__init__(field, Qt.WindowType.Popup)
        self._field = field
        self.setProperty("kind", "popup")
        self.list = RecentList(recent)
        self.list.chosen.connect(self._choose)
        column = QVBoxLayout(self)
        column.setContentsMargins(SPACE_L, 0, SPACE_L, 0)
        column.addWidget(self.list)

    def open(self) -> None:
        """Show it."""
        self.list.refresh()
        inside = self.list.widget()
        assert inside is not None
        width = min(max(self._field.width(), POPUP_LEAST), COLUMN + 4 * SPACE_L)
        self.list.setMinimumWidth(0)
        height = min(inside.sizeHint().height() + SPACE_L, POPUP_MOST)
        below = self._field.mapToGlobal(QPoint(0, self._field.height() + SPACE_XS))
        self.setGeometry(QRect(below, QSize(width, height)))
        self.show()
        first = self.list.rows[0].open_button if self.list.rows else self.list.clear_button
        first.setFocus()

    def _choose(self, search: Search) -> None:
        self.hide()
        self.chosen.emit(search)


class _Row(QWidget):
    """One remembered search."""

    def __init__(self, search: Search) -> None:
        super().__init__()
        self.search = search
        description = describe(search)
        self.open_button = button("", "quiet")
        self.open_button.setAccessibleName(f"Search again: {description}")
        inside = QHBoxLayout(self.open_button)
        inside.setContentsMargins(SPACE_S, 0, SPACE_S, 0)
        inside.setSpacing(SPACE_S)
        for part in (
            IconLabel("clock-counter-clockwise", "text-secondary", 16),
            ElidedLabel(description, Qt.TextElideMode.ElideRight),
        ):
            inside.addWidget(part)
            part.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.remove_button = button("", "quiet", "x", "Forget this search")
        self.remove_button.setAccessibleName(f"Forget: {description}")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE_XS)
        row.addWidget(self.open_button, 1)
        row.addWidget(self.remove_button)
