"""The embedded Redis, with the real server."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from rq import Queue

from app.config import get_settings
from app.errors import AppError
from app.queue.connection import (
    EmbeddedServer,
    address_file,
    embedded_server,
    get_redis,
    write_address,
)
from app.runtime import loopback, redis_server, valkey
from app.runtime.redis_server import ensure_redis, stop_redis

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no embedded server there")


@pytest.fixture(autouse=True)
def no_server_is_left(data_dir: Path) -> Iterator[None]:
    yield
    get_settings.cache_clear()
    if data_dir.is_dir():
        stop_redis()
        valkey.end_servers()


def running() -> EmbeddedServer:
    server = embedded_server()
    assert isinstance(server, EmbeddedServer)
    return server


def is_listening(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(path) == 0


def set_environment(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    get_settings.cache_clear()


def test_it_starts_is_used_again_and_stops() -> None:
    ensure_redis()
    server = running()
    assert get_redis().ping()
    ensure_redis()
    assert running() == server

    stop_redis()
    assert not address_file().exists()
    assert not is_listening(server.socket)
    assert not psutil.pid_exists(server.pid)
    stop_redis()


def test_nobody_else_can_reach_it() -> None:
    ensure_redis()
    server = running()
    assert address_file().stat().st_mode & 0o777 == 0o600
    path = Path(server.socket)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert {end.laddr for end in psutil.Process(server.pid).net_connections("all")} == {str(path)}
    folder = valkey.data_folder()
    assert all(file.stat().st_mode & 0o077 == 0 for file in folder.rglob("*"))


def test_the_terminal_cannot_interrupt_it() -> None:
    ensure_redis()
    assert os.getsid(running().pid) != os.getsid(0)


def test_a_folder_may_have_any_name(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, "AFTERIMAGE_DATA_DIR", str(data_dir / 'my "own"\n\\x41 Bücher #1'))
    ensure_redis()
    stop_redis()
    assert (get_settings().data_dir / "redis" / "appendonlydir").is_dir()


def test_jobs_that_were_written_down_survive_a_kill() -> None:
    ensure_redis()
    killed = running()
    Queue("training-high", connection=get_redis()).enqueue("os.getpid", job_id="ring")
    get_redis().waitaof(1, 0, 5000)  # a busy disk delays what was answered by up to two seconds
    os.kill(killed.pid, signal.SIGKILL)

    ensure_redis()
    assert running().pid != killed.pid
    assert Queue("training-high", connection=get_redis()).job_ids == ["ring"]


def test_a_server_that_hangs_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_server, "PING_WITHIN_S", 0.3)
    monkeypatch.setattr(valkey, "STOP_WITHIN_S", 0.3)
    ensure_redis()
    hanging = running()
    os.kill(hanging.pid, signal.SIGSTOP)

    ensure_redis()
    assert running().pid != hanging.pid
    assert not psutil.pid_exists(hanging.pid)
    assert get_redis().ping()


def test_a_server_whose_address_was_lost_is_replaced() -> None:
    ensure_redis()
    lost = running()
    address_file().unlink()

    ensure_redis()
    assert running().pid != lost.pid
    assert not is_listening(lost.socket)


def test_another_program_with_the_noted_process_id_is_left_alone(data_dir: Path) -> None:
    ensure_redis()
    server = running()
    stop_redis()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        noted = EmbeddedServer(server.socket, other.pid)
        write_address(noted)
        ensure_redis()
        assert running().pid != other.pid
        assert other.poll() is None
        other.kill()


def test_whoever_listens_on_its_socket_is_not_believed() -> None:
    ensure_redis()
    gone = running()
    client = get_redis()
    os.kill(gone.pid, signal.SIGKILL)
    with contextlib.suppress(psutil.NoSuchProcess):  # it is gone already
        psutil.Process(gone.pid).wait(10)
    Path(gone.socket).unlink()
    with socket.socket(socket.AF_UNIX) as impostor:
        impostor.bind(gone.socket)
        impostor.listen()
        with pytest.raises(RedisConnectionError, match="is listening on the queue server's socket"):
            client.ping()
        ensure_redis()
        assert running() != gone
        impostor.setblocking(False)
        said = b""
        with suppress(BlockingIOError):
            while True:
                with impostor.accept()[0] as asked:
                    said += asked.recv(100)
        assert said == b""
    assert get_redis().ping()


def test_where_the_path_is_too_long_its_socket_lies_in_a_folder_of_the_session(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_environment(monkeypatch, "AFTERIMAGE_DATA_DIR", str(data_dir / ("long" * 25)))
    with tempfile.TemporaryDirectory(prefix="s", dir="/tmp") as session:
        monkeypatch.setenv("XDG_RUNTIME_DIR", session)
        ensure_redis()
        assert Path(running().socket).parent.parent == Path(session)
        assert get_redis().ping()
        stop_redis()


def test_damaged_data_is_set_aside() -> None:
    ensure_redis()
    get_redis().set("before", 1)
    stop_redis()
    for file in (valkey.data_folder() / "appendonlydir").iterdir():
        file.write_bytes(b"this is no list of commands\r\n" * 20)

    for _ in range(2):  # what was set aside before makes room
        ensure_redis()
        assert get_redis().get("before") is None
        stop_redis()
        for file in (valkey.data_folder() / "appendonlydir").iterdir():
            file.write_bytes(b"\x00" * 100)
    assert (valkey.data_folder() / "damaged").is_dir()


USER = """
import sys
from app.queue.connection import embedded_server
from app.runtime.redis_server import ensure_redis, stop_redis
ensure_redis()
print(embedded_server().pid, flush=True)
sys.stdin.read()
stop_redis()
"""


def start_user() -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", USER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def test_processes_share_one_server_until_the_last_one_leaves() -> None:
    with start_user() as first, start_user() as second:
        assert first.stdout is not None
        assert second.stdout is not None
        server_pid = int(first.stdout.readline())
        assert int(second.stdout.readline()) == server_pid

        first.communicate()
        assert psutil.pid_exists(server_pid)
        second.communicate()
        assert not address_file().exists()
        assert valkey._our_processes() == ([], [])


def test_a_killed_process_does_not_count_as_a_user() -> None:
    with start_user() as user:
        assert user.stdout is not None
        assert user.stdout.readline()
        path = running().socket
        ensure_redis()
        user.kill()
        user.communicate()
    assert is_listening(path)
    stop_redis()
    assert not is_listening(path)


@pytest.mark.parametrize("number", [1, 2])
def test_it_ends_when_all_that_used_it_were_killed(number: int) -> None:
    users = [start_user() for _ in range(number)]
    for user in users:
        assert user.stdout is not None
        server_pid = int(user.stdout.readline())
    servers, guards = valkey._our_processes()
    processes = servers + guards
    assert server_pid in {process.pid for process in processes}
    for user in users:
        user.kill()
        user.communicate()
    _, alive = psutil.wait_procs(processes, timeout=10)
    assert not alive
    assert not is_listening(running().socket)


@pytest.mark.skipif(sys.platform != "linux", reason="only there a process can follow its parent")
def test_it_ends_when_its_guard_is_killed_and_is_started_again() -> None:
    ensure_redis()
    (server,), (guard,) = valkey._our_processes()
    guard.kill()
    server.wait(10)
    ensure_redis()
    assert get_redis().ping()


def test_a_system_without_a_server_names_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (valkey, loopback):
        monkeypatch.setattr(module, "find_spec", lambda _name: None)
    with pytest.raises(AppError, match=r"No queue server comes with .* Set AFTERIMAGE_REDIS_URL"):
        ensure_redis()


def test_a_program_that_does_not_run_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(valkey, "find_program", lambda: Path("/bin/false"))
    with pytest.raises(AppError, match=r"The queue server does not start\. See .*redis\.log"):
        ensure_redis()
    assert not address_file().exists()


def test_a_folder_that_cannot_be_written_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("where the folder should be")
    set_environment(monkeypatch, "AFTERIMAGE_DATA_DIR", str(tmp_path / "file"))
    with pytest.raises(AppError, match=r"The queue cannot be started in .*file: "):
        ensure_redis()


def test_a_given_server_that_refuses_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    set_environment(monkeypatch, "AFTERIMAGE_REDIS_URL", f"redis://:secret@127.0.0.1:{port}/0")
    begin = time.monotonic()
    with pytest.raises(AppError, match=r"AFTERIMAGE_REDIS_URL names, .* does not answer") as caught:
        ensure_redis()
    assert time.monotonic() - begin < 2
    assert "secret" not in str(caught.value)


def test_a_given_server_is_used_and_never_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    ensure_redis()
    server = running()
    set_environment(monkeypatch, "AFTERIMAGE_REDIS_URL", server.url)
    ensure_redis()
    stop_redis()
    assert get_redis().ping()
    monkeypatch.delenv("AFTERIMAGE_REDIS_URL")


def test_a_given_server_that_wants_another_password_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ensure_redis()
    get_redis().config_set("requirepass", "right")
    url = f"unix://:wrong@{running().socket}"
    set_environment(monkeypatch, "AFTERIMAGE_REDIS_URL", url)
    with pytest.raises(AppError, match="refuses the connection") as caught:
        ensure_redis()
    assert "wrong" not in str(caught.value)
    monkeypatch.delenv("AFTERIMAGE_REDIS_URL")
