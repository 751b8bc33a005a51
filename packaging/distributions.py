"""Which installed distributions the program consists of, and which belong to its engine alone."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]


def project() -> dict[str, Any]:
    """The table ``project`` of ``pyproject.toml``."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        found: dict[str, Any] = tomllib.load(file)["project"]
    return found


def of_program() -> dict[str, Distribution]:
    """Everything that is installed here of what the program needs, by normal name."""
    return closure(project()["dependencies"])


def of_engine() -> dict[str, Distribution]:
    """The same for the extra ``engine``, without what the program has already."""
    program = of_program()
    engine = closure(project()["optional-dependencies"]["engine"])
    return {name: found for name, found in engine.items() if name not in program}


def closure(requirements: Iterable[str]) -> dict[str, Distribution]:
    """Installed distributions that meet these requirements, and theirs, and so on."""
    found: dict[str, Distribution] = {}
    seen: set[tuple[str, str]] = set()
    waiting = [(Requirement(text), "") for text in requirements]
    while waiting:
        requirement, extra = waiting.pop()
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        for wanted in ("", *requirement.extras):
            if (name, wanted) in seen:
                continue
            seen.add((name, wanted))
            try:
                found[name] = distribution(name)
            except PackageNotFoundError:  # for another system
                continue
            waiting += [(Requirement(text), wanted) for text in found[name].requires or ()]
    return found
