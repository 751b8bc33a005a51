"""What was measured, beside what was aimed for: as a table to read and as JSON to keep."""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Sense = Literal["<", "≤", "≥"]
_HOLDS: dict[Sense, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "≤": operator.le,
    "≥": operator.ge,
}
_HEADER = ("figure", "value", "target", "")


@dataclass(frozen=True, slots=True)
class Target:
    """What a value is to be."""

    sense: Sense
    limit: float

    def __str__(self) -> str:
        return f"{self.sense} {self.limit:g}"


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value; without a target it is there to be known."""

    name: str
    value: float
    target: Target | None = None

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None where there is none."""
        if self.target is None:
            return None
        return _HOLDS[self.target.sense](self.value, self.target.limit)


def table(figures: Sequence[Figure]) -> str:
    """The figures in columns, one a line, under a header."""
    rows = [_HEADER, *(_cells(figure) for figure in figures)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        f"{name:<{widths[0]}}  {value:>{widths[1]}}  {target:<{widths[2]}}  {met}".rstrip()
        for name, value, target, met in rows
    )
    return "\n".join(lines)


def write_json(figures: Sequence[Figure], path: Path) -> None:
    """Write the values by name, as one flat object.

    Raises:
        ValueError: two figures have the same name.
    """
    values = {figure.name: figure.value for figure in figures}
    if len(values) != len(figures):
        raise ValueError("two figures have the same name")
    path.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")


def _cells(figure: Figure) -> tuple[str, str, str, str]:
    met = {True: "met", False: "not met", None: ""}[figure.met]
    return figure.name, _number(figure.value), str(figure.target or ""), met


def _number(value: float) -> str:
    """With three decimals where they tell something, without where they are noise."""
    decimals = 3 if abs(value) < 10 else 1 if abs(value) < 100 else 0
    return f"{value:,.{decimals}f}"
