"""Small pictures of files, read beside the window's thread and kept for a while.

Files are read into memory and closed before they are decoded: nothing of a person's is kept open,
names that are not UTF-8 work, and a pipe or a device is never opened.
"""

from __future__ import annotations

import os
import stat
from collections import OrderedDict
from contextlib import suppress

from PySide6.QtCore import (
    QBuffer,
    QByteArray,
    QIODevice,
    QObject,
    QRunnable,
    QSize,
    Qt,
    QThreadPool,
    Signal,
)
from PySide6.QtGui import QImage, QImageIOHandler, QImageReader, QPixmap

MAX_FILE_BYTES = 100_000_000
MAX_PIXELS = 200_000_000
MAX_WHOLE_PIXELS = 50_000_000
"""For formats that cannot be scaled while they are decoded."""
FORMATS = frozenset({b"jpeg", b"jpg", b"png", b"webp", b"gif", b"bmp", b"tiff", b"tif"})
"""What is decoded, by content: no format that runs or refers to something."""
CACHE_BYTES = 64_000_000
WAITING = 120
"""More requests than this fit no screen: the oldest have scrolled away and are dropped."""
THREADS = 2

Key = tuple[str, int]


class ThumbnailLoader(QObject):
    """Thumbnails by path and size; what was asked for last is read first.

    A view asks :meth:`get` while it paints and repaints when ``ready`` names its file.
    """

    ready = Signal(str)
    """A thumbnail came, or it turned out that there is none."""

    _loaded = Signal(object, object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(THREADS)
        self._cache: OrderedDict[Key, QPixmap] = OrderedDict()
        self._bytes = 0
        self._waiting: OrderedDict[Key, None] = OrderedDict()
        self._running: set[Key] = set()
        self._loaded.connect(self._keep, Qt.ConnectionType.QueuedConnection)

    def get(self, path: str, edge: int) -> QPixmap | None:
        """The thumbnail, or None while it is on its way; null where there can be none.

        Args:
            path: the file.
            edge: the longest side, in device pixels.
        """
        key = (path, edge)
        if (found := self._cache.get(key)) is not None:
            self._cache.move_to_end(key)
            return found
        if key not in self._running:
            self._waiting[key] = None
            self._waiting.move_to_end(key)
            while len(self._waiting) > WAITING:
                self._waiting.popitem(last=False)
            self._start()
        return None

    def cancel_waiting(self) -> None:
        """Forget what was asked for and has not begun: something else is shown now."""
        self._waiting.clear()

    def close(self) -> None:
        """Read no more, and wait for what is being read."""
        self._waiting.clear()
        self._pool.waitForDone()

    @property
    def pending(self) -> int:
        """Requests that are not answered yet."""
        return len(self._waiting) + len(self._running)

    def _start(self) -> None:
        while self._waiting and len(self._running) < THREADS:
            key, _ = self._waiting.popitem()
            self._running.add(key)
            self._pool.start(_Read(self, key))

    def _keep(self, key: Key, image: QImage) -> None:
        self._running.discard(key)
        pixmap = QPixmap.fromImage(image)
        self._cache[key] = pixmap
        self._bytes += _cost(pixmap)
        while self._bytes > CACHE_BYTES and len(self._cache) > 1:
            _, dropped = self._cache.popitem(last=False)
            self._bytes -= _cost(dropped)
        self._start()
        self.ready.emit(key[0])


class _Read(QRunnable):
    """One file, in a thread of the pool."""

    def __init__(self, loader: ThumbnailLoader, key: Key) -> None:
        super().__init__()
        self._loader = loader
        self._key = key

    def run(self) -> None:
        image = read_thumbnail(*self._key)
        with suppress(RuntimeError):  # the loader went meanwhile
            self._loader._loaded.emit(self._key, image)


def read_thumbnail(path: str, edge: int) -> QImage:
    """A picture scaled to ``edge`` on its longest side, upright; null where it cannot be shown."""
    data = _content(path)
    if data is None:
        return QImage()
    buffer = QBuffer()
    buffer.setData(QByteArray(data))
    buffer.open(QIODevice.OpenModeFlag.ReadOnly)
    return _decoded(buffer, edge)


def _decoded(buffer: QBuffer, edge: int) -> QImage:
    # A function of its own, so that the reader goes before the buffer: the one for TIFF would
    # still use it while it is destroyed.
    reader = QImageReader(buffer)
    reader.setDecideFormatFromContent(True)
    reader.setAutoTransform(True)
    size = reader.size()
    if not size.isValid() or reader.format().data() not in FORMATS:
        return QImage()
    pixels = size.width() * size.height()
    scales = reader.supportsOption(QImageIOHandler.ImageOption.ScaledSize)
    if pixels > (MAX_PIXELS if scales else MAX_WHOLE_PIXELS):
        return QImage()
    reader.setScaledSize(_fitted(size, edge))
    return reader.read()


def _content(path: str) -> bytes | None:
    """The whole of a regular file of bearable size."""
    try:
        # without O_NONBLOCK, opening a pipe would wait for its other end for ever
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | _BINARY)
        with open(handle, "rb", closefd=True) as file:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_FILE_BYTES:
                return None
            return file.read()
    except (OSError, ValueError, MemoryError):
        return None


_BINARY = getattr(os, "O_BINARY", 0)


def _fitted(size: QSize, edge: int) -> QSize:
    """Scaled to fit, never enlarged, and never without height or width."""
    if max(size.width(), size.height()) > edge:
        size = size.scaled(edge, edge, Qt.AspectRatioMode.KeepAspectRatio)
    return size.expandedTo(QSize(1, 1))


def _cost(pixmap: QPixmap) -> int:
    return pixmap.width() * pixmap.height() * 4 + 256
