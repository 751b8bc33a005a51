"""Colours, type, spacing and icons: the one place that says how things look.

Colours are named by what they are for; their values lie in ``resources/theme``. Everything here
is needed for the first paint, so this module imports nothing but Qt.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Literal

from PySide6.QtCore import QDir, QObject, Qt, Signal
from PySide6.QtGui import QColor, QFont, QFontDatabase, QFontInfo, QIcon, QPalette
from PySide6.QtWidgets import QApplication

from app.bundled import RESOURCES
from app.ui.parts.icons import GlyphIconEngine
from app.ui.parts.stylesheet import style_sheet

SPACE_XS, SPACE_S, SPACE_M, SPACE_L, SPACE_XL, SPACE_XXL = (4, 8, 12, 16, 24, 32)
RADIUS = 6
ROW_HEIGHT = 32

Scheme = Literal["light", "dark", "system"]
FontRole = Literal["title", "section", "body", "secondary", "count", "mono"]

_PIXELS = {"title": 22, "section": 15, "body": 13, "secondary": 12, "count": 13, "mono": 12}
_STATE_ICONS = {
    "pending": "clock",
    "running": "play-circle",
    "paused": "pause-circle",
    "completed": "check-circle",
    "failed": "warning-circle",
    "cancelled": "prohibit",
    "reused": "recycle",
}
_STATE_TOKENS = {"cancelled": "pending", "reused": "completed"}


class Theme(QObject):
    """The colours in force; follows the system live unless a scheme was set."""

    changed = Signal()

    def __init__(self, app: QApplication) -> None:
        super().__init__(app)
        self._app = app
        self._wanted: Scheme = "system"
        self._name = ""
        self._tokens: dict[str, QColor] = {}
        QDir.addSearchPath("theme", str(RESOURCES / "theme"))
        app.setStyle("Fusion")
        app.setFont(font("body"))
        app.styleHints().colorSchemeChanged.connect(self._apply)
        self._apply()

    @property
    def scheme(self) -> str:
        """``light`` or ``dark``, whatever is shown now."""
        return self._name

    def set_scheme(self, scheme: Scheme) -> None:
        """Show one scheme, or follow the system again."""
        self._wanted = scheme
        self._app.styleHints().setColorScheme(
            {
                "light": Qt.ColorScheme.Light,
                "dark": Qt.ColorScheme.Dark,
                "system": Qt.ColorScheme.Unknown,
            }[scheme]
        )  # window frames and file dialogs follow, where the platform can
        self._apply()

    def color(self, name: str) -> QColor:
        """A colour by its token, such as ``text`` or ``completed``."""
        return self._tokens[name]

    def _apply(self) -> None:
        name = self._wanted
        if name == "system":
            dark = self._app.styleHints().colorScheme() == Qt.ColorScheme.Dark
            name = "dark" if dark else "light"
        if name == self._name:
            return
        self._name = name
        tokens = load_tokens(name)
        self._tokens = {key: QColor(value) for key, value in tokens.items()}
        self._app.setPalette(self._palette())
        self._app.setStyleSheet(style_sheet(name, tokens))
        self.changed.emit()

    def _palette(self) -> QPalette:
        palette = QPalette()
        role = QPalette.ColorRole
        for target, token in (
            (role.Window, "background"),
            (role.Base, "surface"),
            (role.AlternateBase, "background"),
            (role.Button, "surface"),
            (role.ToolTipBase, "text"),
            (role.ToolTipText, "background"),
            (role.WindowText, "text"),
            (role.Text, "text"),
            (role.ButtonText, "text"),
            (role.BrightText, "failed"),
            (role.PlaceholderText, "text-secondary"),
            (role.Highlight, "selected"),
            (role.HighlightedText, "text"),
            (role.Link, "accent"),
            (role.LinkVisited, "accent"),
            (role.Accent, "accent"),
            (role.Mid, "line"),
            (role.Dark, "control-line"),
        ):
            palette.setColor(target, self.color(token))
        for target in (role.WindowText, role.Text, role.ButtonText):
            palette.setColor(QPalette.ColorGroup.Disabled, target, self.color("text-disabled"))
        return palette


_theme: Theme | None = None


def theme() -> Theme:
    """The theme of the running application."""
    global _theme
    app = QApplication.instance()
    if not isinstance(app, QApplication):
        raise RuntimeError("the theme needs a QApplication")
    if _theme is None or _theme.parent() is not app:
        _theme = Theme(app)
    return _theme


@lru_cache(maxsize=2)
def load_tokens(scheme: str) -> dict[str, str]:
    """The colours of ``light`` or ``dark``, as the file has them."""
    text = (RESOURCES / "theme" / f"{scheme}.json").read_text(encoding="utf-8")
    tokens: dict[str, str] = json.loads(text)
    return tokens


def font(role: FontRole = "body") -> QFont:
    """The font of a role; figures are of equal width where numbers change in place."""
    result = QFont(_families(role == "mono"))
    result.setPixelSize(_PIXELS[role])
    if role in ("title", "section"):
        result.setWeight(QFont.Weight.DemiBold)
    if role in ("count", "title"):
        result.setFeature(QFont.Tag("tnum"), 1)
    return result


@lru_cache(maxsize=2)
def _families(fixed: bool) -> list[str]:
    kind = QFontDatabase.SystemFont.FixedFont if fixed else QFontDatabase.SystemFont.GeneralFont
    system = QFontInfo(QFontDatabase.systemFont(kind)).family()
    wanted = ("JetBrains Mono", "DejaVu Sans Mono") if fixed else ("Inter",)
    present = [family for family in wanted if QFontDatabase.hasFamily(family)]
    # A system that names a font of its own is followed; only a bare X server has none to offer.
    bare = system.startswith(("DejaVu", "Noto Sans Mono", "Sans", "Monospace"))
    return [*present, system] if bare else [system]


def icon(name: str, color_token: str = "text") -> QIcon:
    """An icon by its Phosphor name; it takes the colours in force whenever it is drawn."""

    def color(disabled: bool) -> QColor:
        return theme().color("text-disabled" if disabled else color_token)

    return QIcon(GlyphIconEngine(name, color))


def state_icon(status: str) -> QIcon:
    """The icon of a session's or a picture's state, in the state's colour."""
    return icon(state_icon_name(status), state_token(status))


def state_icon_name(status: str) -> str:
    """The icon's name of a state."""
    return _STATE_ICONS.get(status, "circle")


def state_token(status: str) -> str:
    """The colour token of a state."""
    token = _STATE_TOKENS.get(status, status)
    return token if token in ("running", "completed", "paused", "failed") else "pending"


def state_color(status: str) -> QColor:
    """The colour of a state; never the only sign of it."""
    return theme().color(state_token(status))


def app_icon() -> QIcon:
    """The program's own icon."""
    picture = RESOURCES / "icons" / "afterimage.svg"
    return QIcon(str(picture)) if picture.is_file() else icon("aperture", "accent")
