"""What is said once after an upgrade: which version runs now, and what it changes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from app.bundled import CHANGES
from app.config import get_settings
from app.private_files import replace_file

Place = Literal["window", "terminal"]
"""Where it is said; each says it once."""


@dataclass(frozen=True, slots=True)
class Upgrade:
    """From the version that last ran in a place to this one."""

    sentence: str
    changes: str
    """The sections of the change log since then, in Markdown."""


def take_upgrade(place: Place) -> Upgrade | None:
    """What to say now; None at the first start, and where no newer version runs than the last time.

    Notes that it was said. A note that cannot be read or written says nothing: what is wrong with
    the data folder, the ledger tells.
    """
    file, running = last_run_file(), version("afterimage")
    noted = _noted(file)
    if noted.get(place) == running:
        return None
    try:
        replace_file(file, json.dumps({**noted, place: running}) + "\n")
    except OSError:
        return None
    return _upgrade(noted.get(place, ""), running, CHANGES.read_text(encoding="utf-8"))


def last_run_file() -> Path:
    """The versions that last ran, by place."""
    return get_settings().data_dir / "last-run.json"


def _noted(file: Path) -> Mapping[str, str]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _upgrade(before: str, running: str, changes: str) -> Upgrade | None:
    sections = re.split(r"^(?=## \[)", changes, flags=re.MULTILINE)[1:]  # the newest comes first
    versions = [section.partition("]")[0].removeprefix("## [") for section in sections]
    if before not in versions or running not in versions:
        return None
    newer = sections[versions.index(running) : versions.index(before)]
    return Upgrade(_sentence(running, newer[0]), "".join(newer)) if newer else None


def _sentence(running: str, section: str) -> str:
    """The paragraph that a section begins with says what matters most."""
    paragraph = section.partition("\n")[2].strip().partition("\n\n")[0]
    summary = "" if paragraph.startswith("#") else f": {' '.join(paragraph.split())}"
    return f"Afterimage was updated to {running}{summary or '.'}"
