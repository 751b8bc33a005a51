"""The loops of a worker: the main one, one for each side queue, and the pulse beside them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from itertools import chain

from redis.exceptions import RedisError
from rq import Queue, SimpleWorker
from rq.exceptions import StopRequested
from rq.serializers import JSONSerializer
from rq.timeouts import TimerDeathPenalty

from app.db.liveness import BEAT_EVERY_S, process_name
from app.errors import AppError
from app.queue.connection import get_redis, redis_url
from app.queue.jobs import KnownJob
from app.queue.queues import LATE_S, QUEUES, SIDE_QUEUES, get_queue, loop_names, started_jobs

log = logging.getLogger(__name__)

RECONCILE_EVERY_S = 5.0
RECONNECT_AFTER_S = 1.0
WAIT_S = 5
"""The longest that an idle loop waits for work before it looks around; a stop wakes it."""
WAKE_EVERY_S = 0.1


class LoopWorker(SimpleWorker):
    """Runs jobs in its own thread, so that the model stays loaded, and stops when it is told.

    RQ's own signals, commands and birth check are for workers that fork; see ``docs/decisions``.
    """

    max_connection_wait_time = 2.0

    def __init__(self, queues: list[Queue], name: str, stop: threading.Event) -> None:
        super().__init__(
            queues,
            name=name,
            connection=get_redis(WAIT_S + LATE_S),
            job_class=KnownJob,
            serializer=JSONSerializer,
        )
        self._stop = stop
        self._address = redis_url()

    @property
    def dequeue_timeout(self) -> int:
        """Seconds between two looks at the stop flag while idle, where nothing wakes the loop."""
        return WAIT_S

    def heartbeat(self, *args: object, **kwargs: object) -> None:
        """Called before every wait: leave the loop on a stop, or when Redis moved."""
        if self._stop.is_set() or redis_url() != self._address:
            raise StopRequested
        super().heartbeat(*args, **kwargs)  # type: ignore[arg-type]

    def register_birth(self) -> None:
        """Begin anew, also where this loop lost the server, and the server knows it of old."""
        self.connection.delete(self.key)
        for job in chain.from_iterable(map(started_jobs, self.queues)):
            if job.worker_name == self.name:  # its end was never noted, and it would count for ever
                job.delete()
        super().register_birth()  # type: ignore[no-untyped-call]

    def _install_signal_handlers(self) -> None:
        """The process sets its stop flag by itself."""

    def subscribe(self) -> None:
        """No commands: pause and cancel are read from the ledger."""

    def unsubscribe(self) -> None:
        """Nothing was subscribed to."""


class ThreadWorker(LoopWorker):
    """The same in a thread other than the main one, where signals cannot end a job."""

    death_penalty_class = TimerDeathPenalty


def run_worker(name: str, stop: threading.Event, beat: Callable[[], None]) -> None:
    """Serve the queues until ``stop`` is set; comes back by itself after a lost Redis.

    Args:
        beat: called every few seconds in a thread, also while a job runs.
    """
    served = threading.Event()
    pulse = threading.Thread(target=_pulse, args=(name, stop, beat, served), name="pulse")
    sides = [
        threading.Thread(target=_serve, args=(ThreadWorker, (queue,), loop, stop), name=queue)
        for queue, loop in zip(SIDE_QUEUES, loop_names(name)[1:], strict=True)
    ]
    for thread in (pulse, *sides):
        thread.start()
    try:
        _serve(LoopWorker, QUEUES, name, stop)
    finally:
        stop.set()
        for thread in sides:
            thread.join()
        served.set()
        pulse.join()


def _serve(
    kind: type[LoopWorker], names: tuple[str, ...], name: str, stop: threading.Event
) -> None:
    while not stop.is_set():
        try:
            kind([get_queue(queue) for queue in names], name, stop).work(logging_level="WARNING")
        except (RedisError, AppError) as error:
            log.warning("the queue does not answer: %s", error)
            stop.wait(RECONNECT_AFTER_S)


def _pulse(
    name: str, stop: threading.Event, beat: Callable[[], None], served: threading.Event
) -> None:
    """Signs of life, up to the stop; then wake the loops until the last has ended."""
    while True:
        try:
            beat()
        except Exception:  # the pulse must go on; a ledger that is away for a while comes back
            log.exception("a heartbeat failed")
        if stop.wait(BEAT_EVERY_S):
            break
    while not served.wait(WAKE_EVERY_S):
        _wake_loops(name)


def _wake_loops(name: str) -> None:
    """End the waits for work of this worker's loops.

    Their connections have this process's name, or that of a loop: RQ gives it to the connection
    that a loop happens to begin with.
    """
    ours = {process_name(), *loop_names(name)}
    try:
        client = get_redis()
        for connection in client.client_list():
            if connection["name"] in ours:  # one that does not block is left as it is
                client.client_unblock(int(connection["id"]))
    except (RedisError, AppError) as error:  # forbidden, or gone: the loops wake by themselves
        log.debug("the loops were not woken: %s", error)
