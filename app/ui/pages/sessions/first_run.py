"""What a person sees before there is any session: an invitation, and which model will look."""

from __future__ import annotations

import asyncio

from PySide6.QtCore import QTimer, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from app.api.training_schemas import TrainingSessionCreate
from app.bundled import RESOURCES
from app.config import BUILTIN_MODEL, get_settings, save_setting, set_by
from app.embedding.catalogue import CURATED, ModelChoice, model_title, recommended
from app.printable import printable
from app.services.backend import Backend
from app.ui.parts import words
from app.ui.parts.actions import ActionRunner
from app.ui.parts.choice_box import ChoiceBox
from app.ui.parts.engine_panel import EnginePanel
from app.ui.parts.file_dialogs import choose_folder
from app.ui.parts.language import person_language
from app.ui.parts.model_download import DownloadOffer
from app.ui.parts.theme import SPACE_L, SPACE_M, SPACE_S, SPACE_XL, SPACE_XXL
from app.ui.parts.widgets import IconLabel, button, label, line

WIDTH = 520
OWN_MODEL = ""
_INVITATION = (
    "Afterimage looks at every picture in a folder once, on this computer. "
    "From then on you find any of them by describing it."
)


class FirstRunPage(QScrollArea):
    """Choose a folder, try the samples, get the engine, choose the model."""

    folder_chosen = Signal(str)
    created = Signal(int)
    """A session with the sample pictures, to be started."""
    engine_changed = Signal()

    def __init__(self, backend: Backend, runner: ActionRunner) -> None:
        super().__init__()
        self._backend, self._runner = backend, runner
        self.setWidgetResizable(True)
        self.setAccessibleName("Welcome")
        self.choose_button = button("Choose a folder…", "primary", "folder-open")
        self.samples_button = button("Try it with sample pictures", "", "image")
        self.engine = EnginePanel(backend, runner, invite=True)
        self.engine.setFixedWidth(WIDTH)
        self.engine.changed.connect(self.engine_changed)
        self.model = ModelBox(backend, runner)
        self.choose_button.clicked.connect(self._choose)
        self.samples_button.clicked.connect(self._try_samples)
        centre = QWidget()
        outer = QHBoxLayout(centre)
        outer.setContentsMargins(SPACE_L, SPACE_L, SPACE_L, SPACE_L)
        outer.addStretch()
        outer.addLayout(self._column())
        outer.addStretch()
        self.setWidget(centre)

    def _column(self) -> QVBoxLayout:
        title, text = label("Find any picture by describing it", "title"), label(_INVITATION)
        text.setWordWrap(True)
        text.setFixedWidth(WIDTH)
        buttons = QHBoxLayout()
        buttons.setSpacing(SPACE_S)
        buttons.addWidget(self.choose_button)
        buttons.addWidget(self.samples_button)
        buttons.addStretch()
        column = QVBoxLayout()
        column.setSpacing(SPACE_M)
        column.addStretch(2)
        column.addWidget(IconLabel("aperture", "accent", 48))
        column.addSpacing(SPACE_S)
        column.addWidget(title)
        column.addWidget(text)
        column.addSpacing(SPACE_S)
        column.addLayout(buttons)
        column.addSpacing(SPACE_XL)
        column.addWidget(line())
        column.addSpacing(SPACE_M)
        column.addWidget(self.engine)
        column.addWidget(self.model)
        column.addStretch(3)
        return column

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        # by the loop, which does not run yet where a page is built
        QTimer.singleShot(0, self, self.engine.refresh)

    def _choose(self) -> None:
        choose_folder(self.window(), "Choose a folder of pictures", self.folder_chosen.emit)

    def _try_samples(self) -> None:
        async def create() -> int:
            async with self._backend.db() as db:
                session = await self._backend.training.create_session(
                    db,
                    TrainingSessionCreate(
                        name="Sample pictures",
                        rootPath=str(RESOURCES / "samples"),
                        model=BUILTIN_MODEL,
                    ),
                )
                return session.id

        self._runner.run(self.samples_button, create, done=self.created.emit, busy_text="Starting…")


class ModelBox(QWidget):
    """The model in force, the others, and what each is good for."""

    changed = Signal(str)

    def __init__(self, backend: Backend, runner: ActionRunner) -> None:
        super().__init__()
        self._runner = runner
        self._shown = ""
        self.choice = ChoiceBox()
        self.choice.setAccessibleName("Model")
        self.choice.setMinimumWidth(320)
        self._about = label(role="secondary")
        self._about.setWordWrap(True)
        self._about.setFixedWidth(WIDTH)
        self._best = recommended(person_language())
        self.better_button = button(f"Use {self._best.title} for your photos")
        self.better_button.clicked.connect(lambda: self.use(self._best.spec))
        self.offer = DownloadOffer(backend, runner, at_once=True)
        self.offer.setFixedWidth(WIDTH)
        below = QHBoxLayout()
        below.addWidget(self.better_button)
        below.addStretch()
        row = QHBoxLayout()
        row.setSpacing(SPACE_M)
        row.addWidget(label("Model"))
        row.addWidget(self.choice)
        row.addStretch()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, SPACE_XXL)
        column.setSpacing(SPACE_S)
        column.addLayout(row)
        column.addWidget(self._about)
        column.addWidget(self.offer)
        column.addSpacing(SPACE_S)
        column.addLayout(below)
        self.choice.activated.connect(self._picked)
        self.offer.others_asked.connect(self.choice.showPopup)
        self.show_model(get_settings().model)
        if name := set_by("model"):
            self.choice.setEnabled(False)
            self.better_button.hide()
            self._about.setText(f"Set by the variable {name} in the environment.")

    def show_model(self, spec: str, chosen: bool = False) -> None:
        """Show a model as the one in force, also one that is not in the list.

        Args:
            chosen: a person has picked it just now, so it is downloaded if it has to be.
        """
        self._shown = spec
        self.choice.clear()
        for item in CURATED:
            mark = " (recommended)" if item == self._best else ""
            self.choice.addItem(f"{item.title}{mark}", item.spec)
        if self.choice.findData(spec) < 0:
            self.choice.addItem(model_title(spec), spec)
        self.choice.insertSeparator(self.choice.count())
        self.choice.addItem("A checkpoint folder of your own…", OWN_MODEL)
        self.choice.setCurrentIndex(self.choice.findData(spec))
        self._about.setText(about_model(spec))
        self.offer.show_model(spec, chosen)
        self.better_button.setVisible(spec == BUILTIN_MODEL)

    def use(self, spec: str) -> None:
        """Put a model in force for the sessions to come."""
        if spec == self._shown:
            return

        async def save() -> None:
            await asyncio.to_thread(save_setting, "model", spec)

        def saved(_: None) -> None:
            self.changed.emit(spec)

        before = self._shown
        self.show_model(spec, chosen=True)
        task = self._runner.run(None, save, done=saved)
        task.add_done_callback(lambda _task: self._check(before))

    def _check(self, before: str) -> None:
        """Go back to what is in force where the new one could not be saved."""
        if get_settings().model != self._shown:
            self.show_model(before)

    def _picked(self, index: int) -> None:
        spec = str(self.choice.itemData(index))
        if spec != OWN_MODEL:
            self.use(spec)
            return
        self.choice.setCurrentIndex(self.choice.findData(self._shown))
        choose_folder(self.window(), "Choose the folder of a checkpoint", self.use)


def about_model(spec: str) -> str:
    """What a model is good for, and what it costs to get."""
    found = next((item for item in CURATED if item.spec == spec), None)
    if found is None:
        return f"A model of your own, from {words.elide_path(printable(spec), 56)}"
    return f"{found.description} {_cost(found)}"


def _cost(choice: ModelChoice) -> str:
    languages = f"Language of descriptions: {choice.languages}."
    if not choice.download_mb:
        return f"{languages} Nothing is downloaded."
    size = words.size(choice.download_mb * 1_000_000)
    return f"{languages} {size} are downloaded once; your pictures never leave this computer."
