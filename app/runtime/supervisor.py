"""Keeps the embedded Redis and one worker process running, for a window or a command line."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import IO, Literal

from app.config import get_settings
from app.errors import AppError
from app.queue.context import worker_name
from app.runtime.redis_server import ensure_redis, stop_redis

log = logging.getLogger(__name__)

LOOK_EVERY_S = 0.25
CHECK_REDIS_EVERY_S = 1.0
FIRST_BACK_OFF_S = 1.0
LONGEST_BACK_OFF_S = 30.0
GOOD_LIFE_S = 60.0
ELSEWHERE, FAILED = 3, 4
"""Exit codes of a worker: another one owns the data folder; it said why it cannot start."""
LOOK_ELSEWHERE_S = 2.0
WORKER_COMMAND = (sys.executable, "-m", "app", "worker", "--child")


@dataclass(frozen=True, slots=True)
class RuntimeStatus:
    """How the child processes are."""

    redis: Literal["starting", "ready", "failed"] = "starting"
    worker: Literal["starting", "ready", "restarting", "elsewhere", "stopped", "failed"] = (
        "starting"
    )
    message: str = "Starting the indexing process…"
    """A sentence for people; empty while all is well."""
    restarts: int = 0
    worker_pid: int | None = None


class Supervisor:
    """Starts, watches, restarts and stops the child processes, from a thread of its own.

    Args:
        on_worker_death: called with the worker's name before it is started again.
        command: what to run as the worker.
    """

    def __init__(
        self,
        on_worker_death: Callable[[str], None],
        command: Sequence[str] = WORKER_COMMAND,
    ) -> None:
        self._on_worker_death = on_worker_death
        self._command = list(command)
        self._status = RuntimeStatus()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="supervisor")
        self._worker: subprocess.Popen[bytes] | None = None
        self._output: IO[bytes] | None = None
        self._born = 0.0
        self._back_off = FIRST_BACK_OFF_S
        self._start_at = 0.0
        self._check_redis_at = 0.0

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def status(self) -> RuntimeStatus:
        """How things are now."""
        return self._status

    def stop(self, timeout: float = 20.0) -> None:
        """End the worker after its batch, then the embedded Redis; idempotent.

        Args:
            timeout: seconds after which the worker is killed.
        """
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        self._end_worker(timeout)
        if self._status.worker != "elsewhere":
            stop_redis()
        self._set(worker="stopped", message="", worker_pid=None)

    def _set(self, **changes: object) -> None:
        self._status = replace(self._status, **changes)  # type: ignore[arg-type]

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._look()
            except AppError as error:
                self._set(redis="failed", message=str(error))
                self._stop.wait(CHECK_REDIS_EVERY_S)
            except Exception:
                log.exception("the supervisor failed")
                self._stop.wait(CHECK_REDIS_EVERY_S)
            self._stop.wait(LOOK_EVERY_S)

    def _look(self) -> None:
        now = time.monotonic()
        if now >= self._check_redis_at:
            self._check_redis_at = now + CHECK_REDIS_EVERY_S
            ensure_redis()
            self._set(redis="ready")
        if self._worker is None:
            if now >= self._start_at:
                self._launch()
        elif (code := self._worker.poll()) is not None:
            self._handle_end(code)
        elif self._status.worker in ("starting", "restarting", "elsewhere", "failed"):
            self._look_for_ready(self._worker.pid)

    def _launch(self) -> None:
        settings = get_settings()
        settings.log_dir.mkdir(parents=True, exist_ok=True)
        self._output = (settings.log_dir / "worker.out").open("wb+")
        self._worker = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,  # its end tells the worker that we are gone
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._born = time.monotonic()
        self._set(worker_pid=self._worker.pid)
        if self._status.worker != "elsewhere":
            self._set(worker="starting", message="Starting the indexing process…")

    def _look_for_ready(self, pid: int) -> None:
        try:
            state = json.loads((get_settings().run_dir / "worker.json").read_text())
        except (OSError, ValueError):
            return
        if state.get("pid") == pid and state.get("ready"):
            self._set(worker="ready", message="")

    def _handle_end(self, code: int) -> None:
        assert self._worker is not None
        pid, self._worker = self._worker.pid, self._close_pipes(self._worker)
        last_line = self._last_line()
        now = time.monotonic()
        if code == ELSEWHERE:
            self._start_at = now + LOOK_ELSEWHERE_S
            self._set(worker="elsewhere", message="", worker_pid=None)
            return
        log.error("the worker %d ended with code %d", pid, code)
        self._on_worker_death(worker_name(pid))
        if code == FAILED:
            self._start_at = now + LONGEST_BACK_OFF_S
            self._set(worker="failed", message=_app_error_text(last_line), worker_pid=None)
            return
        if now - self._born > GOOD_LIFE_S:
            self._back_off = FIRST_BACK_OFF_S
        self._start_at = now + self._back_off
        seconds = round(self._back_off)
        self._back_off = min(self._back_off * 2, LONGEST_BACK_OFF_S)
        self._set(
            worker="restarting",
            worker_pid=None,
            restarts=self._status.restarts + 1,
            message=f"The indexing process ended unexpectedly. It starts again in {seconds} s.",
        )

    def _close_pipes(self, worker: subprocess.Popen[bytes]) -> None:
        if worker.stdin is not None:
            worker.stdin.close()

    def _last_line(self) -> str:
        if self._output is None:
            return ""
        self._output.seek(0)
        lines = self._output.read().decode("utf-8", "replace").splitlines()
        self._output.close()
        self._output = None
        return lines[-1] if lines else ""

    def _end_worker(self, timeout: float) -> None:
        worker, self._worker = self._worker, None
        if worker is None:
            return
        worker.terminate()
        try:
            worker.wait(timeout)
        except subprocess.TimeoutExpired:
            log.warning("the worker did not end within %.0f s and is killed", timeout)
            worker.kill()
            worker.wait()
            self._on_worker_death(worker_name(worker.pid))
        self._close_pipes(worker)
        self._last_line()


def _app_error_text(line: str) -> str:
    try:
        said = json.loads(line)
        return str(AppError(said["message"], said["hint"]))
    except (ValueError, KeyError, TypeError):
        return "The indexing process could not start. Its log says why."
