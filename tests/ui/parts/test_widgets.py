"""The small parts: a bar that never goes back, a chip, a shortened line."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.ui.parts import passing
from app.ui.parts.commands import Commands, follow
from app.ui.parts.notice import Notice
from app.ui.parts.theme import theme
from app.ui.parts.widgets import (
    CountChip,
    ElidedLabel,
    EmptyState,
    Page,
    ProgressBar,
    Skeleton,
    StateBadge,
    button,
    label,
)


@pytest.mark.parametrize("role", ["body", "secondary", "section", "count"])
def test_a_text_with_the_room_that_it_asks_for_is_whole(qtbot: Any, role: Any) -> None:
    for number in range(100):
        text = f"Searching {number * 37} of {number * 97:,} pictures with Built-in model"
        shortened = ElidedLabel(text, role=role)
        qtbot.addWidget(shortened)
        shortened.resize(shortened.sizeHint())
        shortened.show()
        assert shortened.text() == text


@pytest.fixture
def bar(qt_loop: Any) -> ProgressBar:
    bar = ProgressBar()
    bar.resize(300, 8)
    bar.show()
    return bar


def test_the_bar_moves_smoothly(qt_loop: Any, bar: ProgressBar) -> None:
    async def steps() -> None:
        bar.reset_to(0.2)
        bar.set_progress(0.8)
        assert bar.shown < 0.5
        seen = []
        while bar.shown < 0.8:
            seen.append(bar.shown)
            await asyncio.sleep(0.02)
        assert seen == sorted(seen)
        assert len(set(seen)) > 4
        assert bar.value() == 8_000

    qt_loop.run(steps())


def test_the_bar_never_goes_backwards(qt_loop: Any, bar: ProgressBar) -> None:
    async def steps() -> None:
        bar.reset_to(0.6)
        bar.set_progress(0.4)
        await asyncio.sleep(0.05)
        assert bar.shown == pytest.approx(0.6)
        bar.reset_to(0.1)
        assert bar.shown == pytest.approx(0.1)

    qt_loop.run(steps())


def test_the_bar_sweeps_only_while_counting(qt_loop: Any, bar: ProgressBar) -> None:
    bar.set_progress(None)
    assert bar.counting
    assert not bar.grab().isNull()
    bar.set_progress(0.1)
    assert not bar.counting


def test_a_hidden_bar_is_where_it_should_be_when_it_is_seen_again(
    qt_loop: Any, bar: ProgressBar
) -> None:
    bar.set_progress(0.5)
    bar.hide()
    assert bar.shown == pytest.approx(0.5)
    bar.set_progress(0.7)
    assert bar.shown == pytest.approx(0.7)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_badge_has_a_word_and_a_colour(qt_loop: Any, scheme: str) -> None:
    theme().set_scheme("light" if scheme == "light" else "dark")
    badge = StateBadge()
    badge.set_state("running", discovering=True)
    assert badge.accessibleName() == "Indexing, still counting"
    badge.set_state("failed")
    assert badge.accessibleName() == "Stopped by an error"
    assert badge.status == "failed"
    theme().set_scheme("system")


def test_a_chip_says_its_number_and_word(qt_loop: Any) -> None:
    chip = CountChip("failed")
    chip.set_count(1_000_000)
    assert chip.text() == "1,000,000  Failed"
    assert chip.accessibleName() == "1,000,000 pictures: Failed"
    assert chip.number == 1_000_000
    told: list[bool] = []
    chip.toggled_by_person.connect(told.append)
    chip.click()
    assert told == [True]


def test_a_long_line_is_shortened_and_told_in_full(qt_loop: Any) -> None:
    line = ElidedLabel("/home/" + "x" * 500 + "/IMG_1.JPG")
    line.resize(200, 20)
    line.show()
    assert "…" in line.text()
    assert line.text().endswith(".JPG")
    assert line.toolTip() == line.full_text() == line.accessibleName()
    line.set_text("short\nname")
    assert line.full_text() == "short name"
    assert line.toolTip() == ""


def test_markup_in_names_is_shown_as_it_is(qt_loop: Any) -> None:
    line = ElidedLabel("<b>bold</b>")
    assert line.textFormat() == Qt.TextFormat.PlainText


def test_the_skeleton_waits_before_it_shows(qt_loop: Any) -> None:
    async def steps() -> None:
        skeleton = Skeleton()
        skeleton.resize(300, 200)
        skeleton.show()
        skeleton.start()
        assert not skeleton.drawn
        await qt_loop.until(lambda: skeleton.drawn)
        assert not skeleton.grab().isNull()
        skeleton.stop()
        assert not skeleton.drawn

    qt_loop.run(steps())


def test_an_empty_state_offers_the_way_out(qt_loop: Any) -> None:
    empty = EmptyState("image", "Nothing here", "Choose a folder.", "Choose…")
    assert empty.button is not None
    assert empty.button.property("kind") == "primary"
    assert EmptyState("image", "Nothing").button is None


def test_a_button_follows_its_action(qt_loop: Any) -> None:
    page = Page("Sessions")
    commands = Commands(page)
    ran: list[None] = []
    commands.pause.triggered.connect(lambda: ran.append(None))
    press = button("Pause")
    page.add_buttons([press])
    follow(press, commands.pause)
    assert not press.isEnabled()
    assert "Ctrl+P" in press.toolTip()
    commands.pause.setEnabled(True)
    press.click()
    assert len(ran) == 1


def test_a_notice_can_be_dismissed(qtbot) -> None:
    notice = Notice()
    qtbot.addWidget(notice)
    notice.show_message("warning-circle", "Something to know.")
    assert notice.isVisible()
    notice.close_button.click()
    assert not notice.isVisible()


def test_what_is_over_goes_by_itself_and_what_is_so_stays(qtbot, monkeypatch) -> None:
    monkeypatch.setattr(passing, "READ_WITHIN_MS", 1)
    window, standing, used, other = QWidget(), Notice(), Notice(), Notice()
    column = QVBoxLayout(window)
    for notice in (standing, used, other):
        column.addWidget(notice)
    qtbot.addWidget(window)
    window.move(300, 300)  # the mouse of these tests is at the top left
    window.show()
    standing.show_message("info", "Done.", passes=True)
    standing.show_message("info", "It is so.")
    used.show_message("check-circle", "Done.", "Show")
    window.activateWindow()
    used.button.setFocus()
    qtbot.waitUntil(used.button.hasFocus)
    used.show_message("check-circle", "Done.", "Show", passes=True)
    other.show_message("check-circle", "Done.", passes=True)
    qtbot.waitUntil(lambda: not other.isVisible())
    assert used.isVisible()  # the keyboard is there
    used.button.clearFocus()
    qtbot.waitUntil(lambda: not used.isVisible())
    standing.passing.pass_by()
    assert standing.isVisible()


def leftmost(widget: QWidget) -> int:
    """The first column that something is drawn in."""
    image = widget.grab().toImage()
    ground = image.pixel(0, 0)
    columns = range(image.width())
    return next(
        x for x in columns if any(image.pixel(x, y) != ground for y in range(image.height()))
    )


def test_right_to_left_names_begin_where_the_others_do(qtbot) -> None:
    for make in (label, ElidedLabel):
        for name in ("a name", "שם של תיקייה"):
            shown = make(name)
            qtbot.addWidget(shown)
            shown.resize(300, 24)
            assert leftmost(shown) < 10, (make, name)
