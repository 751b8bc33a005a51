"""The settings that can be changed in the window."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QPoint, QSettings, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QWidget

from app.api.exclude_patterns import clean
from app.config import Settings, get_settings, set_by, variable
from app.ui.parts.actions import ActionRunner
from app.ui.parts.commands import Commands
from app.ui.pictures.file_acts import ASKED_KEY
from app.ui.shell import autostart
from app.ui.shell.settings_dialog import SettingsDialog

NOT_HERE = {
    "data_dir": "the settings lie in it",
    "database_url": "belongs to those who run several machines",
    "redis_url": "the same",
    "qdrant_url": "the same",
    "model": "the page of models",
    "search_model": "the page of pictures",
    "job_timeout": "nobody has to know of it",
}


@pytest.fixture(autouse=True)
def config_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config"


@pytest.fixture
def parent(qtbot: Any) -> QWidget:
    parent = QWidget()
    qtbot.addWidget(parent)
    return parent


class Opened:
    """The dialog, and what it asked for."""

    def __init__(self, parent: QWidget) -> None:
        self.commands = Commands(parent)
        self.commands.schemes["system"].setChecked(True)
        self.restarts: list[bool] = []
        file = get_settings().data_dir / "window.ini"
        self.memory = QSettings(str(file), QSettings.Format.IniFormat)
        self.dialog = SettingsDialog(parent, ActionRunner(parent), self.commands, self.memory)
        self.dialog.restart_wanted.connect(lambda: self.restarts.append(True))
        self.closed: list[int] = []
        self.dialog.finished.connect(self.closed.append)
        self.dialog.open()

    async def save(self, qt_loop: Any) -> None:
        QTest.mouseClick(self.dialog.save_button, Qt.MouseButton.LeftButton)
        await qt_loop.until(lambda: self.closed)


def stored() -> Any:
    return json.loads(get_settings().settings_file.read_text())


def test_every_setting_is_here_or_has_its_place_elsewhere(parent: QWidget) -> None:
    here = set(Opened(parent).dialog._fields)
    assert here | set(NOT_HERE) == set(Settings.model_fields)
    assert not here & set(NOT_HERE)


def test_what_was_changed_is_saved_and_nothing_else(qt_loop: Any, parent: QWidget) -> None:
    async def steps() -> None:
        opened = Opened(parent)
        opened.dialog.device.setCurrentIndex(opened.dialog.device.findData("cpu"))
        opened.dialog.megapixels.setValue(50)
        await opened.save(qt_loop)
        assert opened.restarts == [True]

    qt_loop.run(steps())
    assert stored() == {"device": "cpu", "max_image_megapixels": 50}
    assert get_settings().device == "cpu"


def test_for_what_only_new_sessions_read_the_worker_is_left_alone(
    qt_loop: Any, parent: QWidget
) -> None:
    async def steps() -> None:
        opened = Opened(parent)
        opened.dialog.exclude.setText("*.png, Exports/")
        opened.dialog.schedule.setCurrentIndex(opened.dialog.schedule.findData(24))
        await opened.save(qt_loop)
        assert opened.restarts == []

    qt_loop.run(steps())
    assert stored() == {"exclude": "*.png, Exports/", "update_every_hours": 24}
    assert clean(get_settings().exclude.split(",")) == ["*.png", "Exports/"]


def test_without_a_change_nothing_is_written(qt_loop: Any, parent: QWidget) -> None:
    async def steps() -> None:
        opened = Opened(parent)
        await opened.save(qt_loop)
        assert opened.restarts == []

    qt_loop.run(steps())
    assert not get_settings().settings_file.exists()
    assert not autostart.entry_file().exists()


def test_a_pattern_that_cannot_be_used_is_refused_beside_its_field(parent: QWidget) -> None:
    opened = Opened(parent)
    opened.dialog.exclude.setText("*")
    opened.dialog.save_button.click()
    assert opened.dialog.isVisible()
    assert "skip everything" in opened.dialog.exclude_error.text()


def test_colours_and_the_start_with_the_desktop_are_chosen_here(
    qt_loop: Any, parent: QWidget
) -> None:
    async def steps() -> None:
        opened = Opened(parent)
        opened.dialog.colours.setCurrentIndex(opened.dialog.colours.findData("dark"))
        box = opened.dialog.autostart
        QTest.mouseClick(box, Qt.MouseButton.LeftButton, pos=QPoint(8, box.height() // 2))
        await opened.save(qt_loop)
        assert opened.commands.schemes["dark"].isChecked()
        assert autostart.is_on()
        again = Opened(parent)
        assert again.dialog.autostart.isChecked()
        again.dialog.autostart.setChecked(False)
        await again.save(qt_loop)
        assert not autostart.is_on()

    qt_loop.run(steps())


def test_the_question_before_the_trash_can_be_had_back(qt_loop: Any, parent: QWidget) -> None:
    async def steps() -> None:
        opened = Opened(parent)
        assert opened.dialog.ask_trash.isChecked()
        opened.memory.setValue(ASKED_KEY, "no")  # as "Do not ask again" does
        again = Opened(parent)
        box = again.dialog.ask_trash
        assert not box.isChecked()
        QTest.mouseClick(box, Qt.MouseButton.LeftButton, pos=QPoint(8, box.height() // 2))
        await again.save(qt_loop)
        assert again.memory.value(ASKED_KEY) != "no"
        assert Opened(parent).dialog.ask_trash.isChecked()

    qt_loop.run(steps())


def test_what_the_environment_sets_is_shown_with_its_name_and_stays(
    parent: QWidget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AFTERIMAGE_DECODE_THREADS", "3")
    get_settings.cache_clear()
    dialog = Opened(parent).dialog
    assert dialog.decoders.value() == 3
    assert not dialog.decoders.isEnabled()
    assert dialog.batch.isEnabled()
    shown = [text.text() for text in dialog.findChildren(QLabel)]
    assert "Set by AFTERIMAGE_DECODE_THREADS" in shown
    assert variable("exclude") == "AFTERIMAGE_EXCLUDE"


def test_a_variable_of_another_program_sets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXCLUDE", "*.jpg")
    get_settings.cache_clear()
    assert set_by("exclude") is None
    assert get_settings().exclude == ""
