"""Which model is searched, how complete it is, and the choice where there are several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QWidget

from app.ui.parts import words
from app.ui.parts.choice_box import ChoiceBox
from app.ui.parts.theme import SPACE_S
from app.ui.parts.widgets import ElidedLabel

if TYPE_CHECKING:
    from app.api.search_schemas import SearchModel
    from app.services.backend import Backend
    from app.ui.parts.actions import ActionRunner
    from app.ui.parts.poller import Poller

EVERY_S = 5.0


class ModelLine(QWidget):
    """``Searching 12,345 of 19,900 pictures with CLIP ViT-B/32``."""

    looked = Signal(object)
    """The models as they are now, after each look."""
    switched = Signal()

    def __init__(self, backend: Backend, runner: ActionRunner, poller: Poller) -> None:
        super().__init__()
        self._backend, self._runner = backend, runner
        self.text = ElidedLabel(role="secondary")
        self.text.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self.choice = ChoiceBox()
        self.choice.setAccessibleName("Model to search with")
        self.choice.hide()
        self.choice.activated.connect(self._use)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE_S)
        row.addWidget(self.text)
        row.addWidget(self.choice)
        self._watch = poller.watch(self._fetch, self._show, owner=self, every_s=EVERY_S)

    def refresh(self) -> None:
        """Look now."""
        self._watch.now()

    def count_again(self) -> None:
        """Look now, and count anew: pictures were thrown away, or are back."""
        self._backend.search.count_again()
        self.refresh()

    def make_room(self, wanted: bool) -> None:
        """Leave the words out, for what is more to the point at the moment."""
        self.text.setHidden(wanted)

    async def _fetch(self) -> list[SearchModel]:
        async with self._backend.db() as db:
            return await self._backend.search.models(db)

    def _show(self, models: list[SearchModel]) -> None:
        used = next((row for row, model in enumerate(models) if model.inUse), None)
        several = len(models) > 1
        self.text.set_text("" if used is None else searching(models[used], several))
        self.text.updateGeometry()
        self.choice.setVisible(several)
        if several and used is not None and not self.choice.view().isVisible():
            self._fill(models)
            self.choice.setCurrentIndex(used)
        self.looked.emit(models)

    def _fill(self, models: Sequence[SearchModel]) -> None:
        texts = [f"{model.title} ({words.count(model.vectors)})" for model in models]
        if texts != [self.choice.itemText(row) for row in range(self.choice.count())]:
            self.choice.clear()
            for text, model in zip(texts, models, strict=True):
                self.choice.addItem(text, model.modelId)

    def _use(self, row: int) -> None:
        model_id = self.choice.itemData(row)

        async def work() -> None:
            async with self._backend.db() as db:
                await self._backend.search.use(db, model_id)

        def done(_: None) -> None:
            self.refresh()
            self.switched.emit()

        self._runner.run(None, work, done=done)


def searching(model: SearchModel, named_beside: bool) -> str:
    """What is searched; ``named_beside``: the model's name stands beside it."""
    pictures = words.plural(model.pictures, "picture")
    if model.vectors < model.pictures:
        pictures = f"{words.count(model.vectors)} of {pictures}"
    return f"Searching {pictures} with" + ("" if named_beside else f" {model.title}")
