"""The group ``window``: how soon it opens and how it stays awake."""

from __future__ import annotations

import sys

from figures import Figure, Target
from first_paint import first_paint
from gallery import scrolling
from polling import poll_times_ms
from stalls import stalls
from surroundings import empty_data_folder


def measure() -> list[Figure]:
    """All figures of the group."""
    figures: list[Figure] = []
    with empty_data_folder():
        ratio, milliseconds = first_paint()
    figures += [
        Figure("window_first_paint_ratio", ratio, Target("≤", 2)),
        Figure("window_first_paint_ms", milliseconds),
    ]
    with empty_data_folder():
        median, longest = poll_times_ms()
    figures += [
        Figure("poll_ms_at_1m", median, Target("<", 10)),
        Figure("poll_max_ms_at_1m", longest),
    ]
    with empty_data_folder() as folder:
        gallery = scrolling(folder)
    figures += [
        Figure("scroll_frame_p95_ms_at_1m", gallery.frame_p95, Target("≤", 16.7)),
        Figure("scroll_stall_ms_at_1m", gallery.longest, Target("<", 50)),
    ]
    with empty_data_folder() as folder:
        measured = stalls(folder)
    for stall in measured.explained:
        print(stall, file=sys.stderr)
    figures += [
        Figure("max_stall_ms", measured.longest, Target("<", 50)),
        Figure("stall_p99_ms", measured.p99),
        Figure("stall_computing_ms", measured.longest_computing),
        Figure("opening_stall_ms", measured.longest_at_opening),
        Figure("window_peak_mb", measured.peak_mb),
    ]
    return figures
