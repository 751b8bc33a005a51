"""What the long form makes of its findings."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
from catalogue import Fault
from endurance import Course, index_megabytes, write_small_pictures
from instant_model import DIMENSION, unit_vectors
from judge import Verdict
from PIL import Image
from soak import Result, _orders, main

from app.vectors.embedded import EmbeddedStore
from app.vectors.protocol import VectorPoint

HEAD = ("faults_injected", "recovered", "lost", "doubled", "wrong", "worst_recovery_s")


def test_figures_add_up_over_all_faults() -> None:
    result = Result(seed=1)
    result.note("one", Verdict(recovery_s=2.0))
    result.note("one", Verdict(recovery_s=1.0))
    result.note("two", Verdict(lost=["a", "b"], wrong=["c"], recovery_s=3.0))
    figures = json.loads(json.dumps(result.figures()))
    assert [figures[name] for name in HEAD] == [3, 2, 2, 0, 1, 3.0]
    assert figures["faults"]["one"] == {
        "count": 2,
        "recovered": 2,
        "worst_recovery_s": 2.0,
        "problems": [],
    }
    assert "lost: a" in result.table()


@pytest.mark.parametrize(
    ("verdict", "good"),
    [
        (Verdict(recovery_s=9.9), True),
        (Verdict(recovery_s=10.1), False),
        (Verdict(doubled=["a"]), False),
        (Verdict(broken=["left running"]), False),
    ],
)
def test_it_is_good_only_where_all_is_well_in_time(verdict: Verdict, good: bool) -> None:
    result = Result(seed=1)
    assert not result.is_good()  # nothing was tried
    result.note("one", verdict)
    assert result.is_good() == good


def test_every_fault_comes_once_before_any_comes_again_and_rare_ones_never_do() -> None:
    faults = [Fault(str(number), print, rare=number == 0) for number in range(5)]
    order = _orders(faults, random.Random(1), again=True)
    first, second = [next(order).name for _ in range(5)], [next(order).name for _ in range(8)]
    assert sorted(first) == ["0", "1", "2", "3", "4"]
    assert sorted(second[:4]) == sorted(second[4:]) == ["1", "2", "3", "4"]
    assert len(list(_orders(faults, random.Random(1), again=False))) == 5


def test_nothing_to_try_is_no_success(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("soak.signal.signal", lambda *_: None)
    assert main(["--only", "no such fault", "--json", str(tmp_path / "figures.json")]) == 1
    assert json.loads((tmp_path / "figures.json").read_text())["faults_injected"] == 0
    assert "faults_injected" in capsys.readouterr().out


def test_growth_is_seen_and_noise_is_not() -> None:
    flat = Course([100, 103, 99, 102] * 5, [40, 42] * 10, [9, 11] * 10)
    assert list(flat.problems("worker")) == []
    grown = Course([100 + look for look in range(20)], list(range(20)), list(range(20)))
    assert len(list(grown.problems("worker"))) == 3
    assert len(list(grown.problems("worker", index_megabytes=15))) == 2
    assert list(Course([1.0], [1], [1]).problems("worker")) == ["worker: too few looks to tell"]


def test_what_an_index_takes_is_told_by_a_process_that_opens_it(tmp_path: Path) -> None:
    vectors = unit_vectors(4_000)
    store = EmbeddedStore(tmp_path)
    store.ensure_collection("some", DIMENSION)
    store.upsert("some", [VectorPoint(row, vector, {}) for row, vector in enumerate(vectors)])
    store.close()
    assert 0.5 < index_megabytes(tmp_path) < 100


def test_small_pictures_are_pictures_and_differ(tmp_path: Path) -> None:
    write_small_pictures(tmp_path, 5)
    found = [Image.open(path).convert("RGB").tobytes() for path in tmp_path.rglob("*.png")]
    assert len(set(found)) == 5


def test_it_starts_from_the_command_line() -> None:
    soak = Path(__file__).with_name("soak.py")
    listed = subprocess.run(
        [sys.executable, soak, "--list"], check=True, capture_output=True, text=True
    )
    assert "killed" in listed.stdout
