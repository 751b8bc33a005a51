"""Numbers, sizes, times and states as people read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from app.ui.parts import words

NOW = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)


def test_counts_have_separators() -> None:
    assert words.count(0) == "0"
    assert words.count(1_000_000) == "1,000,000"
    assert words.plural(1, "picture") == "1 picture"
    assert words.plural(0, "picture") == "0 pictures"
    assert words.plural(2, "process", "processes") == "2 processes"


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (999, "999"), (1_000, "1.0k"), (1_999, "1.9k"), (12_345, "12k"), (1e6, "1.0M")],
)
def test_badges_stay_short_and_never_promise_too_much(number: float, text: str) -> None:
    assert words.short_count(int(number)) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1, "1 byte"),
        (999, "999 bytes"),
        (840_000, "840 KB"),
        (999_600, "1.0 MB"),
        (61_200_000_000, "61.2 GB"),
        (120_000_000_000, "120 GB"),
        (5_000_000_000_000_000, "5,000 TB"),
    ],
)
def test_sizes(number: int, text: str) -> None:
    assert words.size(number) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (11 * 60 + 10, "11 min"),
        (3_599, "1 h"),
        (7_500, "2 h 5 min"),
        (200_000, "2 days"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert words.duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "Estimating the time left…"),
        (3, "A few seconds left"),
        (40, "Less than a minute left"),
        (61, "About 1 minute left"),
        (185, "About 3 minutes left"),
        (59.9 * 60, "About 1 hour left"),
        (5_400, "About 1½ hours left"),
        (7_200, "About 2 hours left"),
        (13 * 3_600, "About 13 hours left"),
        (3 * 86_400, "About 3 days left"),
    ],
)
def test_time_left_is_no_more_exact_than_it_is_known(seconds: float | None, text: str) -> None:
    assert words.time_left(seconds) == text


def test_time_left_says_when_it_cannot_know() -> None:
    assert words.time_left(60, stalled=True) == "No progress for a while"
    assert words.time_left(60, discovering=True) == "Still counting"


@pytest.mark.parametrize(
    ("seconds", "text"), [(1, "just now"), (42, "42 s ago"), (125, "2 min ago")]
)
def test_ago(seconds: int, text: str) -> None:
    assert words.ago(NOW - timedelta(seconds=seconds), NOW) == text


def test_ago_names_the_day_where_hours_say_little() -> None:
    assert words.ago(None, NOW) == "never"
    assert words.ago(NOW - timedelta(hours=2), NOW).startswith("today, ")
    assert words.ago(NOW - timedelta(days=1), NOW).startswith("yesterday, ")
    assert words.ago(NOW - timedelta(days=40), NOW) == "2 February 2026"
    assert words.ago(NOW.replace(tzinfo=None), NOW) == "just now"


def test_states_are_plain_words() -> None:
    assert words.state_word("pending") == "Waiting to start"
    assert words.state_word("running") == "Indexing"
    assert words.state_word("running", discovering=True) == "Indexing, still counting"
    assert words.state_word("failed") == "Stopped by an error"
    assert words.picture_state_word("reused") == "Already known"


def test_progress_sentences() -> None:
    assert words.indexing(12_345, 19_900) == "Indexing 12,345 of 19,900 pictures"
    assert words.indexing(0, 12_000, discovering=True) == "12,000 pictures so far, still counting"
    assert words.indexing(1, 1, "completed") == "1 of 1 picture"
    assert words.achieved(19_898, 2, 0, 660) == "19,898 indexed, 2 failed, 11 min"
    assert words.could_not_be_read(1) == "1 picture could not be read"


def test_long_texts_keep_what_tells_them_apart() -> None:
    path = "/home/someone/pictures/2024/holiday/in/a/deep/place/IMG_1234.JPG"
    short = words.elide_path(path, 30)
    assert len(short) <= 30
    assert short.startswith("/home")
    assert short.endswith("IMG_1234.JPG")
    assert len(words.elide_path("x" * 500, 30)) <= 30
    assert words.elide_path("/a/b", 30) == "/a/b"
    assert words.shorten("a\nb", 10) == "a b"
    assert words.shorten("x" * 50, 10) == "x" * 9 + "…"


def test_devices_and_models_have_names() -> None:
    assert words.device_name("cuda:0") == "GPU"
    assert words.device_name("cuda:1") == "GPU 2"
    assert words.device_name(None) == ""
    assert words.model_name("builtin") == "Built-in model"
    assert words.model_name("ViT-B-32/laion2b") == "ViT-B-32 (laion2b)"


def test_names_are_sorted_as_people_sort_them() -> None:
    names = ["IMG_10", "img_9", "IMG_2", "a", "Ä", "2", "10", ""]
    assert sorted(names, key=words.sort_key) == [
        "",
        "2",
        "10",
        "a",
        "IMG_2",
        "img_9",
        "IMG_10",
        "Ä",
    ]


def test_dimensions_have_separators() -> None:
    assert words.dimensions(4000, 300) == "4,000 × 300"
    assert words.dimensions(None, 300) == words.dimensions(0, 0) == ""
