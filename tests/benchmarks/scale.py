"""The group ``scale``: what stays flat from a thousand pictures to a million."""

from __future__ import annotations

from discovery import discovery_ratio, first_vector_seconds
from figures import Figure, Target
from growth import seconds_per_thousand
from idle import idle
from rescan import measure as rescan
from surroundings import empty_data_folder

SIZES = {"1k": 1_000, "10k": 10_000, "100k": 100_000, "1m": 1_000_000}
ROUNDS = 3


def measure() -> list[Figure]:
    """All figures of the group."""
    ratio, files_per_second = discovery_ratio()
    figures = [
        Figure("discovery_ratio", ratio, Target("≥", 0.3)),
        Figure("discovery_files_per_second", files_per_second),
        Figure("first_vector_s", first_vector_seconds(), Target("≤", 3)),
        *(Figure(name, value) for name, value in rescan().items()),
    ]
    costs = _costs()
    figures += [Figure(f"seconds_per_1000_at_{name}", cost) for name, cost in costs.items()]
    growth = max(costs.values()) / min(costs.values())
    figures.append(Figure("cost_growth_1k_to_1m", growth, Target("≤", 1.1)))
    with empty_data_folder():
        still = idle()
    return [
        *figures,
        Figure("idle_cpu_percent", still.cpu_percent, Target("<", 1)),
        Figure("idle_window_mb", still.window_mb),
        Figure("idle_worker_mb", still.worker_mb),
    ]


def _costs() -> dict[str, float]:
    """Seconds per 1,000 pictures by size, the best of some rounds that take turns."""
    rounds = [
        {name: seconds_per_thousand(rows) for name, rows in SIZES.items()} for _ in range(ROUNDS)
    ]
    return {name: min(costs[name] for costs in rounds) for name in SIZES}
