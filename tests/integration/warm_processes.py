"""Processes of the program whose libraries are in memory before they begin.

To import them takes seconds of processor time, which is most of what a test of the whole program
takes. So a process of the standard library's fork server imports them once, and each worker or
command is a fork of it, and so is the worker that such a command starts: a process of its own that
runs the same code with the same arguments and environment. Tests of how the program starts, and of
what it starts, start it from nothing.
"""

from __future__ import annotations

import importlib
import multiprocessing
import multiprocessing.forkserver
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from multiprocessing.connection import Connection
from typing import IO, Any

import huggingface_hub.constants
import psutil

from app.runtime import supervisor
from app.runtime.worker_process import WorkerProcess

COMMAND_WITHIN_S = 180
ENDED_WITHIN_S = 2.0
"""As long as an end takes at most, decision record 45."""
_SERVERS = ("multiprocessing.forkserver", "multiprocessing.resource_tracker")
_fork_server: Any = multiprocessing.get_context("forkserver")
_fork_server.set_forkserver_preload(
    [
        "app.cli.commands",
        "app.worker.main",
        "app.worker.functions",
        "app.worker.indexing.stages",
        "app.embedding.loading",
        "app.vectors.embedded",
        "app.vectors.factory",
        "app.pictures.decoders",
        "alembic.command",
        "aiosqlite",
        "pathspec",
    ]
)


class WarmWorker(WorkerProcess):
    """Takes the place of :class:`app.runtime.worker_process.WorkerProcess`."""

    def _start(self, command: Sequence[str], output: IO[bytes]) -> Any:
        return _Process(command, output, output)


class WarmCommand:
    """The command line at work, with these environment variables beside those there are."""

    def __init__(self, *arguments: str, **variables: str) -> None:
        self._command = [sys.executable, "-m", "app", *arguments]
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - read at its end
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        environment = {**os.environ, **variables}
        self._process = _Process(self._command, self._output, self._errors, environment)
        self._process.stdin.close()

    def runs(self) -> bool:
        return self._process.poll() is None

    def send_signal(self, number: int) -> None:
        os.kill(self._process.pid, number)

    def finish(self) -> subprocess.CompletedProcess[str]:
        """Wait for its end, and read what it wrote."""
        code = self._process.wait(COMMAND_WITHIN_S)
        output, errors = _text(self._output), _text(self._errors)
        return subprocess.CompletedProcess(self._command, code, output, errors)

    def close(self) -> None:
        """Kill it if it still runs."""
        if self.runs():
            self._process.kill()
        self._output.close()
        self._errors.close()


def run_app(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command line to its end, see :class:`WarmCommand`."""
    with closing(WarmCommand(*arguments, **variables)) as command:
        return command.finish()


def run_code(code: str, *arguments: str) -> int:
    """Run ``python -c`` to its end; its exit code."""
    with tempfile.TemporaryFile() as output:
        process = _Process([sys.executable, "-c", code, *arguments], output, output)
        process.stdin.close()
        return process.wait(COMMAND_WITHIN_S)


def start_warm(command: Sequence[str], environment: Mapping[str, str]) -> Any:
    """Start a worker for :func:`many_machines.worker_machine`."""
    with open(os.devnull, "wb") as nowhere:
        process = _Process(command, nowhere, nowhere, environment)
    process.stdin.close()
    return process


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


class _Process:
    """What is needed of ``subprocess.Popen``."""

    def __init__(
        self,
        command: Sequence[str],
        output: IO[bytes],
        errors: IO[bytes],
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        reading, self.stdin = _fork_server.Pipe(duplex=False)
        with (
            reading,
            Connection(os.dup(output.fileno()), readable=False) as written,
            Connection(os.dup(errors.fileno()), readable=False) as complained,
        ):
            streams = (reading, written, complained)
            arguments = (list(command[1:]), dict(environment), streams)
            self._process = _fork_server.Process(target=_become, args=arguments, daemon=True)
            self._process.start()
        self.pid = self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if (code := self._process.exitcode) is None:
            raise subprocess.TimeoutExpired("the program", timeout or 0.0)
        return code

    def terminate(self) -> None:
        self._process.terminate()

    def kill(self) -> None:
        self._process.kill()


def _become(
    arguments: list[str], environment: dict[str, str], streams: Sequence[Connection]
) -> None:
    """Be the process that ``python`` with these arguments would have been."""
    os.setsid()
    for number, stream in enumerate(streams):
        os.dup2(stream.fileno(), number)
        stream.close()  # of the parent's pipe, nothing but standard input is left
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    os.environ.clear()
    os.environ.update(environment)
    importlib.reload(huggingface_hub.constants)  # the hub's address, and that of its cache
    options = [argument for argument in arguments if argument != "-P"]
    if options[:2] == ["-m", "app"]:
        from app.__main__ import main

        _start_a_warm_worker()
        sys.argv = options[1:]
        sys.exit(main())
    assert options[0] == "-c", options
    sys.argv = ["-c", *options[2:]]
    exec(options[1], {"__name__": "__main__"})


def _start_a_warm_worker() -> None:
    """The worker of this process is forked as well, by the server that it is a fork of itself."""
    multiprocessing.current_process()._config["daemon"] = False  # type: ignore[attr-defined]
    multiprocessing.forkserver._forkserver.ensure_running = lambda: None  # type: ignore[attr-defined]
    supervisor.WorkerProcess = WarmWorker  # type: ignore[misc]


def running_children() -> list[psutil.Process]:
    """All that this process has started and that still runs, without multiprocessing's servers."""
    this = psutil.Process()
    servers = [child for child in this.children() if _is_server(child)]
    found = this.children(recursive=True)
    return [child for child in found if child not in servers and _runs(child)]


def all_have_ended() -> bool:
    """Whether nothing of that runs any more, within the time that an end may take."""
    deadline = time.monotonic() + ENDED_WITHIN_S
    while running_children():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _is_server(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return any(server in " ".join(process.cmdline()) for server in _SERVERS)
    return False


def _runs(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.status() != psutil.STATUS_ZOMBIE
    return False
