"""An upgrade is told of once, in each place."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest

from app.bundled import CHANGES
from app.cli.commands import run_command
from app.services.upgrades import last_run_file, take_upgrade

LOG = """# Changes

## [Unreleased]

Not in this program.

## [3.0.0] - 2027-03-03

Finds pictures by their place,
and starts in half the time.

### Added

- Places.

## [2.1.0] - 2027-02-02

### Fixed

- A crash.

## [2.0.0] - 2027-01-01

The timeline.
"""


@pytest.fixture
def runs(data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Have the program be of another version."""
    data_dir.mkdir()
    (tmp_path / "CHANGELOG.md").write_text(LOG)
    monkeypatch.setattr("app.services.upgrades.CHANGES", tmp_path / "CHANGELOG.md")

    def be(number: str) -> None:
        monkeypatch.setattr("app.services.upgrades.version", lambda _name: number)

    return be


def test_the_first_start_and_the_same_version_say_nothing(runs: Callable[[str], None]) -> None:
    runs("3.0.0")
    assert take_upgrade("window") is None
    assert take_upgrade("window") is None


def test_a_newer_version_says_once_in_each_place_what_has_changed_since_the_last(
    runs: Callable[[str], None],
) -> None:
    runs("2.0.0")
    for place in ("window", "terminal"):
        assert take_upgrade(place) is None
    runs("3.0.0")
    for place in ("window", "terminal"):
        said = take_upgrade(place)
        assert said is not None
        assert said.sentence == (
            "Afterimage was updated to 3.0.0: Finds pictures by their place, and starts in half "
            "the time."
        )
        assert re.findall(r"## \[(.+)\]", said.changes) == ["3.0.0", "2.1.0"]
        assert said.changes.rstrip().endswith("- A crash.")
        assert take_upgrade(place) is None


def test_a_section_without_a_summary_is_told_of_by_its_number(
    runs: Callable[[str], None],
) -> None:
    runs("2.0.0")
    take_upgrade("window")
    runs("2.1.0")
    said = take_upgrade("window")
    assert said is not None
    assert said.sentence == "Afterimage was updated to 2.1.0."


@pytest.mark.parametrize("before", ["3.0.0", "4.0.0"])
def test_an_older_version_says_nothing(before: str, runs: Callable[[str], None]) -> None:
    runs(before)
    take_upgrade("window")
    runs("2.0.0")
    assert take_upgrade("window") is None


@pytest.mark.parametrize("content", ["", "[]", "{"])
def test_a_note_that_cannot_be_read_says_nothing_and_is_written_anew(
    content: str, runs: Callable[[str], None]
) -> None:
    last_run_file().write_text(content)
    runs("3.0.0")
    assert take_upgrade("window") is None
    assert json.loads(last_run_file().read_text()) == {"window": "3.0.0"}


def test_a_command_says_it_beside_its_output(
    runs: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    runs("2.1.0")
    run_command(["sessions", "--json"], lambda *, child: 1)
    assert capsys.readouterr().err == ""
    runs("3.0.0")
    for expected in ("updated to 3.0.0: Finds pictures by their place, and starts", ""):
        run_command(["sessions", "--json"], lambda *, child: 1)
        printed = capsys.readouterr()
        assert json.loads(printed.out) == []
        assert expected in printed.err
        assert bool(printed.err) == bool(expected)


def test_every_section_of_the_change_log_begins_with_what_matters_most() -> None:
    sections = re.findall(r"^## \[(.+?)\].*\n+(.*)", CHANGES.read_text("utf-8"), re.MULTILINE)
    assert sections
    assert [name for name, first in sections if not first or first.startswith("#")] == []
    assert version("afterimage") in CHANGES.read_text("utf-8")
