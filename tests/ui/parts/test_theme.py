"""Colours can be read, icons exist, and everything follows the system."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QSize
from PySide6.QtGui import QColor, QFont
from PySide6.QtWidgets import (
    QApplication,
    QComboBox,
    QDoubleSpinBox,
    QLineEdit,
    QPushButton,
    QSpinBox,
)

from app.bundled import RESOURCES
from app.ui.parts import icons
from app.ui.parts import theme as theme_module
from app.ui.parts.stylesheet import style_sheet
from app.ui.parts.theme import font, icon, load_tokens, state_color, state_icon_name, theme

UI = Path(theme_module.__file__).parent
STATES = ("running", "completed", "paused", "failed", "pending")
SESSION_STATES = ("pending", "running", "paused", "completed", "failed", "cancelled")


@pytest.fixture(autouse=True)
def _system_scheme(qapp: QApplication) -> Iterator[None]:
    yield
    theme().set_scheme("system")


def _luminance(colour: str) -> float:
    def linear(part: float) -> float:
        return part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4

    parts = QColor(colour)
    red, green, blue = (linear(part) for part in (parts.redF(), parts.greenF(), parts.blueF()))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """The ratio that WCAG defines."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("token", ["text", "text-secondary", "accent", *STATES])
@pytest.mark.parametrize("below", ["background", "surface", "surface-hover"])
def test_text_can_be_read(scheme: str, token: str, below: str) -> None:
    tokens = load_tokens(scheme)
    assert contrast(tokens[token], tokens[below]) >= 4.5


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("text", "below"),
    [
        ("on-accent", "accent"),
        ("on-accent", "accent-hover"),
        ("on-failed", "failed"),
        ("text", "selected"),
        ("text-secondary", "selected"),
        ("text", "surface-pressed"),
        ("background", "text"),
    ],
)
def test_text_on_colour_can_be_read(scheme: str, text: str, below: str) -> None:
    tokens = load_tokens(scheme)
    assert contrast(tokens[text], tokens[below]) >= 4.5


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("token", ["control-line", "accent"])
@pytest.mark.parametrize("below", ["background", "surface"])
def test_controls_can_be_seen(scheme: str, token: str, below: str) -> None:
    tokens = load_tokens(scheme)
    assert contrast(tokens[token], tokens[below]) >= 3.0


def test_both_schemes_have_the_same_tokens() -> None:
    assert load_tokens("light").keys() == load_tokens("dark").keys()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_style_sheet_finds_all_it_names(scheme: str) -> None:
    sheet = style_sheet(scheme, load_tokens(scheme))
    assert "@" not in sheet
    for name in re.findall(r"url\(theme:([^)]+)\)", sheet):
        assert (RESOURCES / "theme" / name).is_file(), name


def test_switching_the_scheme_recolours_at_once(qapp: QApplication) -> None:
    told: list[str] = []
    theme().set_scheme("light")
    theme().changed.connect(lambda: told.append(theme().scheme))
    theme().set_scheme("dark")
    assert told == ["dark"]
    assert theme().color("background") == QColor(load_tokens("dark")["background"])
    assert qapp.palette().window().color() == theme().color("background")


def test_an_icon_takes_the_new_colour(qapp: QApplication) -> None:
    def ink() -> QColor:
        image = shown.pixmap(48, 48).toImage()
        colours = [image.pixelColor(x, y) for x in range(48) for y in range(48)]
        return max(colours, key=lambda colour: colour.alpha())

    theme().set_scheme("light")
    shown = icon("check-circle", "completed")
    before = ink()
    theme().set_scheme("dark")
    assert ink() != before
    assert abs(ink().green() - theme().color("completed").green()) < 8


@pytest.mark.parametrize("scale", [1.0, 1.5, 2.0])
def test_icons_are_sharp_on_every_screen(qapp: QApplication, scale: float) -> None:
    shown = icon("check-circle").pixmap(QSize(20, 20), scale)
    assert shown.size() == QSize(20, 20) * scale
    assert shown.devicePixelRatio() == scale


def test_every_icon_that_is_named_exists(qapp: QApplication) -> None:
    pattern = re.compile(
        r"""(?:\bicon|IconLabel|set_icon|EmptyState|show_message)\(\s*"([a-z-]+)\""""
    )
    buttons = re.compile(r"""\bbutton\([^()]*,\s*"(?:primary|danger|quiet|)",\s*"([a-z-]+)\"""")
    for file in UI.glob("*.py"):
        text = file.read_text(encoding="utf-8")
        for name in pattern.findall(text) + buttons.findall(text):
            assert icons.glyph(name), f"{file.name}: {name}"


@pytest.mark.parametrize("status", [*SESSION_STATES, "reused", "something else"])
def test_every_state_has_icon_and_colour(qapp: QApplication, status: str) -> None:
    assert icons.glyph(state_icon_name(status))
    assert state_color(status).isValid()


def test_states_differ_in_their_icon_too(qapp: QApplication) -> None:
    assert len({state_icon_name(status) for status in SESSION_STATES}) == len(SESSION_STATES)


def test_what_stands_in_a_row_is_of_equal_height(qapp: QApplication) -> None:
    row = (QLineEdit(), QComboBox(), QSpinBox(), QDoubleSpinBox(), QPushButton("Choose…"))
    assert len({widget.sizeHint().height() for widget in row}) == 1


def test_figures_are_of_equal_width_in_counts(qapp: QApplication) -> None:
    assert font("count").featureTags() == [QFont.Tag("tnum")]
    assert font("title").pixelSize() == 22
