"""Models: which there are, what each is good for, and changing from one to another."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import shiboken6
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QScrollArea, QVBoxLayout, QWidget

from app.errors import AppError
from app.ui.pages.models import words as model_words
from app.ui.pages.models.card import ModelCard
from app.ui.parts.confirm import ConfirmDialog, ask
from app.ui.parts.engine_panel import EnginePanel
from app.ui.parts.file_dialogs import choose_folder
from app.ui.parts.language import person_language
from app.ui.parts.reveal import reveal
from app.ui.parts.theme import SPACE_L
from app.ui.parts.widgets import Page, Skeleton, button, label, line

if TYPE_CHECKING:
    from app.api.model_schemas import ModelDownload, ModelRow
    from app.services.backend import Backend
    from app.ui.parts.actions import ActionRunner
    from app.ui.parts.poller import Poller

LIST_EVERY_S = 3.0
_ABOUT = (
    "A model decides what a description can find. Several can be kept side by side; a search uses "
    "the newest one that has indexed your pictures."
)


class ModelsPage(Page):
    """The engine, and a card for each model; what takes time goes on when the page is left."""

    engine_changed = Signal()

    def __init__(
        self,
        backend: Backend,
        runner: ActionRunner,
        poller: Poller,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__("Models", parent)
        self._backend, self._runner = backend, runner
        self.cards: dict[str, ModelCard] = {}
        self.question: ConfirmDialog | None = None
        self._downloads: dict[str, ModelDownload] = {}
        self.add_button = button("Add a model folder…", "", "folder-plus")
        self.add_button.clicked.connect(self._choose_folder)
        self.add_buttons([self.add_button])
        self.about = label(_ABOUT, tone="secondary")
        self.about.setWordWrap(True)
        self.summary = label(role="count", tone="secondary")
        self.problem = label(tone="failed")
        self.problem.setWordWrap(True)
        self.problem.hide()
        self.engine = EnginePanel(backend, runner, invite=False)
        self.engine.changed.connect(self.engine_changed)
        self._skeleton = Skeleton(8)
        self._skeleton.start()
        self._lay_out()
        self._list = poller.watch(self._fetch, self.show_rows, owner=self, every_s=LIST_EVERY_S)
        poller.watch(backend.engine.state, self.engine.show_state, owner=self, every_s=LIST_EVERY_S)
        poller.watch(self._fetch_downloads, self.show_downloads, owner=self)

    def _lay_out(self) -> None:
        inside = QWidget()
        self._column = QVBoxLayout(inside)
        self._column.setContentsMargins(0, 0, SPACE_L, 0)
        self._column.setSpacing(0)
        self._column.addStretch()
        self.area = QScrollArea()
        self.area.setWidgetResizable(True)
        self.area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.area.setAccessibleName("Models")
        self.area.setWidget(inside)
        self.area.hide()
        for part in (self.engine, self.about, self.summary, self.problem, line()):
            self.body.addWidget(part)
        self.body.addWidget(self._skeleton, 1)
        self.body.addWidget(self.area, 1)

    # Looking

    async def _fetch(self) -> list[ModelRow]:
        async with self._backend.db() as db:
            return await self._backend.models.list(db, person_language())

    async def _fetch_downloads(self) -> dict[str, ModelDownload]:
        return self._backend.models.downloads()

    def show_rows(self, rows: list[ModelRow]) -> None:
        """Show the models as they are now; cards stay where they are."""
        self._skeleton.stop()
        self._skeleton.hide()
        self.area.show()
        self.summary.setText(model_words.summary(rows))
        for spec in set(self.cards) - {row.spec for row in rows}:
            self.cards.pop(spec).deleteLater()
        for place, row in enumerate(rows):
            card = self.cards.get(row.spec) or self._add_card(row, place)
            card.show_row(row, others=bool(self._others(rows, row)))
        self.show_downloads(self._downloads)

    def show_downloads(self, downloads: dict[str, ModelDownload]) -> None:
        """Show how far downloads are; where one has ended, look at the models again."""
        ended = set(self._downloads) - set(downloads)
        self._downloads = downloads
        for spec, card in self.cards.items():
            card.show_download(downloads.get(spec))
        if ended:
            self._list.now()

    def _add_card(self, row: ModelRow, place: int) -> ModelCard:
        card = ModelCard(row)
        card.wanted.connect(lambda name, card=card: self._do(name, card))
        self.cards[row.spec] = card
        self._column.insertWidget(place, card)
        return card

    @staticmethod
    def _others(rows: list[ModelRow], row: ModelRow) -> list[ModelRow]:
        return [other for other in rows if other.spec != row.spec and other.sessions]

    # Doing

    def _do(self, name: str, card: ModelCard) -> None:
        card.show_problem("")
        getattr(self, f"_{name.replace('-', '_')}")(card)

    def _download(self, card: ModelCard) -> None:
        spec, models = card.row.spec, self._backend.models
        self._runner.run(None, lambda: models.download(spec))
        self._look_soon()

    def _stop(self, card: ModelCard) -> None:
        self._backend.models.stop_download(card.row.spec)
        self._look_soon()

    def _look_soon(self) -> None:
        # the task has begun by then, or the stop has been noted
        self._runner.run(None, self._fetch_downloads, done=self.show_downloads)

    def _use(self, card: ModelCard) -> None:
        spec = card.row.spec
        self._run(card, lambda: self._backend.models.use(spec), "Saving…")

    def _measure(self, card: ModelCard) -> None:
        spec = card.row.spec
        card.measure_button.show()
        self._run(
            card,
            lambda: self._backend.models.measure(spec),
            "Measuring…",
            control=card.measure_button,
        )

    def _folder(self, card: ModelCard) -> None:
        folder = card.row.folder
        self._run(card, lambda: reveal(folder))

    def _switch(self, card: ModelCard) -> None:
        row = card.row
        rows = [other.row for other in self.cards.values()]
        title, text = model_words.switch_question(row, self._others(rows, row))

        async def work() -> None:
            async with self._backend.db() as db:
                await self._backend.models.switch_sessions(db, row.spec)

        self.question = ask(
            self,
            title,
            text,
            yes="Index again",
            no="Not now",
            then=lambda: self._run(card, work, "Starting…"),
        )

    def _remove(self, card: ModelCard) -> None:
        row = card.row
        title, text = model_words.remove_question(row)
        self.question = ask(
            self,
            title,
            text,
            yes="Remove download",
            no="Keep it",
            then=lambda: self._run(card, lambda: self._backend.models.remove(row.spec)),
        )

    def _forget(self, card: ModelCard) -> None:
        spec = card.row.spec
        self._run(card, lambda: self._backend.models.remove(spec))

    def _remove_index(self, card: ModelCard) -> None:
        index = card.spare_index()
        if index is None:
            return
        title, text = model_words.remove_index_question(card.row, index.vectors)
        self.question = ask(
            self,
            title,
            text,
            yes="Remove index",
            no="Keep it",
            then=lambda: self._run(
                card, lambda: self._backend.models.remove_index(index.modelId), "Removing…"
            ),
        )

    def _choose_folder(self) -> None:
        choose_folder(self.window(), "Choose the folder of an OpenCLIP model", self.add_folder)

    def add_folder(self, folder: str) -> None:
        """Put a model folder on the list, or say beside the button why it is none."""

        async def work() -> str:
            try:
                await self._backend.models.add_folder(folder)
            except AppError as error:
                return str(error)
            return ""

        def done(problem: str) -> None:
            self.problem.setText(problem)
            self.problem.setVisible(bool(problem))
            self._list.now()

        self._runner.run(self.add_button, work, done=done, busy_text="Checking…")

    def _run(
        self,
        card: ModelCard,
        work: Callable[[], Awaitable[object]],
        busy_text: str | None = None,
        control: QWidget | None = None,
    ) -> None:
        """Do something with a model; what goes wrong stands on its card."""

        async def guarded() -> str:
            try:
                await work()
            except AppError as error:
                return str(error)
            return ""

        def done(problem: str) -> None:
            if shiboken6.isValid(card):
                card.show_problem(problem)
            self._list.now()

        self._runner.run(
            control or card.action_button,  # type: ignore[arg-type]
            guarded,
            done=done,
            busy_text=busy_text,
        )
