"""Help inside the program: the user guide, what a version changed, and every key."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import (
    QAction,
    QKeySequence,
    QResizeEvent,
    QShortcut,
    QTextBlockFormat,
    QTextCursor,
    QTextDocument,
)
from PySide6.QtWidgets import (
    QDialog,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QMainWindow,
    QMenu,
    QScrollArea,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from app.bundled import RESOURCES
from app.ui.pages.pictures.field import KEYS as IN_FIELD
from app.ui.parts.fitting import fit_size
from app.ui.parts.theme import SPACE_L, SPACE_S, SPACE_XL, SPACE_XS, font
from app.ui.parts.widgets import Page, button, label
from app.ui.pictures.grid import KEYS as IN_GRID
from app.ui.pictures.viewer import KEYS as IN_VIEWER

GUIDE = RESOURCES / "user-guide.md"
READING_SIZE = QSize(760, 820)
KEYS_SIZE = QSize(1100, 700)
BETWEEN = SPACE_XL * 2
"""From one column of keys to the next."""
LINE_HEIGHT = 120
"""Percent."""
_PICTURE = re.compile(r"^!\[.*\)\n\n?", re.MULTILINE)

Keys = Sequence[tuple[str, str]]
"""What each key does, and the key."""


class ReadingDialog(QDialog):
    """A text, to be read beside the window.

    Args:
        text: in Markdown.
    """

    def __init__(self, parent: QWidget, title: str, text: str) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.text = QTextBrowser()
        self.text.setFrameShape(QFrame.Shape.NoFrame)
        self.text.setFont(font("body"))
        self.text.document().setDocumentMargin(SPACE_XL)
        self.text.setOpenLinks(False)  # they lead to documents that do not come with the program
        self.text.setMarkdown(text)
        _space_out(self.text.document())
        self.text.setStyleSheet("QTextBrowser { border: none; }")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.text)
        fit_size(self, READING_SIZE)


class GuideDialog(ReadingDialog):
    """The user guide; its pictures are of windows, which the reader has in front of them."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent, "User guide", _PICTURE.sub("", GUIDE.read_text(encoding="utf-8")))


class KeysDialog(QDialog):
    """Every key, by the menu that has it or the place where it works.

    What menus and pages bind is read from them; what a part does with keys of its own, it names.

    Args:
        window: with its menus and all of its pages.
    """

    def __init__(self, window: QMainWindow) -> None:
        super().__init__(window)
        self.setWindowTitle("Keys")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.columns = KeysInColumns([group for group in keys_of(window) if group[1]])
        self.close_button = button("Close", "primary")
        self.close_button.clicked.connect(self.accept)
        bottom = QHBoxLayout()
        bottom.setContentsMargins(SPACE_XL, SPACE_S, SPACE_XL, SPACE_L)
        bottom.addStretch()
        bottom.addWidget(self.close_button)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.addWidget(self.columns)
        rows.addLayout(bottom)
        fit_size(self, KEYS_SIZE)
        self.close_button.setFocus()


class KeysInColumns(QScrollArea):
    """Groups of keys in as many columns as there is room for; what is left scrolls down."""

    def __init__(self, groups: Sequence[tuple[str, Keys]]) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._groups = [(_group(title, keys), len(keys) + 2) for title, keys in groups]
        self._widest = max(part.sizeHint().width() for part, _lines in self._groups)
        self.number = 0
        """Of columns."""
        self._arrange(1)

    def resizeEvent(self, event: QResizeEvent) -> None:
        room = self.viewport().width() - 2 * SPACE_XL + BETWEEN
        self._arrange(max(room // (self._widest + BETWEEN), 1))
        super().resizeEvent(event)

    def _arrange(self, number: int) -> None:
        if number == self.number:
            return
        self.number = number
        content, before = QWidget(), self.takeWidget()
        columns = QHBoxLayout(content)
        columns.setContentsMargins(SPACE_XL, SPACE_XL, SPACE_XL, SPACE_XL)
        columns.setSpacing(BETWEEN)
        for some in _shared(self._groups, number):
            column = QVBoxLayout()
            column.setSpacing(SPACE_L)
            for part in some:
                column.addWidget(part)
            column.addStretch()
            columns.addLayout(column, 1)
        self.setWidget(content)  # the groups are in it by now
        if before is not None:
            before.deleteLater()


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


def keys_of(window: QMainWindow) -> list[tuple[str, Keys]]:
    """All keys of a window and of the pages in it, in groups."""
    menus = [(title, [a for a in actions if a.shortcuts()]) for title, actions in _menus(window)]
    in_menus = {action for _, actions in menus for action in actions}
    on_pages: dict[str, dict[str, str]] = {}
    for shortcut in window.findChildren(QShortcut):
        keys = on_pages.setdefault(_page_of(shortcut), {})
        keys[shortcut.whatsThis()] = _native(shortcut.keys())
    others = [a for a in window.findChildren(QAction) if a.shortcuts() and a not in in_menus]
    of_pictures = {_plain(action.text()): _native(action.shortcuts()) for action in others}
    search = on_pages.pop("Pictures", {})
    return [
        *((title, [_key(action) for action in actions]) for title, actions in menus),
        ("Pictures", [*IN_GRID, *of_pictures.items()]),
        ("Search", [*search.items(), *IN_FIELD]),
        ("A picture", IN_VIEWER),
        *((title, list(keys.items())) for title, keys in on_pages.items()),
    ]


def _menus(window: QMainWindow) -> Iterable[tuple[str, list[QAction]]]:
    for entry in window.menuBar().actions():
        menu = entry.menu()
        if isinstance(menu, QMenu):
            yield _plain(entry.text()), menu.actions()


def _page_of(shortcut: QShortcut) -> str:
    part = shortcut.parent()
    while part is not None and not isinstance(part, Page):
        part = part.parent()
    return part.accessibleName() if isinstance(part, Page) else "Everywhere"


def _key(action: QAction) -> tuple[str, str]:
    return _plain(action.text()), _native(action.shortcuts())


def _native(keys: Sequence[QKeySequence]) -> str:
    return ", ".join(key.toString(QKeySequence.SequenceFormat.NativeText) for key in keys)


def _plain(text: str) -> str:
    return text.replace("&", "").removesuffix("…")


def _shared(groups: Sequence[tuple[QWidget, int]], number: int) -> Iterable[Sequence[QWidget]]:
    """The groups in order, each with its lines, in so many columns of about the same height."""
    whole = sum(lines for _part, lines in groups)
    columns: list[list[QWidget]] = [[]]
    filled = 0
    for part, lines in groups:
        ends_at = whole * len(columns) / number
        if columns[-1] and filled + lines / 2 > ends_at and len(columns) < number:
            columns.append([])
        columns[-1].append(part)
        filled += lines
    return columns


def _group(title: str, keys: Keys) -> QWidget:
    group = QWidget()
    grid = QGridLayout(group)
    grid.setContentsMargins(0, 0, 0, 0)
    grid.setVerticalSpacing(SPACE_S)
    grid.setHorizontalSpacing(SPACE_L)
    grid.setColumnStretch(0, 1)
    grid.addWidget(label(title, "section"), 0, 0, 1, 2)
    for row, (what, key) in enumerate(keys, 1):
        grid.addWidget(label(what), row, 0)
        grid.addWidget(label(key, tone="secondary"), row, 1, Qt.AlignmentFlag.AlignRight)
    return group
