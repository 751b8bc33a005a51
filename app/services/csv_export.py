"""Lists as CSV files."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from typing import Any

from app.errors import AppError


def write_csv(target: str, heading: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a table; names of files that are no text keep their bytes.

    Raises:
        AppError: the file cannot be written.
    """
    try:
        with open(target, "w", newline="", encoding="utf-8", errors="surrogateescape") as file:
            writer = csv.writer(file)
            writer.writerow(heading)
            writer.writerows(rows)
    except OSError as error:
        raise AppError(
            f"The list could not be written to {target}: {error.strerror}.",
            "Choose another place.",
        ) from error
