"""The tree of folders and dates: how it is made, opened, closed and kept."""

from __future__ import annotations

import os

from page_parts import choose_node
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from app.api.library_schemas import FolderPictures, LibraryGroup, MonthPictures
from app.ui.pages.pictures.nodes import ALL_PICTURES, LibraryNode, date_nodes, folder_nodes
from app.ui.pages.pictures.tree import INDENT, GroupTree

Key = Qt.Key


def folders(*paths: str) -> list[LibraryNode]:
    """Nodes of these folders, each with one picture."""
    return folder_nodes([FolderPictures(path, 1) for path in paths])


def outline(nodes: list[LibraryNode]) -> list[str]:
    found = []
    for node in nodes:
        found.append(f"{'  ' * node.depth}{node.title} {node.total}")
        found += outline(node.children)
    return found


def test_folders_lie_within_each_other_and_are_added_up() -> None:
    nodes = folder_nodes(
        [
            FolderPictures("/home/anna/Pictures", 3),
            FolderPictures("/home/anna/Pictures/Italy/Rome", 20),
            FolderPictures("/home/anna/Pictures/Italy", 100),
        ]
    )
    assert outline(nodes) == [
        f"{ALL_PICTURES} 123",
        "/home/anna/Pictures 123",
        "  Italy 120",
        "    Rome 20",
    ]
    assert nodes[1].children[0].group == LibraryGroup(folder="/home/anna/Pictures/Italy")
    assert nodes[1].children[0].heading == "Italy"


def test_folders_that_hold_one_folder_only_become_part_of_its_name() -> None:
    assert outline(folders("/p/a/b/c", "/p/d")) == [
        f"{ALL_PICTURES} 2",
        "/p 2",
        f"  {os.path.join('a', 'b', 'c')} 1",
        "  d 1",
    ]


def test_several_places_stand_side_by_side_with_their_whole_path() -> None:
    assert outline(folders("/home/anna/Pictures", "/media/card/DCIM")) == [
        f"{ALL_PICTURES} 2",
        "/home/anna/Pictures 1",
        "/media/card/DCIM 1",
    ]


def test_pictures_in_the_root_of_the_file_system_have_a_node() -> None:
    assert outline(folders("/", "/a")) == [f"{ALL_PICTURES} 2", "/ 2", "  a 1"]


def test_names_are_sorted_as_people_count() -> None:
    nodes = folders("/p/day 10", "/p/Day 9", "/p/day 1", "/p/²")
    assert [child.title for child in nodes[1].children] == ["day 1", "Day 9", "day 10", "²"]


def test_names_that_are_not_utf_8_can_be_shown() -> None:
    nodes = folders("/p/a\udcff", "/p/b\nc")
    assert [child.title for child in nodes[1].children] == ["a�", "b⏎c"]
    assert nodes[1].children[0].group.folder == "/p/a\udcff"


def test_nothing_makes_no_nodes() -> None:
    assert folder_nodes([]) == []
    assert date_nodes([]) == []


def test_months_lie_in_their_years() -> None:
    nodes = date_nodes([MonthPictures(2024, 12, 5), MonthPictures(2024, 3, 2)])
    assert outline(nodes) == [
        f"{ALL_PICTURES} 7",
        "2024 7",
        "  December 5",
        "  March 2",
    ]
    assert nodes[1].children[0].heading == "December 2024"
    assert nodes[1].children[1].group == LibraryGroup(year=2024, month=3)


# The view


def shown(qtbot, *paths: str) -> tuple[GroupTree, list[str]]:
    tree = GroupTree("Folders")
    qtbot.addWidget(tree)
    picked: list[str] = []
    tree.picked.connect(lambda node: picked.append(node.key if node else "(none)"))
    tree.show_nodes(folders(*paths))
    tree.resize(240, 400)
    tree.show()
    return tree, picked


def rows(tree: GroupTree) -> list[str]:
    return [str(tree.nodes.index(row, 0).data()) for row in range(tree.nodes.rowCount())]


def test_the_first_node_is_chosen_at_first(qtbot) -> None:
    tree, picked = shown(qtbot, "/p/a", "/p/b")
    assert picked == [""]
    assert rows(tree) == [ALL_PICTURES, "/p", "a", "b"]
    choose_node(tree, "/p/b")
    assert picked == ["", "/p/b"]
    assert tree.chosen().key == "/p/b"


def test_keys_open_and_close(qtbot) -> None:
    tree, picked = shown(qtbot, "/p/a/b", "/p/a/c", "/p/d")
    choose_node(tree, "/p/a")
    assert rows(tree) == [ALL_PICTURES, "/p", "a", "d"]
    QTest.keyClick(tree, Key.Key_Right)
    assert rows(tree) == [ALL_PICTURES, "/p", "a", "b", "c", "d"]
    QTest.keyClick(tree, Key.Key_Down)
    assert tree.chosen().key == "/p/a/b"
    QTest.keyClick(tree, Key.Key_Left)
    assert tree.chosen().key == "/p/a"
    QTest.keyClick(tree, Key.Key_Left)
    assert rows(tree) == [ALL_PICTURES, "/p", "a", "d"]
    QTest.keyClick(tree, Key.Key_Left)
    assert tree.chosen().key == "/p"
    assert picked == ["", "/p/a", "/p/a/b", "/p/a", "/p"]


def test_a_click_on_the_arrow_opens_without_choosing(qtbot) -> None:
    tree, picked = shown(qtbot, "/p/a/b", "/p/a/c", "/p/d")
    place = tree.visualRect(tree.nodes.index(2, 0))
    arrow = QPoint(place.left() + INDENT + 8, place.center().y())
    QTest.mouseClick(tree.viewport(), Qt.MouseButton.LeftButton, pos=arrow)
    assert "b" in rows(tree)
    assert picked == [""]
    QTest.mouseClick(tree.viewport(), Qt.MouseButton.LeftButton, pos=arrow)
    assert "b" not in rows(tree)


def test_closing_over_the_chosen_node_chooses_what_is_closed(qtbot) -> None:
    tree, _ = shown(qtbot, "/p/a/b", "/p/a/c", "/p/d")
    tree._set_open(2, True)
    choose_node(tree, "/p/a/c")
    place = tree.visualRect(tree.nodes.index(1, 0))
    arrow = QPoint(place.left() + 8, place.center().y())
    QTest.mouseClick(tree.viewport(), Qt.MouseButton.LeftButton, pos=arrow)
    assert rows(tree) == [ALL_PICTURES, "/p"]
    assert tree.chosen().key == "/p"


def test_new_counts_keep_what_is_open_and_chosen(qtbot) -> None:
    tree, picked = shown(qtbot, "/p/a/b", "/p/a/c", "/p/d")
    tree._set_open(2, True)
    choose_node(tree, "/p/a/c")
    tree.show_nodes(folders("/p/a/aa", "/p/a/b", "/p/a/c", "/p/d"))
    assert rows(tree) == [ALL_PICTURES, "/p", "a", "aa", "b", "c", "d"]
    assert tree.chosen().key == "/p/a/c"
    assert picked == ["", "/p/a/c"]
    tree.show_nodes(folders("/p/d"))
    assert picked == ["", "/p/a/c", ""]
    tree.show_nodes([])
    assert tree.chosen() is None
    assert picked[-1] == "(none)"


def test_what_is_read_aloud_names_counts_and_state(qtbot) -> None:
    tree, _ = shown(qtbot, "/p/a/b", "/p/a/c", "/p/d")
    role = Qt.ItemDataRole.AccessibleTextRole
    assert tree.nodes.index(0, 0).data(role) == "All pictures, 3 pictures"
    assert tree.nodes.index(1, 0).data(role) == "/p, 3 pictures, open"
    assert tree.nodes.index(2, 0).data(role) == "/p/a, 2 pictures, closed"


def test_fifty_thousand_folders_open_without_asking_the_model_about_each(qtbot) -> None:
    tree, _ = shown(qtbot, *(f"/p/x/{number:05}" for number in range(50_000)), "/p/y")
    asked: list[int] = []
    data = tree.nodes.data
    tree.nodes.data = lambda index, role=0: asked.append(index.row()) or data(index, role)
    tree._set_open(2, True)
    tree.grab()
    assert tree.nodes.rowCount() == 50_004
    assert len(set(asked)) < 100
    tree.scrollToBottom()
    tree.grab()
    assert len(set(asked)) < 200
