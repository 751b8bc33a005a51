"""Pictures as tiles: what is known of each, where they come from, and how one is drawn."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from PySide6.QtCore import QPoint, QRect, QRectF, QSize, Qt
from PySide6.QtGui import (
    QBrush,
    QColor,
    QFontMetrics,
    QPainter,
    QPen,
    QPixmap,
    QTransform,
)
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from app.printable import printable
from app.ui.parts import words
from app.ui.parts.drawing import draw_text
from app.ui.parts.paged_model import NO_PARENT, PAGE, Index, PagedModel
from app.ui.parts.theme import RADIUS, SPACE_S, SPACE_XS, font, icon, theme
from app.ui.parts.widgets import plain_tip
from app.ui.pictures.thumbnails import ThumbnailLoader

EDGE = 160
LINE = 18
CAPTION_GAP = 6
BADGE_HEIGHT = 22

TILE_ROLE = int(Qt.ItemDataRole.UserRole) + 1
DataRole = Qt.ItemDataRole
TileState = Literal["", "changed", "waiting", "missing", "failed", "excluded", "kept", "going"]

_BADGES = {
    "changed": ("Changed", "arrows-clockwise", "paused"),
    "waiting": ("Waiting", "clock", "pending"),
    "missing": ("Missing", "file-x", "failed"),
    "failed": ("Failed", "warning-circle", "failed"),
    "excluded": ("Excluded", "prohibit", "pending"),
    "kept": ("Kept", "check-circle", "completed"),
    "going": ("To the trash", "trash", "failed"),
}
"""State: word, icon, colour."""
_PALE = ("missing", "excluded", "going")


@dataclass(frozen=True, slots=True)
class Tile:
    """One picture of a grid."""

    asset_id: int
    path: str
    caption: str
    """Under the picture; a line break begins the second line, where the grid has one."""
    state: TileState = ""
    note: str = ""
    """At the right of the first line, such as a score."""
    width: int | None = None
    """Pixels, as the picture is seen; None: nobody has looked yet."""
    height: int | None = None
    stack: int = 0
    """How many pictures that look alike it stands for; 1: it is behind another one."""
    opened: bool = False
    """Those behind it are shown after it."""


def tile_for(asset_id: int, path: str, state: TileState = "", note: str = "") -> Tile:
    """A tile with the file's name under it."""
    return Tile(asset_id, path, printable(os.path.basename(path)), state, note)


class TileModel(PagedModel[Tile]):
    """Tiles fetched page by page when they come into sight: ``set_source(fetch, count)``."""

    def columnCount(self, parent: Index = NO_PARENT) -> int:
        return 0 if parent.isValid() else 1

    def data(self, index: Index, role: int = DataRole.DisplayRole) -> Any:
        if role not in (
            TILE_ROLE,
            DataRole.DisplayRole,
            DataRole.ToolTipRole,
            DataRole.AccessibleTextRole,
            DataRole.AccessibleDescriptionRole,
        ):
            return None
        if role == DataRole.AccessibleDescriptionRole:
            return f"{words.count(index.row() + 1)} of {words.count(self.rowCount())}"
        tile = self.row(index.row())
        if tile is None and role == DataRole.AccessibleTextRole:
            return "Loading"
        if tile is None or role == TILE_ROLE:
            return tile
        if role == DataRole.ToolTipRole:
            return plain_tip(printable(tile.path))
        if role == DataRole.AccessibleTextRole:
            word = _BADGES[tile.state][0] if tile.state else ""
            alike = f"{tile.stack} alike" if tile.stack > 1 else ""
            parts = tile.caption.replace("\n", ", "), tile.note, word, alike
            return ", ".join(filter(None, parts))
        return tile.caption

    def flags(self, index: Index) -> Qt.ItemFlag:
        return super().flags(index) | Qt.ItemFlag.ItemIsDragEnabled

    def set_state(self, number: int, state: TileState) -> None:
        """Give the tile of a row another badge, until its page is fetched again."""
        tile = self.row(number)
        if tile is not None and tile.state != state:
            self._replace(number, replace(tile, state=state))
            changed = self.index(number, 0)
            self.dataChanged.emit(changed, changed)

    def _replace(self, number: int, tile: Tile) -> None:
        page, at = divmod(number, PAGE)
        self._pages[page][at] = tile


class HeldTiles(TileModel):
    """Tiles that are all in memory; more are added at the end as they come."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._tiles: list[Tile] = []

    def show(self, tiles: Sequence[Tile]) -> None:
        """Show these and no others, from the first one on."""
        self._tiles = list(tiles)
        self.set_source(None, len(self._tiles))

    def adjust(self, tiles: Sequence[Tile]) -> None:
        """Show these, which are the same pictures with other words, or more or fewer of them at the
        end: nothing that is shown or selected moves."""
        both = zip(self._tiles, tiles, strict=False)
        changed = [at for at, (old, new) in enumerate(both) if old is not new]
        self._tiles = list(tiles)
        self.set_count(len(self._tiles))
        if changed:
            self.dataChanged.emit(self.index(changed[0], 0), self.index(changed[-1], 0))

    def row(self, number: int) -> Tile | None:
        return self._tiles[number] if number < len(self._tiles) else None

    def find(self, wanted: Callable[[Tile], bool]) -> int | None:
        return next((at for at, tile in enumerate(self._tiles) if wanted(tile)), None)

    def held(self, page: int) -> Sequence[Tile]:
        return self._tiles[page * PAGE : (page + 1) * PAGE]

    async def rows(self, ranges: Iterable[tuple[int, int]]) -> list[Tile]:
        return [tile for first, last in ranges for tile in self._tiles[first : last + 1]]

    def _replace(self, number: int, tile: Tile) -> None:
        self._tiles[number] = tile


class TileDelegate(QStyledItemDelegate):
    """Draws a tile: picture, badge, caption; and a grey shape while it is on its way."""

    def __init__(self, parent: QWidget, thumbnails: ThumbnailLoader) -> None:
        super().__init__(parent)
        self._thumbnails = thumbnails
        self._scaled = ScaledPictures()
        self.lines = 1
        """Of the caption; 0: there is none."""

    @property
    def caption_height(self) -> int:
        """What is needed below each picture."""
        return CAPTION_GAP + LINE * self.lines + SPACE_XS if self.lines else 0

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        tile: Tile | None = index.data(TILE_ROLE)
        box = QRect(option.rect)
        box.setHeight(box.height() - self.caption_height)
        painter.save()
        if tile is None:
            painter.fillRect(box, theme().color("surface-hover"))
        else:
            self._draw_picture(painter, box, tile)
            if tile.state:
                _draw_badge(painter, box, tile.state)
            if tile.stack:
                _draw_stack(painter, box, tile)
            if self.lines:
                top, width = box.bottom() + 1 + CAPTION_GAP, max(box.width() - SPACE_S, 0)
                text = QRect(box.left(), top, width, LINE)
                self._draw_caption(painter, text, tile)
        self._draw_frame(painter, option, box)
        painter.restore()

    def _draw_frame(self, painter: QPainter, option: QStyleOptionViewItem, box: QRect) -> None:
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        focused = bool(option.state & QStyle.StateFlag.State_HasFocus)
        hovered = bool(option.state & QStyle.StateFlag.State_MouseOver)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        frame = QRectF(box)
        if hovered and not selected:
            painter.setPen(QPen(theme().color("control-line"), 1))
            painter.drawRect(frame.adjusted(0.5, 0.5, -0.5, -0.5))
        if selected:
            veil = QColor(theme().color("accent"))
            veil.setAlphaF(0.18)
            painter.fillRect(box, veil)
            painter.setPen(QPen(theme().color("accent"), 3))
            painter.drawRect(frame.adjusted(1.5, 1.5, -1.5, -1.5))
        if focused:  # a second line inside the first, so that it is seen on any picture
            painter.setPen(QPen(theme().color("surface"), 1))
            painter.drawRect(frame.adjusted(3.5, 3.5, -3.5, -3.5))
            painter.setPen(QPen(theme().color("text"), 1))
            painter.drawRect(frame.adjusted(4.5, 4.5, -4.5, -4.5))

    def _draw_picture(self, painter: QPainter, box: QRect, tile: Tile) -> None:
        ratio = painter.device().devicePixelRatioF()
        picture = self._thumbnails.get(tile.path, read_edge(box.size(), ratio))
        if picture is None or picture.isNull():
            painter.fillRect(box, theme().color("surface-hover"))
            if picture is not None:
                mark = QRect(0, 0, 32, 32)
                mark.moveCenter(box.center())
                icon("image-square", "text-secondary").paint(painter, mark)
            return
        size = shown_size(picture.size(), box.size() * ratio)
        drawn = self._scaled.get(picture, size)
        place = QRect(QPoint(), size / ratio)
        place.moveCenter(box.center())
        if place.width() < box.width() - 1 or place.height() < box.height() - 1:
            painter.fillRect(box, theme().color("surface-hover"))
        if tile.state in _PALE:
            painter.setOpacity(painter.opacity() * 0.5)
        painter.drawPixmap(place, drawn)
        if tile.state in _PALE:
            painter.setOpacity(min(painter.opacity() * 2, 1.0))

    def _draw_caption(self, painter: QPainter, area: QRect, tile: Tile) -> None:
        first, _, second = tile.caption.partition("\n")
        room = QRect(area)
        if tile.note:
            used = font("count")
            used.setPixelSize(font("secondary").pixelSize())
            painter.setFont(used)
            painter.setPen(theme().color("text-secondary"))
            painter.drawText(area, _RIGHT, tile.note)
            room.setRight(area.right() - QFontMetrics(used).horizontalAdvance(tile.note) - SPACE_S)
        small, middle = font("secondary"), Qt.TextElideMode.ElideMiddle
        draw_text(painter, room, first, small, "text", middle)
        if self.lines > 1 and second:
            below = area.translated(0, LINE)
            draw_text(painter, below, second, small, "text-secondary", middle)


class ScaledPictures:
    """Thumbnails in the size in which they are seen: scaled once, not at every paint."""

    KEPT_BYTES = 48_000_000

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[int, int, int], QPixmap] = OrderedDict()
        self._bytes = 0

    def get(self, picture: QPixmap, size: QSize) -> QPixmap:
        """A picture of this size, in device pixels."""
        key = (picture.cacheKey(), size.width(), size.height())
        kept = self._kept.get(key)
        if kept is None:
            kept = self._kept[key] = picture.scaled(
                size,
                Qt.AspectRatioMode.IgnoreAspectRatio,
                Qt.TransformationMode.SmoothTransformation,
            )
            self._bytes += 4 * kept.width() * kept.height()
        self._kept.move_to_end(key)
        while self._bytes > self.KEPT_BYTES and len(self._kept) > 1:
            _, old = self._kept.popitem(last=False)
            self._bytes -= 4 * old.width() * old.height()
        return kept


READ_EDGES = (EDGE, 256, 320, 384, 512, 768, 1024)
"""Longest sides that are asked for: a slider that is dragged does not read each size anew."""
MOST_ENLARGED = 2
NEARLY = 0.03


def read_edge(size: QSize, ratio: float) -> int:
    """The longest side of the thumbnail for a tile, in device pixels."""
    wanted = max(size.width(), size.height()) * ratio
    return next((edge for edge in READ_EDGES if edge >= wanted), READ_EDGES[-1])


def shown_size(picture: QSize, room: QSize) -> QSize:
    """A picture's size in its tile: it fills it, but is not enlarged beyond recognition."""
    size = picture.scaled(room, Qt.AspectRatioMode.KeepAspectRatio)
    if size.width() > (1 - NEARLY) * room.width() and size.height() > (1 - NEARLY) * room.height():
        size = QSize(room)  # a pixel or two of rounding
    return size.boundedTo(picture * MOST_ENLARGED).expandedTo(QSize(1, 1))


def stack_badge(box: QRect, tile: Tile) -> QRect:
    """Where the number of a stack stands on a picture."""
    text = words.count(tile.stack) if tile.stack > 1 else ""
    width = QFontMetrics(font("count")).horizontalAdvance(text) + (SPACE_XS if text else 0)
    return QRect(box.left() + 6, box.top() + 6, width + 14 + 2 * SPACE_S, BADGE_HEIGHT)


def _draw_stack(painter: QPainter, box: QRect, tile: Tile) -> None:
    pill = stack_badge(box, tile)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(theme().color("line"), 1))
    painter.setBrush(theme().color("surface"))
    painter.drawRoundedRect(pill, RADIUS, RADIUS)
    mark = QRect(pill.left() + SPACE_S, pill.top() + 4, 14, 14)
    icon("caret-left" if tile.opened else "stack", "text").paint(painter, mark)
    if tile.stack > 1:
        painter.setFont(font("count"))
        painter.setPen(theme().color("text"))
        room = pill.adjusted(SPACE_S + 14 + SPACE_XS, 0, 0, 0)
        painter.drawText(room, _LEFT, words.count(tile.stack))


_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter


def draw_rounded(painter: QPainter, box: QRect, picture: QPixmap, ratio: float) -> None:
    """Draw a picture in the middle of a box, never enlarged, its corners rounded.

    Args:
        ratio: device pixels to each of the box's.
    """
    size = picture.size() / ratio
    if size.width() > box.width() or size.height() > box.height():
        size = size.scaled(box.size(), Qt.AspectRatioMode.KeepAspectRatio)
    target = QRect(QPoint(), size.expandedTo(QSize(1, 1)))
    target.moveCenter(box.center())
    brush = QBrush(picture)
    move = QTransform.fromTranslate(target.left(), target.top())
    brush.setTransform(
        move.scale(target.width() / picture.width(), target.height() / picture.height())
    )
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    painter.setPen(QPen(theme().color("line"), 1))  # a white picture on a white page has an edge
    painter.setBrush(brush)
    painter.drawRoundedRect(target, RADIUS, RADIUS)


def _draw_badge(painter: QPainter, box: QRect, state: str) -> None:
    """The state as icon and word, or the icon alone where the picture is too narrow."""
    word, icon_name, token = _BADGES[state]
    used = font("secondary")
    width = QFontMetrics(used).horizontalAdvance(word) + 14 + SPACE_XS + 2 * SPACE_S
    narrow = width > box.width() * 3 // 4
    pill = QRect(box.left() + 6, box.bottom() - 5 - BADGE_HEIGHT, width, BADGE_HEIGHT)
    if narrow:
        pill.setWidth(BADGE_HEIGHT)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(theme().color("line"), 1))
    painter.setBrush(theme().color("surface"))
    painter.drawRoundedRect(pill, RADIUS, RADIUS)
    left = pill.left() + (4 if narrow else SPACE_S)
    icon(icon_name, token).paint(painter, QRect(left, pill.top() + 4, 14, 14))
    if not narrow:
        painter.setFont(used)
        painter.setPen(theme().color(token))
        painter.drawText(pill.adjusted(SPACE_S + 14 + SPACE_XS, 0, 0, 0), _LEFT, word)
