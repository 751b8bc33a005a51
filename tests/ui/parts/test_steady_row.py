"""Buttons that come and go."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QEnterEvent
from PySide6.QtWidgets import QApplication, QPushButton

from app.ui.parts.steady_row import SteadyRow


@pytest.fixture
def row(qtbot) -> SteadyRow:
    names = ("Update", "Retry", "Pause", "Resume", "Cancel")
    buttons = {name: QPushButton(name) for name in names}
    row = SteadyRow(list(buttons.values()), [buttons["Pause"], buttons["Resume"]])
    qtbot.addWidget(row)
    row.move(300, 300)  # the mouse of these tests is at the top left
    row.show()
    return row


def show(row: SteadyRow, *names: str) -> list[str]:
    row.show_only([item for item in row._buttons if item.text() in names])
    return shown(row)


def shown(row: SteadyRow) -> list[str]:
    return [item.text() for item in row._buttons if item.isVisible()]


def move_mouse_in(row: SteadyRow) -> None:
    # Qt itself sets this when the mouse comes, which no mouse does here
    row.setAttribute(Qt.WidgetAttribute.WA_UnderMouse)
    middle = QPointF(row.rect().center())
    QApplication.sendEvent(row, QEnterEvent(middle, middle, QPointF(QPoint())))


def move_mouse_out(row: SteadyRow) -> None:
    row.setAttribute(Qt.WidgetAttribute.WA_UnderMouse, False)
    QApplication.sendEvent(row, QEvent(QEvent.Type.Leave))


def test_they_come_and_go_while_the_mouse_is_elsewhere(row) -> None:
    assert show(row, "Pause", "Cancel") == ["Pause", "Cancel"]
    assert show(row, "Update", "Retry") == ["Update", "Retry"]


def test_none_moves_under_the_mouse_until_it_is_elsewhere(row) -> None:
    show(row, "Pause", "Cancel")
    places = {item.text(): item.geometry() for item in row._buttons if item.isVisible()}
    move_mouse_in(row)
    assert show(row, "Update", "Retry") == ["Pause", "Cancel"]
    assert {name: places[name] for name in shown(row)} == places
    move_mouse_out(row)
    assert shown(row) == ["Update", "Retry"]
    move_mouse_in(row)
    row.show_only([], at_once=True)
    assert shown(row) == []


def test_what_takes_turns_changes_at_once_in_its_place_and_keeps_the_keyboard(row) -> None:
    show(row, "Pause", "Cancel")
    pause, resume, cancel = row._buttons[2:]
    row.activateWindow()
    pause.setFocus()
    QApplication.processEvents()
    places = pause.geometry(), cancel.geometry()
    move_mouse_in(row)
    assert show(row, "Update", "Resume", "Cancel") == ["Resume", "Cancel"]
    QApplication.processEvents()
    assert (resume.geometry(), cancel.geometry()) == places
    assert resume.hasFocus()
