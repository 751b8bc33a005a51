"""Processes that decode with a card; the CPU stands in for it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from drawn_pictures import encoded, photo

from app.embedding import card_processes
from app.embedding.card_processes import (
    CardClosedError,
    CardFailedError,
    CardProcess,
    CardThread,
    threads_for,
)
from app.pictures.fork_server import ForkServer, Stopped
from app.pictures.pixels import PixelSpec

pytest.importorskip("torchcodec", reason="there is no torchcodec for this system")

SPEC = PixelSpec(32)
GIB = 1024**3


@pytest.fixture
def stop() -> threading.Event:
    return threading.Event()


@pytest.fixture
def server(stop: threading.Event) -> Iterator[ForkServer]:
    before = psutil.Process().children()
    server = ForkServer(stop, "card-decoder")
    yield server
    server.close()
    assert psutil.Process().children() == before


@pytest.fixture
def process(server: ForkServer) -> Iterator[CardProcess]:
    process = CardProcess(server, "cpu")
    yield process
    process.end()


@pytest.fixture
def card(process: CardProcess, stop: threading.Event) -> Iterator[CardThread]:
    card = CardThread(process, stop)
    yield card
    card.end()


def suspend(process: CardProcess) -> None:
    """Return once none of its threads runs."""
    assert process._process is not None
    os.kill(process._process, signal.SIGSTOP)
    threads = Path(f"/proc/{process._process}/task")
    while not all(") T " in (thread / "stat").read_text() for thread in threads.iterdir()):
        time.sleep(0.01)


def test_a_thread_decodes_what_it_can_until_its_process_is_killed(
    card: CardThread, process: CardProcess, tmp_path: Path
) -> None:
    good, bad = tmp_path / "good.jpg", tmp_path / "bad.jpg"
    good.write_bytes(encoded(photo(80, 60), "JPEG"))
    bad.write_bytes(b"no picture")
    card.start()
    paths = [str(good), str(bad)]
    for _ in range(2):
        found = card.decode(paths, SPEC, 200)
        assert found[1] is None
        assert found[0] is not None
        assert found[0].decoded.pixels.shape == (32, 32, 3)
    assert process._process is not None
    os.kill(process._process, signal.SIGKILL)
    with pytest.raises(CardFailedError, match="ended"):
        card.decode(paths, SPEC, 200)


def test_threads_share_a_process_which_ends_with_its_server(
    card: CardThread, process: CardProcess, stop: threading.Event
) -> None:
    other = CardThread(process, stop)
    for each in (card, other):
        each.start()
    (server,) = psutil.Process().children()
    forked = server.children()
    assert [child.pid for child in forked] == [process._process]
    server.kill()
    psutil.wait_procs(forked)
    for each in (card, other):
        with pytest.raises(CardFailedError, match="ended"):
            each.decode([], SPEC, 200)
    other.end()


def test_whoever_waits_for_one_is_told_when_it_is_closed_or_the_worker_ends(
    card: CardThread, process: CardProcess, stop: threading.Event
) -> None:
    stop.set()
    with pytest.raises(Stopped):
        card.start()
    stop.clear()
    card.end()
    card.start()
    suspend(process)
    card.close()
    with pytest.raises(CardClosedError):
        card.decode([], SPEC, 200)


def test_one_that_does_not_answer_is_given_up(
    card: CardThread, process: CardProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    card.start()
    suspend(process)
    monkeypatch.setattr(card_processes, "ANSWER_WITHIN_S", 0.0)
    with pytest.raises(CardFailedError, match="no answer"):
        card.decode([], SPEC, 200)


def test_what_cannot_begin_is_not_tried_again(
    server: ForkServer, stop: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(card_processes, "_useless", threading.Event())
    assert threads_for(16, 79 * GIB) > 0
    process = CardProcess(server, "no such device")
    card = CardThread(process, stop)
    with pytest.raises(CardFailedError, match="ended"):
        card.start()
    assert threads_for(16, 79 * GIB) == 0
    card.end()
    process.end()


def test_there_are_as_many_as_processors_and_memories_allow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Memory:
        available = 100 * GIB

    monkeypatch.setattr(card_processes.psutil, "virtual_memory", Memory)
    assert threads_for(16, 79 * GIB) == card_processes.MOST_PROCESSES * card_processes.THREADS
    assert threads_for(4, 79 * GIB) == 2
    assert threads_for(16, 7 * GIB) == 2
    assert threads_for(16, 0) == 0
    Memory.available = 7 * GIB // 2
    assert threads_for(16, 79 * GIB) == 3
