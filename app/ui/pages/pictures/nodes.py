"""Folders and dates as a tree: made from plain counts, in a thread, as there may be many."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from datetime import date

from app.api.library_schemas import FolderPictures, LibraryGroup, MonthPictures
from app.printable import printable
from app.ui.parts import words

ALL_PICTURES = "All pictures"


class LibraryNode:
    """A group of pictures, and the groups within it."""

    __slots__ = ("children", "depth", "group", "hint", "key", "own", "title", "total")

    @property
    def heading(self) -> str:
        """The title where it stands alone."""
        if self.group.folder is not None:
            return printable(os.path.basename(self.group.folder) or self.group.folder)
        return self.hint

    def __init__(self, key: str, title: str, group: LibraryGroup, own: int, hint: str = "") -> None:
        self.key, self.title, self.group, self.own = key, title, group, own
        self.hint = hint or title
        self.total = own
        self.depth = 0
        self.children: list[LibraryNode] = []


def folder_nodes(folders: Sequence[FolderPictures]) -> list[LibraryNode]:
    """All pictures, then the folders that hold some, one within the other."""
    everything = sum(item.pictures for item in folders)
    if not folders:
        return []
    nodes: dict[str, LibraryNode] = {}
    tops: list[LibraryNode] = []
    for item in folders:
        _folder(item.path, nodes, tops).own = item.pictures
    while len(tops) == 1 and not tops[0].own and len(tops[0].children) > 1 and _is_root(tops[0]):
        tops = tops[0].children  # "/" itself tells nothing
    tops = [_shortened(top) for top in tops]
    for top in tops:
        top.title = printable(top.key)
        _add_up(top, 0)
    return [_all_pictures(everything), *_sorted(tops)]


def _folder(path: str, nodes: dict[str, LibraryNode], tops: list[LibraryNode]) -> LibraryNode:
    """The node of a folder, made together with those above it."""
    made: list[LibraryNode] = []
    while path not in nodes:
        title = printable(os.path.basename(path) or path)
        node = LibraryNode(path, title, LibraryGroup(folder=path), 0, printable(path))
        nodes[path] = node
        if made:
            node.children.append(made[-1])
        made.append(node)
        above = os.path.dirname(path)
        if above == path:
            tops.append(node)
            return made[0]
        path = above
    if made:
        nodes[path].children.append(made[-1])
        return made[0]
    return nodes[path]


def _is_root(node: LibraryNode) -> bool:
    return os.path.dirname(node.key) == node.key


def _shortened(node: LibraryNode) -> LibraryNode:
    """Without folders that hold nothing but one other folder: they become part of its name."""
    titles = [node.title]
    while not node.own and len(node.children) == 1:
        node = node.children[0]
        titles.append(node.title)
    node.title = os.path.join(*titles)
    node.children = [_shortened(child) for child in node.children]
    return node


def _add_up(node: LibraryNode, depth: int) -> None:
    node.depth = depth
    for child in node.children:
        _add_up(child, depth + 1)
    node.children = _sorted(node.children)
    node.total = node.own + sum(child.total for child in node.children)


def _sorted(nodes: Iterable[LibraryNode]) -> list[LibraryNode]:
    """By name, numbers in names by their value."""
    return sorted(nodes, key=lambda node: words.sort_key(node.title))


def date_nodes(months: Sequence[MonthPictures]) -> list[LibraryNode]:
    """All pictures, then years with their months, the newest first."""
    if not months:
        return []
    years: dict[int, LibraryNode] = {}
    for item in months:
        year = years.setdefault(
            item.year, LibraryNode(str(item.year), str(item.year), LibraryGroup(year=item.year), 0)
        )
        name = f"{date(item.year, item.month, 1):%B}"
        group = LibraryGroup(year=item.year, month=item.month)
        key = f"{item.year}-{item.month:02}"
        year.children.append(LibraryNode(key, name, group, item.pictures, f"{name} {item.year}"))
    for year in years.values():
        year.total = sum(month.total for month in year.children)
        for month in year.children:
            month.depth = 1
    everything = sum(item.pictures for item in months)
    return [_all_pictures(everything), *years.values()]


def _all_pictures(number: int) -> LibraryNode:
    return LibraryNode("", ALL_PICTURES, LibraryGroup(), number)
