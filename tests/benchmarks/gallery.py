"""How smoothly a million pictures scroll."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from surroundings import HERE

WITHIN_S = 300


@dataclass(frozen=True, slots=True)
class Scrolling:
    """In milliseconds."""

    frame_p95: float
    """From a step of the scroll bar to its picture."""
    longest: float
    """The longest time without handling events, while the page lists, scrolls or is dragged."""


def scrolling(data_folder: Path) -> Scrolling:
    """Measure the page of pictures in a process of its own.

    Raises:
        CalledProcessError: the page did not get there.
    """
    result = data_folder / "gallery.json"
    driver = [sys.executable, str(HERE / "gallery_driver.py"), str(result)]
    subprocess.run(driver, timeout=WITHIN_S, stdout=sys.stderr, check=True)
    measured = json.loads(result.read_text(encoding="utf-8"))
    return Scrolling(
        frame_p95=statistics.quantiles(measured["frames"], n=20)[-1],
        longest=max(measured[phase] for phase in ("listing", "scrolling", "dragging")),
    )
