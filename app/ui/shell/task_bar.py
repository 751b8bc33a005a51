"""Progress on the program's icon in the task bar or dock, where the desktop can show it."""

from __future__ import annotations

import sys

PATH = "/com/canonical/unity/launcherentry/afterimage"
INTERFACE = "com.canonical.Unity.LauncherEntry"  # KDE's task bar and Ubuntu's dock read it, too
APPLICATION = "application://afterimage.desktop"


class TaskBar:
    """Sends the share to whoever listens; costs nothing where nobody does."""

    def __init__(self) -> None:
        self._shown: int | None = None

    def show(self, percentage: float | None) -> None:
        """Show a percentage; None takes the bar away."""
        wanted = None if percentage is None else int(percentage)
        if wanted != self._shown:
            self._shown = wanted
            if sys.platform.startswith("linux"):
                _send(wanted)


def _send(percentage: int | None) -> None:
    from PySide6.QtDBus import QDBusConnection, QDBusMessage

    bus = QDBusConnection.sessionBus()
    if not bus.isConnected():
        return
    message = QDBusMessage.createSignal(PATH, INTERFACE, "Update")
    message.setArguments(
        [
            APPLICATION,
            {"progress": (percentage or 0) / 100, "progress-visible": percentage is not None},
        ]
    )
    bus.send(message)
