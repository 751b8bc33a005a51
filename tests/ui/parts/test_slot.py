"""Buttons that come and go in places of their own."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QHBoxLayout, QPushButton, QWidget

from app.ui.parts import slot
from app.ui.parts.slot import Slot


class Row(QWidget):
    """Pause and Resume in one place, Cancel beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.pause, self.resume, self.cancel = map(QPushButton, ("Pause", "Resume", "Cancel"))
        self.first = Slot([self.pause, self.resume], ["Pausing for a while…"])
        self.second = Slot([self.cancel])
        row = QHBoxLayout(self)
        row.addWidget(self.first)
        row.addWidget(self.second)
        self.first.show_button(self.pause)
        self.second.show_button(self.cancel)


@pytest.fixture
def row(qtbot) -> Row:
    row = Row()
    qtbot.addWidget(row)
    row.show()
    row.activateWindow()
    qtbot.waitUntil(row.isActiveWindow)
    return row


def click(item: QWidget) -> None:
    """Click where it is, whatever is there."""
    row = item.window()
    place = item.mapTo(row, item.rect().center())
    there = row.childAt(place) or row
    QTest.mouseClick(there, Qt.MouseButton.LeftButton, pos=there.mapFrom(row, place))


def test_a_place_keeps_its_room_whatever_is_in_it(row) -> None:
    places = row.first.geometry(), row.second.geometry()
    width = row.pause.width()
    for wanted in (row.resume, None, row.pause):
        row.first.show_button(wanted)
        QApplication.processEvents()
        assert (row.first.geometry(), row.second.geometry()) == places
    row.second.show_button(None)
    row.pause.setText("Pausing for a while…")
    QApplication.processEvents()
    assert row.first.geometry() == places[0]
    assert row.pause.width() == width >= row.pause.sizeHint().width()
    assert not row.cancel.isVisible()


def test_what_has_just_come_takes_no_click_that_was_meant_for_another(
    row, qtbot, monkeypatch
) -> None:
    monkeypatch.setattr(slot, "SETTLED_AFTER_MS", 50)
    clicked = []
    for item in (row.pause, row.resume):
        item.clicked.connect(lambda _=False, item=item: clicked.append(item))
    click(row.pause)
    row.first.show_button(row.resume)
    click(row.pause)
    assert clicked == [row.pause]
    ignores = Qt.WidgetAttribute.WA_TransparentForMouseEvents
    qtbot.waitUntil(lambda: not row.resume.testAttribute(ignores))
    click(row.resume)
    assert clicked == [row.pause, row.resume]


def test_the_keyboard_stays_in_the_place(row, qtbot) -> None:
    row.pause.setFocus()
    qtbot.waitUntil(row.pause.hasFocus)
    row.first.show_button(row.resume)
    qtbot.waitUntil(row.resume.hasFocus)
    row.first.show_button(None)
    row.first.show_button(row.pause)
    qtbot.waitUntil(row.pause.hasFocus)
