"""Where this program keeps its files, known before anything heavy is imported."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import platformdirs


def data_dir() -> Path:
    """The data folder, as ``app.config`` finds it; that module brings pydantic with it."""
    wanted = os.environ.get("DATA_DIR") or platformdirs.user_data_dir("afterimage")
    return Path(wanted).expanduser().absolute()


def instance_name() -> str:
    """One name for each data folder and user: two windows on one ledger would be in each other's
    way, two on different ones would not."""
    key = f"{data_dir()}\0{os.environ.get('USER') or os.environ.get('USERNAME', '')}"
    return "afterimage-" + hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()[:16]
