"""The page of all pictures: the newest first, and those that show what is described."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from PySide6.QtCore import QSettings, Qt, Signal
from PySide6.QtGui import QKeyEvent, QResizeEvent, QShowEvent

from app.api.search_schemas import SearchQuery
from app.errors import AppError
from app.ui.pages.pictures.answering_line import AnsweringLine
from app.ui.pages.pictures.browsed import LibraryPictures
from app.ui.pages.pictures.browser import INVITATION, LibraryBrowser
from app.ui.pages.pictures.drops import PictureDrops
from app.ui.pages.pictures.duplicates import DuplicatePanel
from app.ui.pages.pictures.found import FoundPictures
from app.ui.pages.pictures.model_line import ModelLine
from app.ui.pages.pictures.results import SearchResults
from app.ui.pages.pictures.search_bar import SearchBar
from app.ui.pages.pictures.search_runner import DEBOUNCE_MS, SearchRunner
from app.ui.pages.pictures.size_slider import SizeSlider
from app.ui.pages.pictures.terms import Term
from app.ui.parts.commands import bind
from app.ui.parts.session_names import full_names
from app.ui.parts.theme import SPACE_L, SPACE_M, SPACE_S, SPACE_XL
from app.ui.parts.widgets import Page
from app.ui.pictures.act_bar import ActBar
from app.ui.pictures.file_acts import FileActs
from app.ui.pictures.grid import PictureGrid, Tile
from app.ui.pictures.selection_bar import SelectionBar
from app.ui.pictures.thumbs import Thumbs

if TYPE_CHECKING:
    from app.api.file_schemas import ActResult
    from app.api.library_schemas import PictureState
    from app.api.search_schemas import Region, SearchModel
    from app.ui.pictures.context import PictureContext

SESSIONS_EVERY_S = 20.0
FIRST_ONES = (
    "The first pictures are being indexed",
    "In a few seconds you can find them here by describing what they show; the others follow.",
)


class PicturesPage(Page):
    """A description, examples and filters at the top; below it what they find, as one types, or
    all pictures while nothing is looked for."""

    new_session_wanted = Signal()
    models_wanted = Signal()
    sessions_wanted = Signal()

    @classmethod
    def in_steps(cls, context: PictureContext, memory: QSettings) -> Iterator[PicturesPage | None]:
        """Build it in steps, none of which is long enough to be felt: the last one is the page."""
        thumbs = Thumbs()
        bar = SearchBar(context.thumbnails, memory, thumbs)
        yield None
        pictures = LibraryPictures(context, thumbs)
        yield None
        panel = DuplicatePanel(context.poller, context.thumbnails)
        yield None
        browser = LibraryBrowser(context, memory, pictures, panel)
        yield None
        results = SearchResults(context, thumbs)
        yield None
        page = cls(context, memory, bar, browser, results)
        yield None
        yield page

    def __init__(
        self,
        context: PictureContext,
        memory: QSettings,
        bar: SearchBar,
        browser: LibraryBrowser,
        results: SearchResults,
    ) -> None:
        super().__init__("Pictures")
        backend, runner, poller = context.backend, context.runner, context.poller
        self._backend, self._runner, self._poller = backend, runner, poller
        self._models: list[SearchModel] | None = None
        self._prepared = False
        self._all_wanted_of: list[Term] = []
        self.search_runner = SearchRunner(backend, runner, poller, self)
        self.models = ModelLine(backend, runner, poller)
        self.size_slider = SizeSlider(memory)
        self.bar, self.browser, self.results = bar, browser, results
        self.field, self.chips, self.filters = self.bar.field, self.bar.chips, self.bar.filters
        self.answering = AnsweringLine(backend, runner, poller, memory, self)
        self.found = FoundPictures(self.search_runner, results, bar)
        self.line = self.found.line
        self.act_bar = ActBar()
        self.acts = FileActs(self, backend, runner, self.act_bar, memory, self._grids())
        views = (self.browser.pictures, self.results)
        compare = {view.grid: view.actions_.compare for view in views}
        self.selection = SelectionBar(self.acts.all, compare)
        self.title.setMinimumHeight(self.selection.sizeHint().height())  # nothing moves for it
        self._lay_out()
        self._connect()
        self._connect_results()
        self._add_keys()
        self.drops = PictureDrops(self, bar, self._grids())
        self._recall()
        poller.watch(
            self._fetch_sessions,
            self.filters.show_sessions,
            owner=self.filters,
            every_s=SESSIONS_EVERY_S,
        )

    def _lay_out(self) -> None:
        self.buttons.addWidget(self.selection)
        self.buttons.addWidget(self.models)
        self.buttons.addSpacing(SPACE_S)
        self.buttons.addWidget(self.size_slider)
        self.browser.right.addWidget(self.found)
        self.body.setSpacing(SPACE_M)
        self.body.addWidget(self.bar)
        self.body.addWidget(self.answering)
        self.body.addWidget(self.act_bar)
        self.body.addWidget(self.browser, 1)

    def _connect(self) -> None:
        bar, browser = self.bar, self.browser
        bar.changed.connect(self._changed)
        bar.entered.connect(self._ask_at_once)
        bar.group_removed.connect(browser.side.leave_group)
        bar.field.left_down.connect(self._go_to_pictures)
        bar.thumbs.changed.connect(self._refine)
        bar.side_button.toggled.connect(browser.show_side)
        browser.group_changed.connect(self._group_changed)
        browser.group_picked.connect(self._show_duplicates)
        browser.new_session_wanted.connect(self.new_session_wanted)
        browser.looked.connect(self._show_what_is_there)
        self.size_slider.changed.connect(self._resize_pictures)
        self.answering.models_wanted.connect(self.models_wanted)
        self.answering.sessions_wanted.connect(self.sessions_wanted)
        self.answering.indexing.connect(self._show_indexing)
        self.models.looked.connect(self._show_models)
        self.models.switched.connect(self._ask_again)

        self.acts.changed.connect(self._show_files)
        for act in (
            bar.changed,
            browser.group_changed,
            browser.pictures.state_picked,
            browser.pictures.order_picked,
            browser.pictures.include_wanted,
            browser.pictures.acted,
            self.results.acted,
        ):
            act.connect(self._pass_by)
        browser.duplicates.agreed.connect(self.acts.clean_up)
        self.selection.has_selection.connect(self.models.make_room)
        self.selection.has_selection.connect(self._make_room)

    def _connect_results(self) -> None:
        results = self.results
        self.found.there.connect(lambda: self._show_place(found=True))
        self.found.again_wanted.connect(self._ask_again)
        self.line.changed.connect(self._changed)
        self.line.more_button.clicked.connect(self._show_all)
        for view in (self.browser.pictures, results):
            view.like_wanted.connect(self._more_like)
            view.part_wanted.connect(self._more_like_part)
            view.viewed.connect(self._refine)
        results.acted.connect(self.bar.remember)
        results.filters_unwanted.connect(self.bar.clear_filters)
        results.models_wanted.connect(self.models_wanted)

    def _add_keys(self) -> None:
        bind(self, "Go to the field", "Ctrl+F /", self.focus_field)
        bind(self, "Folders, dates, duplicates", "F9", self.bar.side_button.toggle)
        bind(self, "Larger pictures", "Ctrl++ Ctrl+=", lambda: self.size_slider.step(1))
        bind(self, "Smaller pictures", "Ctrl+-", lambda: self.size_slider.step(-1))

    def _recall(self) -> None:
        self._resize_pictures(self.size_slider.height_wanted)
        self.bar.side_button.setChecked(not self.browser.side.isHidden())

    def _resize_pictures(self, height: int) -> None:
        for grid in self._grids():
            grid.set_picture_height(height)

    def _make_room(self, *_: object) -> None:
        """What can be done with pictures is named where there is room for it."""
        beside = (self.title, self.models, self.size_slider)
        taken = sum(part.sizeHint().width() for part in beside) + 2 * (SPACE_L + SPACE_XL)
        self.selection.set_room(self.width() - taken)

    def _grids(self) -> tuple[PictureGrid, PictureGrid]:
        return self.browser.pictures.grid, self.results.grid

    # What other pages ask for

    def search_like(self, picture: str | int, path: str = "") -> None:
        """Find pictures like one, by its file or by its number in the index.

        Args:
            path: where the picture with that number lies, for its name and thumbnail.
        """
        if isinstance(picture, int):
            self.bar.search_for([Term(path=path, asset_id=picture)])
        else:
            self.bar.search_for([Term(path=picture)])

    def show_pictures(self, folder: str, state: PictureState) -> None:
        """Show the pictures below a folder that are in a state."""
        self._look_for_nothing()
        self.browser.show_pictures(folder, state)

    def search_in(self, session_id: int, name: str) -> None:
        """Have the next letters looked for among the pictures of one session."""
        self.filters.only_session(session_id, name)
        self.bar.filters_button.setChecked(True)
        self.focus_field()

    def focus_field(self) -> None:
        """Have the next letters go into the search field."""
        self.bar.focus_field()

    # Asking

    def query(self) -> SearchQuery | None:
        """The whole question; None while there is nothing to look for."""
        terms, thumbs = self.bar.terms(), self.bar.thumbs
        if not terms and not thumbs.liked:
            return None
        return SearchQuery(
            terms=[term.asked() for term in terms],
            liked=thumbs.liked,
            disliked=thumbs.disliked,
            filter=self.bar.only(),
            minScore=self.line.least,
            likelyOnly=terms != self._all_wanted_of,
        )

    def _changed(self, *_: object, delay_ms: int = DEBOUNCE_MS, again: bool = False) -> None:
        self.browser.set_only(self.bar.only(group=False))
        self._show_what_is_there()
        query = self.query()
        if query is None:
            self.search_runner.forget()
            self.results.clear()
            self._show_place()
        else:
            self.search_runner.ask(query, delay_ms=delay_ms, again=again)

    def _refine(self) -> None:
        """Pictures got a thumb; while one of them is viewed, the others stay as they are."""
        if not any(view.being_viewed for view in (self.browser.pictures, self.results)):
            self._changed(delay_ms=0)

    def _ask_at_once(self) -> None:
        self.bar.remember()
        self._changed(delay_ms=0, again=True)

    def _ask_again(self) -> None:
        self._changed(delay_ms=0, again=True)

    def _show_all(self) -> None:
        """Show what is less likely, too, until something else is looked for."""
        self._all_wanted_of = self.bar.terms()
        self._changed(delay_ms=0)

    def _group_changed(self) -> None:
        self.bar.set_group(self.browser.side.group())
        self._changed()

    def _show_duplicates(self) -> None:
        if self.query() is not None:  # else what was picked would not be seen
            self._look_for_nothing()

    def _look_for_nothing(self) -> None:
        self.filters.clear()
        self.bar.search_for([])

    def _pass_by(self, *_: object) -> None:
        """A person does something else: what is said of things that are over goes."""
        for said in (self.act_bar, self.browser.pictures.notice, self.results.notice):
            said.passing.pass_by()

    def _more_like(self, tile: Tile) -> None:
        self.search_like(tile.asset_id, tile.path)

    def _more_like_part(self, tile: Tile, region: Region) -> None:
        self.bar.search_for([Term(path=tile.path, region=region)])

    def _go_to_pictures(self) -> None:
        grid = next((grid for grid in self._grids() if grid.isVisible()), None)
        if grid is not None and grid.tiles.rowCount():
            if not grid.currentIndex().isValid():
                grid.select_row(0)
            grid.setFocus()

    # What comes back

    def _show_place(self, *, found: bool = False) -> None:
        """Show what was found, or all pictures."""
        browser = self.browser
        if found:
            browser.stack.setCurrentWidget(browser.split)
        browser.right.setCurrentWidget(self.found if found else browser.pictures)
        self.selection.look()
        self.acts.look()

    def _show_files(self, result: ActResult, ranges: list[tuple[int, int]]) -> None:
        """Files are somewhere else now."""
        in_sight = self.browser.pictures.grid.isVisible()
        self.browser.show_files(ranges if in_sight else [])
        self.results.show_files(result)
        self.models.count_again()

    # What there is to search

    def _show_models(self, models: list[SearchModel]) -> None:
        first, self._models = self._models is None, models
        used = next((model for model in models if model.inUse), None)
        self.results.answering = used
        if used is not None:
            self.search_runner.note_indexed(used.modelId, used.vectors)
        self._show_what_is_there()
        if used is not None:
            self.bar.recent.list.show_examples(used.spec == "builtin")
        if first and used is not None and self.isVisible():
            self.field.setFocus()

    def _show_what_is_there(self) -> None:
        """Pictures can be looked through before any is indexed, and found once one is."""
        found = any(model.inUse for model in self._models or [])
        self.bar.set_usable(searches=found, filters=bool(self.browser.has_pictures))

    def _show_indexing(self, indexing: bool) -> None:
        """The first session runs: there will be something to search in a moment."""
        invitation = self.browser.invitation
        if not self.browser.has_pictures and invitation.button is not None:
            invitation.set_text(*(FIRST_ONES if indexing else INVITATION))
            invitation.button.setVisible(not indexing)
        if self._models == []:
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

    # Keys

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.models.refresh()
        if not self._prepared:
            self._prepared = True
            for work in (self._prepare, self.acts.settle_interrupted):
                self._poller.track(self._runner.run(None, work))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._make_room()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() != Qt.Key.Key_Escape:
            super().keyPressEvent(event)
        elif self.results.preview.isVisible():
            self.results.split.close_preview()
        elif self.browser.pictures.preview.isVisible():
            self.browser.pictures.split.close_preview()
        else:
            self.focus_field()
