"""Help inside the program."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from page_parts import Parts
from PySide6.QtCore import QSettings, Qt
from PySide6.QtGui import QAction, QGuiApplication, QKeySequence, QShortcut
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel

from app.config import get_settings
from app.ui.parts.actions import ActionRunner
from app.ui.parts.poller import Poller
from app.ui.shell.about import AboutDialog
from app.ui.shell.help import GuideDialog, KeysDialog
from app.ui.shell.pages import Pages
from app.ui.shell.report import ReportDialog
from app.ui.shell.window import MainWindow

NATIVE = QKeySequence.SequenceFormat.NativeText


@pytest.fixture
def window(qtbot: Any, tmp_path: Any) -> MainWindow:
    window = MainWindow(QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat))
    qtbot.addWidget(window)
    return window


def test_the_guide_is_read_in_the_program(qtbot: Any, window: MainWindow) -> None:
    guide = GuideDialog(window)
    qtbot.addWidget(guide)
    text = guide.text.toPlainText()
    assert text.startswith("User guide")
    assert "If something seems wrong" in text
    assert "images/" not in guide.text.toMarkdown()


def test_the_question_mark_shows_every_key_that_is_bound(
    qt_loop: Any, backend: Any, window: MainWindow
) -> None:
    async def steps() -> None:
        runner, poller = ActionRunner(window, backend), Poller(window)
        pages = Pages(window, backend, runner, poller)
        window.show()
        window.activateWindow()
        await qt_loop.until(window.isActiveWindow)
        QTest.keyClick(window, Qt.Key.Key_Question)
        (keys,) = window.findChildren(KeysDialog)
        assert pages.pictures is not None
        shown = [text.text() for text in keys.findChildren(QLabel)]
        bound: list[QKeySequence] = []
        for shortcut in window.findChildren(QShortcut):
            assert shortcut.whatsThis() in shown
            bound += shortcut.keys()
        for action in window.findChildren(QAction):
            bound += action.shortcuts()
        assert len(bound) > 30
        listed = {key for text in shown for key in text.split(", ")}
        assert {key.toString(NATIVE) for key in bound} <= listed
        groups = {"File", "Session", "View", "Help", "Pictures", "Search", "A picture", "Failed"}
        assert groups <= set(shown)
        keys.close()
        await poller.close()
        await runner.close()
        pages.deleteLater()

    qt_loop.run(steps())


def test_a_report_is_shown_before_it_is_copied_or_saved(
    qt_loop: Any, backend: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AFTERIMAGE_REDIS_URL", "redis://:secret@127.0.0.1:1/0")
    get_settings.cache_clear()
    logs = get_settings().log_dir
    logs.mkdir(parents=True)
    (logs / "window.log").write_text("from redis://:secret@127.0.0.1:1/0\n")

    async def steps() -> None:
        async with Parts(backend) as parts:
            QGuiApplication.clipboard().clear()
            report = ReportDialog(parts.window, backend, parts.runner)
            parts.window.show()
            report.open()
            assert not report.copy_button.isEnabled()
            await qt_loop.until(report.copy_button.isEnabled)
            text = report.text.toPlainText()
            assert "worker.log" in text
            assert "window.log\nfrom redis://" in text
            assert "secret" not in text
            assert QGuiApplication.clipboard().text() == ""  # not before it is asked for
            report.copy_button.click()
            assert QGuiApplication.clipboard().text() == text
            target = tmp_path / "report.txt"
            report.save_to(str(target))
            await qt_loop.until(target.exists)
            assert target.read_text(encoding="utf-8") == text
            report.close()

    qt_loop.run(steps())


def test_what_the_program_is_can_be_read(qtbot: Any, window: MainWindow) -> None:
    about = AboutDialog(window)
    qtbot.addWidget(about)
    said = " ".join(text.text() for text in about.findChildren(QLabel))
    assert "Version" in said
    assert "MIT" in said


@pytest.mark.parametrize(("width", "columns"), [(1100, 3), (851, 2), (440, 1)])
def test_keys_stand_in_as_many_columns_as_fit_and_scroll_down_only(
    qt_loop: Any, backend: Any, window: MainWindow, width: int, columns: int
) -> None:
    async def steps() -> None:
        runner, poller = ActionRunner(window, backend), Poller(window)
        pages = Pages(window, backend, runner, poller)
        window.have_page("pictures")
        keys = KeysDialog(window)
        keys.resize(900, 446)
        keys.open()
        keys.resize(width, 446)  # as high as a screen of 480 has room for
        await qt_loop.until(lambda: keys.columns.number == columns)
        await qt_loop.until(lambda: keys.columns.verticalScrollBar().maximum() > 0)
        assert keys.columns.horizontalScrollBar().maximum() == 0
        inside = keys.columns.widget()
        assert inside.width() == keys.columns.viewport().width()
        shown = inside.findChildren(QLabel)
        for text in shown:
            place = text.mapTo(inside, text.rect().topLeft()).x()
            assert place >= 0
            assert place + text.sizeHint().width() <= inside.width(), text.text()
        groups = {"File", "Session", "View", "Help", "Pictures", "Search", "A picture", "Failed"}
        assert groups <= {text.text() for text in shown}
        keys.close()
        await poller.close()
        await runner.close()
        pages.deleteLater()

    qt_loop.run(steps())
