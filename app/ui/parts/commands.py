"""Every action of the program with its shortcut, once: menus and pages share these objects.

A page enables the session actions for the session it shows and connects ``triggered``; buttons that
do the same thing call ``action.trigger()`` or mirror it with :func:`follow`.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject
from PySide6.QtGui import QAction, QActionGroup, QKeySequence, QShortcut
from PySide6.QtWidgets import QMainWindow, QMenu, QPushButton, QWidget

PAGES = (
    ("pictures", "Pictures"),
    ("sessions", "Sessions"),
    ("failed", "Failed"),
    ("models", "Models"),
    ("system", "System"),
)
SCHEMES = (("system", "Follow the system"), ("light", "Light"), ("dark", "Dark"))


class Commands(QObject):
    """The actions; those on a session are disabled until a page enables them."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.new_session = make_action(self, "&New session…", "Ctrl+N", "Index another folder")
        self.settings = make_action(self, "&Settings…", "Ctrl+,", "How pictures are indexed")
        self.quit = make_action(self, "&Quit", "Ctrl+Q", "Close Afterimage")
        self.start = make_action(self, "&Start", "Ctrl+Return", "Start this session")
        self.pause = make_action(self, "&Pause", "Ctrl+P", "Stop after the current pictures")
        self.resume = make_action(self, "&Resume", "Ctrl+R", "Continue where it was paused")
        self.cancel = make_action(self, "&Cancel…", "Ctrl+Shift+X", "Stop this session permanently")
        self.retry_failed = make_action(
            self, "Retry &failed", "Ctrl+Shift+R", "Retry the failed pictures"
        )
        self.update = make_action(
            self, "&Update", "Ctrl+U", "Look for new, changed and missing pictures"
        )
        self.relocate = make_action(
            self, "Re&locate folder…", "", "Choose where this session's folder is now"
        )
        self.rename = make_action(self, "Re&name…", "F2", "Give this session another name")
        self.remove = make_action(
            self, "Remo&ve session…", "", "Remove this session and its pictures from the index"
        )
        self.session_actions = {
            "start": self.start,
            "pause": self.pause,
            "resume": self.resume,
            "cancel": self.cancel,
            "retry": self.retry_failed,
            "update": self.update,
            "relocate": self.relocate,
            "rename": self.rename,
            "remove": self.remove,
        }
        for action in self.session_actions.values():
            action.setEnabled(False)
        self.pages = {
            key: make_action(self, f"&{title}", f"Ctrl+{number}", f"Show {title}", checkable=True)
            for number, (key, title) in enumerate(PAGES, 1)
        }
        self.schemes = {
            key: make_action(self, f"&{title}", "", "", checkable=True) for key, title in SCHEMES
        }
        for actions in (self.pages, self.schemes):
            group = QActionGroup(self)
            for action in actions.values():
                group.addAction(action)
        self.report = make_action(
            self,
            "&Report a problem…",
            "Ctrl+Shift+D",
            "Information for someone who helps you, without passwords",
        )
        self.open_data_folder = make_action(
            self, "&Open data folder", "", "Where the index, the logs and the settings are"
        )
        self.guide = make_action(self, "User &guide", "F1", "How everything works, page by page")
        self.keys = make_action(self, "&Keys", "?", "Every key of the program")
        self.about = make_action(self, "&About Afterimage", "", "Version and licence")
        self.settings.setMenuRole(QAction.MenuRole.PreferencesRole)
        self.quit.setMenuRole(QAction.MenuRole.QuitRole)
        self.about.setMenuRole(QAction.MenuRole.AboutRole)

    def fill_menu_bar(self, window: QMainWindow) -> None:
        """Give every action its place."""
        bar = window.menuBar()
        file, session, view, help_menu = (
            bar.addMenu(title) for title in ("&File", "&Session", "&View", "&Help")
        )
        file.addAction(self.new_session)
        file.addSeparator()
        file.addAction(self.settings)
        file.addSeparator()
        file.addAction(self.quit)
        session.addActions(list(self.session_actions.values()))
        session.insertSeparator(self.cancel)
        session.insertSeparator(self.update)
        session.insertSeparator(self.rename)
        view.addActions(list(self.pages.values()))
        view.addSeparator()
        colours: QMenu = view.addMenu("&Colours")
        colours.addActions(list(self.schemes.values()))
        help_menu.addAction(self.guide)
        help_menu.addAction(self.keys)
        help_menu.addSeparator()
        help_menu.addAction(self.report)
        help_menu.addAction(self.open_data_folder)
        help_menu.addSeparator()
        help_menu.addAction(self.about)

    def disable_all(self) -> None:
        """Nothing can be done any more, except to quit."""
        for action in self.findChildren(QAction):
            if action not in (self.quit, *self.schemes.values()):
                action.setEnabled(False)


def make_action(
    parent: QObject, text: str, shortcut: str = "", tip: str = "", *, checkable: bool = False
) -> QAction:
    """An entry for menus and buttons, with its key."""
    action = QAction(text, parent)
    action.setCheckable(checkable)
    if shortcut:
        action.setShortcut(QKeySequence(shortcut))
    if tip:
        action.setStatusTip(tip)
        action.setToolTip(tip)
    return action


def bind(owner: QWidget, meaning: str, keys: str, do: Callable[[], object]) -> QShortcut:
    """Keys that do something while a part of the window is seen; the overlay of keys says what.

    Args:
        keys: alternatives, with blanks between them.
    """
    shortcut = QShortcut(owner)
    shortcut.setKeys([QKeySequence(key) for key in keys.split()])
    shortcut.setWhatsThis(meaning)
    shortcut.activated.connect(do)
    return shortcut


def follow(button: QPushButton, action: QAction) -> None:
    """Make a button do an action, be enabled with it, and name its shortcut in the tool tip."""
    shortcut = action.shortcut().toString(QKeySequence.SequenceFormat.NativeText)
    button.setToolTip(f"{action.toolTip()} ({shortcut})" if shortcut else action.toolTip())
    button.setEnabled(action.isEnabled())
    button.clicked.connect(lambda: action.trigger())
    action.enabledChanged.connect(button.setEnabled)
