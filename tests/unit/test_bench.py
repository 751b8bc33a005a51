"""The table and the JSON of the benchmarks, on made-up figures."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

import bench
from figures import Figure, Target, table, write_json

FIGURES = [
    Figure("ratio", 1.5, Target("≤", 2)),
    Figure("poll_ms", 10.0, Target("<", 10)),
    Figure("recall", 0.9512, Target("≥", 0.9)),
    Figure("opening_ms", 1234.5),
]


def test_the_table_says_which_targets_are_met() -> None:
    assert table(FIGURES).splitlines() == [
        "figure      value  target",
        "ratio       1.500  ≤ 2     met",
        "poll_ms      10.0  < 10    not met",
        "recall      0.951  ≥ 0.9   met",
        "opening_ms  1,234",
    ]


def test_the_limit_itself_meets_at_most_but_not_below() -> None:
    assert Figure("a", 2, Target("≤", 2)).met is True
    assert Figure("a", 2, Target("<", 2)).met is False
    assert Figure("a", 2, Target("≥", 2)).met is True
    assert Figure("a", 2).met is None


def test_the_json_is_one_flat_object_of_numbers(tmp_path: Path) -> None:
    write_json(FIGURES, tmp_path / "figures.json")
    written = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))
    assert written == {"ratio": 1.5, "poll_ms": 10.0, "recall": 0.9512, "opening_ms": 1234.5}


def test_a_name_that_comes_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="same name"):
        write_json([FIGURES[0], FIGURES[0]], tmp_path / "figures.json")


def test_a_chosen_group_is_measured_shown_and_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(bench.MEASURES, "window", lambda: FIGURES)
    assert bench.main(["--only", "window", "--json", str(tmp_path / "figures.json")]) == 0
    assert table(FIGURES) in capsys.readouterr().out
    assert len(json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))) == 4
