"""The folders and files that come with the program and hold no code of it.

In a checkout they lie beside the package, in a wheel inside it (``setup.py``). Imported before the
first paint, so it needs nothing but paths.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def _bundled(name: str) -> Path:
    installed = _PACKAGE / name
    return installed if installed.is_dir() else _PACKAGE.parent / name


MIGRATIONS = _bundled("migrations")
"""Alembic's folder: the steps from each version of the ledger to the next."""

RESOURCES = _bundled("resources")
"""Colours, icons, sample pictures and the built-in model."""

CHANGES = RESOURCES.with_name("CHANGELOG.md")
"""What each version changed."""
