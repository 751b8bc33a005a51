"""Every way into the program: whatever goes wrong is a sentence and an exit code, never a trace."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
from ledgers import fresh_ledger
from sqlalchemy.orm import Session
from warm_processes import run_app

from app.db.engine import get_sync_engine
from app.db.models import TrainingSession

APP = [sys.executable, "-m", "app"]
BROKEN = """
import sys
from app.{module} import {name} as broken
def fail(*_, **__):
    raise ZeroDivisionError("nobody foresaw this")
import app.{module}
app.{module}.{name} = fail
from app.__main__ import main
sys.argv = ["afterimage", *{arguments!r}]
sys.exit(main())
"""


def run(
    arguments: Sequence[str], *, command: Sequence[str] = APP, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run the program; no trace is ever shown."""
    done = subprocess.run(
        [*command, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | variables,
        errors="replace",
    )
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    return done


@pytest.fixture
def ledger(data_dir: Path) -> Path:
    fresh_ledger()
    return data_dir / "ledger.sqlite3"


@pytest.mark.parametrize(
    ("arguments", "module", "name"),
    [
        (["sessions"], "cli.commands", "Backend"),
        (["sessions"], "cli.commands", "migrate"),
        (["worker"], "worker.main", "work_until_stopped"),
    ],
)
def test_what_nobody_foresaw_is_a_sentence_and_its_trace_is_in_the_log(
    data_dir: Path, arguments: list[str], module: str, name: str
) -> None:
    code = BROKEN.format(module=module, name=name, arguments=arguments)
    done = run([], command=[sys.executable, "-c", code])
    assert done.returncode == 1
    assert "Something unexpected happened: ZeroDivisionError: nobody foresaw this." in done.stderr
    logs = "".join(path.read_text() for path in (data_dir / "logs").glob("*.log"))
    assert "Traceback" in logs
    assert str(data_dir / "logs") in done.stderr


def test_a_ledger_that_another_program_holds(ledger: Path) -> None:
    folder = ledger.parent / "pictures"
    folder.mkdir()
    quick = (
        "import app.db.engine, sys; app.db.engine.BUSY_TIMEOUT_S = 0\n"
        "from app.__main__ import main; sys.argv = ['afterimage', *sys.argv[1:]]; sys.exit(main())"
    )
    with closing(sqlite3.connect(ledger, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        done = run(["index", str(folder)], command=[sys.executable, "-c", quick])
    assert done.returncode == 1
    assert "held the ledger" in done.stderr
    assert f"(process {os.getpid()}, since" in done.stderr
    assert "[SQL" not in done.stderr


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        (
            {
                "AFTERIMAGE_DATABASE_URL": "postgresql://host:port/x",
                "AFTERIMAGE_QDRANT_URL": "http://127.0.0.1:9",
            },
            "not an address of a database",
        ),
        ({"AFTERIMAGE_DATABASE_URL": "postgres://host/x"}, "AFTERIMAGE_DATABASE_URL is set to"),
        (
            {
                "AFTERIMAGE_DATABASE_URL": "postgresql://nobody@127.0.0.1:9/x",
                "AFTERIMAGE_QDRANT_URL": "http://127.0.0.1:9",
            },
            "AFTERIMAGE_DATABASE_URL names cannot be",
        ),
        (
            {"AFTERIMAGE_DATABASE_URL": "postgresql://nobody@127.0.0.1:9/x"},
            "AFTERIMAGE_QDRANT_URL is not set",
        ),
        ({"AFTERIMAGE_DATA_DIR": "/dev/null"}, "data folder /dev/null cannot be used"),
        ({"AFTERIMAGE_DATA_DIR": "/proc/nowhere"}, "cannot be"),
        ({"AFTERIMAGE_DATA_DIR": "~nobody-of-this-name/x"}, "home"),
    ],
)
def test_wrong_settings(variables: dict[str, str], sentence: str) -> None:
    done = run_app("sessions", **variables)
    assert done.returncode == 1
    assert "Traceback" not in done.stdout
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 2


def test_damaged_settings(data_dir: Path) -> None:
    data_dir.mkdir(exist_ok=True)
    for content in (b"{", b"\xff\xfe", b"[]", b'{"training_batch_size": {}}'):
        (data_dir / "settings.json").write_bytes(content)
        done = run_app("sessions")
        assert done.returncode == 1
        assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    "variables",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"LC_ALL": "POSIX", "PYTHONIOENCODING": "latin-1:strict"},
    ],
)
def test_a_terminal_that_knows_few_letters(ledger: Path, variables: dict[str, str]) -> None:
    with Session(get_sync_engine()) as db:
        db.add(TrainingSession(name="→ Müller 日本", root_path="/Straße", model="builtin"))
        db.commit()
    done = run(["sessions"], **variables)
    assert done.returncode == 0, done.stderr
    assert "pending" in done.stdout
    assert run(["progress", "1"], **variables).returncode == 0
    assert run(["progress", "9"], **variables).returncode == 1


def test_an_output_that_nobody_reads_any_more_ends_quietly(ledger: Path) -> None:
    for arguments in (["sessions"], ["--help"]):
        reading, writing = os.pipe()
        os.close(reading)
        done = subprocess.run([*APP, *arguments], stdout=writing, stderr=subprocess.PIPE)
        os.close(writing)
        assert done.stderr == b""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
def test_closed_streams_are_no_failure(ledger: Path) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", f"exec '{sys.executable}' -m app sessions <&- >&- 2>&-"], timeout=60
    )
    assert done.returncode == 0


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_an_output_on_a_full_disk_is_a_sentence(ledger: Path) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run([*APP, "sessions"], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert "No space left" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="where Qt would abort")
@pytest.mark.parametrize(
    "variables",
    [{"DISPLAY": ":77"}, {"WAYLAND_DISPLAY": "nowhere"}, {"QT_QPA_PLATFORM": "nonsense"}],
)
def test_a_screen_that_is_not_there_is_a_sentence_and_no_abort(variables: dict[str, str]) -> None:
    screens = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    environment = {name: value for name, value in os.environ.items() if name not in screens}
    done = subprocess.run(
        APP, capture_output=True, text=True, env=environment | variables, timeout=60
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    # libraries that the window lacks here are what is told before that
    assert "cannot be opened" in done.stderr or "libraries" in done.stderr
    assert len(done.stderr.splitlines()) == 2


@pytest.mark.parametrize("begun", ["run", "ledger.sqlite3", "run/redis.json", "run/worker.json"])
def test_ctrl_c_at_any_moment_and_twice_is_no_trace(
    data_dir: Path, pictures: Path, begun: str
) -> None:
    with subprocess.Popen(
        [*APP, "index", str(pictures)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as command:
        while not (data_dir / begun).exists():
            assert command.poll() is None
            time.sleep(0.001)
        command.send_signal(signal.SIGINT)
        time.sleep(0.02)
        command.send_signal(signal.SIGINT)
        output, errors = command.communicate(timeout=60)
    assert command.returncode == 130, errors
    assert "Traceback" not in output + errors
