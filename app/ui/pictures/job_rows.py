"""What is said of a picture of a session: in tables, and beside them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from app.printable import printable
from app.ui.parts import words

if TYPE_CHECKING:
    from app.api.training_schemas import JobRow


def state_of(row: JobRow) -> str:
    """The state as it is shown: a completed picture that was there already is ``reused``."""
    return "reused" if row.reused and row.status == "completed" else row.status


def file_name(row: JobRow) -> str:
    """The name of a picture's file, for any label."""
    return printable(os.path.basename(row.path))


def folder_name(row: JobRow) -> str:
    """The folder of a picture, for any label."""
    return printable(os.path.dirname(row.path))


def dimensions(row: JobRow) -> str:
    """``4,000 × 3,000``, where it is known."""
    return words.dimensions(row.width, row.height)
