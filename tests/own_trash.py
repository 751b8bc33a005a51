"""A trash of the test's own, on the file system of its pictures."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from send2trash import plat_other


def own_trash(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have files go into ``Trash`` below a folder; send2trash reads the environment when it is
    imported, so that this alone would come too late."""
    share = folder / "share"
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("XDG_DATA_HOME", str(share))
    monkeypatch.setattr(plat_other, "XDG_DATA_HOME", os.fsencode(share))
    monkeypatch.setattr(plat_other, "HOMETRASH", str(share / "Trash"))
    monkeypatch.setattr(plat_other, "HOMETRASH_B", os.fsencode(share / "Trash"))
    return share / "Trash"
