"""Icons drawn from the Phosphor font that QtAwesome brings, in one weight.

QtAwesome itself is not imported: it loads and checks twelve fonts and takes longer than all the
rest of the window together. The font's file and its table of names are all that is needed, and
asking for the colour at each paint spares every widget the work of re-tinting.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from PySide6.QtCore import QPoint, QRect, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontDatabase, QIcon, QIconEngine, QPainter, QPixmap


class GlyphIconEngine(QIconEngine):
    """One glyph, in a colour that is asked for at each paint.

    Args:
        name: of the icon.
        color: gives the colour of the moment; called with whether the icon is disabled.
    """

    def __init__(self, name: str, color: Callable[[bool], QColor]) -> None:
        super().__init__()
        self._glyph = glyph(name)
        self._color = color

    def paint(self, painter: QPainter, rect: QRect, mode: QIcon.Mode, state: QIcon.State) -> None:
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.TextAntialiasing)
        painter.setPen(self._color(mode == QIcon.Mode.Disabled))
        family, _ = _font()
        drawn = QFont(family)
        drawn.setPixelSize(max(min(rect.width(), rect.height()), 1))
        drawn.setStyleStrategy(QFont.StyleStrategy.NoSubpixelAntialias)
        painter.setFont(drawn)
        painter.drawText(rect, Qt.AlignmentFlag.AlignCenter, self._glyph)
        painter.restore()

    def pixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State) -> QPixmap:
        return self.scaledPixmap(size, mode, state, 1.0)

    def scaledPixmap(
        self, size: QSize, mode: QIcon.Mode, state: QIcon.State, scale: float
    ) -> QPixmap:
        """A pixmap of ``size``, with ``scale`` device pixels to each of its own."""
        picture = QPixmap(size * scale)
        picture.setDevicePixelRatio(scale)
        picture.fill(Qt.GlobalColor.transparent)
        painter = QPainter(picture)
        self.paint(painter, QRect(QPoint(0, 0), size), mode, state)
        painter.end()
        return picture

    def clone(self) -> Any:
        return GlyphIconEngine._copy(self)

    @classmethod
    def _copy(cls, other: GlyphIconEngine) -> GlyphIconEngine:
        copy = cls.__new__(cls)
        QIconEngine.__init__(copy)
        copy._glyph, copy._color = other._glyph, other._color
        return copy


def glyph(name: str) -> str:
    """The character of an icon.

    Raises:
        KeyError: there is no icon of that name.
    """
    return chr(int(_font()[1][name], 16))


@lru_cache(maxsize=1)
def _font() -> tuple[str, dict[str, str]]:
    """The font's family and its table from names to code points, loaded once."""
    spec = find_spec("qtawesome")
    assert spec is not None
    assert spec.submodule_search_locations
    folder = Path(spec.submodule_search_locations[0]) / "fonts"
    number = QFontDatabase.addApplicationFont(str(next(folder.glob("phosphor-*.ttf"))))
    family = QFontDatabase.applicationFontFamilies(number)[0]
    table = next(folder.glob("phosphor-charmap-*.json")).read_text(encoding="utf-8")
    return family, json.loads(table)
