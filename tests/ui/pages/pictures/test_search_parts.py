"""The parts of a search: terms and chips, filters, and what is remembered."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from PySide6.QtCore import QDate, QSettings, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from search_parts import model

from app.api.search_schemas import MAX_TERMS, SearchFilter
from app.queue.thumbnail_requests import ThumbnailRequests
from app.ui.pages.pictures.chips import MAX_CHIPS, TermChips
from app.ui.pages.pictures.filters import SearchFilters
from app.ui.pages.pictures.model_line import searching
from app.ui.pages.pictures.recent import BUILTIN_EXAMPLES, KEPT, KEY, RecentList, RecentSearches
from app.ui.pages.pictures.terms import Term, describe, term_from_json
from app.ui.parts.theme import theme
from app.ui.pictures.thumbnails import ThumbnailLoader

ODD = os.fsdecode(b"/p/caf\xe9 \xff.jpg")


@pytest.fixture
def memory(qapp, tmp_path: Path) -> QSettings:
    theme()
    return QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat)


@pytest.fixture
def chips(qtbot) -> Iterator[TermChips]:
    loader = ThumbnailLoader(ThumbnailRequests())
    chips = TermChips(loader)
    qtbot.addWidget(chips)
    chips.resize(800, 200)
    yield chips
    loader.close()


@pytest.fixture
def filters(qtbot) -> SearchFilters:
    theme()
    filters = SearchFilters()
    qtbot.addWidget(filters)
    return filters


# Terms


def test_terms_are_asked_as_text_as_file_or_by_number() -> None:
    asked = [
        Term(" red car ").asked(),
        Term(path=ODD, weight=2.0).asked(),
        Term(path="/p/a.jpg", asset_id=7, weight=0.5, without=True).asked(),
    ]
    assert [(term.text, term.path, term.assetId, term.weight) for term in asked] == [
        ("red car", None, None, 1.0),
        (None, ODD, None, 2.0),
        (None, None, 7, -0.5),
    ]


def test_half_a_pasted_character_is_left_out() -> None:
    assert Term("red \ud83d car").asked().text == "red  car"


def test_a_search_is_described_in_one_line() -> None:
    terms = [
        Term("red\n  car"),
        Term(path="/p/beach.jpg", weight=2.0),
        Term("people", without=True),
        Term(path="/p/night.jpg", without=True),
        Term(asset_id=3),
    ]
    assert describe(terms) == (
        "red car · like beach.jpg ×2 · without people · without night.jpg · like This picture"
    )


# What is remembered


def test_the_last_searches_are_kept_each_once_the_newest_first(memory) -> None:
    recent = RecentSearches(memory)
    for number in range(KEPT + 5):
        recent.add([Term(f"search {number}")])
    recent.add([Term("search 10")])
    kept = recent.all()
    assert len(kept) == KEPT
    assert [describe(search) for search in kept[:3]] == ["search 10", "search 24", "search 23"]
    assert len(set(kept)) == KEPT


def test_a_remembered_search_survives_a_restart(memory) -> None:
    search = (Term("red"), Term(path=ODD, weight=2.0), Term("night", weight=0.5, without=True))
    RecentSearches(memory).add([*search, Term(asset_id=3), Term("  ")])
    memory.sync()
    again = QSettings(memory.fileName(), QSettings.Format.IniFormat)
    assert RecentSearches(again).all() == [search]


def test_an_indexed_picture_is_remembered_by_its_file(memory) -> None:
    recent = RecentSearches(memory)
    recent.add([Term(path="/p/a.jpg", asset_id=7)])
    assert recent.all() == [(Term(path="/p/a.jpg"),)]


def test_nothing_is_not_remembered(memory) -> None:
    recent = RecentSearches(memory)
    recent.add([])
    recent.add([Term("  "), Term(asset_id=1)])
    assert recent.all() == []


@pytest.mark.parametrize(
    "noted",
    ["", "x", "3", "[3]", "[[3]]", '[[{"text": 3}]]', '[[{"text": "a", "weight": 9}]]', "null"],
)
def test_a_damaged_memory_is_forgotten(memory, noted: str) -> None:
    memory.setValue(KEY, noted)
    assert RecentSearches(memory).all() == []
    RecentSearches(memory).add([Term("red")])
    assert len(RecentSearches(memory).all()) == 1


def test_a_term_needs_something_to_look_for() -> None:
    with pytest.raises(ValueError, match="needs a text"):
        term_from_json(json.loads('{"weight": 1.0}'))


def test_searches_are_chosen_and_forgotten_in_the_list(qtbot, memory) -> None:
    recent = RecentSearches(memory)
    for text in ("one", "two", "three"):
        recent.add([Term(text)])
    shown = RecentList(recent)
    qtbot.addWidget(shown)
    shown.show()
    with qtbot.waitSignal(shown.chosen) as chosen:
        shown.rows[1].open_button.click()
    assert chosen.args == [(Term("two"),)]
    shown.rows[1].remove_button.click()
    assert [row.search[0].text for row in shown.rows] == ["three", "one"]
    shown.clear_button.click()
    assert not shown.rows
    assert recent.all() == []


def test_examples_fit_the_model(qtbot, memory) -> None:
    shown = RecentList(RecentSearches(memory))
    qtbot.addWidget(shown)
    shown.show_examples(True)
    first = shown._hints.itemAt(0).widget()
    with qtbot.waitSignal(shown.chosen) as chosen:
        first.click()
    assert chosen.args == [(Term(BUILTIN_EXAMPLES[0]),)]


# Chips


def test_chips_are_added_once_weighted_and_removed(qtbot, chips) -> None:
    chips.add(Term(path="/p/a.jpg"))
    chips.add(Term(path="/p/a.jpg"))
    chips.add(Term("night", without=True))
    assert chips.isVisibleTo(None)
    assert [term.name for term in chips.terms()] == ["a.jpg", "night"]
    half, _normal, double, _line, unlike = chips.chips[0].weight_button.menu().actions()
    with qtbot.waitSignal(chips.changed):
        double.trigger()
    unlike.trigger()
    assert chips.terms()[0] == Term(path="/p/a.jpg", weight=2.0, without=True)
    half.trigger()
    assert chips.chips[0].weight_button.text() == "×½"
    assert chips.chips[0].accessibleName() == "without a.jpg"
    QTest.keyClick(chips.chips[0].remove_button, Qt.Key.Key_Delete)
    assert [term.name for term in chips.terms()] == ["night"]
    chips.chips[0].remove_button.click()
    assert not chips.isVisibleTo(None)


def test_a_chip_goes_when_its_text_is_cleared_and_left(qtbot, chips) -> None:
    chip = chips.add(Term("people", without=True))
    kept = chips.add(Term("cars", without=True))
    chip.edit.clear()
    assert chip in chips.chips  # it may be typed into again
    chip.edit.editingFinished.emit()
    kept.edit.editingFinished.emit()
    assert chips.chips == [kept]


def test_what_is_typed_into_a_chip_is_its_term(qtbot, chips) -> None:
    chip = chips.add(Term(without=True))
    chips.show()
    QTest.keyClicks(chip.edit, "night")
    QTest.keyClick(chip.edit, Qt.Key.Key_Backspace)
    assert chips.terms() == [Term("nigh", without=True)]


def test_no_more_terms_than_a_question_can_have(chips) -> None:
    for number in range(MAX_TERMS + 3):
        chips.add(Term(path=f"/p/{number}.jpg"))
    assert len(chips.chips) == MAX_CHIPS == MAX_TERMS - 1
    assert chips.full


def test_chips_are_wide_enough_for_what_they_say(qtbot, chips) -> None:
    chips.set_terms([Term(path="/p/" + "x" * 200, without=True), Term(path="/p/a"), Term("b")])
    chips.show()
    qtbot.waitExposed(chips)
    for chip in chips.chips:
        parts = sorted(
            (part.geometry() for part in chip.children() if hasattr(part, "geometry")
             and part.isWidgetType() and part.isVisible()),
            key=lambda place: place.left(),
        )  # fmt: skip
        assert all(a.right() < b.left() for a, b in itertools.pairwise(parts))
        assert parts[-1].right() < chip.width()


# Filters


def test_filters_are_what_the_service_takes(qtbot, filters) -> None:
    assert filters.value() == SearchFilter()
    assert filters.number() == 0
    filters.show_sessions([(3, "Holiday"), (2, "Family\nand friends")])
    with qtbot.waitSignal(filters.changed):
        filters.session.setCurrentIndex(2)
    filters.format.setCurrentText("HEIF")
    filters.shape.setCurrentIndex(3)
    filters.from_button._picked(QDate(2024, 2, 29))
    assert filters.from_button.text() == "From: 29 February 2024"
    assert filters.value() == SearchFilter(
        sessionId=2,
        takenFrom=date(2024, 2, 29),
        formats=["HEIF"],
        orientation="square",
    )
    assert filters.number() == 4
    changes: list[int] = []
    filters.changed.connect(lambda: changes.append(filters.number()))
    filters.clear_button.click()
    assert changes == [0]
    assert filters.value() == SearchFilter()


def test_the_days_stay_in_order(filters) -> None:
    filters.to_button.set_day(date(2024, 1, 1))
    filters.from_button.set_day(date(2024, 6, 1))
    assert filters.to_button.day == date(2024, 6, 1)
    filters.to_button.set_day(date(2023, 1, 1))
    assert filters.from_button.day == date(2023, 1, 1)


def test_a_chosen_session_stays_chosen_when_the_list_comes(qtbot, filters) -> None:
    with qtbot.waitSignal(filters.changed):
        filters.show_sessions([(7, "Holiday")])
        filters.session.setCurrentIndex(1)
    changes: list[int] = []
    filters.changed.connect(lambda: changes.append(1))
    filters.show_sessions([(9, "New"), (7, "Holiday")])
    assert filters.session.currentText() == "Holiday"
    filters.show_sessions([(9, "New")])
    assert filters.value().sessionId == 7
    assert not changes


def test_sessions_that_arrive_while_their_list_is_open_are_all_seen(filters) -> None:
    filters.show()
    filters.session.showPopup()
    QApplication.processEvents()
    filters.show_sessions([(number, f"Session {number}") for number in range(1, 6)])
    QApplication.processEvents()
    view = filters.session.view()
    assert view.isVisible()
    assert not view.verticalScrollBar().maximum()
    last = view.visualRect(filters.session.model().index(5, 0))
    assert last.bottom() <= view.viewport().rect().bottom()
    filters.session.hidePopup()


# The model


@pytest.mark.parametrize(
    ("vectors", "beside", "said"),
    [
        (12_345, False, "Searching 12,345 of 19,900 pictures with Model 1"),
        (19_900, False, "Searching 19,900 pictures with Model 1"),
        (12_345, True, "Searching 12,345 of 19,900 pictures with"),
    ],
)
def test_it_is_said_what_is_searched(vectors: int, beside: bool, said: str) -> None:
    assert searching(model(vectors=vectors, pictures=19_900), beside) == said
