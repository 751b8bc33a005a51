"""The files for several machines name settings that exist, and the program as it is called."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.cli.commands import _parser
from app.config import Settings, variable

ROOT = Path(__file__).parents[3]
FILES = sorted([*(ROOT / "packaging/servers").iterdir(), ROOT / "docs/deployment.md"])


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.name)
def test_every_setting_exists(file: Path) -> None:
    named = set(re.findall(r"AFTERIMAGE_\w+|TRAINING_\w+", file.read_text(encoding="utf-8")))
    assert named <= {variable(setting) for setting in Settings.model_fields}


def test_every_command_exists() -> None:
    text = (ROOT / "docs/deployment.md").read_text(encoding="utf-8")
    commands = re.findall(r"`afterimage ([^`]+)`", text)
    assert len(commands) > 4
    for command in commands:
        _parser().parse_args(command.split())


def test_what_the_image_is_made_of_is_there() -> None:
    text = (ROOT / "packaging/servers/Dockerfile").read_text(encoding="utf-8")
    copied = re.findall(r"^COPY (.+) \S+$", text, re.MULTILINE)
    assert copied
    for name in " ".join(copied).split():
        assert (ROOT / name).exists(), name
