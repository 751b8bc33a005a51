"""Keeps Redis and one worker process running for as long as a window or a command needs them."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from app.errors import AppError
from app.queue.reconcile import hand_back_for
from app.runtime.redis_server import ensure_redis, stop_redis
from app.runtime.worker_process import (
    EXIT_ELSEWHERE,
    EXIT_FAILED,
    WorkerProcess,
    is_worker_elsewhere,
    worker_command,
)

log = logging.getLogger(__name__)

TICK_S = 0.2
PING_EVERY_S = 1.0
LOOK_AGAIN_S = 2.0
TRY_AGAIN_S = 5.0
FIRST_DELAY_S = 0.5
FIRST_DELAYS = 4
"""A picture that ends the worker does so twice; work is to go on within seconds of each death."""
LONGEST_DELAY_S = 5.0
GOOD_LIFE_S = 60.0
"""A worker that lived this long has not died at its start: the next one starts soon."""

STARTING = "Starting the indexing process…"
ENDED = "The indexing process ended unexpectedly."

RedisState = Literal["starting", "ready", "failed"]
WorkerState = Literal["starting", "ready", "restarting", "elsewhere", "stopped", "failed"]


@dataclass(frozen=True, slots=True)
class RuntimeStatus:
    """What the processes are doing; ``message`` is empty where all is well."""

    redis: RedisState = "starting"
    worker: WorkerState = "starting"
    message: str = STARTING
    restarts: int = 0
    worker_pid: int | None = None


class Supervisor:
    """Starts Redis and a worker in a thread of its own, watches both, and ends both.

    Args:
        on_worker_death: called in that thread with the name of a worker that ended by itself,
            before the next one starts, so that its leases can be taken back at once.
        command: starts the worker; by default the program itself.
    """

    def __init__(
        self, on_worker_death: Callable[[str], None], command: Sequence[str] | None = None
    ) -> None:
        self._on_worker_death = on_worker_death
        self._command = command or worker_command()
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)
        self._stop_asked = threading.Event()
        self._stop_timeout_s = 0.0
        self._status = RuntimeStatus()

        self._redis: RedisState = "starting"
        self._redis_problem = ""
        self._redis_delay = Delay()
        self._next_ping = 0.0

        self._worker: WorkerState = "starting"
        self._worker_problem = ""
        self._worker_delay = Delay()
        self._next_start = 0.0
        self._child: WorkerProcess | None = None
        self._restarts = 0

    def start(self) -> None:
        """Begin, and return at once; once in a supervisor's life."""
        self._thread.start()

    def status(self) -> RuntimeStatus:
        """The latest state, without waiting."""
        return self._status

    def stop(self, timeout: float = 20) -> None:
        """End the worker after its batch, then the embedded Redis unless others use it.

        Args:
            timeout: seconds after which a worker that has not ended is killed.
        """
        if not self._stop_asked.is_set():
            self._stop_timeout_s = timeout
            self._stop_asked.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        try:
            while not self._stop_asked.is_set():
                self._look()
                self._stop_asked.wait(TICK_S)
        finally:
            self._end()

    def _look(self) -> None:
        try:
            self._look_after_redis()
            self._look_after_worker()
        except Exception:  # a bug here must not leave the processes without anyone to watch them
            log.exception("the supervisor failed")
            self._stop_asked.wait(TRY_AGAIN_S)
        self._publish()

    def _look_after_redis(self) -> None:
        if time.monotonic() < self._next_ping:
            return
        try:
            ensure_redis()
        except AppError as error:
            log.error("%s", error)
            self._redis, self._redis_problem = "failed", str(error)
            self._next_ping = time.monotonic() + self._redis_delay.next_s()
        else:
            self._redis, self._redis_problem = "ready", ""
            self._redis_delay.reset()
            self._next_ping = time.monotonic() + PING_EVERY_S

    def _look_after_worker(self) -> None:
        child = self._child
        if child is None:
            if self._redis == "ready" and time.monotonic() >= self._next_start:
                self._start_worker()
        elif (code := child.exit_code()) is not None:
            self._child = None
            self._note_end(child, code)
        elif self._worker != "ready" and child.is_ready():
            self._worker = "ready"

    def _start_worker(self) -> None:
        if self._worker == "elsewhere" and is_worker_elsewhere():
            self._next_start = time.monotonic() + LOOK_AGAIN_S
            return
        try:
            self._child = WorkerProcess(self._command)
        except OSError as error:
            self._fail(f"The indexing process cannot be started: {error.strerror}.")
            return
        if self._worker == "restarting":
            self._restarts += 1
        if self._worker != "failed":  # a failure is shown until a worker is ready
            self._worker = "starting"

    def _note_end(self, child: WorkerProcess, code: int) -> None:
        if code == EXIT_ELSEWHERE:
            self._worker = "elsewhere"
            self._next_start = time.monotonic() + LOOK_AGAIN_S
            return
        log.error("worker %d ended with code %d; it wrote:\n%s", child.pid, code, child.output())
        self._report_death(child)
        if code == EXIT_FAILED:
            self._fail(str(child.last_error() or ENDED))
            return
        if child.age_s() >= GOOD_LIFE_S:
            self._worker_delay.reset()
        self._worker = "restarting"
        self._next_start = time.monotonic() + self._worker_delay.next_s()

    def _fail(self, problem: str) -> None:
        self._worker, self._worker_problem = "failed", problem
        self._next_start = time.monotonic() + TRY_AGAIN_S

    def _report_death(self, child: WorkerProcess) -> None:
        name = child.name()
        if name is None:
            return
        try:
            self._on_worker_death(name)
        except Exception:  # whatever it was, the next worker must start
            log.exception("the work of worker %d could not be taken back", child.pid)

    def _hand_back(self, child: WorkerProcess) -> None:
        """What was killed here did not die of a picture."""
        try:
            if name := child.name():
                hand_back_for(name)
        except Exception:  # the program ends; the next worker takes it back
            log.exception("the work of worker %d could not be handed back", child.pid)

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is not None and child.end(self._stop_timeout_s) not in (0, EXIT_ELSEWHERE):
            log.warning("worker %d did not end by itself", child.pid)
            self._hand_back(child)
        try:
            stop_redis()
        except AppError as error:
            log.warning("%s", error)
        self._worker, self._redis_problem = "stopped", ""
        self._publish()

    def _publish(self) -> None:
        self._status = RuntimeStatus(
            redis=self._redis,
            worker=self._worker,
            message=self._redis_problem or self._message(),
            restarts=self._restarts,
            worker_pid=self._child.pid if self._child else None,
        )

    def _message(self) -> str:
        match self._worker:
            case "starting":
                return STARTING
            case "restarting":
                seconds = max(math.ceil(self._next_start - time.monotonic()), 1)
                return f"{ENDED} It starts again in {seconds} s."
            case "failed":
                return self._worker_problem
            case "ready" | "elsewhere" | "stopped":
                return ""


class Delay:
    """Seconds to wait before the next try: half a second four times, then 1, 2, 4, and 5."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin again with the shortest."""
        self._given = 0

    def next_s(self) -> float:
        """The seconds to wait now; the next answer may be longer."""
        self._given += 1
        longer = max(self._given - FIRST_DELAYS, 0)
        return min(FIRST_DELAY_S * 2.0**longer, LONGEST_DELAY_S)
