"""Pictures on their way into other programs: what a drag and the clipboard carry."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QMimeData, QUrl
from PySide6.QtGui import QImage

MOST = 5_000
"""Files that are dragged or copied at once."""
CLIPBOARD_EDGE = 4096
"""Longest side of a picture on the clipboard, in pixels: whoever pastes has it encoded anew."""


def files_as_mime(paths: Sequence[str]) -> QMimeData:
    """Files as other programs take them; names that are not UTF-8 stay as they are."""
    data = QMimeData()
    data.setUrls([QUrl.fromEncoded(Path(path).as_uri().encode()) for path in paths])
    return data


def files_to_paste(paths: Sequence[str], picture: QImage | None = None) -> QMimeData:
    """Files for the clipboard: a file manager pastes them, a text field their paths.

    Args:
        picture: what a program that edits pictures pastes, where it is one file.
    """
    data = files_as_mime(paths)
    data.setText(paths_as_text(paths))
    # Nautilus and its kin paste nothing else
    uris = [url.toEncoded().data() for url in data.urls()]
    data.setData("x-special/gnome-copied-files", b"\n".join([b"copy", *uris]))
    if picture is not None and not picture.isNull():
        data.setImageData(picture)
    return data


def paths_as_text(paths: Sequence[str]) -> str:
    """Paths for a text field, one a line."""
    return "\n".join(os.fsencode(path).decode("utf-8", "replace") for path in paths)
