"""The page of sessions: the list on the left, the chosen session on the right."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction, QHideEvent
from PySide6.QtWidgets import QLineEdit, QSplitter, QStackedWidget, QVBoxLayout, QWidget

from app.ui.pages.sessions.rate_chart import RateHistory
from app.ui.pages.sessions.session_actions import SessionActions
from app.ui.pages.sessions.session_list import SessionList
from app.ui.pages.sessions.session_view import SessionView
from app.ui.parts.session_names import full_names
from app.ui.parts.theme import SPACE_L, SPACE_S
from app.ui.parts.widgets import EmptyState, Page, Skeleton, button
from app.ui.pictures.thumbnails import ThumbnailLoader

if TYPE_CHECKING:
    from app.api.training_schemas import TrainingProgress
    from app.services.backend import Backend
    from app.ui.parts.actions import ActionRunner
    from app.ui.parts.poller import Poller

FILTER_FROM = 9
"""So many sessions are worth a field to search them."""
FEW = 50
"""Up to so many sessions are all asked for at every poll; of more, only what moves."""
STILL_EVERY_S = 2.0
"""How often to look while nothing runs here; a session may be started in a terminal."""
ALL_EVERY_S = 10.0


class SessionsPage(Page):
    """Every session, and everything one can do with it.

    Args:
        actions: the menu's QActions for start, pause, resume, cancel and retry.
    """

    new_session_requested = Signal()
    why_failed_requested = Signal(int, str)
    """A person wants to see what failed in a session, by its id and name."""
    search_requested = Signal(int, str)
    """A person wants to find something in a session, by its id and name."""
    active_progress = Signal(object)
    """The progress of a running session, or None: for the window's title and the task bar."""
    no_sessions = Signal(bool)
    sessions_polled = Signal(object)
    """Every session as it is now, after each poll."""

    def __init__(
        self,
        backend: Backend,
        runner: ActionRunner,
        poller: Poller,
        *,
        actions: Mapping[str, QAction],
        thumbnails: ThumbnailLoader | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__("Sessions", parent)
        self._backend, self._runner, self._poller = backend, runner, poller
        self._thumbnails = thumbnails or ThumbnailLoader(backend.thumbnails, self)
        self._session_actions = SessionActions(self, backend, runner, actions)
        self.actions_ = self._session_actions.actions
        self._history = RateHistory()
        self._selected: int | None = None
        self._asked_all = -math.inf
        self._empty: bool | None = None
        self.new_button = button("New session…", "primary", "plus")
        self.filter = QLineEdit()
        self.filter.setPlaceholderText("Find a session")
        self.filter.setClearButtonEnabled(True)
        self.list = SessionList()
        self.view = SessionView(backend, runner, poller, self._thumbnails, self._session_actions)
        self.stack = QStackedWidget()
        self._skeleton = Skeleton()
        self._trouble = EmptyState(
            "warning-circle", "The sessions cannot be shown", "", "Try again"
        )
        self._lay_out()
        self._connect()
        self._skeleton.start()
        self._watch = poller.watch(self._fetch, self._deliver)

    def _lay_out(self) -> None:
        self.add_buttons([self.new_button])
        left, right = QWidget(), QWidget()
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 0, SPACE_S, 0)
        column.setSpacing(SPACE_S)
        column.addWidget(self.filter)
        column.addWidget(self.list, 1)
        self.filter.hide()
        beside = QVBoxLayout(right)
        beside.setContentsMargins(SPACE_L, 0, 0, 0)
        beside.addWidget(self.view)
        left.setMinimumWidth(190)
        right.setMinimumWidth(420)
        self.split = QSplitter(Qt.Orientation.Horizontal)
        self.split.setObjectName("sessions")
        self.split.setChildrenCollapsible(False)
        self.split.addWidget(left)
        self.split.addWidget(right)
        self.split.setStretchFactor(0, 0)
        self.split.setStretchFactor(1, 1)
        self.split.setSizes([250, 750])
        for part in (self._skeleton, self.split, self._trouble):
            self.stack.addWidget(part)
        self.body.addWidget(self.stack)

    def _connect(self) -> None:
        self.new_button.clicked.connect(self.new_session_requested)
        self.filter.textChanged.connect(self._filter)
        self.list.picked.connect(self.select)
        self.view.why_failed.connect(self._ask_why_failed)
        self.view.search_wanted.connect(self._ask_search)
        self._session_actions.changed.connect(self.refresh)
        self.view.care.removed.connect(self._removed)
        if self._trouble.button is not None:
            self._trouble.button.clicked.connect(self.refresh)

    # What the window may ask for

    def select(self, session_id: int) -> None:
        """Show a session; one that is not known yet is shown as soon as it is."""
        self._selected = session_id
        self.list.show_selected(session_id)
        if session_id in self.list.sessions.sessions:
            self._show()
        else:
            self.refresh()

    def start_session(self, session_id: int) -> None:
        """Start a session and show it."""
        self._session_actions.start_session(session_id)
        self.select(session_id)

    def refresh(self) -> None:
        """Ask for everything now."""
        self._asked_all = -math.inf
        self._show_starting()
        self._watch.now()

    def update_session(self, session_id: int) -> None:
        """Look for changes in a session's folders, and show it."""
        self.select(session_id)
        self.view.update_actions.update(session_id)

    def _removed(self, session_id: int) -> None:
        """Show the next session in its place."""
        if session_id == self._selected:
            row = self.list.sessions.row_of(session_id) or 0
            beside = self.list.sessions.id_at(row + 1) or self.list.sessions.id_at(row - 1)
            self._selected = beside
        self.list.sessions.forget(session_id)
        self._show()
        self.refresh()

    @property
    def selected(self) -> int | None:
        """The session that is shown."""
        return self._selected

    def _ask_why_failed(self, session_id: int) -> None:
        session = self.list.sessions.sessions.get(session_id)
        self.why_failed_requested.emit(session_id, session.name if session else "")

    def _ask_search(self, session_id: int) -> None:
        name = full_names(self.list.sessions.sessions.values()).get(session_id, "")
        self.search_requested.emit(session_id, name)

    # Polling

    async def _fetch(self) -> tuple[bool, list[TrainingProgress]]:
        """Every session, or of many only those that can have moved."""
        known = self.list.sessions.sessions
        everything = len(known) <= FEW or time.monotonic() - self._asked_all >= ALL_EVERY_S
        try:
            async with self._backend.db() as db:
                if everything:
                    self._asked_all = time.monotonic()
                    return True, await self._backend.training.list_sessions(db)
                moving = [
                    key
                    for key, item in known.items()
                    if item.status == "running"
                    or key == self._selected
                    or self._session_actions.is_starting(key)
                ]
                training = self._backend.training
                return False, [await training.get_session_progress(db, key) for key in moving]
        except Exception:
            self._asked_all = -math.inf
            if not known:
                self._skeleton.stop()
                self.stack.setCurrentWidget(self._trouble)
            raise

    def _deliver(self, answer: tuple[bool, list[TrainingProgress]]) -> None:
        everything, sessions = answer
        for item in sessions:
            self._history.add(item)
        if everything:
            self.list.sessions.set_all(sessions)
        else:
            self.list.sessions.update(sessions)
        self._show_starting()
        known = self.list.sessions.sessions
        self.filter.setVisible(len(known) >= FILTER_FROM or bool(self.filter.text()))
        if self._empty != (not known):
            self._empty = not known
            self.no_sessions.emit(self._empty)
        self._skeleton.stop()
        self.stack.setCurrentWidget(self.split)
        self._choose(known)
        self._show()
        self._notify_active(known)
        moving = any(
            item.status == "running" or self._session_actions.is_starting(item.sessionId)
            for item in sessions
        )
        self._watch.every_s = 0 if moving else STILL_EVERY_S
        self.sessions_polled.emit(list(known.values()))

    def _choose(self, known: Mapping[int, TrainingProgress]) -> None:
        """Select something sensible where nothing is: what runs, else the newest."""
        if self._selected is None and known:
            running = [key for key, item in known.items() if item.status == "running"]
            self._selected = max(running or known)
        if self._selected is not None:
            self.list.show_selected(self._selected)

    def _show(self) -> None:
        progress = self.list.sessions.sessions.get(self._selected or 0)
        self.view.setVisible(progress is not None)
        if progress is not None:
            starting = self._session_actions.is_starting(progress.sessionId)
            self.view.show_progress(progress, self._history, starting=starting)

    def _show_starting(self) -> None:
        known = self.list.sessions.sessions
        actions = self._session_actions
        self.list.sessions.set_starting(frozenset(key for key in known if actions.is_starting(key)))

    def _notify_active(self, known: Mapping[int, TrainingProgress]) -> None:
        running = [item for item in known.values() if item.status == "running"]
        shown = [item for item in running if item.sessionId == self._selected]
        self.active_progress.emit(next(iter(shown or running), None))

    def _filter(self, text: str) -> None:
        self.list.sessions.set_filter(text)
        if self._selected is not None:
            self.list.show_selected(self._selected)

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._thumbnails.cancel_waiting()
