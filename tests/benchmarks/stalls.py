"""How long the window handles nothing while a real session runs beside it."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from surroundings import HERE, drawn_pictures

PICTURES = 2_000
WITHIN_S = 240


@dataclass(frozen=True, slots=True)
class Stalls:
    """Times between two moments at which the window handled events, in milliseconds."""

    longest: float
    p99: float
    longest_computing: float
    """What the window itself computed between two such moments, whatever else the computer did."""
    longest_at_opening: float
    """From the first paint until the worker is ready."""
    peak_mb: float
    """The most memory that the window's process had, in megabytes of 10⁶ bytes."""
    explained: list[str]
    """What the longest of those over 50 ms come from."""


def stalls(data_folder: Path) -> Stalls:
    """Index drawn pictures with the real program and measure its window.

    Raises:
        RuntimeError: the program did not get to the end of the session.
    """
    result = data_folder / "stalls.json"
    driver = [sys.executable, str(HERE / "stall_driver.py")]
    command = [*driver, str(drawn_pictures(PICTURES)), str(result)]
    ended = subprocess.run(command, timeout=WITHIN_S, stdout=sys.stderr, check=False)
    if not result.is_file():
        raise RuntimeError(f"the session did not end; the program ended with {ended.returncode}")
    if ended.returncode:
        print(f"After the session the program ended with {ended.returncode}.", file=sys.stderr)
    measured = json.loads(result.read_text(encoding="utf-8"))
    session = measured["session"]["ms"]
    return Stalls(
        longest=max(session),
        longest_computing=max(measured["session"]["computing_ms"]),
        p99=statistics.quantiles(session, n=100)[-1],
        longest_at_opening=max(measured["opening"]["ms"]),
        peak_mb=measured["peak_mb"],
        explained=[
            f"{phase}: {gap}"
            for phase in ("opening", "session")
            for gap in measured[phase]["worst"]
        ],
    )
