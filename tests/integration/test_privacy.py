"""What leaves this computer, and who else can read what the program writes: nothing, and nobody."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from warm_processes import run_app

from app.embedding.catalogue import RECOMMENDED

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="other rights, other sockets")

HOOK = """
import os, sys

def look(event, arguments):
    if event in ("socket.connect", "socket.sendto", "socket.bind"):
        place = arguments[1]
        allowed = isinstance(place, (str, bytes)) or str(place[0]) in ("127.0.0.1", "::1")
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        place = arguments[0]
        allowed = place in ("127.0.0.1", "::1", "localhost")
    else:
        return
    if not allowed:
        with open(os.environ["SEEN"], "a") as seen:
            print(event, place, sys.argv, file=seen)
        raise OSError(101, "Network is unreachable")

sys.addaudithook(look)
"""
"""Put into every Python process: no connection but to this computer, and a note of each try."""


def without_network() -> list[str]:
    """What runs a command where there is no network at all, where the system lets us."""
    command = ["unshare", "--user", "--map-current-user", "--net"]
    if shutil.which("unshare") and subprocess.run([*command, "true"], check=False).returncode == 0:
        return command
    return []


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    (tmp_path / "hook").mkdir()
    (tmp_path / "hook" / "sitecustomize.py").write_text(HOOK)
    paths = [str(tmp_path / "hook"), os.environ.get("PYTHONPATH", "")]
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    return os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "SEEN": str(tmp_path / "seen"),
        "QT_QPA_PLATFORM": "offscreen",
    }


def run(environment: dict[str, str], *arguments: str) -> str:
    command = [*without_network(), sys.executable, "-m", "app", *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=300, env=environment, umask=0o022
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.early
def test_indexing_and_searching_need_no_network_and_leave_nothing_that_others_can_read(
    environment: dict[str, str], data_dir: Path, tmp_path: Path, pictures: Path
) -> None:
    data_dir.mkdir(exist_ok=True)
    data_dir.chmod(0o755)
    done = json.loads(run(environment, "index", str(pictures), "--json"))
    assert done["jobsSummary"]["completed"] == 40
    found = json.loads(run(environment, "search", "a red circle", "--json"))
    assert found["hits"]
    assert not (tmp_path / "seen").exists(), (tmp_path / "seen").read_text()

    assert data_dir.stat().st_mode & 0o777 == 0o700
    assert [path for path in data_dir.rglob("*") if path.stat().st_mode & 0o077] == []
    assert pictures.stat().st_mode & 0o077  # what is not the program's keeps its rights


def test_the_recommended_models_are_found_without_asking_the_hub(
    environment: dict[str, str], data_dir: Path, tmp_path: Path
) -> None:
    folder = data_dir / "models" / RECOMMENDED.spec.replace("/", "--")
    folder.mkdir(parents=True)
    (folder / "open_clip_model.safetensors").write_bytes(b"not looked into")
    listed = json.loads(run(environment, "models", "list", "--json"))
    states = {row["spec"]: row["state"] for row in listed}
    assert states[RECOMMENDED.spec] == "ready"
    assert "absent" in states.values()
    assert not (tmp_path / "seen").exists(), (tmp_path / "seen").read_text()


ADDRESSES = [
    ("AFTERIMAGE_DATABASE_URL", "mysql://alice:hunter-two@db/x"),
    ("AFTERIMAGE_DATABASE_URL", "postgresql://alice:hunter-two@h:port/x"),
    ("AFTERIMAGE_DATABASE_URL", "postgresql://127.0.0.1:1/x?user=a&password=hunter-two"),
    ("AFTERIMAGE_REDIS_URL", "hunter-two"),
    ("AFTERIMAGE_QDRANT_URL", "grpc://hunter-two@h"),
]


@pytest.mark.parametrize(
    ("name", "value", "stored"),
    [(*address, False) for address in ADDRESSES] + [(*ADDRESSES[0], True), (*ADDRESSES[1], True)],
)
def test_no_password_is_said(data_dir: Path, name: str, value: str, stored: bool) -> None:
    data_dir.mkdir(exist_ok=True)
    if stored:
        (data_dir / "settings.json").write_text(
            json.dumps({name.removeprefix("AFTERIMAGE_").lower(): value})
        )
    done = run_app("sessions", **({} if stored else {name: value}))
    assert done.returncode == 1
    said = done.stdout + done.stderr
    logs = "".join(file.read_text() for file in data_dir.glob("logs/*.log"))
    assert name in said or "does not answer" in said
    assert "hunter-two" not in said + logs
    assert "Traceback" not in said
