"""The main window: places on the left, a page on the right, one quiet line at the bottom.

It is painted before anything heavy is imported, so it knows no services: pages are handed to it
when they are ready, and it says by signals what a person wants.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from PySide6.QtCore import QByteArray, QEvent, QMimeData, QSettings, QSize, QTimer, Signal
from PySide6.QtGui import (
    QCloseEvent,
    QDragEnterEvent,
    QDropEvent,
    QHideEvent,
    QPaintEvent,
    QShowEvent,
)
from PySide6.QtWidgets import (
    QHBoxLayout,
    QHeaderView,
    QMainWindow,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app.ui.parts import words
from app.ui.parts.commands import PAGES, Commands
from app.ui.parts.fitting import fit_size, fit_to_screen, room_for
from app.ui.parts.notice import Notice
from app.ui.parts.theme import SPACE_L, SPACE_M, SPACE_S, theme
from app.ui.parts.widgets import EmptyState, Skeleton, line
from app.ui.shell.rail import Rail
from app.ui.shell.running_bar import RunningBar
from app.ui.shell.status_line import StatusLine

TITLE = "Afterimage"
BUILD_EVERY_MS = 100
FIRST_PAGE = "sessions"
"""Where one begins who has no pictures yet."""
FORMER_PAGES = {"search": "pictures", "library": "pictures"}


class MainWindow(QMainWindow):
    """The frame that all pages are shown in."""

    closing = Signal()
    """The person wants to close it; ``let_close`` makes the next close happen."""
    seen = Signal(bool)
    """Whether the window can be seen: not hidden, not minimised."""
    page_shown = Signal(str)
    folder_dropped = Signal(str)
    path_given = Signal(str)
    """The program was started once more, with this folder or picture."""
    settings_saved = Signal()
    """Settings of the worker have other values now."""

    def __init__(self, memory: QSettings) -> None:
        super().__init__()
        self._memory = memory
        self.painted = False
        self.path = ""
        """The folder or picture that the program was started with."""
        self._may_close = False
        self._pages: dict[str, QWidget] = {}
        self._offered: dict[str, Iterator[QWidget | None]] = {}
        self.setWindowTitle(TITLE)
        self.setMinimumSize(QSize(900, 600).boundedTo(room_for(self)))
        self.setAcceptDrops(True)
        self.commands = Commands(self)
        self.commands.fill_menu_bar(self)
        self.rail = Rail(PAGES, self.commands.pages)
        self.notice = Notice()
        self.notice.setContentsMargins(SPACE_L, SPACE_S, SPACE_M, 0)
        self.stack = QStackedWidget()
        self.status = StatusLine()
        self.running = RunningBar()
        self._loading = Skeleton()
        self._quiet = QTimer(self)
        self._quiet.timeout.connect(self._build_next)
        self.stack.addWidget(self._loading)
        self._lay_out()
        self._connect()
        self._restore()
        self._loading.start()

    def _lay_out(self) -> None:
        centre, rows, columns = QWidget(), QVBoxLayout(), QHBoxLayout()
        columns.setContentsMargins(0, 0, 0, 0)
        columns.setSpacing(0)
        columns.addWidget(self.rail)
        columns.addWidget(line(vertical=True))
        page = QVBoxLayout()
        page.setSpacing(0)
        page.addWidget(self.notice)
        page.addWidget(self.stack, 1)
        page.addWidget(self.running)
        columns.addLayout(page, 1)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(0)
        rows.addWidget(line())
        rows.addLayout(columns, 1)
        rows.addWidget(line())
        rows.addWidget(self.status)
        centre.setLayout(rows)
        self.setCentralWidget(centre)

    def _connect(self) -> None:
        for key, action in self.commands.pages.items():
            action.triggered.connect(lambda _checked=False, key=key: self.show_page(key))
        for key, action in self.commands.schemes.items():
            action.triggered.connect(lambda _checked=False, key=key: self._set_scheme(key))
        self.commands.quit.triggered.connect(self.close)
        self.page_shown.connect(self.running.set_page)

    # Pages

    def add_page(self, key: str, page: QWidget) -> None:
        """Show this widget as the page ``key``; its splitters and columns are put back."""
        self._pages[key] = page
        self.stack.addWidget(page)
        self._restore_parts(page)
        if key == self.current_page():
            self.show_page(key)

    def offer_page(self, key: str, steps: Iterator[QWidget | None]) -> None:
        """Have the page ``key`` built in quiet moments, or once somebody wants to see it.

        Args:
            steps: build a part of it each; the last one gives the page, the others None.
        """
        self._offered[key] = steps
        self._plan_building()

    def _plan_building(self) -> None:
        """What is looked at comes first, and at once."""
        if self._offered:
            waited_for = self.current_page() in self._offered
            self._quiet.start(0 if waited_for else BUILD_EVERY_MS)
        else:
            self._quiet.stop()

    def _build_next(self) -> None:
        """One step in one turn of the loop: none is long enough to be felt."""
        key = self.current_page()
        key = key if key in self._offered else next(iter(self._offered))
        if (page := next(self._offered[key])) is not None:
            del self._offered[key]
            self.add_page(key, page)
        self._plan_building()

    def have_page(self, key: str) -> None:
        """Have the page ``key`` built now: something is to be done on it."""
        if key in self._offered:
            *_, page = self._offered.pop(key)
            assert page is not None
            self.add_page(key, page)
            self._plan_building()

    def show_page(self, key: str) -> None:
        """Show a page, or the place where it will be as soon as it is ready."""
        self.commands.pages[key].setChecked(True)
        if key in self._offered:
            self._plan_building()
        page = self._pages.get(key)
        self.stack.setCurrentWidget(page or self._loading)
        if page is None:
            self._loading.start()
        else:
            self._loading.stop()
        self.page_shown.emit(key)

    def current_page(self) -> str:
        """The key of the page that is shown."""
        checked = [key for key, action in self.commands.pages.items() if action.isChecked()]
        return checked[0] if checked else FIRST_PAGE

    def show_message(self, icon_name: str, title: str, text: str = "") -> None:
        """Replace the pages by one sentence: the start failed, or the program is closing."""
        message = EmptyState(icon_name, title, text)
        message.setAccessibleName(title)
        self.stack.addWidget(message)
        self.stack.setCurrentWidget(message)
        self._loading.stop()
        self._quiet.stop()
        self.running.hide()
        self.rail.setEnabled(False)
        self.commands.disable_all()

    # What changes while it is open

    def set_failed_count(self, number: int) -> None:
        """How many pictures wait on the page of failed ones."""
        self.rail.buttons["failed"].set_count(number)

    def set_progress(self, percentage: float | None, name: str = "") -> None:
        """Name the running session in the title; None: nothing runs."""
        if percentage is None:
            self.setWindowTitle(TITLE)
        else:
            short = words.shorten(name, 40)
            self.setWindowTitle(f"{int(percentage)} % — {short} — {TITLE}")

    def come_forward(self) -> None:
        """Show the window, also from the tray or when minimised, in front of the others."""
        self.setWindowState(self.windowState() & ~self.windowState().WindowMinimized)
        self.show()
        self.raise_()
        self.activateWindow()

    # Closing and remembering

    def let_close(self) -> None:
        """Close for good."""
        self._may_close = True
        self.close()

    def closeEvent(self, event: QCloseEvent) -> None:
        self.remember()
        if self._may_close:
            event.accept()
        else:
            event.ignore()
            self.closing.emit()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if _folder(event.mimeData()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        if folder := _folder(event.mimeData()):
            event.acceptProposedAction()
            self.folder_dropped.emit(folder)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        self.painted = True

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self.focusWidget() is None:
            self.setFocus()  # and not the first place of the rail, with a ring around it
        self.seen.emit(True)

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self.seen.emit(False)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.WindowStateChange:
            self.seen.emit(self.isVisible() and not self.isMinimized())

    @property
    def memory(self) -> QSettings:
        """Where everything stood, for pages that remember more than splitters and columns."""
        return self._memory

    def recall(self, name: str) -> str:
        """Something that was noted at an earlier time; empty where nothing was."""
        return str(self._memory.value(name, ""))

    def note(self, name: str, value: str) -> None:
        """Keep something for later starts."""
        self._memory.setValue(name, value)

    def remember(self) -> None:
        """Write down where everything stands, for the next start."""
        self._memory.setValue("window/geometry", self.saveGeometry())
        self._memory.setValue("window/page", self.current_page())
        for kind, parts in (
            ("splitter", self.findChildren(QSplitter)),
            ("columns", self.findChildren(QHeaderView)),
        ):
            for part in parts:
                if part.objectName():
                    self._memory.setValue(f"{kind}/{part.objectName()}", part.saveState())
        self._memory.sync()

    def _restore(self) -> None:
        fit_size(self, QSize(1100, 720))
        geometry = self._memory.value("window/geometry")
        if isinstance(geometry, QByteArray) and self.restoreGeometry(geometry):
            fit_to_screen(self)  # it may be another screen by now
        page = str(self._memory.value("window/page"))
        page = FORMER_PAGES.get(page, page)
        known = self.commands.pages.get(page) or self.commands.pages[FIRST_PAGE]
        known.setChecked(True)
        scheme = str(self._memory.value("window/colours", "system"))
        self._set_scheme(scheme if scheme in self.commands.schemes else "system")

    def _restore_parts(self, page: QWidget) -> None:
        for kind, parts in (
            ("splitter", page.findChildren(QSplitter)),
            ("columns", page.findChildren(QHeaderView)),
        ):
            for part in parts:
                state = self._memory.value(f"{kind}/{part.objectName()}")
                if part.objectName() and isinstance(state, QByteArray):
                    part.restoreState(state)

    def _set_scheme(self, scheme: str) -> None:
        self.commands.schemes[scheme].setChecked(True)
        self._memory.setValue("window/colours", scheme)
        if scheme in ("light", "dark", "system"):
            theme().set_scheme(scheme)  # type: ignore[arg-type]


def _folder(data: QMimeData) -> str:
    """The first folder among what is dragged; empty where there is none."""
    paths = (url.toLocalFile() for url in data.urls() if url.isLocalFile())
    return next((path for path in paths if os.path.isdir(path)), "")
