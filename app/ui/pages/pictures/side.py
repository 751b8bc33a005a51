"""What stands beside the pictures: folders, dates and duplicates, one of them at a time."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QStackedWidget, QTabBar, QVBoxLayout, QWidget

from app.api.library_schemas import LibraryGroup
from app.ui.pages.pictures.duplicates import DuplicatePanel
from app.ui.pages.pictures.nodes import LibraryNode
from app.ui.pages.pictures.tree import GroupTree
from app.ui.parts.theme import SPACE_S
from app.ui.parts.widgets import button

GROUPINGS = (("folders", "Folders"), ("dates", "Dates"), ("duplicates", "Duplicates"))


class GroupSide(QWidget):
    """Tabs, and below them what is chosen from."""

    def __init__(self, panel: DuplicatePanel) -> None:
        super().__init__()
        self.tabs, self._lists = QTabBar(), QStackedWidget()
        self.folders, self.dates, self.panel = GroupTree("Folders"), GroupTree("Dates"), panel
        self.export_button = button("Export CSV…", icon_name="export")
        for _, text in GROUPINGS:
            self.tabs.addTab(text)
        self.tabs.setExpanding(False)
        self.tabs.setDrawBase(False)
        self.tabs.setAccessibleName("Groups of pictures")
        for part in (self.folders, self.dates, self.panel):
            self._lists.addWidget(part)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, SPACE_S, 0)
        column.setSpacing(SPACE_S)
        column.addWidget(self.tabs)
        column.addWidget(self._lists, 1)
        column.addWidget(self.export_button, 0, Qt.AlignmentFlag.AlignLeft)
        self.setMinimumWidth(250)
        self.export_button.hide()
        self.tabs.currentChanged.connect(self._show_chosen)

    @property
    def grouping(self) -> str:
        """``folders``, ``dates`` or ``duplicates``."""
        return GROUPINGS[self.tabs.currentIndex()][0]

    def recall(self, grouping: str) -> None:
        """Choose what was chosen the last time."""
        keys = [key for key, _ in GROUPINGS]
        self.tabs.setCurrentIndex(keys.index(grouping) if grouping in keys else 0)

    def tree(self) -> GroupTree | None:
        """What is chosen from; None: duplicates."""
        return {"folders": self.folders, "dates": self.dates}.get(self.grouping)

    def group(self) -> LibraryNode | None:
        """The folder or time that is chosen; None: all pictures, or duplicates."""
        tree = self.tree()
        node = tree.chosen() if tree else None
        return node if node is not None and node.group != LibraryGroup() else None

    def leave_group(self) -> None:
        """Choose all pictures."""
        if (tree := self.tree()) is not None:
            tree.setCurrentIndex(tree.nodes.index(0, 0))

    def _show_chosen(self, place: int) -> None:
        self._lists.setCurrentIndex(place)
        self.export_button.setVisible(self.grouping == "duplicates")
