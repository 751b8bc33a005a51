"""The settings that can be changed in the window."""

from __future__ import annotations

import json
from typing import Any

import pytest
from PySide6.QtWidgets import QLabel, QWidget

from app.config import get_settings
from app.ui.parts.actions import ActionRunner
from app.ui.shell.settings_dialog import SettingsDialog


@pytest.fixture
def parent(qtbot: Any) -> QWidget:
    parent = QWidget()
    qtbot.addWidget(parent)
    return parent


def opened(parent: QWidget) -> SettingsDialog:
    dialog = SettingsDialog(parent, ActionRunner(parent))
    dialog.open()
    return dialog


def test_what_was_changed_is_saved_and_nothing_else(qt_loop: Any, parent: QWidget) -> None:
    async def steps() -> None:
        dialog = opened(parent)
        saved = []
        dialog.saved.connect(lambda: saved.append(True))
        dialog.device.setCurrentIndex(dialog.device.findData("cpu"))
        dialog.megapixels.setValue(50)
        dialog.save_button.click()
        await qt_loop.until(lambda: saved)

    qt_loop.run(steps())
    stored = json.loads(get_settings().settings_file.read_text())
    assert stored == {"device": "cpu", "max_image_megapixels": 50}
    assert get_settings().device == "cpu"


def test_without_a_change_the_worker_is_left_alone(parent: QWidget) -> None:
    dialog = opened(parent)
    dialog.saved.connect(lambda: pytest.fail("nothing has changed"))
    dialog.save_button.click()
    assert not dialog.isVisible()
    assert not get_settings().settings_file.exists()


def test_what_the_environment_sets_cannot_be_changed_here(
    parent: QWidget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AFTERIMAGE_DECODE_THREADS", "3")
    get_settings.cache_clear()
    dialog = opened(parent)
    assert dialog.decoders.value() == 3
    assert not dialog.decoders.isEnabled()
    assert dialog.batch.isEnabled()
    shown = [text.text() for text in dialog.findChildren(QLabel)]
    assert "Set by the environment: AFTERIMAGE_DECODE_THREADS." in shown
