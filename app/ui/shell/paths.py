"""Where this program keeps its files, known before anything heavy is imported."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs
from PySide6.QtCore import QCryptographicHash

from app.private_files import socket_folder


def data_dir() -> Path:
    """The data folder, as ``app.config`` finds it; that module brings pydantic with it."""
    named = os.environ.get("AFTERIMAGE_DATA_DIR", os.environ.get("DATA_DIR"))
    wanted = named or platformdirs.user_data_dir("afterimage")
    return Path(wanted).expanduser().absolute()


def window_settings() -> Path:
    """Where the window remembers its place, columns and colours.

    Qt makes another name of one that is no text, and the file would lie beside the data folder:
    then it is put where programs keep their settings.
    """
    file = data_dir() / "window.ini"
    try:
        os.fspath(file).encode()
    except UnicodeEncodeError:
        return platformdirs.user_config_path("afterimage") / f"window-{_digest()}.ini"
    return file


def instance_name() -> str:
    """One name for each data folder and user: two windows on one ledger would be in each other's
    way, two on different ones would not. It is the path of a socket that only the user can reach.

    Raises:
        AppError: there is no place for one.
    """
    if os.name == "nt":
        return f"afterimage-{_digest()}"
    return str(socket_folder(data_dir()) / "window.sock")


def _digest() -> str:
    key = f"{data_dir()}\0{os.environ.get('USER') or os.environ.get('USERNAME', '')}"
    # hashlib would bring OpenSSL, a tenth of the time to the first paint
    digest = QCryptographicHash.hash(os.fsencode(key), QCryptographicHash.Algorithm.Sha256)
    return bytes(digest.toHex().data())[:16].decode()
