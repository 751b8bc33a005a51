"""The New session dialog: which folders, and how."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLineEdit, QScrollArea, QVBoxLayout, QWidget

from app.errors import AppError
from app.printable import printable
from app.scan.discovery import PictureCounter
from app.ui.pages.sessions.folder_field import FolderField, SameFolder
from app.ui.pages.sessions.folder_nodes import Chosen
from app.ui.pages.sessions.folder_tree import FolderTree
from app.ui.pages.sessions.session_options import SessionOptions
from app.ui.parts import words
from app.ui.parts.fields import error_label, field, set_error
from app.ui.parts.file_dialogs import choose_folder
from app.ui.parts.fitting import fit_size
from app.ui.parts.theme import SPACE_L, SPACE_M, SPACE_S, SPACE_XL, SPACE_XS
from app.ui.parts.widgets import button, label, line

if TYPE_CHECKING:
    from app.api.training_schemas import TrainingProgress, TrainingSessionCreate
    from app.services.backend import Backend
    from app.ui.parts.actions import ActionRunner
    from app.ui.parts.poller import Poller

RATES = 5
"""So many earlier sessions with the same model tell how fast this computer is."""


class NewSessionDialog(QDialog):
    """Open it with ``open()``; ``created`` names the session that is to be started.

    Args:
        folder: what to begin with: a dropped folder, or the last one.
    """

    created = Signal(int)
    update_wanted = Signal(int)
    """A session over this folder is to be updated instead."""

    def __init__(
        self,
        backend: Backend,
        runner: ActionRunner,
        poller: Poller,
        folder: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("New session")
        self.setWindowModality(Qt.WindowModality.WindowModal)
        self.setAcceptDrops(True)
        self._backend, self._runner = backend, runner
        self._root = ""
        self._named = False
        self._sessions: list[TrainingProgress] = []
        self.folder, self.name = FolderField(), QLineEdit()
        self.choose_button = button("Choose…", icon_name="folder-open")
        self.folder_error = error_label()
        self.same = SameFolder()
        self.tree = FolderTree(poller.track)
        self._inside = QWidget()
        self.note = label(role="secondary")
        self.options = SessionOptions(backend, runner)
        self.summary = label(role="count")
        self.create_button = button("Create and start", "primary")
        self.cancel_button = button("Cancel")
        self._lay_out()
        self._connect()
        self._runner.run(None, self._list_sessions, done=self._know_sessions)
        self.set_folder(folder)

    # Looks

    def _lay_out(self) -> None:
        self.folder.setPlaceholderText("Choose a folder of pictures, or drop it here")
        self.folder.setAccessibleName("Folder")
        self.name.setPlaceholderText("Named after the folder")
        self.name.setMaxLength(200)
        self.name.setAccessibleName("Name")
        self.note.setWordWrap(True)
        self.note.hide()
        where = QWidget()
        row = QHBoxLayout(where)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE_S)
        row.addWidget(self.folder, 1)
        row.addWidget(self.choose_button)
        bottom = QHBoxLayout()
        bottom.setSpacing(SPACE_S)
        bottom.addStretch()
        bottom.addWidget(self.cancel_button)
        bottom.addWidget(self.create_button)
        self.summary.setWordWrap(True)
        self.create_button.setDefault(True)
        self.tree.setMinimumHeight(132)
        column = QVBoxLayout(self._inside)
        column.setContentsMargins(SPACE_XL, SPACE_L, SPACE_XL, 0)
        column.setSpacing(SPACE_M)
        column.addLayout(field("Folder", where, self.folder_error))
        column.addWidget(self.same)
        below = QVBoxLayout()
        below.setSpacing(SPACE_XS)
        for part in (self.summary, self.note):
            part.setMinimumHeight(part.sizeHint().height())
            below.addWidget(part)
        column.addWidget(self.tree, 1)
        column.addLayout(below)
        column.addLayout(field("Name", self.name))
        column.addWidget(self.options)
        self.area = QScrollArea()
        self.area.setWidgetResizable(True)
        self.area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.area.setWidget(self._inside)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, SPACE_L)
        outer.setSpacing(SPACE_M)
        outer.addWidget(self.area, 1)
        outer.addWidget(line())
        bottom.setContentsMargins(SPACE_XL, 0, SPACE_XL, 0)
        outer.addLayout(bottom)
        for other in (self.choose_button, self.options.toggle, self.cancel_button):
            other.setAutoDefault(False)
        fit_size(self, QSize(620, 600))

    def _connect(self) -> None:
        self.choose_button.clicked.connect(self._choose)
        self.folder.textEdited.connect(self._show_chosen)
        self.folder.editingFinished.connect(self._read_typed)
        self.name.textEdited.connect(self._name_edited)
        self.tree.folders.chosen_changed.connect(self._show_chosen)
        self.tree.folders.root_problem.connect(self._root_problem)
        self.options.toggle.toggled.connect(self._make_room)
        self.options.recursive_changed.connect(self._show_chosen)
        self.options.files_changed.connect(self._recount)
        self.options.model_changed.connect(self._show_chosen)
        self.create_button.clicked.connect(self._create)
        self.same.update_button.clicked.connect(self._update_instead)
        self.cancel_button.clicked.connect(self.reject)

    def _make_room(self, unfolded: bool) -> None:
        """Grow for the options as far as the screen allows, and scroll to them beyond that."""
        if unfolded:
            missing = self._inside.minimumSizeHint().height() - self.area.viewport().height()
            fit_size(self, self.size() + QSize(0, max(missing, 0)))
            # once all of it has its new place
            QTimer.singleShot(0, self, lambda: self.area.ensureWidgetVisible(self.options))

    # Folder and name

    @property
    def root(self) -> str:
        """The folder that was chosen."""
        return self._root

    def set_folder(self, path: str) -> None:
        """Show a folder with everything in it ticked."""
        self._root = os.path.abspath(os.path.expanduser(path)) if path else ""
        self.folder.setText(printable(self._root))
        set_error(self.folder_error, "")
        if not self._named:
            self.name.setText(printable(os.path.basename(self._root) or self._root))
        self.tree.folders.set_root(self._root, self._counter())

    def _choose(self) -> None:
        choose_folder(self, "Choose a folder of pictures", self.set_folder, self._root)

    @property
    def _unread(self) -> bool:
        """Another folder is typed than the one that is shown."""
        # a name that cannot be typed is kept as it is
        return self.folder.text().strip() != printable(self._root)

    def _read_typed(self) -> None:
        if self._unread:
            self.set_folder(self.folder.text().strip())

    def _name_edited(self, text: str) -> None:
        self._named = bool(text.strip())

    def _root_problem(self, problem: str) -> None:
        sentence = problem if problem.endswith(".") else f"The folder {problem}."
        set_error(self.folder_error, sentence)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        paths = [url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()]
        if paths:
            event.acceptProposedAction()
            self.set_folder(paths[0])

    # What it comes to

    def _counter(self) -> PictureCounter:
        """Counts the files that are wanted."""
        options = self.options
        exclude = options.exclude() if options.check() else []
        return PictureCounter(options.extensions(), self._root, exclude)

    def _recount(self) -> None:
        self.tree.folders.recount(self._counter())

    async def _list_sessions(self) -> list[TrainingProgress]:
        async with self._backend.db() as db:
            return await self._backend.training.list_sessions(db)

    def _know_sessions(self, sessions: list[TrainingProgress]) -> None:
        self._sessions = sessions
        self._show_chosen()

    def _show_chosen(self, *_: object) -> None:
        recursive = self.options.recursive.isChecked()
        chosen = self.tree.folders.chosen()
        self.tree.setEnabled(recursive and bool(self._root) and not self._unread)
        self.note.setText(note(chosen, recursive, self._root))
        self.note.setVisible(bool(self.note.text()))
        self.summary.setText(self._sentence(chosen, recursive))
        self.same.show_session(None if self._unread else self._known_session())
        usable = bool(self._root) and not self._unread and not (recursive and chosen.nothing)
        self._runner.set_enabled(self.create_button, usable)

    def _sentence(self, chosen: Chosen, recursive: bool) -> str:
        root = self.tree.folders.root
        if self._unread:
            return "Press Enter to look into this folder."
        if root is None or self.folder_error.text():
            return ""
        pictures, size, complete = chosen.pictures, chosen.size, chosen.complete
        if not recursive:
            own = root.own or (root.whole if root.leaf else None)
            pictures, size, complete = (own.pictures, own.size, True) if own else (0, 0, False)
        elif chosen.nothing:
            return "Tick at least one folder."
        rate = earlier_rate(self._sessions, self.options.model_spec)
        return summary(pictures, size, complete=complete, rate=rate)

    def _known_session(self) -> TrainingProgress | None:
        """The newest session that was made over this very folder."""
        return next(
            (
                item
                for item in self._sessions
                if item.rootPath == self._root and item.status != "cancelled"
            ),
            None,
        )

    def _update_instead(self) -> None:
        known = self._known_session()
        if known is not None:
            self.accept()
            self.update_wanted.emit(known.sessionId)

    # Creating

    def _create(self) -> None:
        if not self.options.check() or not self._root or self._unread:
            return
        set_error(self.folder_error, "")

        async def work() -> int | None:
            try:
                await asyncio.to_thread(_check_model, self.options.model_spec)
            except AppError as error:
                self.options.show_model_error(str(error))
                return None
            try:
                async with self._backend.db() as db:
                    session = await self._backend.training.create_session(db, self._data())
                    return session.id
            except AppError as error:
                set_error(self.folder_error, str(error))
                return None

        self._runner.run(self.create_button, work, done=self._created, busy_text="Creating…")

    def _data(self) -> TrainingSessionCreate:
        from app.api.training_schemas import SessionConfig, TrainingSessionCreate

        recursive = self.options.recursive.isChecked()
        return TrainingSessionCreate(
            # never left to the folder's own name, which may not be text that a ledger can store
            name=self.name.text().strip() or printable(os.path.basename(self._root)),
            rootPath=self._root,
            subdirectories=self.tree.folders.chosen().folders if recursive else [],
            config=SessionConfig(
                recursive=recursive,
                extensions=self.options.extensions(),
                exclude=self.options.exclude(),
                batch_size=self.options.batch.value(),
                device=str(self.options.device.currentData()),
            ),
            model=self.options.model_spec,
        )

    def _created(self, session_id: int | None) -> None:
        if session_id is not None:
            self.accept()
            self.created.emit(session_id)

    def done(self, result: int) -> None:
        self.tree.folders.close()
        super().done(result)


def _check_model(spec: str) -> None:
    from app.embedding.catalogue import check_model

    check_model(spec)


def note(chosen: Chosen, recursive: bool, root: str) -> str:
    """What the check boxes leave out without saying so."""
    if not root:
        return ""
    if not recursive:
        name = printable(os.path.basename(root) or root)
        return f"Only the pictures directly in “{words.shorten(name, 40)}”."
    if not chosen.left_out:
        return ""
    number = words.plural(chosen.left_out, "picture")
    verb = "is" if chosen.left_out == 1 else "are"
    if len(chosen.partly) == 1:
        name = printable(os.path.basename(chosen.partly[0]) or chosen.partly[0])
        return (
            f"{number} that {verb} directly in “{words.shorten(name, 40)}” will be skipped: of a "
            "partly ticked folder, only the ticked subfolders are indexed."
        )
    return (
        f"{number} that {verb} directly in partly ticked folders will be skipped: only their "
        "ticked subfolders are indexed."
    )


def summary(pictures: int, size: int, *, complete: bool, rate: float | None) -> str:
    """``18,204 pictures, 61 GB, about 12 minutes on this computer``"""
    if not complete:
        if not pictures:
            return "Counting…"
        return f"{words.plural(pictures, 'picture')} so far, still counting"
    if not pictures:
        return "No pictures of these file types here."
    parts = [words.plural(pictures, "picture"), words.size(size)]
    if rate:
        parts.append(f"{about(pictures / rate * 60)} on this computer")
    return ", ".join(parts)


def about(seconds: float) -> str:
    """A rough time in words: ``about 12 minutes``."""
    if seconds < 50:
        return "less than a minute"
    minutes = max(round(seconds / 60), 1)
    if minutes < 60:
        return f"about {words.plural(minutes, 'minute')}"
    return f"about {words.duration(seconds)}"


def earlier_rate(sessions: list[TrainingProgress], model: str) -> float | None:
    """Pictures a minute, as measured in the last sessions with the same model."""
    rates = [
        item.progress.imagesPerMinute
        for item in sessions
        if item.model == model and item.progress.imagesPerMinute
    ][:RATES]
    return sum(rates) / len(rates) if rates else None
