"""Help inside the program."""

from __future__ import annotations

from typing import Any

import pytest
from PySide6.QtCore import QSettings
from PySide6.QtWidgets import QLabel

from app.ui.shell.help import GuideDialog, KeysDialog
from app.ui.shell.window import MainWindow


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


def test_every_key_of_the_menus_is_shown(qtbot: Any, window: MainWindow) -> None:
    keys = KeysDialog(window, window.menuBar())
    qtbot.addWidget(keys)
    shown = [text.text() for text in keys.findChildren(QLabel)]
    for menu in window.menuBar().actions():
        for action in menu.menu().actions():
            if not action.shortcut().isEmpty():
                assert action.shortcut().toString() in shown
    assert {"File", "Session", "View", "Help", "Pictures", "Search"} <= set(shown)
