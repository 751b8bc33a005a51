"""Names of files and folders are shown as they are, also where they look like markup."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QTextDocument

from app import ui
from app.ui.parts.widgets import ElidedLabel, label, plain_tip
from app.ui.shell.tray import _plain

EVIL = "<b>bold</b><img src='file:///etc/hostname'> & <a href=x>.jpg"


def test_markup_in_a_name_is_shown_as_it_is() -> None:
    document = QTextDocument()
    document.setHtml(plain_tip(EVIL))
    assert document.toPlainText().replace("\xa0", " ") == EVIL
    document.setHtml(plain_tip("<a\n  b"))
    assert document.toPlainText() == "<a\n  b"
    assert plain_tip("a & b\n/p") == "a & b\n/p"


def test_labels_take_no_markup(qtbot: object) -> None:
    assert label(EVIL).textFormat() == Qt.TextFormat.PlainText
    shortened = ElidedLabel(EVIL)
    assert shortened.textFormat() == Qt.TextFormat.PlainText
    shortened.resize(20, 20)
    shortened._elide()
    assert shortened.toolTip() == plain_tip(EVIL)


def test_a_message_of_the_desktop_takes_no_markup() -> None:
    assert "<" not in _plain(EVIL)


@pytest.mark.parametrize("needed", [r"\bQLabel\(", r"\bQMessageBox\b", r"\.setHtml\("])
def test_no_page_makes_a_label_of_its_own(needed: str) -> None:
    """One that takes a name for markup would show, and load, what is in it."""
    root = Path(ui.__path__[0])
    users = {
        str(file.relative_to(root))
        for file in root.rglob("*.py")
        if re.search(needed, file.read_text("utf-8"))
    }
    assert users <= {"parts/widgets.py", "parts/stylesheet.py"}


def test_tool_tips_with_names_are_made_plain() -> None:
    """A tip of anything but fixed words goes through ``plain_tip``."""
    root = Path(ui.__path__[0])
    named = re.compile(
        r"setToolTip\((?!plain_tip|\s*plain_tip)[^)]*(path|name\)|folder\)|root|printable)"
    )
    assert not [
        (file.name, found[0])
        for file in root.rglob("*.py")
        for found in named.finditer(file.read_text("utf-8"))
    ]
