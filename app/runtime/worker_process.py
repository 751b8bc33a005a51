"""One worker process as its parent sees it, from its start to its end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import BinaryIO

from app.config import get_settings
from app.db.liveness import LOCK_NAME, STATE_NAME
from app.errors import AppError
from app.locks import is_held
from app.program import program_command

EXIT_ELSEWHERE = 3
"""Exit code of a worker that found another one at work on this data folder."""
EXIT_FAILED = 4
"""Exit code of a worker whose last line of output is an AppError, in JSON."""

KILLED_WITHIN_S = 0.3


class WorkerProcess:
    """A running worker. Its standard input stays open for as long as this process lives.

    Raises:
        OSError: it cannot be started.
    """

    def __init__(self, command: Sequence[str]) -> None:
        settings = get_settings()
        self._state_file = settings.run_dir / STATE_NAME
        self._output_file = settings.log_dir / "worker.out"
        self._output_file.parent.mkdir(parents=True, exist_ok=True)
        self._output_file.write_bytes(b"")
        with self._output_file.open("ab") as output:
            self._process = self._start(command, output)
        self._started = time.monotonic()
        self.pid = self._process.pid
        self.name: str | None = None
        """What the ledger knows it by, once it takes work; before that it holds nothing."""

    def _start(self, command: Sequence[str], output: BinaryIO) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,  # its end tells the worker to finish: see parent_watch
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C in the terminal is for the parent to handle
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )

    def exit_code(self) -> int | None:
        """None while it runs."""
        code = self._process.poll()
        if code is not None:
            self._close_input()
        return code

    def is_ready(self) -> bool:
        """Whether it has said that it takes work."""
        try:
            state = json.loads(self._state_file.read_text("utf-8"))
            if state["pid"] != self.pid:
                return False
            self.name = str(state["name"])
        except (OSError, ValueError, TypeError, KeyError):
            return False
        return True

    def age_s(self) -> float:
        """Seconds since its start."""
        return time.monotonic() - self._started

    def end(self, timeout_s: float) -> int:
        """Have it finish its batch and wait; kill it after the timeout, with all its children.

        Returns:
            its exit code.
        """
        self._close_input()
        with suppress(subprocess.TimeoutExpired):
            return self._process.wait(max(timeout_s, 0))
        if hasattr(os, "killpg"):
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)  # it leads a group of its own
        self._process.kill()
        with suppress(subprocess.TimeoutExpired):  # a dead disk keeps even a killed process
            return self._process.wait(KILLED_WITHIN_S)
        return -signal.SIGKILL

    def output(self) -> str:
        """The end of what it wrote."""
        try:
            return self._output_file.read_bytes()[-4000:].decode("utf-8", "replace")
        except OSError:
            return ""

    def last_error(self) -> AppError | None:
        """The AppError that it ended with, where it wrote one."""
        for line in reversed(self.output().splitlines()):
            with suppress(ValueError, TypeError, KeyError):
                report = json.loads(line)
                return AppError(report["message"], report["hint"])
        return None

    def _close_input(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()


def worker_command() -> list[str]:
    """The program itself, as a worker that ends with its parent."""
    return program_command("worker", "--child")


def is_worker_elsewhere() -> bool:
    """Whether some process holds the lock of this data folder's one worker."""
    return is_held(get_settings().run_dir / LOCK_NAME)
