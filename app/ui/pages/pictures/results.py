"""What a search found: the grid, the preview beside it, and a sentence where there is nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout

from app.embedding.catalogue import RECOMMENDED_FOR_OTHERS, is_english
from app.languages import is_unread
from app.queue.ask import WorkerAwayError
from app.ui.pages.pictures.stacks import StackOpener, Stacks
from app.ui.parts import words
from app.ui.parts.language import language_name, person_language
from app.ui.parts.theme import SPACE_S
from app.ui.parts.widgets import EmptyState, button
from app.ui.pictures.camera_words import date_of
from app.ui.pictures.grid import HeldTiles, Tile, tile_for
from app.ui.pictures.picture_view import PictureView
from app.ui.pictures.preview import Details
from app.ui.pictures.thumbs import Thumbs

if TYPE_CHECKING:
    from app.api.file_schemas import ActResult
    from app.api.search_schemas import SearchHit, SearchModel, SearchQuery
    from app.errors import AppError
    from app.ui.pages.pictures.search_runner import Answer
    from app.ui.pictures.context import PictureContext

AWAY_HINT = "Your search will be answered as soon as it is; see the System page."


class SearchResults(PictureView):
    """Results stay, dimmed, until others take their place."""

    more_wanted = Signal()
    score_wanted = Signal(float)
    """Ask again with this least score."""
    filters_unwanted = Signal()
    again_wanted = Signal()
    models_wanted = Signal()
    """A model that reads another language."""

    def __init__(self, context: PictureContext, thumbs: Thumbs) -> None:
        self.hits: list[SearchHit] = []
        self._stacks = Stacks(_tile)
        self.model = HeldTiles(context.poller)
        super().__init__(context, self.model, thumbs, "search")
        self.grid.setAccessibleName("Pictures that were found")
        self.grid.set_thumbs(thumbs)
        self.message_button = button("")
        self.message = EmptyState("magnifying-glass", "", "", self.message_button)
        self._do = self.again_wanted.emit
        self._answer: Answer | None = None
        self.answering: SearchModel | None = None
        """The model that answers."""
        self._lay_out()
        self._connect()

    def _lay_out(self) -> None:
        self.stack.addWidget(self.split)
        self.stack.addWidget(self.message)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE_S)
        column.addWidget(self.notice)
        column.addWidget(self.stack, 1)

    def _connect(self) -> None:
        self.grid.near_end.connect(self.more_wanted)
        self.message_button.clicked.connect(lambda: self._do())
        self.notice.passing.over.connect(self._say_what_is_known)
        self.opener = StackOpener(self.grid, self._toggle_stack)

    # What is shown

    def show_answer(self, answer: Answer, filtered: bool) -> None:
        """Show the first results of a question; ``filtered``: filters restrict it."""
        refined = self._answer is not None and _refines(answer.query, self._answer.query)
        self._answer = answer
        self._say_what_is_known()
        self.grid.set_dimmed(False)
        before, self.hits = self.hits, list(answer.hits)
        number = len(self.hits)
        same = [hit.assetId for hit in self.hits] == [hit.assetId for hit in before[:number]]
        self._stacks.begin(self.hits)
        if not answer.hits:
            self.model.show([])
            self._show_nothing_found(answer, filtered)
            return
        self.stack.setCurrentWidget(self.split)
        if same:  # the selection and the place stay
            self.model.adjust(self._stacks.tiles())
            return
        current = self.grid.current_tile() if refined else None
        self.model.show(self._stacks.tiles())
        if current is not None:  # it got a thumb: who works by keyboard goes on from there
            current_id = current.asset_id
            row = self.model.find(lambda tile: tile.asset_id == current_id)
            self.grid.select_row(row or 0)
        elif self.preview.isVisible():
            self.grid.select_row(0)

    def add(self, answer: Answer) -> None:
        """More results of the same question."""
        self._say_what_is_known()
        known = {hit.assetId for hit in self.hits if hit.named}
        more = [hit for hit in answer.hits if hit.assetId not in known]
        self.hits += more
        self._stacks.add(more)
        rows = self.model.rowCount()
        self.model.adjust(self._stacks.tiles())
        if rows == self.model.rowCount() and answer.next_offset is not None:
            self.more_wanted.emit()  # all of them are behind others

    def clear(self) -> None:
        """Forget what was found."""
        self.hits = []
        self._stacks.begin([])
        self._answer = None
        self.model.show([])
        self.notice.hide()
        self.grid.set_dimmed(False)
        self.stack.setCurrentWidget(self.split)

    def show_slow(self) -> None:
        """New results are on their way: the old ones stay, dimmed."""
        self.grid.set_dimmed(True)
        if not self.hits:
            self.stack.setCurrentWidget(self.split)

    def show_error(self, error: AppError) -> None:
        """A question was not answered; results that are there stay, dimmed."""
        away = isinstance(error, WorkerAwayError)
        icon_name = "hourglass" if away else "warning-circle"
        message, hint = error.message, AWAY_HINT if away else error.hint
        if self.hits:
            self.grid.set_dimmed(True)
            self.notice.show_message(icon_name, f"{message} {hint}".strip())
        else:
            self.message.set_text(message, hint, icon_name)
            self._offer("" if away else "Try again", self.again_wanted.emit)

    def _say_what_is_known(self) -> None:
        """One line where nothing looks like what was asked for, or cannot be read."""
        self.notice.hide()
        answer, model = self._answer, self.answering
        if answer is None or not answer.hits:
            return
        texts = [term.text or "" for term in answer.query.terms]
        language, known = person_language(), answer.known
        unread = model and is_unread(" ".join(texts), model.spec, known=known, language=language)
        if unread and not answer.named:
            self.notice.show_message(
                "translate",
                f"The model in use reads English only. {RECOMMENDED_FOR_OTHERS.title} understands "
                f"{'many languages' if is_english(language) else language_name(language)}.",
                "Show models",
                self.models_wanted.emit,
            )
        elif answer.unused:
            self.notice.show_message("thumbs-up", _unused(answer.unused))
        elif not known or answer.named:
            self.notice.show_message("magnifying-glass", said(answer))

    def _show_nothing_found(self, answer: Answer, filtered: bool) -> None:
        least, best = answer.query.minScore, answer.best
        if least is not None and best is not None:
            lower = int(best * 100) / 100
            self.message.set_text(
                f"Nothing scores {least:.2f} or more",
                f"The best picture has {best:.2f}.",
                "magnifying-glass",
            )
            self._offer(f"Lower to {max(lower, 0):.2f}", lambda: self.score_wanted.emit(lower))
        elif answer.left_out:
            self.message.set_text(
                "No picture is left",
                "Each one that shows what you look for also shows what you want to do without.",
                "magnifying-glass",
            )
            self._offer("", self.again_wanted.emit)
        elif filtered:
            self.message.set_text(
                "No picture matches the filters",
                "Without them, the search looks at every picture.",
                "funnel",
            )
            self._offer("Clear filters", self.filters_unwanted.emit)
        else:
            self.message.set_text(
                "No picture was found", "They may all be missing or excluded.", "magnifying-glass"
            )
            self._offer("Search again", self.again_wanted.emit)

    def _offer(self, text: str, do: Callable[[], None]) -> None:
        self._do = do
        self.message_button.setText(text)
        self.message_button.setVisible(bool(text))
        self.stack.setCurrentWidget(self.message)

    def facts(self, tile: Tile) -> Details | None:
        hit = next((hit for hit in self.hits if hit.assetId == tile.asset_id), None)
        return None if hit is None else _facts(hit)

    # Stacks, files that are somewhere else

    def _toggle_stack(self, asset_id: int) -> None:
        first = self._stacks.toggle(asset_id)
        if first is not None:
            self.grid.show_in_place(lambda: self.model.show(self._stacks.tiles()))
            self.grid.select_row(self.model.find(lambda tile: tile.asset_id == first) or 0)

    def show_files(self, result: ActResult) -> None:
        """Files were put into the trash, or are somewhere else."""
        ids = set(result.done)
        if not self.hits or (result.kind != "restore" and ids.isdisjoint(_ids(self.hits))):
            return
        if result.kind != "trash":
            self.again_wanted.emit()
            return
        self.hits = [hit for hit in self.hits if hit.assetId not in ids]
        rows = [row for row in range(self.model.rowCount()) if self._is_of(row, ids)]
        self._stacks.without(ids)
        tiles = self._stacks.tiles()
        gone = [(row, row) for row in rows] if len(tiles) < self.model.rowCount() else []
        self.grid.show_anew(lambda: self.model.show(tiles), gone)
        if not tiles:
            self.again_wanted.emit()  # and it is said that nothing is left

    def _is_of(self, row: int, ids: set[int]) -> bool:
        tile = self.model.row(row)
        return tile is not None and tile.asset_id in ids


def _ids(hits: list[SearchHit]) -> set[int]:
    return {hit.assetId for hit in hits}


def said(answer: Answer) -> str:
    """In which order the pictures are, or that nothing looks like what was asked for."""
    wanted = (term.text for term in answer.query.terms if term.text and term.weight > 0)
    quoted = " and ".join(f"“{words.shorten(' '.join(text.split()), 60)}”" for text in wanted)
    if not answer.named:
        return f"Nothing here looks like {quoted}. Closest:"
    which = "that has" if answer.named == 1 else "that have"
    named = f"{words.plural(answer.named, 'picture')} {which} {quoted} in the name or folder"
    if not answer.known:
        return f"First {named}, then the closest."
    return f"{named}." if answer.hits[0].named else f"First what looks like it, then {named}."


def _refines(query: SearchQuery, before: SearchQuery) -> bool:
    """Only the thumbs are others."""
    thumbs = {"liked": before.liked, "disliked": before.disliked}
    return query != before and query.model_copy(update=thumbs) == before


def _unused(number: int) -> str:
    """That some of the pictures with a thumb are not known to the model."""
    marked = f"{words.plural(number, 'picture')} with a thumb"
    do, them = ("does", "it") if number == 1 else ("do", "them")
    return f"{marked} {do} not count: this model has not indexed {them}."


def _tile(hit: SearchHit) -> Tile:
    tile = tile_for(hit.assetId, hit.path, note="" if hit.named else f"{hit.score:.2f}")
    return replace(tile, width=hit.width, height=hit.height)


def _facts(hit: SearchHit) -> Details:
    return [
        ("Score", "" if hit.named else f"{hit.score:.3f}"),
        ("Dimensions", words.dimensions(hit.width, hit.height)),
        ("File size", words.size(hit.size)),
        ("Format", hit.format or ""),
        date_of(hit.takenAt, hit.modifiedNs),
    ]
