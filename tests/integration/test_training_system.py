"""``docs/training-system.md`` is true: its program runs, and its tables are those of the code."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, TextIO

import pytest

from app.api.training_schemas import SessionConfig
from app.db.engine import close_engines, open_db
from app.db.models import JOB_MOVES, SESSION_MOVES
from app.runtime.redis_server import stop_redis

DOCUMENT = Path(__file__).parents[2] / "docs" / "training-system.md"
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A fenced block of the document."""

    language: str
    line: int
    """Lines of the document before its first one."""
    text: str


def blocks() -> list[Block]:
    text = DOCUMENT.read_text(encoding="utf-8")
    return [
        Block(found[1], text.count("\n", 0, found.start(2)), found[2])
        for found in _BLOCK.finditer(text)
    ]


async def execute(block: Block, names: dict[str, object]) -> None:
    """Run a Python block, which may await; an error names its line in the document."""
    source = "\n" * block.line + block.text
    code = compile(source, DOCUMENT, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    running = eval(code, names)
    if inspect.isawaitable(running):
        await running


@pytest.fixture
def start_worker() -> Iterator[Callable[[], TextIO]]:
    """Start a worker process; what it prints. It has to end in order after the test."""
    started: list[subprocess.Popen[str]] = []

    def start() -> TextIO:
        command = [sys.executable, "-m", "app", "worker"]
        worker = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        started.append(worker)
        assert worker.stdout is not None
        return worker.stdout

    yield start
    for worker in started:
        worker.terminate()
        worker.communicate(timeout=60)
        assert worker.returncode == 0
    stop_redis()


async def test_the_program_in_the_document_runs(
    pictures: Path, start_worker: Callable[[], TextIO]
) -> None:
    (pictures / "family" / "broken.jpg").write_bytes(b"")
    async with open_db() as db:
        names: dict[str, object] = {"db": db, "root": str(pictures)}
        for block in blocks():
            match block.language:
                case "python":
                    await execute(block, names)
                case "sh":
                    assert block.text == "make worker\n"
                    output = start_worker()
                case "text":
                    assert output.readline() == block.text
                case _:
                    pytest.fail(f"nobody runs a block of {block.language}")
    await close_engines()


@pytest.mark.parametrize(
    ("heading", "moves"),
    [("A session that is", SESSION_MOVES), ("A job that is", JOB_MOVES)],
)
def test_the_states_are_those_of_the_ledger(heading: str, moves: dict[str, frozenset[str]]) -> None:
    written = {state: set(re.findall("`(\\w+)`", targets)) for state, targets in table(heading)}
    assert written == {str(state): set(map(str, targets)) for state, targets in moves.items()}


def test_the_session_settings_are_those_of_the_schema() -> None:
    assert [name for name, _ in table("`config`")] == list(SessionConfig.model_fields)


def table(heading: str) -> list[tuple[str, str]]:
    """The rows of the table whose first column has this heading: its code word, and the rest."""
    lines = DOCUMENT.read_text(encoding="utf-8").split(f"\n| {heading} |")[1].splitlines()[2:]
    rows = [line for line in lines[: lines.index("")] if line]
    return [(cells[1].strip("` "), "|".join(cells[2:])) for cells in (r.split("|") for r in rows)]
