"""Two at once: whoever needs a worker sees to it that one runs, whoever else comes and goes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from following import draw_pictures
from sqlalchemy import select
from warm_processes import run_app

from app.db.engine import get_sync_session
from app.db.models import TrainingSession

APP = [sys.executable, "-m", "app"]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no embedded server there")


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    running: list[subprocess.Popen[str]] = []

    def begin(*arguments: str) -> subprocess.Popen[str]:
        running.append(
            subprocess.Popen(
                [*APP, *arguments],
                env=os.environ | {"QT_QPA_PLATFORM": "offscreen"},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        return running[-1]

    yield begin
    for process in running:
        process.kill()
        process.communicate()


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


def finished(command: subprocess.Popen[str]) -> dict[str, object]:
    output, errors = command.communicate(timeout=120)
    assert command.returncode == 0, errors
    assert "Traceback" not in errors
    done: dict[str, object] = json.loads(output)
    return done


@pytest.mark.parametrize("ends_by", [signal.SIGINT, signal.SIGKILL])
def test_a_command_goes_on_when_the_one_whose_worker_it_used_ends(
    data_dir: Path,
    tmp_path: Path,
    start: Callable[..., subprocess.Popen[str]],
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


def test_a_command_goes_on_when_the_window_closes(
    data_dir: Path, tmp_path: Path, start: Callable[..., subprocess.Popen[str]]
) -> None:
    draw_pictures(tmp_path / "b", 200, seed="b")
    window = start()
    wait_for(lambda: worker_pid(data_dir))
    second = start("index", str(tmp_path / "b"), "--json")
    wait_for(lambda: "b" in sessions())
    window.send_signal(signal.SIGTERM)
    assert window.wait(30) == 0
    assert finished(second)["status"] == "completed"


def test_a_start_beside_somebody_elses_worker_answers_and_leaves_it_the_work(
    data_dir: Path, pictures: Path, start: Callable[..., subprocess.Popen[str]]
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
    assert worker.poll() is None
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(30) == 0
