"""A disk on which each file takes longer to be read, as over a network."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from app.pictures.files import FileContent, read_file

HERE = Path(__file__).parent
LONGER_S = 0.02
"""For every file, beyond what it takes here."""


def read_slowly(path: str) -> FileContent:
    """What the processes that decode call instead of :func:`app.pictures.files.read_file`."""
    time.sleep(LONGER_S)
    return read_file(path)


@contextmanager
def slow_disk(folder: Path) -> Iterator[None]:
    """Programs that start within the block read slowly.

    Args:
        folder: for the plan of what goes wrong in them.
    """
    sys.path.append(str(HERE.parent / "faults"))
    from injection import INJECT, Plan, Step

    plan = Plan(folder / "plan")
    plan.write([Step("app.pictures.files:read_file", "replace", value="slow_disk:read_slowly")])
    paths = (str(INJECT), str(HERE), os.environ.get("PYTHONPATH"))
    paths_of_all = os.pathsep.join(filter(None, paths))
    with patch.dict(os.environ, FAULT_PLAN=str(plan.file), PYTHONPATH=paths_of_all):
        yield
