"""Which model answers where it is not the chosen one, and the offer of one that finds more.

The built-in model answers from the first minute. A larger one is offered in a line; once a person
wants it, it is downloaded and indexes their pictures in the background, also after a restart, and
searches take it by themselves when it knows as many pictures.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QSettings, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.config import BUILTIN_MODEL, set_by
from app.embedding.catalogue import ModelChoice, is_english, recommended
from app.errors import AppError
from app.ui.parts import words
from app.ui.parts.file_dialogs import choose_folder
from app.ui.parts.language import language_name, person_language
from app.ui.parts.model_download import DownloadBar
from app.ui.parts.notice import Notice
from app.ui.parts.theme import SPACE_S
from app.ui.parts.widgets import button

if TYPE_CHECKING:
    from app.api.model_schemas import ModelRow
    from app.services.backend import Backend
    from app.ui.parts.actions import ActionRunner
    from app.ui.parts.poller import Poller, Watch

EVERY_S = 2.0
STILL_EVERY_S = 10.0
"""While nothing is on its way: looking goes through all pictures."""
WANTED = "search/wanted-model"
DECLINED = "search/larger-model-declined"
NOTHING_YET = "Nothing can be found by describing it yet, and nothing is being indexed."


class AnsweringLine(QWidget):
    """A line over the results; takes no room where the chosen model answers.

    Args:
        owner: the page; while it is not seen, only what is wanted goes on.
    """

    models_wanted = Signal()
    sessions_wanted = Signal()
    indexing = Signal(bool)
    """After each look: whether a session runs."""

    def __init__(
        self,
        backend: Backend,
        runner: ActionRunner,
        poller: Poller,
        memory: QSettings,
        owner: QWidget,
    ) -> None:
        super().__init__()
        self._backend, self._runner, self._poller = backend, runner, poller
        self._memory, self._owner = memory, owner
        self._wanted = str(memory.value(WANTED, "") or "")
        """The model that a person wants their pictures to be indexed with."""
        self._busy = 0
        """So many things are being done."""
        self._problem = ""
        self.notice = Notice()
        self.notice.close_button.hide()  # what is so stays said; an offer has Not now
        self.decline_button = button("Not now", "quiet")
        self.download = DownloadBar()
        self.builtin_button = button("Use the built-in model")
        self.other_button = button("Use another model…")
        self.folder_button = button("Use a model folder…")
        self._lay_out()
        self._connect()
        self._watch = self._begin_watch()

    def _lay_out(self) -> None:
        top, ways = QHBoxLayout(), QHBoxLayout()
        top.addWidget(self.notice, 1)
        top.addWidget(self.decline_button)
        self._ways = QWidget()
        for way in (self.builtin_button, self.other_button, self.folder_button):
            ways.addWidget(way)
        ways.addStretch()
        for row in (top, ways):
            row.setContentsMargins(0, 0, 0, 0)
            row.setSpacing(SPACE_S)
        self._ways.setLayout(ways)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE_S)
        column.addLayout(top)
        column.addWidget(self.download)
        column.addWidget(self._ways)
        self._show_nothing()
        self.hide()

    def _connect(self) -> None:
        self.decline_button.clicked.connect(self._decline)
        self.download.start_asked.connect(self._download)
        self.download.stop_asked.connect(self._stop)
        self.other_button.clicked.connect(self.models_wanted)
        self.builtin_button.clicked.connect(self.use_builtin)
        self.folder_button.clicked.connect(self._choose_folder)

    # Looking

    async def _fetch(self) -> list[ModelRow]:
        async with self._backend.db() as db:
            return await self._backend.models.list(db, person_language())

    def show_rows(self, rows: list[ModelRow]) -> None:
        """Show what there is to say, and go on with what a person wants."""
        chosen = next((row for row in rows if row.inUse), None)
        answers = next((row for row in rows if any(index.inSearch for index in row.indexes)), None)
        indexing = any(row.indexing for row in rows)
        if chosen is None or answers is None:
            self._show_nothing()
            if not indexing and any(row.sessions for row in rows):
                self._say_stopped(NOTHING_YET)
        elif self._wanted == chosen.spec:
            self._go_on(chosen, answers, rows)
        elif chosen is not answers:
            self._show_nothing()
            self._say(chosen, answers)
        else:
            self._offer(chosen, rows)

        seen = (self.notice, self.download, self._ways)
        self.setVisible(not all(part.isHidden() for part in seen))
        still = answers is not None and not self._wanted and not indexing
        self._watch.every_s = STILL_EVERY_S if still else EVERY_S
        self.indexing.emit(indexing)

    def _go_on(self, chosen: ModelRow, answers: ModelRow, rows: list[ModelRow]) -> None:
        """What is wanted is downloaded, then every session is indexed with it."""
        self._show_nothing()
        state = self._backend.models.downloads().get(chosen.spec)
        others = [row for row in rows if row.sessions and row is not chosen]
        if chosen.state != "ready":
            if state is None and not self._busy:
                self._download()
        elif others and not self._busy and not any(row.indexing for row in others):
            self._run(lambda: self._switch(chosen.spec))
        elif not others:
            self._want("")
        if chosen is not answers:
            self._say(chosen, answers)
        failed = state is not None and state.phase == "failed"
        self.download.show_state(state)
        self._ways.setVisible(failed or bool(self._problem))

    def _say(self, chosen: ModelRow, answers: ModelRow) -> None:
        wanted = self._wanted == chosen.spec
        text = self._problem or answering(chosen, answers, wanted)
        if wanted or chosen.indexing:
            self.notice.show_message("hourglass", text)
        elif chosen.sessions:
            self._say_stopped(text)
        else:
            self.notice.show_message("hourglass", text, "Show models", self.models_wanted.emit)

    def _say_stopped(self, text: str) -> None:
        self.notice.show_message("pause-circle", text, "Show sessions", self.sessions_wanted.emit)

    def _offer(self, chosen: ModelRow, rows: list[ModelRow]) -> None:
        self._show_nothing()
        language = person_language()
        larger = recommended(language)
        usable = any(row.spec == larger.spec and row.state != "unavailable" for row in rows)
        declined = str(self._memory.value(DECLINED, "")) == larger.spec
        if chosen.spec != BUILTIN_MODEL or declined or not usable or set_by("model"):
            return
        text = offering(larger, language, chosen)
        self.notice.show_message("sparkle", text, "Get it", lambda: self.get(larger.spec))
        self.decline_button.show()

    def _show_nothing(self) -> None:
        for part in (self.notice, self.decline_button, self._ways):
            part.hide()
        self.download.show_state(None)

    # Doing

    def get(self, spec: str) -> None:
        """Have everything indexed with a model, which is downloaded first."""

        async def choose() -> None:
            await self._backend.models.use(spec)

        self._want(spec)
        self._run(choose)

    def use_builtin(self) -> None:
        """Stay with the model that comes with the program."""
        self._stop()
        self._run(lambda: self._backend.models.use(BUILTIN_MODEL))

    def use_folder(self, folder: str) -> None:
        """Have everything indexed with the model in a folder."""

        async def choose() -> None:
            spec = await self._backend.models.add_folder(folder)
            await self._backend.models.use(spec)
            self._want(spec)

        self._run(choose)

    def _choose_folder(self) -> None:
        choose_folder(self.window(), "Choose the folder of an OpenCLIP model", self.use_folder)

    def _decline(self) -> None:
        self._memory.setValue(DECLINED, recommended(person_language()).spec)
        self._show_nothing()
        self.hide()

    def _stop(self) -> None:
        self._backend.models.stop_download(self._wanted)
        self._want("")
        self._watch.now()

    def _download(self) -> None:
        spec = self._wanted
        self._run(lambda: self._backend.models.download(spec))

    async def _switch(self, spec: str) -> None:
        async with self._backend.db() as db:
            await self._backend.models.switch_sessions(db, spec)

    def _want(self, spec: str) -> None:
        self._wanted = spec
        self._memory.setValue(WANTED, spec)
        self._watch.stop()
        self._watch = self._begin_watch()

    def _begin_watch(self) -> Watch:
        owner = None if self._wanted else self._owner  # what is wanted goes on unseen
        return self._poller.watch(self._fetch, self.show_rows, owner=owner, every_s=EVERY_S)

    def _run(self, work: Callable[[], Awaitable[object]]) -> None:
        """Do something; what goes wrong is said in the line."""
        self._busy, self._problem = self._busy + 1, ""

        async def guarded() -> None:
            try:
                await work()
            except AppError as error:
                self._problem = str(error)
            finally:
                self._busy -= 1

        self._runner.run(None, guarded, done=lambda _: self._watch.now())


def answering(chosen: ModelRow, answers: ModelRow, wanted: bool) -> str:
    """``Searches use the built-in model until CLIP has indexed your pictures: 9 of 19,900.``"""
    used = "the built-in model" if answers.spec == BUILTIN_MODEL else answers.title
    if not wanted and not chosen.sessions:
        return f"Searches use {used}: no picture is indexed with {chosen.title} yet."
    if not wanted and not chosen.indexing:
        part = f"{words.count(chosen.vectors)} of {words.plural(chosen.pictures, 'picture')}"
        return f"Searches use {used}: {chosen.title} knows {part}, and nothing is being indexed."
    if chosen.state != "ready" and not chosen.sessions:
        return f"Searches use {used} until {chosen.title} is here and has indexed your pictures."
    known = f": {words.count(chosen.vectors)} of {words.count(chosen.pictures)}"
    until = f"Searches use {used} until {chosen.title} has indexed your pictures"
    return f"{until}{known if chosen.pictures else ''}."


def offering(larger: ModelChoice, language: str, builtin: ModelRow) -> str:
    """``SigLIP 2 finds more, and understands German: 1.5 GB, about 4 minutes here.``"""
    text = f"{larger.title} finds more"
    if not is_english(language):
        text += f", and understands {language_name(language)}"
    text += f": {words.size(larger.download_mb * 1_000_000)} to download"
    if (known := builtin.speed) and known.picturesPerSecond and builtin.pictures:
        seconds = builtin.pictures * larger.cost / known.picturesPerSecond
        text += f", then about {words.duration(seconds)} of indexing on this computer"
    return f"{text}."
