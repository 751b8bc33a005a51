"""Folders of a great many empty files, and the least that it takes to list them."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

from surroundings import CACHE

IN_A_FOLDER = 200
ROUNDS = 3


def many_files(count: int) -> Path:
    """A folder of so many files called like pictures, kept for the next time: no disk is fast at
    making them."""
    root = CACHE / f"empty-{count}"
    if not root.is_dir():
        partial = root.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        for number in range(count // IN_A_FOLDER):
            folder = partial / f"album {number:05}"
            folder.mkdir(parents=True)
            for index in range(IN_A_FOLDER):
                (folder / f"IMG_{index:05}.jpg").touch()
        partial.rename(root)
    return root


def listing_seconds(root: Path) -> float:
    """Seconds to list every folder and ask for size and time of every file, the best of some."""
    return min(_list(str(root)) for _ in range(ROUNDS))


def _list(root: str) -> float:
    began = time.perf_counter()
    waiting = [root]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir():
                    waiting.append(entry.path)
                else:
                    entry.stat()
    return time.perf_counter() - began
