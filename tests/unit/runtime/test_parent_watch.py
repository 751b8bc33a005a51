"""A child learns that its parent is gone."""

from __future__ import annotations

import subprocess
import sys

WITHIN_S = 30
BEGINS = """
import threading
from app.runtime.parent_watch import ParentWatch
parent, gone = ParentWatch(), threading.Event()
"""
STARTING = BEGINS + "print('here', flush=True); gone.wait()"
AT_WORK = (
    BEGINS + "parent.then(gone.set); print('here', flush=True); gone.wait(); print('tidied up')"
)


def after_its_parent(code: str) -> tuple[int, str]:
    """How it ends, and what it says last, once its standard input is closed."""
    child = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "here\n"
    said, _ = child.communicate(timeout=WITHIN_S)
    return child.returncode, said


def test_a_process_that_is_only_starting_ends_with_its_parent() -> None:
    assert after_its_parent(STARTING) == (0, "")


def test_one_at_work_is_told() -> None:
    assert after_its_parent(AT_WORK) == (0, "tidied up\n")
