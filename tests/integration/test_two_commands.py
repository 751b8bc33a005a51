"""Two at once: whoever needs a worker sees to it that one runs, whoever else comes and goes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from following import draw_pictures
from sqlalchemy import select
from warm_processes import WarmCommand, run_app

from app.db.engine import get_sync_session
from app.db.models import TrainingSession

Start = Callable[..., WarmCommand]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no embedded server there")


@pytest.fixture
def start() -> Iterator[Start]:
    with ExitStack() as running:
        yield lambda *arguments: running.enter_context(closing(WarmCommand(*arguments)))


def wait_for(condition: Callable[[], object], within_s: float = 60) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.02)


def worker_pid(data_dir: Path) -> int | None:
    try:
        return int(json.loads((data_dir / "run" / "worker.json").read_text())["pid"])
    except (OSError, ValueError):
        return None


def finished(command: WarmCommand) -> dict[str, object]:
    ended = command.finish()
    assert ended.returncode == 0, ended.stderr
    assert "Traceback" not in ended.stderr
    done: dict[str, object] = json.loads(ended.stdout)
    return done


@pytest.mark.early
@pytest.mark.parametrize("ends_by", [signal.SIGINT, signal.SIGKILL])
def test_a_command_goes_on_when_the_one_whose_worker_it_used_ends(
    data_dir: Path,
    tmp_path: Path,
    start: Start,
    ends_by: signal.Signals,
) -> None:
    for name, number in (("a", 400), ("b", 120)):
        draw_pictures(tmp_path / name, number, seed=name)
    first = start("index", str(tmp_path / "a"), "--batch-size", "4")
    wait_for(lambda: worker_pid(data_dir))
    of_first = worker_pid(data_dir)
    second = start("index", str(tmp_path / "b"), "--json")
    wait_for(lambda: "b" in sessions())
    first.send_signal(ends_by)
    done = finished(second)
    assert (done["status"], done["jobsSummary"]["completed"]) == ("completed", 120)  # type: ignore[index]
    assert worker_pid(data_dir) != of_first


def sessions() -> list[str]:
    """The names of all sessions, as soon as there is a ledger."""
    with get_sync_session() as db:
        return list(db.scalars(select(TrainingSession.name)))


@pytest.mark.early
def test_a_command_goes_on_when_the_window_closes(
    data_dir: Path, tmp_path: Path, start: Start
) -> None:
    draw_pictures(tmp_path / "b", 200, seed="b")
    window = subprocess.Popen(
        [sys.executable, "-m", "app"], env=os.environ | {"QT_QPA_PLATFORM": "offscreen"}
    )
    try:
        wait_for(lambda: worker_pid(data_dir))
        second = start("index", str(tmp_path / "b"), "--json")
        wait_for(lambda: "b" in sessions())
        window.send_signal(signal.SIGTERM)
        assert window.wait(30) == 0
    finally:
        window.kill()
        window.wait()
    assert finished(second)["status"] == "completed"


def test_a_start_beside_somebody_elses_worker_answers_and_leaves_it_the_work(
    data_dir: Path, pictures: Path, start: Start
) -> None:
    assert json.loads(run_app("index", str(pictures), "--json").stdout)["status"] == "completed"
    worker = start("worker")
    wait_for(lambda: worker_pid(data_dir))
    pid = worker_pid(data_dir)
    started = start("start", "1", "--json")
    assert finished(started)["sessionId"] == 1
    searched = run_app("search", "circle", "--json")
    assert json.loads(searched.stdout)["hits"]
    assert "Starting" not in searched.stderr
    assert worker_pid(data_dir) == pid
    assert worker.runs()
    worker.send_signal(signal.SIGTERM)
    assert worker.finish().returncode == 0
