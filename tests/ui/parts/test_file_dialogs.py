"""Where dialogs for folders and files begin."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PySide6.QtWidgets import QWidget

from app.ui.parts.file_dialogs import choose_files, choose_folder, nearest, save_table


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without any folder, and a program that was started elsewhere."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / ".config"))
    monkeypatch.chdir("/usr")
    return tmp_path


def begin(dialog: object) -> str:
    return dialog.directory().absolutePath()  # type: ignore[attr-defined]


def test_dialogs_begin_with_pictures_documents_or_home(qtbot, home) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    assert begin(choose_folder(window, "Where?", print)) == str(home)
    for name in ("Pictures", "Documents"):
        (home / name).mkdir()
    assert begin(choose_folder(window, "Where?", print)) == str(home / "Pictures")
    assert begin(choose_files(window, "Which?", print, "*.jpg")) == str(home / "Pictures")
    table = save_table(window, "Where to?", print, "a.csv")
    assert begin(table) == str(home / "Documents")
    assert [os.path.basename(path) for path in table.selectedFiles()] == ["a.csv"]


def test_a_folder_that_is_gone_begins_with_what_is_left_of_the_way(qtbot, home) -> None:
    (home / "a").mkdir()
    assert nearest(str(home / "a" / "b" / "c")) == str(home / "a")
    assert nearest("/gone/folder") == ""
    window = QWidget()
    qtbot.addWidget(window)
    assert begin(choose_folder(window, "Where?", print, "/gone/folder")) == str(home)
