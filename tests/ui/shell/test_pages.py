"""What one page of the window leads to on another."""

from __future__ import annotations

import threading
from typing import Any, cast

from PySide6.QtCore import QSettings

from app.api.file_schemas import ActResult
from app.ui.parts.actions import ActionRunner
from app.ui.parts.poller import Poller
from app.ui.shell.pages import Pages
from app.ui.shell.window import MainWindow


class Watch:
    """Takes the place of a watch on a session's folders."""

    def __init__(self) -> None:
        self.asked_in = ""

    def look_again(self) -> None:
        self.asked_in = threading.current_thread().name


def test_what_was_done_to_files_is_told_to_those_who_watch_their_folders(
    qt_loop: Any, backend: Any, qtbot: Any, tmp_path: Any
) -> None:
    window = MainWindow(QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat))
    qtbot.addWidget(window)

    async def steps() -> None:
        runner, poller = ActionRunner(window, backend), Poller(window)
        pages = Pages(window, backend, runner, poller)
        window.have_page("pictures")
        assert pages.pictures is not None
        watch = Watch()
        pages.sessions.view.watch._watches[1] = cast(Any, watch)
        moved = ActResult("a", "move", "/best", (1,), 1, ())
        pages.pictures.acts.changed.emit(moved, [])
        await qt_loop.until(lambda: watch.asked_in)
        assert watch.asked_in != threading.main_thread().name
        await poller.close()
        await runner.close()
        pages.deleteLater()

    qt_loop.run(steps())
