"""The table of failed pictures: thumbnail, name and folder, cause, session, tries, time."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, Qt
from PySide6.QtGui import QPainter, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyle,
    QStyleOptionViewItem,
    QWidget,
)

from app.api.training_schemas import JobRow
from app.ui.pages.failed.model import PICTURE, ROW_ROLE, SESSION, TRIES, WHY, FailedModel
from app.ui.parts.drawing import draw_text
from app.ui.parts.tables import PagedTable, RowDelegate
from app.ui.parts.theme import SPACE_S, font, icon, theme
from app.ui.pictures.job_rows import file_name, folder_name
from app.ui.pictures.thumbnails import ThumbnailLoader

THUMBNAIL = 40
ROW_HEIGHT = 52
WIDE = 640
"""From here on there is room for the less important columns."""


class FailedTable(PagedTable):
    """Several rows can be selected; what matters less gives way where it is narrow.

    Args:
        all_sessions: also say which session a picture belongs to.
    """

    def __init__(self, model: FailedModel, thumbnails: ThumbnailLoader, all_sessions: bool) -> None:
        super().__init__(model, "failed" if all_sessions else "failed-one")
        self._all_sessions = all_sessions
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.set_row_height(ROW_HEIGHT)
        self.setItemDelegate(FailedDelegate(self, thumbnails))
        self.setAccessibleName("Failed pictures")
        columns = self.horizontalHeader()
        columns.setStretchLastSection(False)
        columns.setSectionResizeMode(WHY, QHeaderView.ResizeMode.Stretch)
        self.set_widths(240, 200, 120, 60, 100)
        self.fit_first_column(lambda room: max(min(room // 3, 260), 160))
        thumbnails.ready.connect(self.viewport().update)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        room = self.viewport().width()
        self.setColumnHidden(SESSION, not self._all_sessions or room < WIDE)
        self.setColumnHidden(TRIES, room < WIDE - 120)


class FailedDelegate(RowDelegate):
    """The first column shows the picture, its name and its folder."""

    def __init__(self, parent: QWidget, thumbnails: ThumbnailLoader) -> None:
        super().__init__(parent)
        self._thumbnails = thumbnails

    def initStyleOption(
        self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        super().initStyleOption(option, index)
        if index.column() == WHY:  # a sentence may take both lines of its row
            option.features |= QStyleOptionViewItem.ViewItemFeature.WrapText

    def paint(
        self,
        painter: QPainter,
        option: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,
    ) -> None:
        row = index.data(ROW_ROLE) if index.column() == PICTURE else None
        if row is None:
            super().paint(painter, option, index)
            return
        plain = QStyleOptionViewItem(option)
        self.initStyleOption(plain, index)
        plain.text = ""
        widget = plain.widget
        widget.style().drawControl(QStyle.ControlElement.CE_ItemViewItem, plain, painter, widget)
        area: QRect = option.rect
        painter.save()
        frame = QRect(area.left() + SPACE_S, area.top() + 6, THUMBNAIL, THUMBNAIL)
        self._draw_thumbnail(painter, frame, row)
        left = frame.right() + 1 + SPACE_S + 2
        middle = Qt.TextElideMode.ElideMiddle
        text = QRect(left, area.top() + 7, area.right() - left - 4, 20)
        draw_text(painter, text, file_name(row), font("body"), "text", middle)
        text.translate(0, 19)
        draw_text(painter, text, folder_name(row), font("secondary"), "text-secondary", middle)
        painter.restore()

    def _draw_thumbnail(self, painter: QPainter, frame: QRect, row: JobRow) -> None:
        ratio = painter.device().devicePixelRatioF()
        picture = self._thumbnails.get(row.path, round(THUMBNAIL * ratio))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if picture is None or picture.isNull():
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme().color("surface-hover"))
            painter.drawRoundedRect(frame, 4, 4)
            if picture is not None:
                icon("image-square", "text-secondary").paint(
                    painter, frame.adjusted(10, 10, -10, -10)
                )
            return
        size = picture.size() / ratio
        target = QRect(0, 0, max(size.width(), 1), max(size.height(), 1))
        target.moveCenter(frame.center())
        painter.drawPixmap(target, picture)
