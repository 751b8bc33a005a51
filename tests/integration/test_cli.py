"""The command line as a person or a script calls it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from following import until, worker_beside
from warm_processes import run_app


def run(*arguments: str, code: int = 0) -> str:
    done = run_app(*arguments)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout if code == 0 else done.stdout + done.stderr


@pytest.mark.early
@pytest.mark.usefixtures("warm_workers")
async def test_index_then_every_command_that_looks_at_it(pictures: Path) -> None:
    (pictures / "family" / "broken.jpg").write_bytes(b"not a picture")
    done = json.loads(run("index", str(pictures), "--name", "Test", "--json"))
    assert (done["status"], done["jobsSummary"]["completed"]) == ("completed", 40)
    session = str(done["sessionId"])
    assert "Test" in run("sessions")
    assert json.loads(run("progress", session, "--json"))["jobsSummary"]["failed"] == 1
    assert "broken.jpg" in run("failed", session)
    (pictures / "family" / "broken.jpg").unlink()
    async with worker_beside():
        retried = json.loads(run("retry", session, "--json"))
        assert retried["jobsSummary"]["failed"] == 1
        assert "no longer there" in run("failed", session)
        report = json.loads(run("verify", "--json"))
        assert report["problems"] == []
        answer = json.loads(run("start", session, "--json").splitlines()[0])
        assert set(answer) == {"sessionId", "rqJobId", "status", "message"}

        async def at_rest() -> bool:
            return bool(json.loads(run("progress", session, "--json"))["status"] == "completed")

        await until(at_rest)
        for command in ("start", "resume"):
            told = run(command, session)
            assert told.startswith(f"Session {session} is finished: 40 pictures are indexed.")
        assert len(run("search", "a red circle", "--top", "1").splitlines()) == 1
        assert "Another name" in run("rename", session, "Another name")
        assert "Another name" in run("sessions")
        assert "--yes" in run("remove", session, "--json", code=1)
        assert json.loads(run("remove", session, "--yes", "--json")) == {"pictures": 41, "kept": 0}
        assert "No sessions yet" in run("sessions")
        assert "answers in" in run("doctor")


def test_index_says_what_it_leaves_out(pictures: Path) -> None:
    (pictures / "family" / "@eaDir").mkdir()
    (pictures / "family" / "@eaDir" / "thumb.jpg").touch()
    (pictures / "film.mp4").touch()
    (pictures / "family" / "a_edit.jpg").touch()
    said = run("index", str(pictures), "--exclude", "*_edit.*", "--exclude", "Exports/")
    assert "40 of 40 pictures indexed" in said
    for reason in ("1 × .mp4", "1 × folders of other programs", "1 × matching your patterns"):
        assert reason in said


def test_without_a_screen_the_samples_are_indexed_in_the_terminal() -> None:
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    }
    done = subprocess.run(
        [sys.executable, "-m", "app"], capture_output=True, text=True, timeout=180, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert "no screen" in done.stdout
    assert "pictures indexed" in done.stdout
    assert "drawn-model" in done.stdout


def test_no_name_of_a_model_reaches_anything_else(data_dir: Path) -> None:
    run("sessions")
    (data_dir / "models").mkdir(exist_ok=True)
    there = {path for path in data_dir.rglob("*") if "redis" not in path.name}
    for name in ("..", ".", "../..", "a/../../b", str(data_dir)):
        run("models", "remove", name, code=0 if name == str(data_dir) else 1)
    for action in ("use", "download", "measure"):
        run("models", action, "../..", code=1)
    assert all(path.exists() for path in there)


def test_wrong_input_gets_a_sentence_and_no_trace(tmp_path: Path) -> None:
    assert "does not exist" in run("index", str(tmp_path / "nowhere"), code=1)
    assert "no session 7" in run("progress", "7", code=1)
    (tmp_path / "empty").mkdir()
    assert "no pictures" in run("index", str(tmp_path / "empty"), code=1)
    assert "batch-size" in run("index", str(tmp_path), "--batch-size", "0", code=1)
    assert "least is 1" in run("search", "beach", "--top", "0", code=2)
    assert run("--version").startswith("Afterimage ")
    assert "file type" in run("index", str(tmp_path), "--extensions", "", code=1)
    assert "--exclude would skip everything" in run(
        "index", str(tmp_path), "--exclude", "*", code=1
    )
    wrong = os.environ | {"TRAINING_BATCH_SIZE": "many"}
    done = subprocess.run(
        [sys.executable, "-m", "app", "sessions"], capture_output=True, text=True, env=wrong
    )
    assert done.returncode == 1
    assert "TRAINING_BATCH_SIZE is set to 'many'" in done.stderr


def test_a_second_worker_on_the_embedded_store_is_refused_by_name(data_dir: Path) -> None:
    first = subprocess.Popen(
        [sys.executable, "-m", "app", "worker"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert first.stdout is not None
    assert b"Processing queues" in first.stdout.readline()
    try:
        assert "AFTERIMAGE_QDRANT_URL" in run("worker", code=1)
    finally:
        first.terminate()
        first.communicate(timeout=60)
    assert first.returncode == 0


def test_a_window_that_is_killed_leaves_no_process_behind(data_dir: Path) -> None:
    window = subprocess.Popen(
        [sys.executable, "-m", "app"], env=os.environ | {"QT_QPA_PLATFORM": "offscreen"}
    )
    wait_for(lambda: (data_dir / "run" / "worker.json").exists())
    family = psutil.Process(window.pid).children(recursive=True)
    assert len(family) >= 2
    window.send_signal(signal.SIGKILL)
    window.wait()
    wait_for(lambda: not [p for p in family if p.is_running() and p.status() != "zombie"])


def wait_for(condition: object, within: float = 60.0) -> None:
    end = time.monotonic() + within
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.1)
