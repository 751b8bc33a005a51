"""One sentence, the most important one."""

from __future__ import annotations

from typing import Any

import pytest
from system_status import system, worker

from app.api.training_schemas import WorkerStatus
from app.ui.shell.status_line import StatusLine


@pytest.fixture
def line(qt_loop: Any) -> StatusLine:
    return StatusLine()


def test_it_begins_with_the_start(line: StatusLine) -> None:
    assert line.text == "Starting…"


@pytest.mark.parametrize(
    ("workers", "sentence"),
    [
        ([worker()], "Ready on GPU"),
        ([worker(device="cpu", state="session 3")], "Indexing on CPU"),
        ([worker(), worker(state="session 3")], "Indexing on GPU, 2 processes"),
        ([worker(state="loading the model")], "Loading the model…"),
        (
            [worker(notice="Working on the CPU: no memory left.")],
            "Working on the CPU: no memory left.",
        ),
        ([worker(alive=False)], "Nothing is indexing: no indexing process is running."),
    ],
)
def test_what_the_workers_do(line: StatusLine, workers: list[WorkerStatus], sentence: str) -> None:
    line.set_runtime("")
    line.set_system(system(*workers))
    assert line.text == sentence


def test_a_running_session_is_known_before_the_worker_says_so(line: StatusLine) -> None:
    line.set_runtime("")
    line.set_system(system(worker()))
    line.set_indexing(True)
    assert line.text == "Indexing on GPU"
    line.set_system(system(worker(alive=False)))
    assert line.text.startswith("Nothing is indexing")


def test_a_look_from_before_the_worker_was_there_is_no_warning(line: StatusLine) -> None:
    line.set_runtime("Starting the indexing process…")
    line.set_system(system())
    line.set_runtime("")
    assert line.text == "Starting the indexing process…"
    line.set_system(system())
    assert line.text == "Nothing is indexing: no indexing process is running."


def test_what_is_wrong_comes_first(line: StatusLine) -> None:
    line.set_system(system(worker()))
    line.set_runtime("The indexing process ended unexpectedly. It starts again in 4 s.")
    line.show_message("Resumed at 12,345 of 80,000.")
    assert line.text == "Resumed at 12,345 of 80,000."
    line.set_problem("The disk is full.")
    assert line.text == "The disk is full."
    assert line.accessibleName() == "Status: The disk is full."
    line.set_problem("")
    line._forget()
    assert line.text.startswith("The indexing process ended")
    line.set_runtime("")
    assert line.text == "Ready on GPU"
