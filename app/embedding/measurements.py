"""What was measured of a model on this computer, kept for the next time that it is loaded."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from app.config import get_settings
from app.errors import first_line
from app.private_files import replace_file

log = logging.getLogger(__name__)

FILE_NAME = "measurements.json"
MOST = 64
"""Kept; the oldest go first."""
UNTRIED, TAKEN = "untried", "taken"


@dataclass(frozen=True, slots=True)
class Measurement:
    """How a model is quickest while it is as good as in fp32."""

    precision: str
    """``fp32``, ``bf16`` or ``fp16``."""
    threads: int
    int8: str = ""
    """Of an image tower in int8 that is quicker still: ``UNTRIED`` while pictures have to tell
    whether it is faithful, ``TAKEN`` where it is; empty where there is none."""
    texts_in_int8: bool = False
    """That this is quicker for a text, and as good."""


def recall(key: str) -> Measurement | None:
    """What was measured under this key; None where nothing was, or it cannot be read."""
    try:
        return Measurement(**_read()[key])
    except (KeyError, TypeError):
        return None


def remember(key: str, measurement: Measurement) -> None:
    """Keep it; where that fails it is measured again the next time."""
    known = _read()
    known.pop(key, None)
    newest = dict([*known.items(), (key, asdict(measurement))][-MOST:])
    try:
        _file().parent.mkdir(parents=True, exist_ok=True)
        replace_file(_file(), json.dumps(newest, indent=1))
    except OSError as error:
        log.warning("what was measured cannot be kept: %s", first_line(error))


def _file() -> Path:
    return get_settings().data_dir / FILE_NAME


def _read() -> dict[str, dict[str, Any]]:
    try:
        known = json.loads(_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}
