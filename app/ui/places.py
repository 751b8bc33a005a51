"""Where this program keeps its files, known before anything heavy is imported."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs
from PySide6.QtCore import QCryptographicHash


def data_dir() -> Path:
    """The data folder, as ``app.config`` finds it; that module brings pydantic with it."""
    wanted = os.environ.get("DATA_DIR") or platformdirs.user_data_dir("afterimage")
    return Path(wanted).expanduser().absolute()


def instance_name() -> str:
    """One name for each data folder and user: two windows on one ledger would be in each other's
    way, two on different ones would not."""
    key = f"{data_dir()}\0{os.environ.get('USER') or os.environ.get('USERNAME', '')}"
    # hashlib would bring OpenSSL, a tenth of the time to the first paint
    digest = QCryptographicHash.hash(os.fsencode(key), QCryptographicHash.Algorithm.Sha256)
    return "afterimage-" + bytes(digest.toHex().data())[:16].decode()
