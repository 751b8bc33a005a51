"""How long the window handles nothing while a real session runs beside it."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from surroundings import HERE, drawn_pictures

PICTURES = 2_000
WITHIN_S = 240
TOO_LONG_MS = 50


@dataclass(frozen=True, slots=True)
class Stalls:
    """Times between two moments at which the window handled events, in milliseconds."""

    longest: float
    p99: float
    longest_at_opening: float
    """From the first paint until the worker is ready."""
    explained: str
    """Where the stalls over 50 ms come from; empty where there are none."""


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
    measured = json.loads(result.read_text(encoding="utf-8"))
    session = measured["session"]["ms"]
    return Stalls(
        longest=max(session),
        p99=statistics.quantiles(session, n=100)[-1],
        longest_at_opening=max(measured["opening"]["ms"]),
        explained="\n".join(_explain(phase, measured[phase]["worst"]) for phase in measured),
    )


def _explain(phase: str, worst: list[dict[str, Any]]) -> str:
    lines = []
    for gap in worst:
        if gap["ms"] > TOO_LONG_MS:
            lines.append(f"{phase}: {gap['ms']:.0f} ms, {gap['computing_ms']:.0f} of it computing")
            seen = sorted(gap["stacks"].items(), key=lambda item: item[1], reverse=True)
            lines += [f"seen {times} times in\n{stack}" for stack, times in seen[:2]]
    return "\n".join(lines)
