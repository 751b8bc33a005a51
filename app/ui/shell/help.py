"""Help inside the program: the user guide, and every key."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import (
    QAction,
    QKeySequence,
    QTextBlockFormat,
    QTextCursor,
    QTextDocument,
)
from PySide6.QtWidgets import (
    QDialog,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QMenu,
    QMenuBar,
    QScrollArea,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from app.bundled import RESOURCES
from app.ui.parts.fitting import fit_size
from app.ui.parts.theme import SPACE_L, SPACE_S, SPACE_XL, SPACE_XS, font
from app.ui.parts.widgets import button, label
from app.ui.pictures.actions import SHORTCUTS
from app.ui.pictures.viewer import KEYS as IN_VIEWER

GUIDE = RESOURCES / "user-guide.md"
GUIDE_SIZE = QSize(760, 820)
KEYS_SIZE = QSize(760, 620)
COLUMNS = 2
LINE_HEIGHT = 120
"""Percent."""
_PICTURE = re.compile(r"^!\[.*\)\n\n?", re.MULTILINE)

Keys = Sequence[tuple[str, str]]
"""What each key does, and the key."""

IN_GRIDS: Keys = (
    ("Move the selection", "Arrows"),
    ("Select more", "Shift+Arrows"),
    ("View a picture", "Enter"),
    ("Preview a picture", "Space"),
    *SHORTCUTS.items(),
)
IN_SEARCH: Keys = (
    ("Go to the field", "Ctrl+F"),
    ("Go to the pictures", "Down"),
    ("Earlier searches", "Alt+Down"),
    ("Clear the field", "Esc"),
    ("Folders, dates, duplicates", "F9"),
    ("Larger, smaller pictures", "Ctrl++, Ctrl+−"),
)


class GuideDialog(QDialog):
    """The user guide, to be read beside the window."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("User guide")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.text = QTextBrowser()
        self.text.setFrameShape(QFrame.Shape.NoFrame)
        self.text.setFont(font("body"))
        self.text.document().setDocumentMargin(SPACE_XL)
        # its pictures are of windows, which the reader has in front of them
        self.text.setMarkdown(_PICTURE.sub("", GUIDE.read_text(encoding="utf-8")))
        _space_out(self.text.document())
        self.text.setStyleSheet("QTextBrowser { border: none; }")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.text)
        fit_size(self, GUIDE_SIZE)


class KeysDialog(QDialog):
    """Every key, by the menu that has it or the place where it works."""

    def __init__(self, parent: QWidget, bar: QMenuBar) -> None:
        super().__init__(parent)
        self.setWindowTitle("Keys")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        groups = [
            *_of_menus(bar),
            ("Pictures", IN_GRIDS),
            ("Search", IN_SEARCH),
            ("A picture", IN_VIEWER),
        ]
        content = QWidget()
        columns = QHBoxLayout(content)
        columns.setContentsMargins(SPACE_XL, SPACE_XL, SPACE_XL, SPACE_XL)
        columns.setSpacing(SPACE_XL * 2)
        for some in _shared(groups, COLUMNS):
            column = QVBoxLayout()
            column.setSpacing(SPACE_L)
            for title, keys in some:
                column.addLayout(_group(title, keys))
            column.addStretch()
            columns.addLayout(column, 1)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setWidget(content)
        self.close_button = button("Close", "primary")
        self.close_button.clicked.connect(self.accept)
        bottom = QHBoxLayout()
        bottom.setContentsMargins(SPACE_XL, SPACE_S, SPACE_XL, SPACE_L)
        bottom.addStretch()
        bottom.addWidget(self.close_button)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.addWidget(area)
        rows.addLayout(bottom)
        fit_size(self, KEYS_SIZE)
        self.close_button.setFocus()


def _space_out(document: QTextDocument) -> None:
    """Leave room above headings and between paragraphs, which Markdown has no word for."""
    block = document.begin()
    while block.isValid():
        layout, cursor = block.blockFormat(), QTextCursor(block)
        if level := layout.headingLevel():
            layout.setTopMargin(0 if level == 1 else SPACE_XL)
        if not cursor.currentTable():
            layout.setBottomMargin(SPACE_XS if block.textList() else SPACE_S)
        layout.setLineHeight(LINE_HEIGHT, QTextBlockFormat.LineHeightTypes.ProportionalHeight.value)
        cursor.setBlockFormat(layout)
        block = block.next()


def _of_menus(bar: QMenuBar) -> Iterable[tuple[str, Keys]]:
    for entry in bar.actions():
        menu = entry.menu()
        if isinstance(menu, QMenu) and (keys := [_key(a) for a in menu.actions() if _has_key(a)]):
            yield _plain(entry.text()), keys


def _has_key(action: QAction) -> bool:
    return not action.shortcut().isEmpty()


def _key(action: QAction) -> tuple[str, str]:
    native = action.shortcut().toString(QKeySequence.SequenceFormat.NativeText)
    return _plain(action.text()), native


def _plain(text: str) -> str:
    return text.replace("&", "").removesuffix("…")


def _shared(
    groups: Sequence[tuple[str, Keys]], number: int
) -> Iterable[Sequence[tuple[str, Keys]]]:
    """The groups in order, in so many columns of about the same height."""
    lines = [len(keys) + 2 for _title, keys in groups]
    column, filled = list[tuple[str, Keys]](), 0
    for group, height in zip(groups, lines, strict=True):
        if column and filled + height / 2 > sum(lines) / number:
            yield column
            column, filled = [], 0
        column.append(group)
        filled += height
    yield column


def _group(title: str, keys: Keys) -> QGridLayout:
    grid = QGridLayout()
    grid.setVerticalSpacing(SPACE_S)
    grid.setHorizontalSpacing(SPACE_L)
    grid.setColumnStretch(0, 1)
    grid.addWidget(label(title, "section"), 0, 0, 1, 2)
    for row, (what, key) in enumerate(keys, 1):
        grid.addWidget(label(what), row, 0)
        grid.addWidget(label(key, tone="secondary"), row, 1, Qt.AlignmentFlag.AlignRight)
    return grid
