"""The main window and the New session dialog, as a program of its own.

Prints where each of them is, and the screen, as JSON; remembers the window's place in the file
that it is given, `python small_screen.py FILE`, and saves both as pictures beside it.
"""

import asyncio
import json
import sys

from PySide6.QtCore import QSettings
from PySide6.QtWidgets import QApplication, QWidget

from app.db.migrate import migrate
from app.services.backend import Backend
from app.ui.pages.sessions.new_session import NewSessionDialog
from app.ui.parts.actions import ActionRunner
from app.ui.parts.poller import Poller
from app.ui.shell.event_loop import make_loop
from app.ui.shell.main import make_application
from app.ui.shell.pages import Pages
from app.ui.shell.window import MainWindow


async def show(file: str) -> None:
    """Show them once."""
    window = MainWindow(QSettings(file, QSettings.Format.IniFormat))
    window.show()
    backend, runner, poller = Backend(), ActionRunner(window), Poller(window)
    Pages(window, backend, runner, poller)
    dialog = NewSessionDialog(backend, runner, poller, parent=window)
    dialog.open()
    dialog.options.toggle.click()
    await asyncio.sleep(0.5)  # for the X server, which has the last word
    parts: dict[str, QWidget] = {"window": window, "dialog": dialog}
    for name, part in parts.items():
        part.grab().save(f"{file}.{name}.png")
    places = {name: part.frameGeometry().getRect() for name, part in parts.items()}
    places["screen"] = QApplication.primaryScreen().availableGeometry().getRect()
    print(json.dumps(places), flush=True)
    window.setGeometry(500, 200, 1300, 850)
    window.remember()
    await poller.close()
    await runner.close()


if __name__ == "__main__":
    loop = make_loop(make_application())
    migrate()
    loop.run_until_complete(show(sys.argv[1]))
