"""Pictures as small ones on A4 pages, in a PDF file; to be called in a thread."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress

from PySide6.QtCore import QMarginsF, QRectF, QSizeF, Qt
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontMetricsF,
    QImage,
    QPageLayout,
    QPageSize,
    QPainter,
    QPdfWriter,
)

from app.api.file_schemas import ActProgress
from app.errors import AppError
from app.printable import printable
from app.ui.parts import words
from app.ui.pictures.large_picture import read_picture
from app.ui.pictures.thumbnail_files import read_thumbnail

DOTS = 200
"""An inch: what a print shows, and a tenth of the room that more would take."""
COLUMNS, ROWS = 4, 5
MARGIN_MM = 12.0
GAP = 0.06
"""Between pictures, as a share of a cell."""
INK, PALE = QColor("#222222"), QColor("#e4e4e4")


def write_contact_sheet(paths: Sequence[str], target: str, progress: ActProgress) -> int:
    """Write the pictures in this order; how many.

    One that cannot be shown is a grey field with its name. Where ``progress.stop`` is set, nothing
    is written, and the answer is 0.

    Raises:
        AppError: the file cannot be written.
    """
    progress.total = len(paths)
    partial = f"{target}.partial"
    try:
        _write(paths, partial, os.path.basename(target), progress)
        if progress.stop.is_set():
            return 0
        os.replace(partial, target)
    except OSError as error:
        raise AppError(
            f"The contact sheet could not be written to {printable(target)}: {error.strerror}.",
            "Choose another place.",
        ) from error
    finally:
        with suppress(OSError):
            os.unlink(partial)
    return len(paths)


def _write(paths: Sequence[str], file: str, name: str, progress: ActProgress) -> None:
    with open(file, "wb"):  # QPdfWriter says nothing of why it cannot
        pass
    writer = QPdfWriter(file)
    writer.setResolution(DOTS)
    writer.setCreator("Afterimage")
    writer.setTitle(os.path.splitext(name)[0])
    writer.setPageLayout(
        QPageLayout(
            QPageSize(QPageSize.PageSizeId.A4),
            QPageLayout.Orientation.Portrait,
            QMarginsF(MARGIN_MM, MARGIN_MM, MARGIN_MM, MARGIN_MM),
            QPageLayout.Unit.Millimeter,
        )
    )
    room = QRectF(writer.pageLayout().paintRectPixels(DOTS)).translated(
        -writer.pageLayout().paintRectPixels(DOTS).topLeft().toPointF()
    )
    painter = QPainter(writer)
    pages = -(-len(paths) // (COLUMNS * ROWS))
    try:
        for at, path in enumerate(paths):
            if progress.stop.is_set():
                break
            page, place = divmod(at, COLUMNS * ROWS)
            if place == 0:
                if page:
                    writer.newPage()
                _draw_foot(painter, room, f"{words.plural(len(paths), 'picture')}", page + 1, pages)
            _draw_picture(painter, _cell(room, place), path)
            progress.done = at + 1
            progress.share = progress.done / len(paths)
    finally:
        painter.end()


def _foot_height(room: QRectF) -> float:
    return room.height() * 0.025


def _cell(room: QRectF, place: int) -> QRectF:
    """Where a picture and its name stand on a page."""
    row, column = divmod(place, COLUMNS)
    width = room.width() / COLUMNS
    height = (room.height() - _foot_height(room)) / ROWS
    gap = width * GAP
    return QRectF(column * width, row * height, width, height).adjusted(0, 0, -gap, -gap)


def _draw_picture(painter: QPainter, cell: QRectF, path: str) -> None:
    used = _font(cell.height() * 0.06)
    name_height = QFontMetricsF(used).height() * 1.4
    box = cell.adjusted(0, 0, 0, -name_height)
    edge = round(max(box.width(), box.height()))
    image = read_picture(path, edge)
    if image.isNull():
        image = read_thumbnail(path, 256) or QImage()
    if image.isNull():
        painter.fillRect(box, PALE)
    else:
        size = QSizeF(image.size()).scaled(box.size(), Qt.AspectRatioMode.KeepAspectRatio)
        shown = QRectF(box.topLeft(), size)
        shown.moveCenter(box.center())
        painter.drawImage(shown, image.convertToFormat(QImage.Format.Format_RGB32))
    painter.setFont(used)
    painter.setPen(INK)
    below = QRectF(cell.left(), box.bottom(), cell.width(), name_height)
    name = QFontMetricsF(used).elidedText(
        printable(os.path.basename(path)), Qt.TextElideMode.ElideMiddle, below.width()
    )
    painter.drawText(below, Qt.AlignmentFlag.AlignCenter, name)


def _draw_foot(painter: QPainter, room: QRectF, text: str, page: int, pages: int) -> None:
    height = _foot_height(room)
    painter.setFont(_font(height * 0.6))
    painter.setPen(INK)
    foot = QRectF(0, room.height() - height, room.width(), height)
    painter.drawText(foot, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignBottom, text)
    number = f"{page} of {pages}"
    painter.drawText(foot, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignBottom, number)


def _font(pixels: float) -> QFont:
    made = QFont()
    made.setPixelSize(max(round(pixels), 1))
    return made
