"""Reading a picture's thumbnail from where all programs keep them; to be called in a thread."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping

from PySide6.QtCore import Qt
from PySide6.QtGui import QImage, QPainter

from app.pictures.thumbnail_paths import (
    MAX_TRIES,
    MTIME,
    SIZE,
    TRIES,
    URI,
    failure_file,
    holds,
    is_thumbnail,
    usable_files,
)

MAX_FILE_BYTES = 10_000_000
"""The largest thumbnails, 1024 pixels wide, have about a tenth of this."""
_KEYS = (URI, MTIME, SIZE, TRIES)


def read_thumbnail(path: str, edge: int) -> QImage | None:
    """The thumbnail of a picture; the picture itself is not opened.

    Args:
        path: the picture.
        edge: pixels of the longest side; smaller pictures stay as they are.

    Returns:
        None where it is not made yet, a null image where there can be none.
    """
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return QImage()
    if not stat.S_ISREG(status.st_mode):
        return QImage()
    if is_thumbnail(path):
        image, _texts = _read_png(path)
        return _shown(image, edge)
    for file in usable_files(path, edge):
        image, texts = _read_png(file)
        if not image.isNull() and holds(texts, path, status):
            return _shown(image, edge)
    _image, texts = _read_png(failure_file(path))
    failed = holds(texts, path, status) and int(texts.get(TRIES, MAX_TRIES)) >= MAX_TRIES
    return QImage() if failed else None


def _read_png(file: str) -> tuple[QImage, Mapping[str, str]]:
    """A PNG file and what stands in it; null where there is none or it is damaged."""
    try:
        with open(file, "rb") as opened:
            data = opened.read(MAX_FILE_BYTES)
    except OSError:
        return QImage(), {}
    # not a QImageReader, which splits texts at colons; the stub wants bytes, the function does not
    image = QImage.fromData(data, "PNG")  # type: ignore[arg-type]
    return image, {key: text for key in _KEYS if (text := image.text(key))}


def _shown(image: QImage, edge: int) -> QImage:
    """Scaled to fit, and on white, which most transparent pictures are made for."""
    if image.isNull():
        return image
    if max(image.width(), image.height()) > edge:
        size = image.size().scaled(edge, edge, Qt.AspectRatioMode.KeepAspectRatio)
        image = image.scaled(
            max(size.width(), 1),
            max(size.height(), 1),
            Qt.AspectRatioMode.IgnoreAspectRatio,
            Qt.TransformationMode.SmoothTransformation,
        )
    if not image.hasAlphaChannel():
        return image
    ground = QImage(image.size(), QImage.Format.Format_RGB32)
    ground.fill(Qt.GlobalColor.white)
    painter = QPainter(ground)
    painter.drawImage(0, 0, image)
    painter.end()
    return ground
