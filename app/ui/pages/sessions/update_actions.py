"""Update, relocate and remove missing pictures of the session that is shown."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QFileDialog, QWidget

from app.printable import printable
from app.ui.pages.sessions import update_words
from app.ui.parts import words
from app.ui.parts.commands import make_action
from app.ui.parts.confirm import ConfirmDialog, ask
from app.ui.parts.file_dialogs import choose_folder

if TYPE_CHECKING:
    from app.api.training_schemas import TrainingProgress
    from app.api.update_schemas import MissingPreview, RelocationPreview, UpdateSummary
    from app.services.backend import Backend
    from app.ui.parts.actions import ActionRunner

_AT_REST = ("completed", "paused", "failed")


def possible(progress: TrainingProgress | None, looking: bool = False) -> frozenset[str]:
    """The actions that can act on a session as it is."""
    if progress is None or looking or progress.status not in _AT_REST:
        return frozenset()
    gone = progress.lastUpdate is not None and progress.lastUpdate.gone > 0
    return frozenset({"update", "relocate", "prune"} if gone else {"update", "relocate"})


class UpdateActions(QObject):
    """One object behind menu, buttons and keys.

    Args:
        actions: those of the menu, by their names.
    """

    changed = Signal()
    """Something was done: ask how the session is now."""
    stepped = Signal(int)
    """An update of this session got on; see :meth:`looked_at`."""
    updated = Signal(int)
    """An update of this session has ended."""

    def __init__(
        self,
        parent: QWidget,
        backend: Backend,
        runner: ActionRunner,
        actions: Mapping[str, QAction],
    ) -> None:
        super().__init__(parent)
        self._page = parent
        self._backend = backend
        self._runner = runner
        self._shown: TrainingProgress | None = None
        self._looking: dict[int, tuple[threading.Event, int]] = {}
        self.question: ConfirmDialog | None = None
        self.chooser: QFileDialog | None = None
        self.actions = {name: actions[name] for name in ("update", "relocate")}
        self.actions["prune"] = make_action(
            self, "Remove &missing…", "", "Remove from the index the pictures whose files are gone"
        )
        self.actions["update"].triggered.connect(lambda: self._shown and self.update(self._id()))
        self.actions["relocate"].triggered.connect(self._choose_folder)
        self.actions["prune"].triggered.connect(self._preview_missing)
        self.show_session(None)

    def show_session(self, progress: TrainingProgress | None) -> None:
        """Act on this session from now on."""
        self._shown = progress
        able = possible(progress, self.looked_at(self._id()) is not None)
        for name, action in self.actions.items():
            self._runner.set_enabled(action, name in able)

    def looked_at(self, session_id: int) -> int | None:
        """How many files an update of a session has looked at; None while there is none."""
        under_way = self._looking.get(session_id)
        return under_way[1] if under_way else None

    # --- update ---------------------------------------------------------------------------------

    def update(self, session_id: int) -> None:
        """Look for changes in a session's folders; asking twice does it once."""
        if session_id in self._looking:
            return
        stop = threading.Event()
        self._looking[session_id] = (stop, 0)

        def step(number: int) -> None:
            self._looking[session_id] = (stop, number)
            self.stepped.emit(session_id)

        async def work() -> UpdateSummary:
            async with self._backend.db() as db:
                return await self._backend.updates.update(db, session_id, step, stop.is_set)

        task = self._runner.run(None, work)
        task.add_done_callback(lambda _: self._ended(session_id))
        self.show_session(self._shown)
        self.stepped.emit(session_id)

    def stop(self, session_id: int) -> None:
        """End an update after the files that it is at; what it found is kept."""
        if session_id in self._looking:
            self._looking[session_id][0].set()

    def _ended(self, session_id: int) -> None:
        self._looking.pop(session_id, None)
        self.show_session(self._shown)
        self.stepped.emit(session_id)
        self.updated.emit(session_id)
        self.changed.emit()

    # --- missing pictures -----------------------------------------------------------------------

    def _preview_missing(self) -> None:
        session_id = self._id()

        async def work() -> MissingPreview:
            async with self._backend.db() as db:
                return await self._backend.updates.preview_missing(db, session_id)

        self._runner.run(
            self.actions["prune"], work, done=lambda preview: self._ask_prune(session_id, preview)
        )

    def _ask_prune(self, session_id: int, preview: MissingPreview) -> None:
        self.question = ask(
            self._page,
            f"Remove {words.plural(preview.missing, 'missing picture')}?",
            update_words.missing_text(preview),
            yes="Remove from the index",
            no="Keep them",
            then=lambda: self._prune(session_id),
        )

    def _prune(self, session_id: int) -> None:
        async def work() -> int:
            async with self._backend.db() as db:
                return await self._backend.updates.prune(db, session_id)

        self._runner.run(
            self.actions["prune"],
            work,
            done=lambda _: self.changed.emit(),
            busy_text="Removing…",
        )

    # --- a folder that has moved ----------------------------------------------------------------

    def _choose_folder(self) -> None:
        if self._shown is None:
            return
        session_id, begin = self._shown.sessionId, self._shown.rootPath
        self.chooser = choose_folder(
            self._page.window(),
            "Where is the folder now?",
            lambda folder: self.preview_move(session_id, folder),
            begin,
        )

    def preview_move(self, session_id: int, folder: str) -> None:
        """Look whether the pictures are in this folder, and ask."""

        async def work() -> RelocationPreview:
            async with self._backend.db() as db:
                return await self._backend.updates.preview_relocation(db, session_id, folder)

        self._runner.run(
            self.actions["relocate"],
            work,
            done=lambda preview: self._ask_move(session_id, folder, preview),
        )

    def _ask_move(self, session_id: int, folder: str, preview: RelocationPreview) -> None:
        if preview.sampled and not preview.found:
            self._move(session_id, folder)  # which says why it is not possible
            return
        self.question = ask(
            self._page,
            f"Use {words.elide_path(printable(folder), 44)}?",
            update_words.relocation_text(preview),
            yes="Use this folder",
            no="Keep the old one",
            then=lambda: self._move(session_id, folder),
        )

    def _move(self, session_id: int, folder: str) -> None:
        async def work() -> int:
            async with self._backend.db() as db:
                return await self._backend.updates.relocate(db, session_id, folder)

        def done(_: int) -> None:
            self.changed.emit()
            self.update(session_id)  # files that were copied may have another time

        self._runner.run(self.actions["relocate"], work, done=done)

    def _id(self) -> int:
        return self._shown.sessionId if self._shown else 0
