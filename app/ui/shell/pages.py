"""The pages of the window and what leads from one to another."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QStackedWidget, QWidget

from app.ui.pages.failed.dialog import FailedDialog
from app.ui.pages.failed.view import FailedView
from app.ui.pages.models.page import ModelsPage
from app.ui.pages.pictures.page import PicturesPage
from app.ui.pages.sessions.first_run import FirstRunPage
from app.ui.pages.sessions.new_session import NewSessionDialog
from app.ui.pages.sessions.page import SessionsPage
from app.ui.pages.system.page import SystemPage
from app.ui.pictures.context import PictureContext
from app.ui.pictures.thumbnails import ThumbnailLoader
from app.ui.shell.about import AboutDialog
from app.ui.shell.help import GuideDialog, KeysDialog, ReadingDialog
from app.ui.shell.report import ReportDialog
from app.ui.shell.sessions_feed import SessionsFeed
from app.ui.shell.settings_dialog import SettingsDialog
from app.ui.shell.window import MainWindow

if TYPE_CHECKING:
    from app.api.library_schemas import PictureState
    from app.services.backend import Backend
    from app.services.upgrades import Upgrade
    from app.ui.parts.actions import ActionRunner
    from app.ui.parts.poller import Poller

LAST_FOLDER = "new-session/folder"


class Pages(QObject):
    """Builds every page and puts it into the window."""

    def __init__(
        self, window: MainWindow, backend: Backend, runner: ActionRunner, poller: Poller
    ) -> None:
        super().__init__(window)
        self._window, self._backend, self._runner, self._poller = window, backend, runner, poller
        commands = window.commands
        thumbnails = ThumbnailLoader(backend.thumbnails, self)
        self.feed = SessionsFeed(self)
        self.first_run = FirstRunPage(backend, runner)
        self.sessions = SessionsPage(
            backend,
            runner,
            poller,
            actions=commands.session_actions,
            thumbnails=thumbnails,
        )
        self.failed = FailedView(backend, runner, poller, thumbnails=thumbnails)
        self.system = SystemPage(backend, runner, poller, commands)
        self._context = PictureContext(backend, runner, poller, thumbnails)
        self.pictures: PicturesPage | None = None
        self._opened = bool(window.recall("window/page"))
        """It is where it was left; else it opens on the pictures, if any is indexed."""
        self.place = QStackedWidget()
        for page in (QWidget(), self.sessions, self.first_run):  # blank until it is known which
            self.place.addWidget(page)
        self._connect()
        window.add_page("sessions", self.place)
        window.add_page("failed", self.failed)
        window.add_page("system", self.system)
        self._offer()

    def _connect(self) -> None:
        commands = self._window.commands
        commands.new_session.triggered.connect(lambda _checked=False: self.new_session())
        commands.settings.triggered.connect(self._settings)
        commands.guide.triggered.connect(self._guide)
        commands.keys.triggered.connect(self._keys)
        commands.report.triggered.connect(self._report)
        commands.about.triggered.connect(self._about)
        self._window.folder_dropped.connect(self.new_session)
        self._window.path_given.connect(self.open)
        self.sessions.new_session_requested.connect(self.new_session)
        self.sessions.why_failed_requested.connect(self.show_failed)
        self.sessions.view.pictures_wanted.connect(self.show_pictures)
        self.sessions.search_requested.connect(self.search_in)
        self.sessions.view.ways.models_wanted.connect(lambda: self._window.show_page("models"))
        self.sessions.no_sessions.connect(self._show_invitation)
        self._poller.problem.connect(self._show_problem)
        self.sessions.active_progress.connect(self._look)
        self.first_run.folder_chosen.connect(self.new_session)
        self.first_run.created.connect(self.sessions.start_session)
        self.first_run.engine_changed.connect(self._window.settings_saved)
        self.feed.running.connect(self._window.running.show_running)
        self._window.running.wanted.connect(self._show_session)
        self.failed.count_changed.connect(self._window.set_failed_count)

    def _offer(self) -> None:
        """The pages that can wait: the window builds them when it has a quiet moment."""
        self._window.offer_page("pictures", self._build_pictures())
        self._window.offer_page("models", self._build_models())

    def _build_pictures(self) -> Iterator[QWidget | None]:
        for page in PicturesPage.in_steps(self._context, self._window.memory):
            if page is not None:
                self.pictures = page
                page.new_session_wanted.connect(self.new_session)
                page.models_wanted.connect(lambda: self._window.show_page("models"))
                page.sessions_wanted.connect(lambda: self._window.show_page("sessions"))
                page.acts.changed.connect(lambda *_: self.sessions.view.watch.look_again())
            yield page

    def _build_models(self) -> Iterator[QWidget | None]:
        page = ModelsPage(self._backend, self._runner, self._poller)
        page.engine_changed.connect(self._window.settings_saved)  # the worker begins anew with it
        yield page

    def _show_pictures_page(self) -> PicturesPage:
        self._window.have_page("pictures")
        self._window.show_page("pictures")
        assert self.pictures is not None
        return self.pictures

    def open(self, path: str) -> None:
        """Offer a folder for indexing; of a picture, show similar ones."""
        if os.path.isdir(path):
            self.new_session(path)
        else:
            self._show_pictures_page().search_like(path)

    def say_upgraded(self, upgrade: Upgrade | None) -> None:
        """Say once what a newer version changes; it stays until it is read or dismissed."""
        if upgrade is None:
            return
        notice, changes = self._window.notice, upgrade.changes

        def read() -> None:
            notice.hide()
            ReadingDialog(self._window, "What changed", changes).show()

        notice.show_message("info", upgrade.sentence, "What changed", read)

    def show_pictures(self, folder: str, state: PictureState) -> None:
        """Show the pictures below a folder that are in this state."""
        self._show_pictures_page().show_pictures(folder, state)

    def search_in(self, session_id: int, name: str) -> None:
        """Look for something among the pictures of one session."""
        self._show_pictures_page().search_in(session_id, name)

    def _show_session(self, session_id: int) -> None:
        self._window.show_page("sessions")
        self.sessions.select(session_id)

    def new_session(self, folder: str = "") -> NewSessionDialog:
        """Ask for the folders of a new session, beginning with this one or with the last."""
        for shown in self._window.findChildren(NewSessionDialog):
            if shown.isVisible():
                return shown
        begin = folder or self._window.recall(LAST_FOLDER)
        dialog = NewSessionDialog(
            self._backend, self._runner, self._poller, begin, parent=self._window
        )
        dialog.created.connect(lambda session_id: self._created(session_id, dialog.root))
        dialog.update_wanted.connect(self._update_instead)
        dialog.open()
        return dialog

    def _update_instead(self, session_id: int) -> None:
        self._window.show_page("sessions")
        self.sessions.update_session(session_id)

    def show_failed(self, session_id: int, name: str) -> FailedDialog:
        """Show what failed in one session."""
        dialog = FailedDialog(
            self._backend, self._runner, self._poller, session_id, name, parent=self._window
        )
        dialog.open()
        return dialog

    def _created(self, session_id: int, folder: str) -> None:
        self._window.note(LAST_FOLDER, folder)
        first = self.place.currentWidget() is self.first_run
        self._window.show_page("pictures" if first else "sessions")
        self.sessions.start_session(session_id)

    def _show_invitation(self, nothing_yet: bool) -> None:
        self.place.setCurrentWidget(self.first_run if nothing_yet else self.sessions)

    def _show_problem(self, problem: str) -> None:
        if problem and self.place.currentIndex() == 0:
            self.place.setCurrentWidget(self.sessions)

    def _look(self, _active: object) -> None:
        sessions = self.sessions.list.sessions.sessions.values()
        self.feed.show(sessions)
        if not self._opened and any(item.jobsSummary.completed for item in sessions):
            self._window.show_page("pictures")
        self._opened = True

    def _about(self) -> None:
        AboutDialog(self._window).open()

    def _settings(self) -> None:
        window = self._window
        dialog = SettingsDialog(window, self._runner, window.commands, window.memory)
        dialog.restart_wanted.connect(window.settings_saved)
        dialog.open()

    def _guide(self) -> None:
        guide = self._window.findChild(GuideDialog) or GuideDialog(self._window)
        guide.show()
        guide.raise_()
        guide.activateWindow()

    def _keys(self) -> None:
        self._window.have_page("pictures")  # it has keys of its own
        KeysDialog(self._window).open()

    def _report(self) -> None:
        ReportDialog(self._window, self._backend, self._runner).open()
