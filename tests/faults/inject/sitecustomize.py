"""Makes a process of the program fail at a chosen step; Python loads this module by itself.

It stands on ``PYTHONPATH`` of the processes that a scene starts, and does what the scene's plan
says: see ``tests/faults/injection.py``, which writes it. The program knows nothing of it.
"""

from __future__ import annotations

import errno
import functools
import importlib
import importlib.machinery
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from importlib.abc import Loader, MetaPathFinder
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any

LOOK_S = 0.02


class Step:
    """One place in the code and what happens there."""

    def __init__(self, folder: Path, wanted: dict[str, Any]) -> None:
        self._folder = folder
        self.module, _, self.name = wanted["at"].partition(":")
        self._do, self._value = wanted["do"], wanted["value"]
        self._call, self._times = wanted["call"], wanted["times"]
        self._after, self._about, self._key = wanted["after"], wanted["about"], wanted["key"]
        self._calls = count(1)

    def apply(self, module: ModuleType) -> None:
        """Change a module that was just loaded; a name that is gone is noted for the judge."""
        try:
            *parents, last = self.name.split(".")
            owner = functools.reduce(getattr, parents, module)
            present = getattr(owner, last)
        except AttributeError:
            self._path("unknown").touch()
            return
        if self._do == "replace":
            where, _, name = str(self._value).partition(":")
            setattr(owner, last, getattr(importlib.import_module(where), name))
        elif self._do == "set":
            delta = isinstance(present, timedelta)
            setattr(owner, last, timedelta(seconds=self._value) if delta else self._value)
        else:
            setattr(owner, last, self._wrapped(present))

    def _wrapped(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*arguments: Any, **named: Any) -> Any:
            meant = self._is_meant(arguments)
            if meant and not self._after and self._may_strike():
                self._strike()
            result = function(*arguments, **named)
            if self._do == "fast clock":
                return result + timedelta(seconds=self._value)
            if meant and self._after and self._may_strike():  # noted only now: others wait for it
                self._strike()
            return result

        return call

    def _is_meant(self, arguments: tuple[Any, ...]) -> bool:
        texts = [argument for argument in arguments if isinstance(argument, str)]
        if self._about and not any(self._about in text for text in texts):
            return False
        return bool(next(self._calls) >= self._call)

    def _may_strike(self) -> bool:
        """Whether it is this call's turn; processes that come after one another share the count."""
        if self._path("lifted").exists():
            return False
        for number in range(self._times or sys.maxsize):
            try:
                descriptor = os.open(self._path(f"fired-{number}"), os.O_CREAT | os.O_EXCL)
            except FileExistsError:
                continue
            os.close(descriptor)
            return True
        return False

    def _strike(self) -> None:
        if self._do == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif self._do == "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        elif self._do == "hold":
            while not self._path("lifted").exists():
                time.sleep(LOOK_S)
        elif self._do == "disk full":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        elif self._do == "raise":
            raise RuntimeError(self._value)

    def _path(self, what: str) -> Path:
        return self._folder / f"{self._key}.{what}"


class Finder(MetaPathFinder):
    """Lets the other finders find a module, and changes it once it is loaded."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self._steps = steps

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        chosen = [step for step in self._steps if step.module == name]
        if not chosen:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            _then(spec.loader, chosen)
        return spec


def _then(loader: Loader, steps: Sequence[Step]) -> None:
    execute = loader.exec_module

    def exec_module(module: ModuleType) -> None:
        execute(module)
        for step in steps:
            step.apply(module)

    loader.exec_module = exec_module  # type: ignore[method-assign]


def _read_plan(path: Path) -> list[Step]:
    command = " ".join(sys.orig_argv)
    return [
        Step(path.parent, wanted)
        for wanted in json.loads(path.read_text(encoding="utf-8"))
        if wanted["within"] in command
    ]


if plan := os.environ.get("FAULT_PLAN"):
    sys.meta_path.insert(0, Finder(_read_plan(Path(plan))))
