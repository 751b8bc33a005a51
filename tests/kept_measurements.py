"""What was measured of the tests' models on this computer is measured once, not in each test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.private_files import make_private_folder, replace_file


@contextmanager
def kept_measurements(known: Path, data_dir: Path) -> Iterator[None]:
    """A data folder has what is known, as at every start but the first; what is new there is kept.

    Args:
        known: the file, with the name that it has in a data folder.
    """
    before = known.read_bytes() if known.exists() else b""
    measured = data_dir / known.name
    if before:
        make_private_folder(data_dir)
        replace_file(measured, before)
    yield
    if measured.exists() and (after := measured.read_bytes()) != before:
        replace_file(known, after)
