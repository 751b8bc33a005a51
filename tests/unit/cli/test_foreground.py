"""What a command that waits says, and what it survives."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from app.cli import foreground, search
from app.cli.foreground import Waiting, follow
from app.db.errors import LedgerError
from app.errors import AppError
from app.queue.ask import WorkerAwayError
from app.runtime.supervisor import RuntimeStatus

AWAY = "The database that AFTERIMAGE_DATABASE_URL names cannot be used: connection refused."


class Supervised:
    """A supervisor that says what the test wants."""

    def __init__(self, *states: RuntimeStatus) -> None:
        self.states = list(states)

    def status(self) -> RuntimeStatus:
        return self.states.pop(0) if len(self.states) > 1 else self.states[0]


READY = RuntimeStatus("ready", "ready", "")
NOT_LOOKED = RuntimeStatus()
STARTING = RuntimeStatus("ready", worker_pid=4)
RESTARTING = [
    RuntimeStatus("ready", "restarting", f"It ended. It starts again in {seconds} s.")
    for seconds in (3, 2, 1)
]
FAILED = RuntimeStatus("ready", "failed", "The store is damaged.")


def progress(status: str) -> Any:
    return SimpleNamespace(
        status=status,
        progress=SimpleNamespace(total=1, current=0),
        discovering=False,
        name="Holiday",
        jobsSummary=SimpleNamespace(failed=0),
        waitingFor=None,
    )


def backend_of(answers: list[Any], method: str = "get_session_progress") -> Any:
    """A backend whose one service gives these answers, or raises them."""

    async def answer(*_: object, **__: object) -> Any:
        found = answers.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    @asynccontextmanager
    async def db() -> Any:
        yield None

    service = SimpleNamespace(**{method: answer})
    return SimpleNamespace(db=db, training=service, search=service)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreground, "POLL_S", 0)
    monkeypatch.setattr(search, "TRY_AGAIN_S", 0)


def test_what_keeps_it_waiting_is_said_once_each(capsys: pytest.CaptureFixture[str]) -> None:
    waiting = Waiting(Supervised(STARTING, *RESTARTING, STARTING, READY))  # type: ignore[arg-type]
    for _ in range(6):
        waiting.report()
    starting = STARTING.message
    assert capsys.readouterr().err.splitlines() == [starting, "It ended.", starting]


def test_nothing_is_said_of_a_start_before_one_is_needed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    elsewhere = RuntimeStatus("ready", "elsewhere", "")
    waiting = Waiting(Supervised(NOT_LOOKED, NOT_LOOKED, elsewhere))  # type: ignore[arg-type]
    for _ in range(3):
        waiting.report()
    assert capsys.readouterr().err == ""


def test_a_worker_that_stays_failed_ends_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(foreground, "GIVE_UP_AFTER_S", -1)
    waiting = Waiting(Supervised(FAILED))  # type: ignore[arg-type]
    waiting.report()
    with pytest.raises(AppError, match="store is damaged"):
        waiting.report()
    assert "store is damaged" in capsys.readouterr().err


async def test_a_ledger_that_restarts_is_waited_for_and_started_again(
    capsys: pytest.CaptureFixture[str],
) -> None:
    starts: list[Callable[[], Any]] = []

    async def start() -> Any:
        starts.append(start)
        if len(starts) == 1:
            raise LedgerError(AWAY, "Start it.", transient=True)
        return None

    away = LedgerError(AWAY, "Start it.", transient=True)
    backend = backend_of([away, away, progress("running"), *[progress("completed")] * 9])
    done = await follow(backend, 1, Supervised(READY), start, show=False)  # type: ignore[arg-type]
    assert done.status == "completed"
    assert capsys.readouterr().err.splitlines() == [AWAY]
    assert len(starts) == 2


async def test_a_ledger_that_is_damaged_is_not_waited_for() -> None:
    backend = backend_of([LedgerError("It is damaged.", "")])
    with pytest.raises(LedgerError, match="damaged"):
        await follow(backend, 1, Supervised(READY), show=False)  # type: ignore[arg-type]


async def test_a_search_waits_for_as_long_as_the_model_takes_and_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    loading = WorkerAwayError("The model is being loaded.")
    hit = SimpleNamespace(score=1.0, path="/a.jpg")
    page = SimpleNamespace(hits=[hit], known=True, leftOut=False, modelId=1)
    backend = backend_of([WorkerAwayError("It starts."), *[loading] * 50, page], "search")

    async def nothing(*_: object) -> list[Any]:
        return []

    backend.search.models = backend.search.prepare = nothing

    @asynccontextmanager
    async def working(**_: object) -> Any:
        yield Supervised(READY)

    monkeypatch.setattr(search, "working", working)
    parser = argparse.ArgumentParser()
    search.add_arguments(parser)
    options = parser.parse_args(["red"], argparse.Namespace(json=False))
    assert await search.search(options, backend) == 0
    said = capsys.readouterr()
    assert said.err.splitlines() == ["It starts.", "The model is being loaded."]
    assert said.out == "1.000  /a.jpg\n"
