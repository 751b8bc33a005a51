"""The tree of folders: lazily loaded, ticked as a whole or in part, counted beside the window."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest
from page_parts import Parts
from PySide6.QtCore import QModelIndex, Qt
from PySide6.QtTest import QAbstractItemModelTester

from app.scan.discovery import PictureCounter
from app.ui.pages.sessions import folder_scan
from app.ui.pages.sessions.folder_model import FOLDER, PAGE, PICTURES, FolderTreeModel
from app.ui.pages.sessions.folder_nodes import FolderNode, total
from app.ui.pages.sessions.folder_scan import FORBIDDEN, LINK, list_folders
from app.ui.pages.sessions.folder_tree import FolderTree

Check = Qt.CheckState
FATAL = QAbstractItemModelTester.FailureReportingMode.Fatal


def fill(root: Path, folders: dict[str, int]) -> str:
    """Folders with so many (tiny) pictures each."""
    for name, number in folders.items():
        folder = root / name
        folder.mkdir(parents=True, exist_ok=True)
        for picture in range(number):
            (folder / f"{picture}.jpg").write_bytes(b"x" * 10)
    return str(root)


def index_of(model: FolderTreeModel, *names: str) -> QModelIndex:
    """The index of a folder below the root, by the names on the way."""
    index = model.index(0, 0)
    for name in names:
        rows = range(model.rowCount(index))
        found = [model.index(row, 0, index) for row in rows]
        index = next(item for item in found if item.data().split("  (")[0] == name)
    return index


def node_of(model: FolderTreeModel, *names: str) -> FolderNode:
    node = model.node(index_of(model, *names))
    assert node is not None
    return node


async def opened(qt_loop: Any, parts: Parts, backend: Any, root: str) -> FolderTree:
    tree = parts.show(FolderTree(parts.poller.track), 500, 400)
    tree.folders.set_root(root, PictureCounter())
    await qt_loop.until(lambda: tree.folders.root.shown or tree.folders.root.leaf)
    await qt_loop.until(lambda: not tree.folders.counting)
    return tree


async def unfold(qt_loop: Any, tree: FolderTree, *names: str) -> None:
    tree.setExpanded(index_of(tree.folders, *names), True)
    node = node_of(tree.folders, *names)
    await qt_loop.until(lambda: node.shown or node.leaf)
    await qt_loop.until(lambda: not tree.folders.counting)


def test_all_is_ticked_and_counted_at_first(qt_loop, backend, tmp_path) -> None:
    root = fill(tmp_path / "pics", {"": 2, "a": 3, "b/c": 4, ".hidden": 9, "empty": 0})
    (tmp_path / "pics" / "b" / "note.txt").touch()

    async def steps() -> None:
        async with Parts(backend) as parts:
            tree = await opened(qt_loop, parts, backend, root)
            model = tree.folders
            QAbstractItemModelTester(model, FATAL, tree)
            names = [model.index(row, 0, model.index(0, 0)).data() for row in range(3)]
            assert names == ["a", "b", "empty"]
            counts = [model.index(row, PICTURES, model.index(0, 0)).data() for row in range(3)]
            assert counts == ["3", "4", "0"]
            assert model.index(0, PICTURES).data() == "9"
            chosen = model.chosen()
            assert (chosen.folders, chosen.nothing) == ([], False)
            assert (chosen.pictures, chosen.size, chosen.complete) == (9, 90, True)
            assert tree.isExpanded(model.index(0, 0))

    qt_loop.run(steps())


def test_ticks_come_to_the_least_number_of_folders(qt_loop, backend, tmp_path) -> None:
    root = fill(tmp_path / "pics", {"": 1, "a/x": 1, "a/y": 2, "b": 4, "c": 8})

    async def steps() -> None:
        async with Parts(backend) as parts:
            tree = await opened(qt_loop, parts, backend, root)
            model = tree.folders
            await unfold(qt_loop, tree, "a")
            model.tick(node_of(model, "b"), False)
            assert model.root.state == Check.PartiallyChecked
            folders = [os.path.relpath(path, root) for path in model.chosen().folders]
            assert folders == ["a", "c"]  # a as a whole, never its children
            model.tick(node_of(model, "a", "x"), False)
            chosen = model.chosen()
            assert [os.path.relpath(path, root) for path in chosen.folders] == ["a/y", "c"]
            assert chosen.pictures == 10
            assert node_of(model, "a").state == Check.PartiallyChecked
            model.tick(node_of(model, "a", "x"), True)
            assert node_of(model, "a").state == Check.Checked
            model.tick(node_of(model, "b"), True)
            assert model.root.state == Check.Checked
            assert model.chosen().folders == []
            model.tick(model.root, False)
            assert model.chosen().nothing
            assert node_of(model, "a", "y").state == Check.Unchecked

    qt_loop.run(steps())


def test_pictures_beside_ticked_folders_are_reported(qt_loop, backend, tmp_path) -> None:
    root = fill(tmp_path / "pics", {"": 5, "a": 3, "b": 4})

    async def steps() -> None:
        async with Parts(backend) as parts:
            tree = await opened(qt_loop, parts, backend, root)
            model = tree.folders
            assert model.chosen().left_out == 0
            model.tick(node_of(model, "b"), False)
            chosen = model.chosen()
            assert (chosen.left_out, chosen.partly, chosen.pictures) == (5, [root], 3)

    qt_loop.run(steps())


def test_what_is_opened_later_is_ticked_like_its_parent(qt_loop, backend, tmp_path) -> None:
    root = fill(tmp_path / "pics", {"a/x": 1, "b/y": 2})

    async def steps() -> None:
        async with Parts(backend) as parts:
            tree = await opened(qt_loop, parts, backend, root)
            model = tree.folders
            model.tick(node_of(model, "a"), False)
            await unfold(qt_loop, tree, "a")
            await unfold(qt_loop, tree, "b")
            assert node_of(model, "a", "x").state == Check.Unchecked
            assert node_of(model, "b", "y").state == Check.Checked

    qt_loop.run(steps())


def test_a_folder_without_subfolders_cannot_be_unfolded(qt_loop, backend, tmp_path) -> None:
    root = fill(tmp_path / "pics", {"a/x": 1, "b": 2})

    async def steps() -> None:
        async with Parts(backend) as parts:
            tree = await opened(qt_loop, parts, backend, root)
            assert tree.folders.hasChildren(index_of(tree.folders, "a"))
            assert not tree.folders.hasChildren(index_of(tree.folders, "b"))

    qt_loop.run(steps())


def test_a_click_on_the_box_ticks(qt_loop, backend, tmp_path, qtbot) -> None:
    root = fill(tmp_path / "pics", {"a": 1, "b": 2})

    async def steps() -> None:
        async with Parts(backend) as parts:
            tree = await opened(qt_loop, parts, backend, root)
            tree.setCurrentIndex(index_of(tree.folders, "a"))
            tree.setFocus()
            qtbot.keyClick(tree, Qt.Key.Key_Space)
            assert node_of(tree.folders, "a").state == Check.Unchecked
            assert tree.folders.root.state == Check.PartiallyChecked
            qtbot.keyClick(tree, Qt.Key.Key_Space)
            assert tree.folders.root.state == Check.Checked

    qt_loop.run(steps())


def test_ten_thousand_folders_come_page_by_page(qt_loop, backend, tmp_path) -> None:
    for number in range(10_000):
        (tmp_path / "pics" / f"{number:05d}").mkdir(parents=True)

    async def steps() -> None:
        async with Parts(backend) as parts:
            tree = parts.show(FolderTree(parts.poller.track), 500, 400)
            tree.folders.set_root(str(tmp_path / "pics"), PictureCounter())
            await qt_loop.until(lambda: tree.folders.root.shown)
            root = tree.folders.index(0, 0)
            assert tree.folders.rowCount(root) == PAGE + 1
            rest = tree.folders.index(PAGE, 0, root)
            assert rest.data() == "9,500 more folders…"
            await qt_loop.until(lambda: tree.folders.rowCount(root) == 2 * PAGE + 1)
            for _ in range(3):
                tree.scrollToBottom()
                rows = tree.folders.rowCount(root)
                await qt_loop.until(lambda rows=rows: tree.folders.rowCount(root) > rows)
            tree.folders.tick(tree.folders.root.children[9_999], False)
            assert len(tree.folders.chosen().folders) == 9_999
            tree.folders.close()

    qt_loop.run(steps(), timeout=60)


def test_paging_keeps_the_model_consistent(qt_loop, backend, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("app.ui.pages.sessions.folder_model.PAGE", 3)
    root = fill(tmp_path / "pics", {f"{number}": 1 for number in range(10)})

    async def steps() -> None:
        async with Parts(backend) as parts:
            tree = parts.show(FolderTree(parts.poller.track), 500, 700)
            QAbstractItemModelTester(tree.folders, FATAL, tree)
            tree.folders.set_root(root, PictureCounter())
            above = tree.folders.index(0, 0)

            def names() -> list[str]:
                rows = range(tree.folders.rowCount(above))
                return [tree.folders.index(row, FOLDER, above).data() for row in rows]

            # not the number of rows: "1 more folders…" is one, too
            await qt_loop.until(lambda: names() == [str(number) for number in range(10)])
            await qt_loop.until(lambda: not tree.folders.counting)

    qt_loop.run(steps())


def test_folders_that_cannot_be_read_are_grey_and_say_why(
    qt_loop, backend, tmp_path, monkeypatch
) -> None:
    root = fill(tmp_path / "pics", {"open": 2, "shut": 3})
    os.symlink(tmp_path / "pics" / "open", tmp_path / "pics" / "way")
    reachable = os.access
    monkeypatch.setattr(
        folder_scan.os, "access", lambda path, mode: "shut" not in path and reachable(path, mode)
    )

    async def steps() -> None:
        async with Parts(backend) as parts:
            tree = await opened(qt_loop, parts, backend, root)
            model = tree.folders
            shut = index_of(model, "shut")
            assert shut.data() == f"shut  ({FORBIDDEN})"
            assert not model.flags(shut) & Qt.ItemFlag.ItemIsEnabled
            assert not model.hasChildren(shut)
            assert LINK in index_of(model, "way").data()
            assert model.chosen().folders == []  # what cannot be chosen does not make it partial
            assert model.chosen().pictures == 2
            model.tick(node_of(model, "shut"), True)
            model.tick(node_of(model, "open"), False)
            assert model.chosen().nothing
            tree.grab()

    qt_loop.run(steps())


def test_a_root_that_is_gone_is_a_problem(qt_loop, backend, tmp_path, qtbot) -> None:
    async def steps() -> None:
        async with Parts(backend) as parts:
            tree = parts.show(FolderTree(parts.poller.track))
            said: list[str] = []
            tree.folders.root_problem.connect(said.append)
            tree.folders.set_root(str(tmp_path / "gone"), PictureCounter())
            await qt_loop.until(lambda: said)
            assert "does not exist" in said[0]

    qt_loop.run(steps())


def test_closing_ends_the_counting(qt_loop, backend, tmp_path) -> None:
    root = fill(tmp_path / "pics", {str(number): 1 for number in range(300)})

    async def steps() -> None:
        async with Parts(backend) as parts:
            tree = parts.show(FolderTree(parts.poller.track))
            tree.folders.set_root(root, PictureCounter())
            await qt_loop.until(lambda: any(n.whole for n in tree.folders.root.children or ()))
            tree.folders.close()
            counted = sum(node.whole is not None for node in tree.folders.root.children)
            await asyncio.sleep(0.1)
            assert sum(n.whole is not None for n in tree.folders.root.children) == counted < 300

    qt_loop.run(steps())


def test_another_root_takes_over_while_the_first_is_counted(qt_loop, backend, tmp_path) -> None:
    first = fill(tmp_path / "one", {str(number): 1 for number in range(200)})
    second = fill(tmp_path / "two", {"x": 2})

    async def steps() -> None:
        async with Parts(backend) as parts:
            tree = parts.show(FolderTree(parts.poller.track))
            tree.folders.set_root(first, PictureCounter())
            tree.folders.set_root(second, PictureCounter())
            await qt_loop.until(lambda: tree.folders.chosen().pictures == 2)
            await qt_loop.until(lambda: not tree.folders.counting)
            assert tree.folders.chosen().pictures == 2

    qt_loop.run(steps())


def test_other_file_types_are_counted_anew(qt_loop, backend, tmp_path) -> None:
    root = fill(tmp_path / "pics", {"": 1, "a": 3})
    (tmp_path / "pics" / "a" / "x.png").write_bytes(b"12345")

    async def steps() -> None:
        async with Parts(backend) as parts:
            tree = await opened(qt_loop, parts, backend, root)
            tree.folders.tick(node_of(tree.folders, "a"), True)
            tree.folders.recount(PictureCounter(["png"]))
            assert not tree.folders.chosen().complete
            await qt_loop.until(lambda: tree.folders.chosen().complete)
            chosen = tree.folders.chosen()
            assert (chosen.pictures, chosen.size) == (1, 5)

    qt_loop.run(steps())


ODD = [os.fsdecode(b"caf\xe9 \xff"), "two\nlines", "\U0001f431", "x" * 200]


@pytest.mark.parametrize("name", ODD)
def test_every_name_can_be_shown_and_chosen(qt_loop, backend, tmp_path, name) -> None:
    root = fill(tmp_path / "pics", {name: 2, "other": 1})

    async def steps() -> None:
        async with Parts(backend) as parts:
            tree = await opened(qt_loop, parts, backend, root)
            tree.folders.tick(node_of(tree.folders, "other"), False)
            chosen = tree.folders.chosen()
            assert chosen.folders == [os.path.join(root, name)]
            assert chosen.pictures == 2
            tree.grab()

    qt_loop.run(steps())


def test_folders_are_listed_as_people_sort(tmp_path) -> None:
    root = fill(tmp_path / "pics", {"b": 0, "A": 0, "a": 0, "C": 0})
    assert [folder.name for folder in list_folders(root).folders] == ["A", "a", "b", "C"]


def test_a_total_is_incomplete_until_everything_is_counted() -> None:
    assert total(FolderNode(0, "/p", None, 0)) == (0, 0, False)
