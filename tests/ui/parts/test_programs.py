"""Programs that say what they open, and how they are started; real processes."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from app.errors import AppError
from app.ui.parts import programs
from app.ui.parts.programs import DesktopProgram, commands, installed_programs, open_with

pytestmark = pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="needs desktop entries")

ENTRY = """[Desktop Entry]
Type=Application
Name=Paint 100%
Name[de]=Malen
Exec={exec}
MimeType=image/jpeg;image/png;
{more}
"""


@pytest.fixture
def entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a person's own entries are; the system has none."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "own"))
    monkeypatch.setenv("XDG_DATA_DIRS", str(tmp_path / "all"))
    monkeypatch.setenv("LANG", "C")
    for name in ("own", "all"):
        (tmp_path / name / "applications").mkdir(parents=True)
    return tmp_path / "own" / "applications"


def write(folder: Path, name: str, command: str, more: str = "") -> None:
    folder.joinpath(f"{name}.desktop").write_text(ENTRY.format(exec=command, more=more))


def test_programs_that_open_pictures_are_found_by_their_entries(
    entries: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(entries, "paint", "paint %F")
    write(entries, "hidden", "hidden", "NoDisplay=true")
    write(entries, "gone", "gone", "TryExec=/no/such/program")
    entries.joinpath("damaged.desktop").write_bytes(b"\xff[")
    everyone = entries.parent.parent / "all" / "applications"
    write(everyone, "paint", "another")  # a person's own entry hides it
    (program,) = installed_programs()
    assert program == DesktopProgram("Paint 100%", "paint %F", {"image/jpeg", "image/png"})
    monkeypatch.setenv("LANG", "de_DE.UTF-8")
    assert installed_programs()[0].name == "Malen"


@pytest.mark.parametrize(
    ("command", "started"),
    [
        ("view %F", [["view", "/a b.jpg", "/c.jpg"]]),
        ("view %f", [["view", "/a b.jpg"], ["view", "/c.jpg"]]),
        ('"my view" --new %U', [["my view", "--new", "file:///a%20b.jpg", "file:///c.jpg"]]),
        ("view %i 100%%", [["view", "100%", "/a b.jpg"], ["view", "100%", "/c.jpg"]]),
    ],
)
def test_a_program_is_handed_files_as_its_entry_says(
    command: str, started: list[list[str]]
) -> None:
    program = DesktopProgram("View", command, frozenset())
    assert commands(program, ["/a b.jpg", "/c.jpg"]) == started


def test_a_program_gets_the_files_whatever_their_names(entries: Path, tmp_path: Path) -> None:
    script = tmp_path / "note"
    script.write_text(f'#!/bin/sh\nfor file; do printf "%s\\n" "$file" >> {tmp_path}/seen; done\n')
    script.chmod(0o755)
    write(entries, "note", f"{script} %F")
    odd = os.fsdecode(b"/caf\xe9 1.jpg")
    open_with(installed_programs()[0], [odd, "/two.jpg"])
    open_with(str(script), ["/three.jpg"])
    for running in programs._started:
        assert running.wait(10) == 0
    seen = (tmp_path / "seen").read_bytes().splitlines()
    assert sorted(seen) == [b"/caf\xe9 1.jpg", b"/three.jpg", b"/two.jpg"]


def test_a_program_that_cannot_be_started_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(AppError, match=r"nothing could not be started: No such file"):
        open_with(str(tmp_path / "nothing"), ["/a.jpg"])
