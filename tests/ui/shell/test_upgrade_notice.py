"""The window tells of an upgrade in one line, and shows what changed to whoever asks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import QSettings
from PySide6.QtWidgets import QApplication

from app.services.upgrades import last_run_file
from app.ui.parts.actions import ActionRunner
from app.ui.parts.poller import Poller
from app.ui.shell.help import ReadingDialog
from app.ui.shell.main import add_pages
from app.ui.shell.window import MainWindow


def test_an_upgrade_is_one_line_over_the_page_that_leads_to_the_changes(
    qt_loop: Any, backend: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    log = "## [2.0.0]\n\nPlaces.\n\n### Added\n\n- Maps.\n\n## [1.0.0]\n\nThe first.\n"
    (tmp_path / "CHANGELOG.md").write_text(log)
    monkeypatch.setattr("app.services.upgrades.CHANGES", tmp_path / "CHANGELOG.md")
    monkeypatch.setattr("app.services.upgrades.version", lambda _name: "2.0.0")

    async def start(window: MainWindow) -> None:
        runner, poller = ActionRunner(window, backend), Poller(window)
        add_pages(window, backend, runner, poller)
        await qt_loop.until(lambda: not runner._tasks)
        await poller.close()
        await runner.close()

    def shown() -> MainWindow:
        window = MainWindow(QSettings(str(tmp_path / "w.ini"), QSettings.Format.IniFormat))
        window.show()
        qt_loop.run(start(window))
        return window

    assert shown().notice.isHidden()  # the first start
    last_run_file().write_text('{"window": "1.0.0"}')
    window = shown()
    assert window.notice.isVisible()
    assert window.notice.text.text() == "Afterimage was updated to 2.0.0: Places."
    window.notice.button.click()
    (dialog,) = window.findChildren(ReadingDialog)
    assert "Maps." in dialog.text.toPlainText()
    assert "The first" not in dialog.text.toPlainText()
    assert window.notice.isHidden()
    dialog.close()
    assert shown().notice.isHidden()
    QApplication.processEvents()
