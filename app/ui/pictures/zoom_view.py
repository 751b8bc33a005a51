"""One picture that can be looked at closely: fitted, enlarged, pixel for pixel, and moved about."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, QSizeF, Qt, Signal
from PySide6.QtGui import QMouseEvent, QPainter, QPaintEvent, QResizeEvent, QWheelEvent

from app.ui.pictures.large_picture import MAX_WHOLE_PIXELS, STEPS, LargePicture
from app.ui.pictures.thumbnails import ThumbnailLoader

STEP = 1.25
MOST = 8.0
"""Device pixels to each of the picture's."""
LARGEST_THUMBNAIL = 1024


class ZoomView(LargePicture):
    """Shows a file's thumbnail, then as much of the file as the zoom needs."""

    zoomed = Signal()
    """Another zoom, another part is seen, or another size of the picture is known."""

    def __init__(self, thumbnails: ThumbnailLoader) -> None:
        super().__init__(thumbnails)
        self._size = QSize()
        self._scale: float | None = None
        """Device pixels to each of the picture's; None: as large as there is room for."""
        self._middle = QPointF(0.5, 0.5)
        """What of the picture is in the middle, as shares of its width and height."""
        self._dragged_from: QPointF | None = None
        self.shown.connect(self._learnt_size)

    def show_picture(self, path: str, size: QSize) -> None:
        """Show this picture as soon as it is read, fitted.

        Args:
            size: in pixels, as far as it is known; else empty.
        """
        if path != self.path:
            self.fit()
            self._size = size
        self.show_file(path)

    def _learnt_size(self, _whole: bool) -> None:
        self.zoomed.emit()

    # Zoom

    @property
    def scale(self) -> float:
        """Device pixels to each of the picture's; 0 while nothing is known of it."""
        return self._fitted() if self._scale is None else self._scale

    @property
    def fitted(self) -> bool:
        """The whole picture is seen."""
        return self._scale is None

    @property
    def nearest(self) -> bool:
        """It cannot be enlarged any more, or nothing is known of it."""
        return not self.scale or self.scale >= MOST

    def fit(self) -> None:
        """Show all of it."""
        self._set_scale(None)

    def show_pixels(self) -> None:
        """Show each pixel as one of the screen's."""
        self._set_scale(1.0)

    def zoom(self, steps: float, at: QPointF | None = None) -> None:
        """Come nearer by so many steps, or go away; what is at a point stays there."""
        fitted = self._fitted()
        if not fitted:
            return
        wanted = min(self.scale * STEP**steps, MOST)
        self._set_scale(None if wanted <= fitted * 1.001 else wanted, at)

    def follow(self, other: ZoomView) -> None:
        """Show the same part of this picture as another view of its own, as closely."""
        fitted = other._fitted()
        near = None if other.fitted or not fitted else other.scale / fitted
        self._scale = None if near is None else self._fitted() * near or None
        self._middle = QPointF(other._middle)
        self._keep_inside()
        self._show_hand()
        self.update()

    def _set_scale(self, scale: float | None, at: QPointF | None = None) -> None:
        before = self.place()
        held = at or QPointF(self.rect().center())
        share = QPointF(0.5, 0.5)
        if not before.isEmpty():
            share = QPointF(
                (held.x() - before.left()) / before.width(),
                (held.y() - before.top()) / before.height(),
            )
        self._scale = scale
        if scale is None:
            self._middle = QPointF(0.5, 0.5)
        else:
            drawn = self._drawn()
            moved = QPointF(self.rect().center()) - held
            self._middle = share + QPointF(
                moved.x() / max(drawn.width(), 1), moved.y() / max(drawn.height(), 1)
            )
        self._keep_inside()
        self._show_hand()
        self.zoomed.emit()
        self.update()

    def _keep_inside(self) -> None:
        """No empty room beside a picture that is larger than the view."""
        drawn, room = self._drawn(), QSizeF(self.size())

        def kept(middle: float, whole: float, part: float) -> float:
            half = part / whole / 2 if whole > part else 0.5
            return min(max(middle, half), 1 - half)

        self._middle = QPointF(
            kept(self._middle.x(), max(drawn.width(), 1), room.width()),
            kept(self._middle.y(), max(drawn.height(), 1), room.height()),
        )

    def _fitted(self) -> float:
        """The scale at which all of it is seen, never enlarged."""
        size, room = self._pixels(), QSizeF(self.size()) * self.devicePixelRatioF()
        if size.isEmpty():
            return 0.0
        return min(room.width() / size.width(), room.height() / size.height(), 1.0)

    def _pixels(self) -> QSize:
        """The picture's own size, or that of what is there of it."""
        if not self._size.isEmpty():
            return self._size
        return self.picture.size()

    def _drawn(self) -> QSizeF:
        """How large it is drawn."""
        return QSizeF(self._pixels()) * (self.scale / self.devicePixelRatioF())

    def place(self) -> QRectF:
        """Where it is drawn, also outside the view."""
        drawn = self._drawn()
        middle = QPointF(self.rect().center())
        corner = middle - QPointF(
            self._middle.x() * drawn.width(), self._middle.y() * drawn.height()
        )
        return QRectF(corner, drawn)

    # Reading

    def _edge_wanted(self) -> int:
        size = self._pixels()
        needed = max(size.width(), size.height()) * self.scale
        if self._scale is None or needed <= STEPS[-1]:
            return max(super()._edge_wanted(), next((s for s in STEPS if s >= needed), STEPS[-1]))
        pixels = size.width() * size.height()
        share = min((MAX_WHOLE_PIXELS / pixels) ** 0.5, 1.0)  # what is larger is not seen whole
        return round(max(size.width(), size.height()) * share)

    # Drawing

    def paintEvent(self, event: QPaintEvent) -> None:
        if not self.path:
            return
        self._want()
        painter = QPainter(self)
        picture = self.picture
        if picture.isNull():
            small = self._thumbnails.get(self.path, LARGEST_THUMBNAIL)
            if small is None or small.isNull():
                if small is not None:
                    self._draw_nothing(painter)
                return
            picture = small
            if self._size.isEmpty():
                place = QRectF(QPointF(), QSizeF(small.size() / self.devicePixelRatioF()))
                place.moveCenter(QPointF(self.rect().center()))
                painter.drawPixmap(place, small, QRectF(small.rect()))
                return
        place = self.place()
        seen = place.intersected(QRectF(self.rect()))
        if seen.isEmpty():
            return
        across, down = picture.width() / place.width(), picture.height() / place.height()
        source = QRectF(
            (seen.left() - place.left()) * across,
            (seen.top() - place.top()) * down,
            seen.width() * across,
            seen.height() * down,
        )
        large = self.scale >= 2  # pixels are to be seen as such
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, not large)
        painter.drawPixmap(seen, picture, source)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._keep_inside()
        self.zoomed.emit()

    # Mouse

    def wheelEvent(self, event: QWheelEvent) -> None:
        self.zoom(event.angleDelta().y() / 120, event.position())
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self._scale is not None:
            self._dragged_from = event.position()
            self._show_hand()
        else:
            super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._dragged_from is None:
            return
        way = event.position() - self._dragged_from
        self._dragged_from = event.position()
        drawn = self._drawn()
        self._middle -= QPointF(way.x() / drawn.width(), way.y() / drawn.height())
        self._keep_inside()
        self.zoomed.emit()
        self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._dragged_from = None
        self._show_hand()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self._set_scale(1.0 if self._scale is None else None, event.position())

    def _show_hand(self) -> None:
        if self._scale is None:
            self.unsetCursor()
        elif self._dragged_from is None:
            self.setCursor(Qt.CursorShape.OpenHandCursor)
        else:
            self.setCursor(Qt.CursorShape.ClosedHandCursor)
