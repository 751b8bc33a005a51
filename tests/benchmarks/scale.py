"""The group ``scale``: what stays flat from a thousand pictures to a million."""

from __future__ import annotations

from discovery import discovery_ratio, first_vector_seconds, peak_mb_of_discovery
from figures import Figure, Target
from first_vector import first_vector_cold_seconds
from growth import cost
from idle import idle
from million import million_rows_ms
from rescan import measure as rescan
from surroundings import empty_data_folder
from two_workers import two_workers_ratio

SIZES = {"1k": 1_000, "10k": 10_000, "100k": 100_000, "1m": 1_000_000}
ROUNDS = 3


def measure() -> list[Figure]:
    """All figures of the group."""
    return [*_discovery(), *_costs(), *_million(), *_idle(), *_workers()]


def _discovery() -> list[Figure]:
    ratio, files_per_second = discovery_ratio()
    cold, second = first_vector_cold_seconds()
    few, many = peak_mb_of_discovery(SIZES["100k"]), peak_mb_of_discovery(SIZES["1m"])
    return [
        Figure("discovery_ratio", ratio, Target("≥", 0.35)),
        Figure("discovery_files_per_second", files_per_second),
        Figure("discovery_peak_mb_at_1m", many),
        Figure("discovery_memory_100k_to_1m", many / few, Target("≤", 1.1)),
        Figure("first_vector_s", first_vector_seconds(), Target("≤", 3)),
        Figure("first_vector_cold_s", cold, Target("≤", 2.5)),
        Figure("second_session_s", second, Target("≤", 0.3)),
        *(
            Figure(name, value, Target("≤", 3) if name == "rescan_ratio" else None)
            for name, value in rescan().items()
        ),
    ]


def _costs() -> list[Figure]:
    """By size, the best of some rounds that take turns."""
    rounds = [{name: cost(rows) for name, rows in SIZES.items()} for _ in range(ROUNDS)]
    seconds = {name: min(costs[name].per_thousand_s for costs in rounds) for name in SIZES}
    growth = max(seconds.values()) / min(seconds.values())
    return [
        *(Figure(f"seconds_per_1000_at_{name}", value) for name, value in seconds.items()),
        Figure("cost_growth_1k_to_1m", growth, Target("≤", 1.1)),
        *(
            Figure(f"start_up_s_at_{name}", min(costs[name].start_up_s for costs in rounds))
            for name in ("1k", "1m")
        ),
    ]


def _million() -> list[Figure]:
    with empty_data_folder():
        return [Figure(name, value) for name, value in million_rows_ms().items()]


def _idle() -> list[Figure]:
    with empty_data_folder():
        still = idle()
    return [
        Figure("idle_cpu_percent", still.cpu_percent, Target("<", 1)),
        Figure("idle_window_mb", still.window_mb),
        Figure("idle_worker_mb", still.worker_mb),
    ]


def _workers() -> list[Figure]:
    return [Figure("two_workers_ratio", two_workers_ratio())]
