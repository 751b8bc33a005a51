"""Measure the program: a table in the terminal, and one JSON object where wanted.

    python tests/benchmarks/bench.py [--only window|search|speed|scale] [--json FILE]

Every measurement starts with an empty data folder, which is removed afterwards.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil
import scale
import search
import speed
import window
from figures import Figure, table, write_json

MEASURES: dict[str, Callable[[], list[Figure]]] = {
    "window": window.measure,
    "search": search.measure,
    "speed": speed.measure,
    "scale": scale.measure,
}
"""The groups; each is named after its module."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what is asked for and show it; the exit code."""
    parser = argparse.ArgumentParser(description="Measure Afterimage on this computer.")
    parser.add_argument("--only", choices=MEASURES, help="one group instead of all")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    wanted = parser.parse_args(arguments)
    print(_conditions())
    figures: list[Figure] = []
    for name in [wanted.only] if wanted.only else MEASURES:
        figures += MEASURES[name]()
    print(table(figures))
    if wanted.json:
        write_json(figures, wanted.json)
    return 0


def _conditions() -> str:
    """What else the figures depend on."""
    cores, load = psutil.cpu_count(), psutil.getloadavg()[0]
    return f"On {cores} processors; load before the start: {load:.1f}."


if __name__ == "__main__":
    sys.exit(main())
