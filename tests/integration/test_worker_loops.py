"""The loops of a worker on a real queue server."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from ledgers import fresh_ledger

from app.queue.connection import close_redis, get_redis
from app.runtime.redis_server import ensure_redis, stop_redis
from app.worker import loops
from app.worker.loops import run_worker

LOOPS = 3


@pytest.fixture
def queue() -> Iterator[None]:
    fresh_ledger()
    ensure_redis()
    yield
    close_redis()
    stop_redis()


def waiting_loops() -> int:
    return sum("b" in connection["flags"] for connection in get_redis().client_list())


@pytest.mark.usefixtures("queue")
def test_a_stop_wakes_loops_that_would_wait_far_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loops, "WAIT_S", 600)
    stop = threading.Event()
    serving = threading.Thread(target=run_worker, args=("test-worker", stop, lambda: None))
    serving.start()
    try:
        for _ in range(200):
            if waiting_loops() == LOOPS:
                break
            stop.wait(0.05)
        assert waiting_loops() == LOOPS
    finally:
        stop.set()
        serving.join(30)
    assert not serving.is_alive()
    assert waiting_loops() == 0
