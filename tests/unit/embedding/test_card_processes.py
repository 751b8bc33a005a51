"""Processes that decode with a card; the CPU stands in for it."""

from __future__ import annotations

import os
import signal
import threading
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
    processes_for,
)
from app.pictures.fork_server import Stopped
from app.pictures.pixels import PixelSpec

pytest.importorskip("torchcodec", reason="there is no torchcodec for this system")

SPEC = PixelSpec(32)
GIB = 1024**3


@pytest.fixture
def stop() -> threading.Event:
    return threading.Event()


@pytest.fixture
def card(stop: threading.Event) -> Iterator[CardProcess]:
    before = psutil.Process().children()
    made = CardProcess("cpu", stop)
    yield made
    made.end()
    assert psutil.Process().children() == before


def test_a_process_decodes_what_it_can_until_it_is_killed(
    card: CardProcess, tmp_path: Path
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
    assert card._process is not None
    os.kill(card._process.pid, signal.SIGKILL)
    with pytest.raises(CardFailedError, match="ended"):
        card.decode(paths, SPEC, 200)


def test_whoever_waits_for_one_is_told_when_it_is_closed_or_the_worker_ends(
    card: CardProcess, stop: threading.Event
) -> None:
    stop.set()
    with pytest.raises(Stopped):
        card.start()
    stop.clear()
    card.close()
    with pytest.raises(CardClosedError):
        card.decode([], SPEC, 200)


def test_one_that_does_not_answer_is_given_up(
    card: CardProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(card_processes, "ANSWER_WITHIN_S", 0.0)
    monkeypatch.setattr(card_processes, "_useless", threading.Event())
    assert processes_for(16, 79 * GIB) > 0
    with pytest.raises(CardFailedError, match="no answer"):
        card.start()
    assert processes_for(16, 79 * GIB) == 0


def test_there_are_as_many_as_processors_and_memories_allow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Memory:
        available = 100 * GIB

    monkeypatch.setattr(card_processes.psutil, "virtual_memory", Memory)
    assert processes_for(16, 79 * GIB) == card_processes.MOST_PROCESSES
    assert processes_for(4, 79 * GIB) == 2
    assert processes_for(16, 7 * GIB) == 2
    assert processes_for(16, 0) == 0
    Memory.available = 15 * GIB
    assert processes_for(16, 79 * GIB) == 3
