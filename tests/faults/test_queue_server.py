"""The queue's server under faults: it is never open to anybody else, and outlives nobody."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from app.errors import AppError
from app.queue.connection import address_file, get_redis
from app.runtime import valkey
from app.runtime.redis_server import ensure_redis, stop_redis

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no embedded server there")

WITHIN_S = 10.0


def ours(data_dir: Path) -> list[psutil.Process]:
    """Every process of this data folder but the test itself."""
    found = []
    for process in psutil.process_iter():
        try:
            # the server overwrites its environment with its title
            here = process.environ().get("AFTERIMAGE_DATA_DIR") == str(data_dir) or Path(
                process.cwd()
            ).is_relative_to(data_dir)
            if here and process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:  # another user's, or just gone
            continue
    return found


def open_to_others(processes: list[psutil.Process]) -> list[object]:
    """What listens anywhere but on a socket in a folder that only this user can enter."""
    found: list[object] = []
    for process in processes:
        try:
            ends = process.net_connections("all")
        except psutil.Error:
            continue
        for end in ends:
            if end.status == psutil.CONN_LISTEN:
                found.append(end)
            elif isinstance(end.laddr, str) and end.laddr.startswith("/"):
                folder = Path(end.laddr).parent
                if folder.is_dir() and folder.stat().st_mode & 0o077:
                    found.append(end)
    return found


def wait_until_nothing_runs(data_dir: Path) -> None:
    """And look at all sockets meanwhile."""
    deadline = time.monotonic() + WITHIN_S
    while left := ours(data_dir):
        assert not open_to_others(left)
        assert time.monotonic() < deadline, [process.cmdline() for process in left]
        time.sleep(0.01)


DIES = """
import os, signal, subprocess
from app.runtime import redis_server, valkey
from app.runtime.redis_server import ensure_redis

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def die_after(function):
    def wrapper(*arguments, **options):
        function(*arguments, **options)
        die()
    return wrapper

{fault}
ensure_redis()
"""


@pytest.mark.parametrize(
    "fault",
    [
        "valkey.socket_folder = die",
        "valkey._configuration = die",
        "subprocess.Popen.__init__ = die_after(subprocess.Popen.__init__)",
        "valkey.write_address = die",
        "valkey.write_address = die_after(valkey.write_address)",
        "redis_server._becomes_ready = die",
        "redis_server._becomes_ready = die_after(redis_server._becomes_ready)",
        "redis_server.log.info = die",
    ],
)
def test_it_ends_when_its_starter_is_killed_at_any_step(
    data_dir: Path, tmp_path: Path, fault: str
) -> None:
    starter = subprocess.run(
        [sys.executable, "-c", DIES.format(fault=fault)], cwd=tmp_path, check=False
    )
    assert starter.returncode == -signal.SIGKILL
    wait_until_nothing_runs(data_dir)
    assert not list(tmp_path.glob("*.rdb"))
    ensure_redis()  # and nothing that is left stands in the way
    assert get_redis().ping()
    assert not open_to_others(ours(data_dir))
    stop_redis()


@pytest.mark.parametrize("step", ["write_address", "_configuration", "socket_folder"])
def test_on_a_full_disk_there_is_a_sentence_and_no_server(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, step: str
) -> None:
    """Also where the server has only just been forked, and is not called like one yet."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(valkey, step, full)
    with pytest.raises(AppError, match=r"The queue cannot be started in .*No space left on device"):
        ensure_redis()
    assert not ours(data_dir)
    assert not address_file().exists()
    assert "does not end" not in caplog.text
    stop_redis()


def test_a_server_that_cannot_write_its_data_is_a_sentence_and_no_server(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    valkey.data_folder().mkdir(parents=True)
    monkeypatch.setattr(valkey, "set_data_aside", lambda: None)
    (valkey.data_folder() / "appendonlydir").write_text("in the way")
    with pytest.raises(AppError, match=r"The queue server does not start\. "):
        ensure_redis()
    assert not ours(data_dir)
    assert not address_file().exists()
    stop_redis()


def test_it_ends_when_everything_else_was_killed_at_once(data_dir: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "app", "worker"], stdout=subprocess.PIPE, text=True
    ) as worker:
        try:
            assert worker.stdout is not None
            assert any(line.startswith("Processing") for line in worker.stdout)
            running = ours(data_dir)
            assert len(running) == 3
            assert not open_to_others(running)
        finally:
            worker.kill()
    wait_until_nothing_runs(data_dir)
