"""Fields of a form: a name above, what is wrong below, and what can be chosen in them."""

from __future__ import annotations

import sys

from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from app.ui.parts.theme import SPACE_XS
from app.ui.parts.widgets import label

_DEVICES = {
    "auto": "Automatic",
    "cpu": "CPU",
    "cuda": "Graphics card (CUDA)",
    "mps": "Graphics of this Mac (MPS)",
}


def devices() -> list[tuple[str, str]]:
    """What a model can run on here: the setting, and what a person calls it."""
    absent = "cuda" if sys.platform == "darwin" else "mps"
    return [(spec, title) for spec, title in _DEVICES.items() if spec != absent]


def field(title: str, control: QWidget, error: QLabel | None = None) -> QVBoxLayout:
    """A control with its name above and what is wrong with it below."""
    name = label(title, "secondary")
    name.setBuddy(control)
    column = QVBoxLayout()
    column.setSpacing(SPACE_XS)
    column.addWidget(name)
    column.addWidget(control)
    if error is not None:
        column.addWidget(error)
    return column


def error_label() -> QLabel:
    """A place for what is wrong with a field; takes no room before it is used."""
    result = label(role="secondary", tone="failed")
    result.setWordWrap(True)
    result.hide()
    return result


def set_error(where: QLabel, text: str) -> None:
    """Say what is wrong, or nothing any more."""
    where.setText(text)
    where.setVisible(bool(text))
