"""The folders of the tree, what is ticked of them, and what that comes to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from PySide6.QtCore import Qt

from app.ui.pages.sessions.folder_scan import Count

Check = Qt.CheckState


class FolderNode:
    """One folder; its children are known once it was opened."""

    __slots__ = (
        "children",
        "id",
        "leaf",
        "own",
        "parent",
        "path",
        "problem",
        "rest",
        "row",
        "shown",
        "state",
        "whole",
    )

    def __init__(self, number: int, path: str, parent: FolderNode | None, row: int) -> None:
        self.id, self.path, self.parent, self.row = number, path, parent, row
        self.children: list[FolderNode] | None = None
        self.shown = 0
        self.rest = 0
        """Those not shown yet, for which one row stands."""
        self.state: Check = Check.Checked if parent is None else parent.state
        self.problem = ""
        self.leaf = False
        self.whole: Count | None = None
        """With everything below."""
        self.own: Count | None = None
        """Directly in it; only counted where it is opened."""

    @property
    def can_choose(self) -> bool:
        return not self.problem


@dataclass(slots=True)
class Chosen:
    """What the check boxes come to."""

    folders: list[str]
    """The least number of folders; none where the whole root is ticked."""
    nothing: bool
    pictures: int
    size: int
    complete: bool
    """Everything that is ticked has been counted."""
    left_out: int
    """Pictures that are directly in folders of which only some subfolders are ticked."""
    partly: list[str]
    """Those folders."""


def chosen(root: FolderNode | None) -> Chosen:
    """What the check boxes under ``root`` come to."""
    result = Chosen([], True, 0, 0, True, 0, [])
    if root is None:
        return result
    for node in _ticked(root):
        pictures, size, complete = total(node)
        result.folders.append(node.path)
        result.pictures += pictures
        result.size += size
        result.complete = result.complete and complete
    for node in _partly(root):
        if node.own is None or node.own.pictures:
            result.partly.append(node.path)
            result.left_out += node.own.pictures if node.own else 0
    result.nothing = not result.folders
    if root.state == Check.Checked:
        result.folders = []
    return result


def total(node: FolderNode) -> tuple[int, int, bool]:
    """Pictures and bytes of a folder with everything below, and whether all is counted."""
    if node.problem:
        return 0, 0, True
    if node.whole is not None:
        return node.whole.pictures, node.whole.size, True
    if not node.children:
        return 0, 0, False
    own = node.own or Count()
    pictures, size, complete = own.pictures, own.size, node.own is not None
    for child in node.children:
        more = total(child)
        pictures, size = pictures + more[0], size + more[1]
        complete = complete and more[2]
    return pictures, size, complete


def _ticked(node: FolderNode) -> Iterator[FolderNode]:
    if node.state == Check.Checked and node.can_choose:
        yield node
    elif node.state == Check.PartiallyChecked:
        for child in node.children or ():
            yield from _ticked(child)


def _partly(node: FolderNode) -> Iterator[FolderNode]:
    if node.state == Check.PartiallyChecked:
        yield node
        for child in node.children or ():
            yield from _partly(child)
