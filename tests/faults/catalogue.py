"""What a fault is, and the list of all of them, which the modules named ``*_faults`` fill."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from scene import FaultError, Scene

MODULES = (
    "death_faults",
    "disk_faults",
    "damage_faults",
    "file_faults",
    "window_faults",
    "machine_faults",
)
RECOVERY_WITHIN_S = 10.0


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to disturb the program."""

    name: str
    inject: Callable[[Scene], None]
    """Starts the program, disturbs it, and returns once it is at rest again.

    Raises:
        FaultError: it did not get there by itself, or said the wrong thing.
    """
    expected: str = "completed"
    """The newest session's status at the end."""
    fresh: bool = False
    """Only with an empty library."""
    quick: bool = False
    """Also in the quick form, which every test run has."""
    rare: bool = False
    """Takes minutes: once in a soak, and only in one that is long."""
    mounts: bool = False
    """It needs a small file system."""
    make: Callable[[Path, int], Scene] = Scene
    """The scene that it needs."""

    def cannot_run(self) -> str:
        """Why it cannot run here; empty where it can."""
        return "only root may mount a small file system" if self.mounts and not may_mount() else ""


FAULTS: dict[str, Fault] = {}


def fault(name: str, **options: object) -> Callable[[Callable[[Scene], None]], None]:
    """Enter a function into the list under a name."""

    def enter(inject: Callable[[Scene], None]) -> None:
        add(Fault(name, inject, **options))  # type: ignore[arg-type]

    return enter


def add(entry: Fault) -> None:
    assert entry.name not in FAULTS, entry.name
    FAULTS[entry.name] = entry


def all_faults() -> dict[str, Fault]:
    """Every fault by its name."""
    for module in MODULES:
        import_module(module)
    return FAULTS


def must(condition: object, otherwise: str) -> None:
    """Something that must be true after a fault.

    Raises:
        FaultError: it is not.
    """
    if not condition:
        raise FaultError(otherwise)


def finish(scene: Scene, program: object = None) -> None:
    """Wait until the newest session is complete, and until the command that follows it ends."""
    scene.until_complete()
    for started in scene.programs:
        if started.what() in ("index", "update") and not started.killed:
            must(started.wait() == 0, f"{started.what()} failed: {started.said()[-500:]}")


def may_mount() -> bool:
    """Whether a small file system can be mounted here."""
    return os.geteuid() == 0 and shutil.which("mount") is not None


def mount(place: Path, megabytes: int) -> None:
    """A file system of so many megabytes."""
    place.mkdir(parents=True)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", place], capture_output=True
    )
    must(done.returncode == 0, f"no file system can be mounted here: {done.stderr.decode()}")
