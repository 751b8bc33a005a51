"""The supervisor with real processes: a real queue server and small stand-ins for the worker."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from filelock import FileLock
from redis import Redis
from warm_processes import running_children

from app import program
from app.config import get_settings
from app.queue.connection import address_file, embedded_server, get_redis
from app.runtime import supervisor as module
from app.runtime import valkey
from app.runtime.redis_server import ensure_redis, stop_redis
from app.runtime.supervisor import ENDED, STARTING, Delay, RuntimeStatus, Supervisor
from app.runtime.worker_process import worker_command

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no embedded server there")

WORKER = """
import json, os, sys, threading
from filelock import FileLock, Timeout
from app.config import get_settings
from app.runtime.parent_watch import ParentWatch
from app.runtime.redis_server import ensure_redis, stop_redis

stop = threading.Event()
ParentWatch().then(stop.set)
ensure_redis()
run_dir = get_settings().run_dir
run_dir.mkdir(parents=True, exist_ok=True)
try:
    with FileLock(run_dir / "worker.lock", timeout=0):
        state = {"pid": os.getpid(), "name": f"worker-{os.getpid()}", "ready": True}
        (run_dir / "partial").write_text(json.dumps(state))
        (run_dir / "partial").replace(run_dir / "worker.json")
        stop.wait()
except Timeout:
    sys.exit(3)
stop_redis()
"""
DEAF_WORKER = WORKER.replace("ParentWatch().then(stop.set)", "")
DYING_WORKER = "raise SystemExit('out of luck')"
FAILING_WORKER = """
import json, sys
print("starting")
print(json.dumps({"message": "The store is damaged.", "hint": "Restore it."}))
sys.exit(4)
"""
PARENT = """
import sys, time
from app.runtime.supervisor import Supervisor
supervisor = Supervisor(print, [sys.executable, "-c", sys.argv[1]])
supervisor.start()
while supervisor.status().worker != "ready":
    time.sleep(0.02)
print(supervisor.status().worker_pid, flush=True)
time.sleep(60)
"""


class Running(Supervisor):
    """A supervisor of a stand-in that remembers which workers died."""

    def __init__(self, script: str) -> None:
        self.deaths: list[str] = []
        self.stopped: list[str] = []
        super().__init__(self.deaths.append, [sys.executable, "-c", script])
        self._on_worker_stopped = self.stopped.append

    def until(
        self, condition: Callable[[RuntimeStatus], bool], within: float = 10
    ) -> RuntimeStatus:
        deadline = time.monotonic() + within
        while not condition(self.status()):
            assert time.monotonic() < deadline, self.status()
            time.sleep(0.02)
        return self.status()

    def until_ready(self) -> int:
        pid = self.until(lambda status: status.worker == "ready").worker_pid
        assert pid is not None
        return pid


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Running]]:
    """Starts supervisors, with short delays, and makes sure that nothing of them is left."""
    monkeypatch.setattr(module, "FIRST_DELAY_S", 0.1)
    monkeypatch.setattr(module, "LOOK_AGAIN_S", 0.2)
    monkeypatch.setattr(module, "TICK_S", 0.02)
    monkeypatch.setattr(module, "PING_EVERY_S", 0.2)
    started: list[Running] = []

    def start(script: str) -> Running:
        started.append(Running(script))
        started[-1].start()
        return started[-1]

    yield start
    for supervisor in started:
        supervisor.stop()
    stop_redis()
    valkey.end_servers()
    assert not running_children()


def queue_socket() -> str:
    server = embedded_server()
    assert server is not None
    return server.socket


def is_listening(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(path) == 0


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_for_end(pid: int) -> None:
    deadline = time.monotonic() + 5
    while is_running(pid):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_start_and_stop_leave_nothing(run: Callable[[str], Running]) -> None:
    supervisor = run(WORKER)
    assert supervisor.status() == RuntimeStatus("starting", "starting", STARTING, 0, None)
    pid = supervisor.until_ready()
    assert supervisor.status() == RuntimeStatus("ready", "ready", "", 0, pid)
    assert os.getsid(pid) != os.getsid(0)  # Ctrl-C does not reach it
    path = queue_socket()

    supervisor.stop()
    supervisor.stop()
    assert supervisor.status() == RuntimeStatus("ready", "stopped", "", 0, None)
    assert not running_children()
    assert not is_listening(path)
    assert not address_file().exists()
    assert supervisor.deaths == []


def test_a_supervisor_that_never_started_can_be_stopped() -> None:
    Running(WORKER).stop()


def test_a_killed_worker_is_reported_and_replaced(run: Callable[[str], Running]) -> None:
    supervisor = run(WORKER)
    killed = supervisor.until_ready()
    os.kill(killed, signal.SIGKILL)
    status = supervisor.until(lambda status: status.worker == "restarting")
    assert status.message == f"{ENDED} It starts again in 1 s."

    assert supervisor.until_ready() != killed
    assert supervisor.status().restarts == 1
    assert supervisor.deaths == [f"worker-{killed}"]


def test_a_worker_that_keeps_dying_is_started_less_and_less_often(
    run: Callable[[str], Running], caplog: pytest.LogCaptureFixture
) -> None:
    begin = time.monotonic()
    supervisor = run(DYING_WORKER)
    supervisor.until(lambda status: status.restarts == 6)
    assert time.monotonic() - begin > 4 * 0.1 + 0.2 + 0.4
    assert supervisor.deaths == []  # none took work, so none held any
    assert "out of luck" in caplog.text


def test_the_first_deaths_cost_half_a_second_each_and_many_never_more_than_five() -> None:
    delay = Delay()
    assert [delay.next_s() for _ in range(9)] == [0.5, 0.5, 0.5, 0.5, 1, 2, 4, 5, 5]
    delay.reset()
    assert delay.next_s() == 0.5


def test_after_a_good_life_a_worker_starts_again_soon(
    run: Callable[[str], Running], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GOOD_LIFE_S", 0)
    begin = time.monotonic()
    supervisor = run(DYING_WORKER)
    supervisor.until(lambda status: status.restarts == 9)
    assert time.monotonic() - begin < 0.1 * (4 + 2 + 4 + 8 + 16 + 32)


def test_a_callback_that_fails_does_not_keep_the_next_worker_away(
    run: Callable[[str], Running], caplog: pytest.LogCaptureFixture
) -> None:
    supervisor = run(WORKER)
    supervisor._on_worker_death = lambda name: [][1]
    killed = supervisor.until_ready()
    os.kill(killed, signal.SIGKILL)
    supervisor.until(lambda status: status.worker == "restarting")
    supervisor.until_ready()
    assert "could not be released" in caplog.text


def test_a_worker_of_another_process_is_left_to_work(run: Callable[[str], Running]) -> None:
    run_dir = get_settings().run_dir
    run_dir.mkdir(parents=True)
    with FileLock(run_dir / "worker.lock"):
        supervisor = run(WORKER)
        supervisor.until(lambda status: status.worker == "elsewhere")
        time.sleep(0.5)
        assert supervisor.status() == RuntimeStatus("ready", "elsewhere", "", 0, None)
    supervisor.until_ready()
    assert supervisor.deaths == []


def test_a_worker_that_says_why_it_cannot_work_is_quoted(run: Callable[[str], Running]) -> None:
    supervisor = run(FAILING_WORKER)
    status = supervisor.until(lambda status: status.worker == "failed")
    assert status.message == "The store is damaged. Restore it."
    time.sleep(0.5)
    assert supervisor.status() == status


def test_a_program_that_is_not_there_is_reported(run: Callable[[str], Running]) -> None:
    supervisor = Running("")
    supervisor._command = ["/nowhere/python"]
    supervisor.start()
    status = supervisor.until(lambda status: status.worker == "failed")
    supervisor.stop()
    assert status.message == "The indexing process cannot be started: No such file or directory."


def test_a_killed_queue_server_comes_back_while_the_worker_lives(
    run: Callable[[str], Running],
) -> None:
    supervisor = run(WORKER)
    pid = supervisor.until_ready()
    get_redis().rpush("kept", "job")
    killed = embedded_server()
    assert killed is not None
    os.kill(killed.pid, signal.SIGKILL)

    supervisor.until(lambda _: embedded_server() not in (None, killed))
    supervisor.until(lambda _: is_listening(queue_socket()))
    assert get_redis().llen("kept") == 1
    assert supervisor.status() == RuntimeStatus("ready", "ready", "", 0, pid)


def test_a_given_server_that_does_not_answer_is_reported_until_it_does(
    run: Callable[[str], Running], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    monkeypatch.setenv("AFTERIMAGE_REDIS_URL", f"redis://127.0.0.1:{port}/0")
    get_settings.cache_clear()
    supervisor = run(WORKER)
    status = supervisor.until(lambda status: status.redis == "failed")
    assert "does not answer. Start that server, or correct AFTERIMAGE_REDIS_URL." in status.message
    assert status.worker_pid is None

    with subprocess.Popen(
        [valkey.find_program(), "--port", str(port), "--save", "", "--bind", "127.0.0.1"],
        stdout=subprocess.DEVNULL,
    ) as given:
        try:
            supervisor.until_ready()
            supervisor.stop()
            with Redis(port=port) as client:
                assert client.ping()
        finally:
            given.terminate()


def test_a_worker_that_does_not_finish_is_killed(run: Callable[[str], Running]) -> None:
    supervisor = run(DEAF_WORKER)
    pid = supervisor.until_ready()
    supervisor.stop(timeout=0.2)
    assert not is_running(pid)
    assert supervisor.stopped == [f"worker-{pid}"]  # nobody is to blame for it
    assert supervisor.deaths == []


def test_a_renewed_worker_ends_in_order_and_another_takes_its_place(
    run: Callable[[str], Running],
) -> None:
    supervisor = run(WORKER)
    first = supervisor.until_ready()
    supervisor.renew_worker()
    supervisor.until(lambda status: status.worker_pid not in (None, first))
    assert supervisor.until_ready() != first
    assert not is_running(first)
    assert (supervisor.deaths, supervisor.stopped) == ([], [])
    assert supervisor.status().restarts == 0


def test_a_worker_that_does_not_end_is_renewed_all_the_same(
    run: Callable[[str], Running], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STOP_WITHIN_S", 0.2)
    supervisor = run(DEAF_WORKER)
    first = supervisor.until_ready()
    supervisor.renew_worker()
    supervisor.until(lambda status: status.worker_pid not in (None, first))
    assert supervisor.until_ready() != first
    assert supervisor.stopped == [f"worker-{first}"]


def test_a_killed_parent_leaves_no_orphan(data_dir: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, WORKER], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        worker, path = int(parent.stdout.readline()), queue_socket()
        assert is_running(worker)
        parent.kill()
    wait_for_end(worker)
    deadline = time.monotonic() + 60
    # Whoever goes last ends it: the worker, which takes its address away, or the guard, which does
    # not; an address that nobody answers at is nobody's.
    while is_listening(path):
        assert time.monotonic() < deadline, "the queue server is still there"
        time.sleep(0.05)


def test_a_second_user_keeps_the_queue_server(run: Callable[[str], Running]) -> None:
    ensure_redis()
    path = queue_socket()
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, WORKER], stdout=subprocess.PIPE, text=True
    ) as other:
        try:
            assert other.stdout is not None
            worker = int(other.stdout.readline())
            supervisor = run(WORKER)
            supervisor.until(lambda status: status.worker == "elsewhere")
            supervisor.stop()
            assert is_listening(path)
        finally:
            other.kill()
    wait_for_end(worker)


def test_the_worker_is_the_program_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    assert worker_command() == [sys.executable, "-P", "-m", "app", "worker", "--child"]
    monkeypatch.setattr(program, "FROZEN", True)  # as in a package that brings its own Python
    assert worker_command() == [sys.executable, "worker", "--child"]
