"""The icon in the system's tray: a way back to a hidden window, and word of a session's end."""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QApplication, QMenu, QSystemTrayIcon, QWidget

TITLE = "Afterimage"
MESSAGE_MS = 10_000


def _plain(text: str) -> str:
    """Names in a message: the desktop that shows it may take ``<b>`` for markup, or not, and has
    no way to say which."""
    return text.translate({ord("<"): "‹", ord(">"): "›"})


class Tray(QObject):
    """Shown while the window is hidden or a message is to be given; nothing where there is none."""

    open_asked = Signal()
    quit_asked = Signal()

    def __init__(self, window: QWidget, picture: QIcon) -> None:
        super().__init__(window)
        self._window = window
        self._icon: QSystemTrayIcon | None = None
        self._picture = picture
        self._menu: QMenu | None = None

    @staticmethod
    def available() -> bool:
        """Whether this desktop shows tray icons."""
        return QSystemTrayIcon.isSystemTrayAvailable()

    def show(self) -> None:
        """Put the icon there."""
        if not self.available():
            return
        if self._icon is None:
            self._icon = self._build()
        self._icon.show()

    def hide(self) -> None:
        """Take the icon away."""
        if self._icon is not None:
            self._icon.hide()

    def set_tip(self, text: str) -> None:
        """What the icon says under the mouse."""
        if self._icon is not None:
            self._icon.setToolTip(_plain(text) or TITLE)

    def notify(self, title: str, text: str) -> None:
        """Tell the person, also while the window is hidden; in the task bar where no tray is."""
        self.show()
        if self._icon is not None:
            self._icon.showMessage(_plain(title), _plain(text), self._picture)
            QTimer.singleShot(MESSAGE_MS, self, self._after_message)
        QApplication.alert(self._window)

    def _after_message(self) -> None:
        if self._window.isVisible():
            self.hide()

    def _build(self) -> QSystemTrayIcon:
        icon = QSystemTrayIcon(self._picture, self)
        icon.setToolTip(TITLE)
        self._menu = QMenu(self._window)
        self._menu.addAction("Open Afterimage").triggered.connect(self.open_asked)
        self._menu.addSeparator()
        self._menu.addAction("Quit").triggered.connect(self.quit_asked)
        icon.setContextMenu(self._menu)
        icon.activated.connect(self._activated)
        icon.messageClicked.connect(self.open_asked)
        return icon

    def _activated(self, reason: QSystemTrayIcon.ActivationReason) -> None:
        if reason in (
            QSystemTrayIcon.ActivationReason.Trigger,
            QSystemTrayIcon.ActivationReason.DoubleClick,
        ):
            self.open_asked.emit()
