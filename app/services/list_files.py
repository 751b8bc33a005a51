"""Lists as files: CSV and JSON."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TextIO

from app.errors import AppError
from app.printable import printable


def write_csv(target: str, heading: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a table; names of files that are no text keep their bytes.

    Raises:
        AppError: the file cannot be written.
    """

    def write(file: TextIO) -> None:
        writer = csv.writer(file)
        writer.writerow(heading)
        writer.writerows(rows)

    _write(target, write)


def write_json(target: str, heading: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a list of objects with these keys; bytes of names that are no text become ``\\udc..``.

    Raises:
        AppError: the file cannot be written.
    """
    listed = [dict(zip(heading, row, strict=True)) for row in rows]
    # what is not ASCII is escaped, so that any name survives
    _write(target, lambda file: json.dump(listed, file, indent=1))


def _write(target: str, write: Callable[[TextIO], None]) -> None:
    try:
        with open(target, "w", newline="", encoding="utf-8", errors="surrogateescape") as file:
            write(file)
    except OSError as error:
        raise AppError(
            f"The list could not be written to {printable(target)}: {error.strerror}.",
            "Choose another place.",
        ) from error
