"""Keeps Redis and one worker process running for as long as a window or a command needs them."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from app.db.reconcile import release
from app.errors import AppError
from app.runtime.ending import end_queue_server, within
from app.runtime.redis_server import ensure_redis
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
STOP_WITHIN_S = 1.6
"""From a stop to the end of everything; a worker that is not done by then is killed."""
FOR_THE_QUEUE_S = 0.5
"""The part of it that is kept for the queue server."""
RELEASED_WITHIN_S = 0.2
REACT_WITHIN_S = 0.1
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
        is_elsewhere: whether somebody else's worker does the work, so that none is started here
            for as long as it lives.
    """

    def __init__(
        self,
        on_worker_death: Callable[[str], None],
        command: Sequence[str] | None = None,
        *,
        is_elsewhere: Callable[[], bool] = is_worker_elsewhere,
    ) -> None:
        self._on_worker_death = on_worker_death
        self._on_worker_stopped: Callable[[str], None] = release
        self._is_elsewhere = is_elsewhere
        self._command = command or worker_command()
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)
        self._stop_asked = threading.Event()
        self._renewal_asked = threading.Event()
        self._starting = threading.Lock()
        """Held while a worker is started: one is started before a stop, or never."""
        self._ending = threading.Lock()
        self._ended = False
        self._end_by = 0.0
        self._status = RuntimeStatus()

        self._queue = QueueWatch()

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

    def renew_worker(self) -> None:
        """Have the worker end after its batch and another one start, which reads the settings anew.

        Returns at once. Somebody else's worker stays as it is.
        """
        self._renewal_asked.set()

    def stop(self, timeout: float = STOP_WITHIN_S) -> None:
        """End the worker after its batch, then the embedded Redis unless others use it.

        A worker that is not done in time is killed; what it held is released at once.

        Args:
            timeout: seconds after which all of that has happened.
        """
        with self._starting:
            if not self._stop_asked.is_set():
                self._end_by = time.monotonic() + timeout
                self._stop_asked.set()
        if self._thread.ident is not None:
            # its thread may wait for a ledger or a queue server that does not answer
            self._thread.join(REACT_WITHIN_S)
            self._end()

    def _run(self) -> None:
        while not self._stop_asked.is_set():
            self._look()
            self._stop_asked.wait(TICK_S)
        self._end()

    def _look(self) -> None:
        try:
            self._queue.look()
            self._look_after_worker()
        except Exception:  # a bug here must not leave the processes without anyone to watch them
            log.exception("the supervisor failed")
            self._stop_asked.wait(TRY_AGAIN_S)
        self._publish()

    def _look_after_worker(self) -> None:
        child = self._child
        if child is not None and self._renewal_asked.is_set() and child.exit_code() is None:
            self._end_worker(child, STOP_WITHIN_S)
            if self._stop_asked.is_set():
                return  # whoever stops us says how it is
            self._child, self._worker = None, "starting"
            child = None
        if child is None:
            self._renewal_asked.clear()
            if self._queue.state == "ready" and time.monotonic() >= self._next_start:
                self._start_worker()
        elif (code := child.exit_code()) is not None:
            self._child = None
            self._note_end(child, code)
        elif self._worker != "ready" and child.is_ready():
            self._worker = "ready"

    def _start_worker(self) -> None:
        if self._is_elsewhere():
            self._worker = "elsewhere"
            self._next_start = time.monotonic() + LOOK_AGAIN_S
            return
        try:
            with self._starting:
                if self._stop_asked.is_set():
                    return
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
        child.is_ready()  # its name
        try:
            if child.name is not None:
                self._on_worker_death(child.name)
        except Exception:  # whatever it was, the next worker must start
            log.exception("the pictures of worker %d could not be released", child.pid)

    def _end(self) -> None:
        """End everything in what is left of the time; the second caller finds nothing to do."""
        with self._ending:
            if self._ended:
                return
            self._ended = True
            child, self._child = self._child, None
            if child is not None:
                left = self._end_by - time.monotonic() - FOR_THE_QUEUE_S - RELEASED_WITHIN_S
                self._end_worker(child, left)
            end_queue_server(max(self._end_by - time.monotonic(), FOR_THE_QUEUE_S))
            self._worker = "stopped"
            self._queue.problem = ""
            self._publish()

    def _end_worker(self, child: WorkerProcess, within_s: float) -> None:
        child.is_ready()  # its name
        if child.end(within_s) not in (0, EXIT_ELSEWHERE):
            log.warning("worker %d did not end by itself", child.pid)
            if (name := child.name) is not None:
                within(RELEASED_WITHIN_S, lambda: self._on_worker_stopped(name))

    def _publish(self) -> None:
        self._status = RuntimeStatus(
            redis=self._queue.state,
            worker=self._worker,
            message=self._queue.problem or self._message(),
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


class QueueWatch:
    """Sees to it that the queue's server answers."""

    def __init__(self) -> None:
        self.state: RedisState = "starting"
        self.problem = ""
        self._delay = Delay()
        self._next_look = 0.0

    def look(self) -> None:
        """Start or restart the server where it is time to look and it does not answer."""
        if time.monotonic() < self._next_look:
            return
        try:
            ensure_redis()
        except AppError as error:
            log.error("%s", error)
            self.state, self.problem = "failed", str(error)
            self._next_look = time.monotonic() + self._delay.next_s()
        else:
            self.state, self.problem = "ready", ""
            self._delay.reset()
            self._next_look = time.monotonic() + PING_EVERY_S


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
