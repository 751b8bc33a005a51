"""Boxes with a list of choices."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtWidgets import QApplication, QVBoxLayout, QWidget

from app.ui.parts.choice_box import ChoiceBox
from app.ui.parts.theme import theme

LONG = "An entry that is a good deal longer than the box it stands in"


@pytest.fixture
def box(qtbot) -> Iterator[ChoiceBox]:
    theme()
    window = QWidget()
    qtbot.addWidget(window)
    window.resize(300, 200)
    box = ChoiceBox()
    box.addItems(["First", LONG, *(f"Entry {number}" for number in range(7)), "Last"])
    box.setMaximumWidth(170)
    QVBoxLayout(window).addWidget(box)
    window.show()
    yield box
    window.close()


def test_the_list_shows_all_of_its_first_last_and_longest_entry(box) -> None:
    box.showPopup()
    QApplication.processEvents()
    view = box.view()
    for row in range(box.count()):
        place = view.visualRect(box.model().index(row, 0))
        assert view.viewport().rect().contains(place.center())
        assert view.viewport().rect().top() <= place.top()
        assert place.bottom() <= view.viewport().rect().bottom()
    assert not view.verticalScrollBar().maximum()
    assert view.viewport().width() >= view.fontMetrics().horizontalAdvance(LONG) + 8
    box.hidePopup()


def test_a_long_entry_is_shortened_in_the_box(box) -> None:
    box.setCurrentIndex(1)
    whole = box.grab().toImage()
    box.setItemText(1, LONG[:-1] + "X")  # differs at its end, which cannot be seen
    assert box.currentText().endswith("X")
    assert box.grab().toImage() == whole
