"""The entry that starts the program with the desktop."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.errors import AppError
from app.ui.shell import autostart


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return tmp_path


def test_it_is_written_and_removed(config: Path) -> None:
    assert not autostart.is_on()
    autostart.set_on(True)
    entry = config / "autostart" / "afterimage.desktop"
    assert "-P -m app --in-tray" in entry.read_text()
    assert autostart.is_on()
    autostart.set_on(False)
    autostart.set_on(False)
    assert not entry.exists()


def test_an_entry_that_the_desktop_has_switched_off_is_off(config: Path) -> None:
    autostart.set_on(True)
    entry = autostart.entry_file()
    for line in ("Hidden=true", "X-GNOME-Autostart-enabled=false"):
        entry.write_text(f"[Desktop Entry]\n{line}\n")
        assert not autostart.is_on()


def test_a_folder_that_cannot_be_written_is_said_so(config: Path) -> None:
    (config / "autostart").write_text("a file")
    with pytest.raises(AppError, match="could not be written"):
        autostart.set_on(True)


def test_a_relative_folder_is_ignored_as_the_standard_says() -> None:
    home = Path.home() / ".config"
    assert autostart.entry_file({"XDG_CONFIG_HOME": "here"}).parents[1] == home
