"""One picture as large as there is room for, read beside the window's thread.

The file is read into memory and closed before it is decoded: nothing of a person's is kept open,
names that are not UTF-8 work, and a pipe or a device is never opened.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress

from PySide6.QtCore import (
    QBuffer,
    QByteArray,
    QIODevice,
    QRect,
    QRunnable,
    QSize,
    Qt,
    QThreadPool,
    QTimer,
    Signal,
)
from PySide6.QtGui import (
    QColorSpace,
    QImage,
    QImageIOHandler,
    QImageReader,
    QPainter,
    QPaintEvent,
    QPixmap,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.file_types import NAME_ENDINGS
from app.ui.parts.theme import icon, theme
from app.ui.pictures.thumbnails import ThumbnailLoader
from app.ui.pictures.tiles import EDGE, draw_rounded

MAX_FILE_BYTES = 100_000_000
MAX_PIXELS = 200_000_000
MAX_WHOLE_PIXELS = 50_000_000
"""For formats that cannot be scaled while they are decoded."""
FORMATS = frozenset({b"jpeg", b"jpg", b"png", b"webp", b"gif", b"bmp", b"tiff", b"tif"})
"""What is decoded, by content: no format that runs or refers to something."""
STEPS = (640, 1280, 2560)
"""Longest sides that are read, in device pixels: a dragged splitter does not read anew."""
CALM_MS = 80
"""Who holds an arrow key passes over pictures that are not read at all."""


class LargePicture(QWidget):
    """A picture, upright and never enlarged beyond its own size.

    Its thumbnail is shown until it is read, and instead of it where it cannot be.
    """

    shown = Signal(bool)
    """What is seen now: the picture itself, or only its thumbnail."""

    _read = Signal(object, int, object)  # a name that is not UTF-8 would not survive as Qt's string

    def __init__(self, thumbnails: ThumbnailLoader) -> None:
        super().__init__()
        self._thumbnails = thumbnails
        self._path = ""
        self._edge = 0
        self._picture = QPixmap()
        self._unreadable = False
        self._reading = False
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(1)
        self._calm = QTimer(self, singleShot=True, interval=CALM_MS)
        self._calm.timeout.connect(self._start)
        self._read.connect(self._came, Qt.ConnectionType.QueuedConnection)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumHeight(140)
        thumbnails.ready.connect(self.update)

    @property
    def path(self) -> str:
        """What is shown, or is about to be."""
        return self._path

    @property
    def picture(self) -> QPixmap:
        """The picture; null while it is read and where it cannot be."""
        return self._picture

    def show_file(self, path: str) -> None:
        """Show this picture as soon as it is read; empty: none."""
        if path != self._path:
            self._path = path
            self._edge = 0
            self._picture, self._unreadable = QPixmap(), False
            self.update()

    def sizeHint(self) -> QSize:
        return QSize(260, 180)

    def _edge_wanted(self) -> int:
        """The longest side that is to be read, in pixels."""
        room = max(self.width(), self.height()) * self.devicePixelRatioF()
        return next((step for step in STEPS if step >= room), STEPS[-1])

    def _want(self) -> None:
        edge = self._edge_wanted()
        if self._path and edge > self._edge and not self._unreadable:
            self._edge = edge
            self._calm.start()

    def _start(self) -> None:
        if self._path and not self._reading:
            self._reading = True
            self._pool.start(_Read(self, self._path, self._edge))

    def _came(self, path: str, edge: int, image: QImage) -> None:
        self._reading = False
        if (path, edge) != (self._path, self._edge):
            self._start()
            return
        self._picture = QPixmap.fromImage(image)
        self._unreadable = image.isNull()
        self.shown.emit(not self._unreadable)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        if not self._path:
            return
        self._want()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ratio = self.devicePixelRatioF()
        if not self._picture.isNull():
            draw_rounded(painter, self.rect(), self._picture, ratio)
            return
        small = self._thumbnails.get(self._path, round(EDGE * ratio))
        if small is None:
            return
        if small.isNull():
            self._draw_nothing(painter)
        else:
            target = QRect(self.rect())
            target.setSize(small.size().scaled(self.size(), Qt.AspectRatioMode.KeepAspectRatio))
            target.moveCenter(self.rect().center())
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.drawPixmap(target, small)

    def _draw_nothing(self, painter: QPainter) -> None:
        if self._unreadable:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme().color("surface-hover"))
            painter.drawRoundedRect(self.rect(), 6, 6)
            mark = QRect(0, 0, 40, 40)
            mark.moveCenter(self.rect().center())
            icon("image-square", "text-secondary").paint(painter, mark)


class _Read(QRunnable):
    """One file, in a thread of the pool."""

    def __init__(self, shown: LargePicture, path: str, edge: int) -> None:
        super().__init__()
        self._shown, self._path, self._edge = shown, path, edge

    def run(self) -> None:
        image = read_picture(self._path, self._edge)
        if not image.isNull():  # as it is drawn: else the window's thread would convert it
            kinds = QImage.Format
            clear = kinds.Format_ARGB32_Premultiplied
            image.convertTo(clear if image.hasAlphaChannel() else kinds.Format_RGB32)
        with suppress(RuntimeError):  # the window went meanwhile
            self._shown._read.emit(self._path, self._edge, image)


def read_picture(path: str, edge: int) -> QImage:
    """A picture scaled to ``edge`` on its longest side, upright; null where it cannot be shown."""
    if path.rpartition(".")[2].lower() in NAME_ENDINGS["RAW"]:
        return QImage()  # Qt would take it for a TIFF, and show the smallest picture in it
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
    image = reader.read()
    if image.colorSpace().isValid():
        image.convertToColorSpace(QColorSpace(QColorSpace.NamedColorSpace.SRgb))
    return image


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
