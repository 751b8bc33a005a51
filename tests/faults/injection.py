"""Where and how a scene makes the program fail: steps, and the folder through which they are led.

A step is carried out inside the program's own processes by ``inject/sitecustomize.py``; files in
the plan's folder say what has happened, over all processes that come after one another.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

TESTS = Path(__file__).parent.parent
INJECT = Path(__file__).parent / "inject"
Action = Literal["kill", "stop", "hold", "disk full", "raise", "set", "replace", "fast clock"]


@dataclass(frozen=True, slots=True)
class Step:
    """One place in the program's code and what happens there."""

    at: str
    """``module:name``, such as ``app.db.settle:settle``."""
    do: Action
    call: int = 1
    """From which call in a process on."""
    times: int = 1
    """How often in all; 0: until it is lifted."""
    after: bool = False
    """After the call instead of before it."""
    value: float | str = 0
    """With ``set``, the new value (seconds, for a time span); with ``replace``, what takes the
    place, as ``module:name``; with ``raise``, the message; with ``fast clock``, by how much."""
    about: str = ""
    """Only in calls with an argument that holds this text; only these are counted."""
    within: str = ""
    """Only in processes whose command line holds this."""


class Plan:
    """The steps of one run of the program."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._steps: list[Step] = []
        self._written = 0

    @property
    def file(self) -> Path:
        return self.folder / "plan.json"

    def write(self, steps: Sequence[Step]) -> None:
        """Have processes that start from now on take these steps, and no others."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._written += 1
        self._steps = list(steps)
        wanted = [asdict(step) | {"key": self._key(step)} for step in steps]
        self.file.write_text(json.dumps(wanted), encoding="utf-8")

    def struck_at(self, step: Step) -> float | None:
        """When it was taken last, in seconds since the epoch; None: not yet."""
        times = [path.stat().st_mtime for path in self.folder.glob(f"{self._key(step)}.fired-*")]
        return max(times, default=None)

    def lift(self, step: Step) -> None:
        """Let go on what is held; let what fails succeed."""
        (self.folder / f"{self._key(step)}.lifted").touch()

    def lift_all(self) -> None:
        for step in self._steps:
            self.lift(step)

    def unknown(self) -> list[str]:
        """Places that the program no longer has: the step must be changed."""
        return [
            step.at for step in self._steps if (self.folder / f"{self._key(step)}.unknown").exists()
        ]

    def _key(self, step: Step) -> str:
        return f"{self._written}-{self._steps.index(step)}"


def kill(at: str, call: int = 1, *, after: bool = False, within: str = "") -> Step:
    """The process that comes there kills itself, as a power cut does."""
    return Step(at, "kill", call, after=after, within=within)


def hold(at: str, call: int = 1, *, after: bool = False, within: str = "") -> Step:
    """Whoever comes there waits until the step is lifted."""
    return Step(at, "hold", call, after=after, within=within)


def stop(at: str, call: int = 1, *, after: bool = False, within: str = "") -> Step:
    """The process is stopped there as by SIGSTOP; nothing but SIGCONT wakes it."""
    return Step(at, "stop", call, after=after, within=within)


def disk_full(at: str, call: int = 1, *, within: str = "") -> Step:
    """A write fails, and goes on failing until the step is lifted."""
    return Step(at, "disk full", call, times=0, within=within)


def put(at: str, value: float) -> Step:
    """Another value for a constant of the program."""
    return Step(at, "set", value=value)


def shorter_lease(seconds: float) -> tuple[Step, ...]:
    """A lease, and the silence after which a worker counts as dead, of so many seconds."""
    return (
        put("app.db.jobs:LEASE", seconds),
        put("app.db.liveness:DEAD_AFTER", seconds),
    )
