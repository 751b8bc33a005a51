"""The frame: places, menus, title, what it remembers, how it closes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from PySide6.QtCore import QSettings, QSize, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QApplication, QLabel, QMenu, QSplitter, QWidget

from app.ui.parts.commands import PAGES
from app.ui.parts.fitting import room_for
from app.ui.parts.theme import theme
from app.ui.shell import main, paths
from app.ui.shell.close_dialog import CloseDialog
from app.ui.shell.single_instance import SingleInstance
from app.ui.shell.window import MainWindow


@pytest.fixture
def make(qt_loop: Any, tmp_path: Path) -> Callable[[], MainWindow]:
    def build() -> MainWindow:
        window = MainWindow(QSettings(str(tmp_path / "w.ini"), QSettings.Format.IniFormat))
        window.show()
        return window

    return build


def test_it_opens_on_the_sessions_the_first_time(make: Callable[[], MainWindow]) -> None:
    window = make()
    assert window.current_page() == "sessions"
    assert window.rail.buttons["sessions"].isChecked()
    assert window.windowTitle() == "Afterimage"


def test_pages_are_shown_by_rail_menu_and_shortcut(
    make: Callable[[], MainWindow], qtbot: Any
) -> None:
    window = make()
    pages = {key: QWidget() for key, _ in PAGES}
    for key, page in pages.items():
        window.add_page(key, page)
    window.rail.buttons["failed"].click()
    assert window.stack.currentWidget() is pages["failed"]
    window.commands.pages["system"].trigger()
    assert window.stack.currentWidget() is pages["system"]
    assert window.rail.buttons["system"].isChecked()
    assert not window.rail.buttons["failed"].isChecked()
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    qtbot.keyClick(window, Qt.Key.Key_2, Qt.KeyboardModifier.ControlModifier)
    assert window.stack.currentWidget() is pages["sessions"]


def test_clicking_the_place_one_is_at_keeps_it(make: Callable[[], MainWindow]) -> None:
    window = make()
    window.rail.buttons["sessions"].click()
    assert window.rail.buttons["sessions"].isChecked()


def test_a_page_that_comes_late_is_shown_where_it_is_waited_for(
    make: Callable[[], MainWindow],
) -> None:
    window = make()
    window.show_page("failed")
    page = QLabel()
    window.add_page("sessions", QLabel())
    window.add_page("failed", page)
    assert window.stack.currentWidget() is page


def test_a_page_is_built_step_by_step_and_first_the_one_that_is_waited_for(
    make: Callable[[], MainWindow], qtbot: Any
) -> None:
    window, built = make(), list[str]()

    def steps(name: str, page: QWidget) -> Iterator[QWidget | None]:
        for step in range(3):
            built.append(f"{name} {step}")
            yield None
        yield page

    pages = {key: QLabel() for key in ("pictures", "models")}
    for key, page in pages.items():
        window.offer_page(key, steps(key, page))
    assert built == []  # nothing in the turn that offers it
    window.show_page("models")
    qtbot.waitUntil(lambda: window.stack.currentWidget() is pages["models"])
    assert built[:3] == ["models 0", "models 1", "models 2"]
    qtbot.waitUntil(lambda: window.stack.indexOf(pages["pictures"]) >= 0)
    assert built[3:] == ["pictures 0", "pictures 1", "pictures 2"]


def test_a_page_that_is_needed_at_once_is_finished_at_once(
    make: Callable[[], MainWindow],
) -> None:
    window, page = make(), QLabel()
    window.offer_page("pictures", iter([None, None, page]))
    window.have_page("pictures")
    window.have_page("pictures")
    window.show_page("pictures")
    assert window.stack.currentWidget() is page


def test_it_remembers_geometry_page_splitters_and_colours(
    make: Callable[[], MainWindow],
) -> None:
    def page_with_splitter(window: MainWindow) -> QSplitter:
        splitter = QSplitter()
        splitter.setObjectName("parts")
        splitter.addWidget(QLabel("a"))
        splitter.addWidget(QLabel("b"))
        page = QSplitter()
        page.addWidget(splitter)
        window.add_page("system", page)
        return splitter

    first = make()
    first.resize(798, 765)  # no wider than the screen of these tests
    splitter = page_with_splitter(first)
    first.show_page("system")
    QApplication.processEvents()
    splitter.setSizes([700, 300])
    first.commands.schemes["dark"].trigger()
    sizes = splitter.sizes()
    first.let_close()
    second = make()
    assert second.height() == 765
    assert second.current_page() == "system"
    assert theme().scheme == "dark"
    again = page_with_splitter(second)
    QApplication.processEvents()
    assert again.sizes() == sizes
    second.commands.schemes["system"].trigger()


@pytest.mark.parametrize("former", ["search", "library"])
def test_a_place_of_an_earlier_version_is_where_its_pictures_are(
    former: str, tmp_path: Path, make: Callable[[], MainWindow]
) -> None:
    (tmp_path / "w.ini").write_text(f"[window]\npage={former}\n")
    assert make().current_page() == "pictures"


def test_a_damaged_memory_is_no_obstacle(tmp_path: Path, make: Callable[[], MainWindow]) -> None:
    (tmp_path / "w.ini").write_text("[window]\ngeometry=rubbish\npage=nowhere\ncolours=7\n")
    window = make()
    assert window.current_page() == "sessions"


def test_every_action_has_a_place_in_the_menu(make: Callable[[], MainWindow]) -> None:
    window = make()
    menus = window.menuBar().findChildren(QMenu)
    placed = {action for menu in menus for action in menu.actions()}
    missing = [a.text() for a in window.commands.findChildren(QAction) if a not in placed]
    assert not missing


def test_shortcuts_are_not_given_twice(make: Callable[[], MainWindow]) -> None:
    shortcuts = [
        action.shortcut().toString()
        for action in make().commands.findChildren(QAction)
        if not action.shortcut().isEmpty()
    ]
    assert len(shortcuts) == len(set(shortcuts))


def test_the_title_tells_the_progress(make: Callable[[], MainWindow]) -> None:
    window = make()
    window.set_progress(42.7, "Holiday")
    assert window.windowTitle() == "42 % — Holiday — Afterimage"
    window.set_progress(99.99, "a" * 300)
    assert window.windowTitle().startswith("99 % — aaa")
    assert len(window.windowTitle()) < 80
    window.set_progress(None)
    assert window.windowTitle() == "Afterimage"


def test_the_count_of_failed_pictures_is_read_out(make: Callable[[], MainWindow]) -> None:
    window = make()
    window.set_failed_count(12_345)
    assert window.rail.buttons["failed"].accessibleName() == "Failed, 12,345 pictures"
    window.set_failed_count(0)
    assert window.rail.buttons["failed"].accessibleName() == "Failed"


def test_it_says_whether_it_is_seen(make: Callable[[], MainWindow]) -> None:
    window = make()
    seen: list[bool] = []
    window.seen.connect(seen.append)
    window.hide()
    window.come_forward()
    assert seen[0] is False
    assert seen[-1] is True
    assert window.isVisible()


def test_closing_asks_first(make: Callable[[], MainWindow]) -> None:
    window = make()
    asked: list[None] = []
    window.closing.connect(lambda: asked.append(None))
    window.commands.quit.trigger()
    assert asked == [None]
    assert window.isVisible()
    window.let_close()
    assert not window.isVisible()
    assert asked == [None]


def test_a_message_leaves_only_quitting(make: Callable[[], MainWindow]) -> None:
    window = make()
    window.show_message("warning-circle", "The disk is full.", "Free some space.")
    assert window.stack.currentWidget().accessibleName() == "The disk is full."
    assert not window.commands.new_session.isEnabled()
    assert window.commands.quit.isEnabled()
    assert not window.rail.isEnabled()


def test_the_smallest_size_is_900_by_600_or_that_of_the_screen(
    make: Callable[[], MainWindow],
) -> None:
    window = make()
    window.resize(100, 100)
    assert window.size() == QSize(900, 600).boundedTo(room_for(window))
    assert window.height() == 600


# The question at the end


def test_the_close_question_defaults_to_staying(
    qt_loop: Any, make: Callable[[], MainWindow], qtbot: Any
) -> None:
    chosen: list[str] = []
    dialog = CloseDialog(make(), ["Holiday"], tray_available=True)
    dialog.tray.connect(lambda: chosen.append("tray"))
    dialog.pause_and_quit.connect(lambda: chosen.append("quit"))
    dialog.open()
    assert dialog.stay_button.isDefault()
    qtbot.keyClick(dialog, Qt.Key.Key_Return)
    assert not dialog.isVisible()
    assert chosen == []


def test_the_close_question_offers_the_tray_only_where_there_is_one(
    qt_loop: Any, make: Callable[[], MainWindow]
) -> None:
    window = make()
    without = CloseDialog(window, ["Holiday"], tray_available=False)
    without.open()
    assert not without.tray_button.isVisible()
    without.reject()
    chosen: list[str] = []
    dialog = CloseDialog(window, ["Holiday", "Scans"], tray_available=True)
    dialog.tray.connect(lambda: chosen.append("tray"))
    dialog.open()
    assert dialog.tray_button.isVisible()
    dialog.tray_button.click()
    assert chosen == ["tray"]


# Where things lie


def test_the_data_folder_is_the_one_of_the_settings(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.config import get_settings

    assert paths.data_dir() == get_settings().data_dir == data_dir
    monkeypatch.delenv("AFTERIMAGE_DATA_DIR")
    get_settings.cache_clear()
    assert paths.data_dir() == get_settings().data_dir


@pytest.mark.parametrize("folder", ["plain", "what? 100% #1 'Bücher'", "a very long name " * 7])
def test_each_data_folder_has_an_instance_of_its_own(
    qt_loop: Any, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    with TemporaryDirectory(prefix="s", dir="/tmp") as short:
        monkeypatch.setenv("XDG_RUNTIME_DIR", short)
        names = []
        for number in "12":
            monkeypatch.setenv("AFTERIMAGE_DATA_DIR", str(Path(short, folder + number)))
            names.append(paths.instance_name())
        instances = [SingleInstance(name) for name in names]
        assert all(instance.claim() for instance in instances)
        for name, instance in zip(names, instances, strict=True):
            assert Path(name).parent.stat().st_mode & 0o777 == 0o700
            assert Path(name).stat().st_mode & 0o077 == 0
            assert Path(name).is_relative_to(short)
            assert not SingleInstance(name).claim()
            instance.release()


def test_the_memory_lies_in_the_data_folder(qt_loop: Any, data_dir: Path) -> None:
    assert Path(main.memory().fileName()) == data_dir / "window.ini"


@pytest.mark.parametrize("name", ["what? 100% #1 'Bücher'", "line\nbreak", "\udcff"])
def test_the_memory_never_lies_beside_the_data_folder(
    qt_loop: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    data_dir = tmp_path / "data" / name
    data_dir.mkdir(parents=True)
    monkeypatch.setenv("AFTERIMAGE_DATA_DIR", str(data_dir))
    memory = main.memory()
    memory.setValue("key", "value")
    memory.sync()
    assert list((tmp_path / "data").iterdir()) == [data_dir]
    assert main.memory().value("key") == "value"
