"""The page that finds pictures by what they show."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from PySide6.QtCore import QSettings, Qt, Signal
from PySide6.QtGui import (
    QDragEnterEvent,
    QDragLeaveEvent,
    QDropEvent,
    QKeyEvent,
    QKeySequence,
    QShortcut,
    QShowEvent,
)
from PySide6.QtWidgets import (
    QHBoxLayout,
    QSlider,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app.api.search_schemas import SearchQuery
from app.errors import AppError
from app.file_types import DEFAULT_EXTENSIONS
from app.ui.pages.search.answering_line import AnsweringLine
from app.ui.pages.search.chips import TermChips
from app.ui.pages.search.field import DropHint, SearchField, dropped_files
from app.ui.pages.search.filters import SearchFilters
from app.ui.pages.search.model_line import ModelLine
from app.ui.pages.search.recent import RecentList, RecentSearches
from app.ui.pages.search.results import SearchResults
from app.ui.pages.search.search_runner import DEBOUNCE_MS, Answer, SearchRunner
from app.ui.pages.search.terms import Term
from app.ui.parts import words
from app.ui.parts.file_dialogs import choose_files
from app.ui.parts.session_names import full_names
from app.ui.parts.theme import SPACE_M, SPACE_S
from app.ui.parts.widgets import EmptyState, Page, Skeleton, button, label, text_width
from app.ui.pictures.grid import Tile
from app.ui.pictures.thumbnails import ThumbnailLoader

if TYPE_CHECKING:
    from app.api.search_schemas import SearchModel
    from app.services.backend import Backend
    from app.ui.parts.actions import ActionRunner
    from app.ui.parts.poller import Poller

SESSIONS_EVERY_S = 20.0
INVITATION = (
    "No picture is indexed yet",
    "Start a session over a folder. Once pictures are indexed, you can find them here by "
    "describing what they show.",
)
FIRST_ONES = (
    "The first pictures are being indexed",
    "In a few seconds you can find them here by describing what they show; the others follow.",
)
PICTURES = f"Pictures ({' '.join(f'*.{ending}' for ending in DEFAULT_EXTENSIONS)})"


class SearchPage(Page):
    """A description, examples and filters at the top; what they find below, as one types."""

    new_session_wanted = Signal()
    models_wanted = Signal()

    def __init__(
        self,
        backend: Backend,
        runner: ActionRunner,
        poller: Poller,
        *,
        thumbnails: ThumbnailLoader,
        memory: QSettings,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__("Search", parent)
        self._backend, self._runner, self._poller = backend, runner, poller
        self._models: list[SearchModel] | None = None
        self._prepared = False
        self._all_wanted_of: list[Term] = []
        self._recent = RecentSearches(memory)
        self.search_runner = SearchRunner(backend, runner, poller, self)
        self.models = ModelLine(backend, runner, poller)
        self.field = SearchField()
        self.picture_button = button("Picture…", icon_name="image-square")
        self.without_button = button("Without…", icon_name="minus-circle")
        self.filters_button = button("Filters", icon_name="funnel")
        self.chips = TermChips(thumbnails)
        self.filters = SearchFilters()
        self.status_text = label(role="secondary")
        self.more_button = button("Show less likely ones", "quiet")
        self.score_text = label(role="secondary")
        self.score = QSlider(Qt.Orientation.Horizontal)
        self.results = SearchResults(backend, runner, poller, thumbnails)
        self.answering = AnsweringLine(backend, runner, poller, memory, self)
        self.start = RecentList(self._recent)
        self.invitation = EmptyState("magnifying-glass", *INVITATION, "New session…")
        self.stack = QStackedWidget()
        self._skeleton = Skeleton()
        self._drop_hint = DropHint(self)
        self.setAcceptDrops(True)
        self._lay_out()
        self._connect()
        self._show_score()
        self._skeleton.start()
        poller.watch(
            self._fetch_sessions,
            self.filters.show_sessions,
            owner=self.filters,
            every_s=SESSIONS_EVERY_S,
        )

    def _lay_out(self) -> None:
        self.buttons.addWidget(self.models)
        self.filters_button.setCheckable(True)
        self.picture_button.setToolTip("Find pictures like one that you choose")
        self.without_button.setToolTip("Name something that results should not show")
        top, line = QHBoxLayout(), QHBoxLayout()
        top.setSpacing(SPACE_S)
        top.addWidget(self.field, 1)
        for part in (self.picture_button, self.without_button, self.filters_button):
            part.setStyleSheet("QPushButton { min-height: 28px; }")
            top.addWidget(part)
        self.score.setRange(0, 100)
        self.score.setFixedSize(140, 24)
        self.score.setAccessibleName("Minimum score")
        self.score_text.setFixedWidth(text_width("At least 0.00", "secondary") + 4)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(SPACE_S)
        line.addWidget(self.status_text)
        line.addWidget(self.more_button)
        line.addStretch(1)
        line.addWidget(self.score_text)
        line.addWidget(self.score)
        self.line = QWidget()
        self.line.setLayout(line)
        self.filters.hide()
        self.more_button.hide()
        self.line.hide()
        found = QWidget()
        column = QVBoxLayout(found)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE_S)
        column.addWidget(self.line)
        column.addWidget(self.results, 1)
        self._found = found
        for content in (self._skeleton, self.invitation, self.start, found):
            self.stack.addWidget(content)
        self.body.setSpacing(SPACE_M)
        self.body.addLayout(top)
        self.body.addWidget(self.chips)
        self.body.addWidget(self.filters)
        self.body.addWidget(self.answering)
        self.body.addWidget(self.stack, 1)

    def _connect(self) -> None:
        for changed in (self.field.textChanged, self.chips.changed, self.score.valueChanged):
            changed.connect(self._changed)
        self.filters.changed.connect(self._filters_changed)
        self.filters_button.toggled.connect(self.filters.setVisible)
        self.field.entered.connect(self._ask_at_once)
        self.field.left_down.connect(self._go_to_results)
        self.picture_button.clicked.connect(self._choose_picture)
        self.without_button.clicked.connect(self._add_without)
        self.more_button.clicked.connect(self._show_all)
        self.start.chosen.connect(self.search_for)
        self.search_runner.answered.connect(self._show_answer)
        self.search_runner.added.connect(self._add_answer)
        self.search_runner.failed.connect(self._show_error)
        self.search_runner.slow.connect(self._show_slow)
        results = self.results
        results.more_wanted.connect(self.search_runner.more)
        results.like_wanted.connect(self._more_like)
        results.acted.connect(self._remember)
        results.score_wanted.connect(lambda least: self.score.setValue(round(least * 100)))
        results.filters_unwanted.connect(self.filters.clear)
        results.again_wanted.connect(self._ask_again)
        results.models_wanted.connect(self.models_wanted)
        self.answering.models_wanted.connect(self.models_wanted)
        self.answering.indexing.connect(self._show_indexing)
        self.models.looked.connect(self._show_models)
        self.models.switched.connect(self._ask_again)
        if self.invitation.button is not None:
            self.invitation.button.clicked.connect(self.new_session_wanted)
        for keys in ("Ctrl+F", "/"):
            QShortcut(QKeySequence(keys), self).activated.connect(self.focus_field)

    # What other pages ask for

    def search_like(self, picture: str | int, path: str = "") -> None:
        """Find pictures like one, by its file or by its number in the index.

        Args:
            path: where the picture with that number lies, for its name and thumbnail.
        """
        if isinstance(picture, int):
            self.search_for([Term(path=path, asset_id=picture)])
        else:
            self.search_for([Term(path=picture)])

    def search_for(self, terms: Sequence[Term]) -> None:
        """Ask for this and nothing else; the filters stay."""
        plain = [term for term in terms if not term.picture and not term.without]
        self.chips.set_terms([term for term in terms if term not in plain[:1]])
        self.field.setText(plain[0].text if plain else "")
        self._ask_at_once()

    def search_in(self, session_id: int, name: str) -> None:
        """Have the next letters looked for among the pictures of one session."""
        self.filters.only_session(session_id, name)
        self.filters_button.setChecked(True)
        self.focus_field()

    def focus_field(self) -> None:
        """Have the next letters go into the search field."""
        self.field.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.field.selectAll()

    # Asking

    def terms(self) -> list[Term]:
        """What is looked for now."""
        typed = Term(text=self.field.text())
        return [term for term in (typed, *self.chips.terms()) if term.picture or term.text.strip()]

    def query(self) -> SearchQuery | None:
        """The whole question; None while there is nothing to look for."""
        terms = self.terms()
        if not terms:
            return None
        least = self.score.value() / 100
        return SearchQuery(
            terms=[term.asked() for term in terms],
            filter=self.filters.value(),
            minScore=least or None,
            likelyOnly=terms != self._all_wanted_of,
        )

    def _changed(self, *_: object, delay_ms: int = DEBOUNCE_MS, again: bool = False) -> None:
        self._show_score()
        room = not self.chips.full
        self.picture_button.setEnabled(room)
        self.without_button.setEnabled(room)
        query = self.query()
        if query is None:
            self.search_runner.forget()
            self.results.clear()
            self._show_place()
        else:
            self.search_runner.ask(query, delay_ms=delay_ms, again=again)

    def _ask_at_once(self) -> None:
        self._remember()
        self._changed(delay_ms=0, again=True)

    def _show_all(self) -> None:
        """Show what is less likely, too, until something else is looked for."""
        self._all_wanted_of = self.terms()
        self._changed(delay_ms=0)

    def _ask_again(self) -> None:
        self._changed(delay_ms=0, again=True)

    def _filters_changed(self) -> None:
        number = self.filters.number()
        self.filters_button.setText(f"Filters ({number})" if number else "Filters")
        self._changed()

    def _remember(self) -> None:
        self._recent.add(self.terms())

    def _more_like(self, tile: Tile) -> None:
        self.search_like(tile.asset_id, tile.path)

    def _choose_picture(self) -> None:
        title = "Find pictures like this one"
        choose_files(self.window(), title, self.add_pictures, PICTURES)

    def add_pictures(self, paths: Sequence[str]) -> None:
        """Look for pictures like these, too."""
        for path in paths:
            self.chips.add(Term(path=path))

    def _add_without(self) -> None:
        empty = [chip for chip in self.chips.chips if chip.edit and not chip.term.text.strip()]
        chip = empty[0] if empty else self.chips.add(Term(without=True))
        if chip is not None and chip.edit is not None:
            chip.edit.setFocus()

    def _go_to_results(self) -> None:
        grid = self.results.grid
        if self.stack.currentWidget() is self._found and grid.tiles.rowCount():
            if not grid.currentIndex().isValid():
                grid.select_row(0)
            grid.setFocus()
        elif self.start.isVisible() and self.start.rows:
            self.start.rows[0].open_button.setFocus()

    # What comes back

    def _show_answer(self, answer: Answer) -> None:
        self._show_place(found=True)
        self.results.show_answer(answer, self.filters.number() > 0)
        self._show_count(answer)

    def _add_answer(self, answer: Answer) -> None:
        self.results.add(answer)
        self._show_count(answer)

    def _show_count(self, answer: Answer) -> None:
        found = len(self.results.hits)
        number = words.plural(found, "picture") if found else ""
        more = answer.next_offset is not None
        self.status_text.setText(f"Best {number}, more below" if found and more else number)
        self.more_button.setVisible(answer.left_out)

    def _show_error(self, error: AppError) -> None:
        self._show_place(found=True)
        self.status_text.setText("")
        self.more_button.hide()
        self.results.show_error(error)

    def _show_slow(self, slow: bool) -> None:
        if slow:
            self._show_place(found=True)
            self.status_text.setText("Searching…")
            self.more_button.hide()
            self.results.show_slow()

    def _show_place(self, *, found: bool = False) -> None:
        """Show what fits the moment: invitation, recent searches or results."""
        if self._models is None and not found:
            self.stack.setCurrentWidget(self._skeleton)
        elif not self._models and not found:
            self.stack.setCurrentWidget(self.invitation)
        elif not found:
            if self.stack.currentWidget() is not self.start:
                self.start.refresh()
            self.stack.setCurrentWidget(self.start)
        else:
            self.stack.setCurrentWidget(self._found)
        self.line.setVisible(found)

    def _show_score(self) -> None:
        least = self.score.value()
        self.score_text.setText(f"At least {least / 100:.2f}" if least else "Any score")

    # What there is to search

    def _show_models(self, models: list[SearchModel]) -> None:
        first, self._models = self._models is None, models
        self._skeleton.stop()
        used = next((model for model in models if model.inUse), None)
        for part in (self.field, self.picture_button, self.without_button, self.filters_button):
            part.setEnabled(used is not None)
        self.results.answering = used
        if used is not None:
            self.start.show_examples(used.spec == "builtin")
        waiting = self.stack.currentWidget() in (self._skeleton, self.invitation)
        if waiting or (used is None and not self.terms()):
            self._show_place()
        if first and used is not None and self.isVisible():
            self.field.setFocus()

    def _show_indexing(self, indexing: bool) -> None:
        """The first session runs: there will be something to search in a moment."""
        if self._models == []:
            self.invitation.set_text(*(FIRST_ONES if indexing else INVITATION))
            if self.invitation.button is not None:
                self.invitation.button.setVisible(not indexing)
            self.models.refresh()

    async def _fetch_sessions(self) -> list[tuple[int, str]]:
        async with self._backend.db() as db:
            sessions = await self._backend.training.list_sessions(db)
        return list(full_names(sessions).items())

    async def _prepare(self) -> None:
        # The first question says it better if this does not work.
        with suppress(AppError):
            async with self._backend.db() as db:
                await self._backend.search.prepare(db)

    # Keys, drops

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.models.refresh()
        if not self._prepared:
            self._prepared = True
            self._poller.track(self._runner.run(None, self._prepare))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() != Qt.Key.Key_Escape:
            super().keyPressEvent(event)
        elif self.results.preview.isVisible():
            self.results.split.close_preview()
        else:
            self.focus_field()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if self.field.isEnabled() and not self.chips.full and dropped_files(event.mimeData()):
            event.setDropAction(Qt.DropAction.CopyAction)
            event.accept()
            if event.source() is None:
                self._drop_hint.cover()
        else:
            event.ignore()

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self._drop_hint.hide()

    def dropEvent(self, event: QDropEvent) -> None:
        self._drop_hint.hide()
        grid = self.results.grid
        if event.source() is not grid:
            event.setDropAction(Qt.DropAction.CopyAction)
            event.accept()
            self.add_pictures(dropped_files(event.mimeData()))
        elif not grid.rect().contains(grid.mapFrom(self, event.position().toPoint())):
            event.accept()
            for tile in grid.selected_tiles():
                self.chips.add(Term(path=tile.path, asset_id=tile.asset_id))
