"""A lazily loaded tree of folders with tri-state check boxes and picture counts."""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QAbstractItemModel, QModelIndex, QObject, Qt, QTimer, Signal

from app.printable import printable
from app.ui.pages.sessions.folder_nodes import Check, Chosen, FolderNode, chosen, total
from app.ui.pages.sessions.folder_scan import (
    Count,
    FolderCounter,
    FolderListing,
    Request,
    list_folders,
)
from app.ui.parts import words
from app.ui.parts.paged_model import NO_PARENT, Index
from app.ui.parts.theme import font, icon, theme
from app.ui.parts.widgets import plain_tip

if TYPE_CHECKING:
    from app.scan.discovery import PictureCounter

PAGE = 500
"""So many folders of one folder are inserted at a time; the rest follow as they come into sight."""
FOLDER, PICTURES = range(2)
SAY_EVERY_MS = 120
TOP = (1 << 32) - 1
"""In place of a parent's number in the index of the root, which has none."""

ItemRole = Qt.ItemDataRole
_CAN_SELECT = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
_CAN_TICK = _CAN_SELECT | Qt.ItemFlag.ItemIsUserCheckable


class FolderTreeModel(QAbstractItemModel):
    """The root with its folders; call ``close`` when it is no longer needed."""

    chosen_changed = Signal()
    """Ticks or counts changed; said at most a few times a second."""
    root_problem = Signal(str)
    root_loaded = Signal()

    def __init__(
        self, track: Callable[[asyncio.Task[None]], object], parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._track = track
        self._counter: FolderCounter | None = None
        self._nodes: list[FolderNode] = []
        self._round = 0
        self._revealing: set[int] = set()
        self._dirty: set[FolderNode] = set()
        self._say = QTimer(self, singleShot=True, interval=SAY_EVERY_MS)
        self._say.timeout.connect(self._flush)

    # Roots

    def set_root(self, path: str, counter: PictureCounter) -> None:
        """Show a folder, all ticked, and begin to count; an empty path shows nothing."""
        self.close()
        self.beginResetModel()
        self._round += 1
        self._nodes = []
        if path:
            self._counter = FolderCounter(counter, self._track)
            self._nodes.append(FolderNode(0, path, None, 0))
        self.endResetModel()
        self._revealing.clear()
        self._dirty.clear()
        if path:
            self._open(self._nodes[0])
        self.chosen_changed.emit()

    def recount(self, counter: PictureCounter) -> None:
        """Count again, other files; the ticks stay."""
        self.close()
        if not self._nodes:
            return
        self._counter = FolderCounter(counter, self._track)
        self._round += 1
        for node in self._nodes:
            node.whole = node.own = None
        self._count(self._nodes)
        self._dirty.update(self._nodes)
        self._notify_soon()

    def close(self) -> None:
        """Stop counting."""
        if self._counter is not None:
            self._counter.stop()

    @property
    def root(self) -> FolderNode | None:
        return self._nodes[0] if self._nodes else None

    @property
    def counting(self) -> bool:
        """Whether counts are still to come."""
        return self._counter is not None and self._counter.busy

    def chosen(self) -> Chosen:
        """What is ticked, as few folders as say it, and how much is in them."""
        return chosen(self.root)

    # Opening folders

    def _open(self, node: FolderNode) -> None:
        number = self._round

        async def work() -> None:
            listing, children = await asyncio.to_thread(_listed, node)
            if number == self._round:
                self._opened(node, listing, children)

        node.children = []
        self._track(asyncio.ensure_future(work()))

    def _opened(self, node: FolderNode, listing: FolderListing, children: list[FolderNode]) -> None:
        if listing.problem:
            self._set_problem(node, listing.problem)
        for number, child in enumerate(children, len(self._nodes)):
            child.id = number
            child.state = Check.Unchecked if child.problem else node.state
        self._nodes += children
        node.leaf = not children
        node.children = children
        self._show_page(node)
        self._count((node, *children), soon=node.parent is not None)
        if node.parent is None:
            self.root_loaded.emit()
        self._notify_soon()

    def _show_page(self, node: FolderNode) -> None:
        """Insert the next folders above the row that stands for the rest."""
        assert node.children is not None
        parent = self._index(node)
        first, last = node.shown, min(node.shown + PAGE, len(node.children))
        if last > first:
            self.beginInsertRows(parent, first, last - 1)
            node.shown = last
            self.endInsertRows()
        rest = len(node.children) - last
        if rest and not node.rest:
            self.beginInsertRows(parent, last, last)
            node.rest = rest
            self.endInsertRows()
        elif node.rest and not rest:
            self.beginRemoveRows(parent, last, last)
            node.rest = 0
            self.endRemoveRows()
        elif rest:
            node.rest = rest
            at = self.index(last, FOLDER, parent)
            self.dataChanged.emit(at, at)

    def _reveal_soon(self, node: FolderNode) -> None:
        if node.id in self._revealing:
            return
        self._revealing.add(node.id)
        number = self._round

        def show() -> None:
            self._revealing.discard(node.id)
            if number == self._round:
                self._show_page(node)

        QTimer.singleShot(0, self, show)

    # Counting

    def _count(self, nodes: Iterable[FolderNode], *, soon: bool = False) -> None:
        if self._counter is not None:
            requests = (self._request(node) for node in nodes if not node.problem)
            self._counter.ask([item for item in requests if item is not None], soon=soon)

    def _request(self, node: FolderNode) -> Request | None:
        number = self._round
        if node.children:  # what is below is counted folder by folder
            return node.path, False, lambda count: self._own(number, node, count)
        if node.whole is None and (node.parent is not None or node.children is not None):
            return node.path, True, lambda count: self._whole(number, node, count)
        return None

    def _own(self, number: int, node: FolderNode, count: Count) -> None:
        if number == self._round:
            node.own = count
            self._counted(node, count)

    def _whole(self, number: int, node: FolderNode, count: Count) -> None:
        if number == self._round:
            node.whole = count
            node.leaf = node.leaf or count.leaf
            self._counted(node, count)

    def _counted(self, node: FolderNode, count: Count) -> None:
        if count.problem:
            self._set_problem(node, count.problem)
        above: FolderNode | None = node
        while above is not None:
            self._dirty.add(above)
            above = above.parent
        self._notify_soon()

    def _set_problem(self, node: FolderNode, problem: str) -> None:
        node.problem = problem
        if node.parent is None:
            self.root_problem.emit(problem)
        else:
            node.state = Check.Unchecked
            self._tick_above(node)
        self._changed(node)

    # Ticks

    def tick(self, node: FolderNode, on: bool) -> None:
        """Tick or untick a folder with everything below it."""
        if not node.can_choose:
            return
        self._tick_below(node, Check.Checked if on else Check.Unchecked)
        self._tick_above(node)
        self._changed(node)
        self.chosen_changed.emit()

    def _tick_below(self, node: FolderNode, state: Qt.CheckState) -> None:
        node.state = state
        if not node.children:
            return
        for child in node.children:
            if child.can_choose:
                self._tick_below(child, state)
        if node.shown:
            parent = self._index(node)
            first, last = self.index(0, 0, parent), self.index(node.shown - 1, 1, parent)
            self.dataChanged.emit(first, last)

    def _tick_above(self, node: FolderNode) -> None:
        above = node.parent
        while above is not None:
            states = {child.state for child in above.children or () if child.can_choose}
            if states:
                above.state = states.pop() if len(states) == 1 else Check.PartiallyChecked
            self._changed(above)
            above = above.parent

    # What Qt asks for. An index holds the number of its parent's node; the top has none.

    def node(self, index: Index) -> FolderNode | None:
        """The folder of an index; None for the row that stands for the rest."""
        if not index.isValid() or not self._nodes:
            return None
        if index.internalId() == TOP:
            return self._nodes[0]
        above, row = self._nodes[index.internalId()], index.row()
        return above.children[row] if above.children and row < above.shown else None

    def index(self, row: int, column: int, parent: Index = NO_PARENT) -> QModelIndex:
        if not parent.isValid():
            return self.createIndex(row, column, TOP) if self._nodes and not row else QModelIndex()
        above = self.node(parent)
        if above is None or not 0 <= row < above.shown + bool(above.rest) or column > PICTURES:
            return QModelIndex()
        return self.createIndex(row, column, above.id)

    def parent(self, index: Index) -> QModelIndex:  # type: ignore[override]
        if not index.isValid() or index.internalId() == TOP or not self._nodes:
            return QModelIndex()
        return self._index(self._nodes[index.internalId()])

    def rowCount(self, parent: Index = NO_PARENT) -> int:
        if not parent.isValid():
            return len(self._nodes[:1])
        node = self.node(parent) if parent.column() == 0 else None
        if node is None or not node.children:
            return 0
        return node.shown + bool(node.rest)

    def columnCount(self, parent: Index = NO_PARENT) -> int:
        return 2

    def hasChildren(self, parent: Index = NO_PARENT) -> bool:
        if not parent.isValid():
            return bool(self._nodes)
        node = self.node(parent)
        if node is None or node.leaf or node.problem:
            return False
        return node.children is None or bool(node.shown)

    def canFetchMore(self, parent: Index) -> bool:
        node = self.node(parent) if parent.isValid() else None
        return node is not None and node.children is None and not node.leaf and node.can_choose

    def fetchMore(self, parent: Index) -> None:
        node = self.node(parent)
        if node is not None and node.children is None:
            self._open(node)

    def flags(self, index: Index) -> Qt.ItemFlag:
        node = self.node(index)
        if node is None or not node.can_choose:
            return Qt.ItemFlag.NoItemFlags
        return _CAN_TICK if index.column() == FOLDER else _CAN_SELECT

    def setData(self, index: Index, value: Any, role: int = ItemRole.EditRole) -> bool:
        node = self.node(index)
        if role != ItemRole.CheckStateRole or node is None:
            return False
        self.tick(node, Check(value) == Check.Checked)
        return True

    def data(self, index: Index, role: int = ItemRole.DisplayRole) -> Any:
        node = self.node(index)
        if node is None:
            return self._rest(index, role)
        if index.column() == PICTURES:
            return _count_data(node, role)
        if role in (ItemRole.DisplayRole, ItemRole.AccessibleTextRole):
            name = printable(os.path.basename(node.path) or node.path)
            return f"{name}  ({node.problem})" if node.problem and node.parent else name
        if role == ItemRole.CheckStateRole and node.can_choose:
            return node.state
        if role == ItemRole.DecorationRole:
            return icon("lock" if node.problem else "folder", "text-secondary")
        if role == ItemRole.ToolTipRole:
            problem = f"\n{node.problem}" if node.problem else ""
            return plain_tip(printable(node.path) + problem)
        return None

    def _rest(self, index: Index, role: int) -> Any:
        if index.column() != FOLDER or role not in (ItemRole.DisplayRole, ItemRole.ForegroundRole):
            return None
        if role == ItemRole.ForegroundRole:
            return theme().color("text-secondary")
        above = self._nodes[index.internalId()]
        self._reveal_soon(above)  # it is painted, so it is in sight
        return f"{words.count(above.rest)} more folders…"

    def _index(self, node: FolderNode) -> QModelIndex:
        return self.createIndex(node.row, 0, TOP if node.parent is None else node.parent.id)

    def _changed(self, node: FolderNode) -> None:
        if node.parent is None or node.row < node.parent.shown:
            first = self._index(node)
            self.dataChanged.emit(first, first.siblingAtColumn(PICTURES))

    def _flush(self) -> None:
        """Say what was counted since last time: one signal a folder, not one a subfolder."""
        rows: defaultdict[int, list[int]] = defaultdict(list)
        for node in self._dirty:
            if node.parent is None:
                rows[TOP].append(0)
            elif node.row < node.parent.shown:
                rows[node.parent.id].append(node.row)
        self._dirty.clear()
        for parent, changed in rows.items():
            first = self.createIndex(min(changed), FOLDER, parent)
            last = self.createIndex(max(changed), PICTURES, parent)
            self.dataChanged.emit(first, last)
        self.chosen_changed.emit()

    def _notify_soon(self) -> None:
        if not self._say.isActive():
            self._say.start()


def _listed(node: FolderNode) -> tuple[FolderListing, list[FolderNode]]:
    """Look into a folder; what is slow with very many subfolders, in a thread."""
    listing = list_folders(node.path)
    children = []
    for row, folder in enumerate(listing.folders):
        child = FolderNode(0, os.path.join(node.path, folder.name), node, row)
        child.problem = folder.problem
        children.append(child)
    return listing, children


def _count_data(node: FolderNode, role: int) -> Any:
    if role == ItemRole.TextAlignmentRole:
        return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
    if role == ItemRole.FontRole:
        return font("count")
    if role == ItemRole.ForegroundRole:
        return theme().color("text-secondary")
    if role != ItemRole.DisplayRole or node.problem:
        return None
    pictures, _, complete = total(node)
    if complete:
        return words.count(pictures)
    return f"{words.count(pictures)}…" if pictures else "…"
