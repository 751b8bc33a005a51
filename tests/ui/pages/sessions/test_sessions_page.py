"""The list of sessions, and what the page tells the window."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from ledger_rows import add_many, add_pictures, add_session, set_columns
from page_parts import Parts, save_picture
from PySide6.QtCore import Qt

from app.api.update_schemas import RemovalPreview
from app.errors import AppError
from app.queue import enqueue as enqueue_module
from app.ui.pages.sessions.page import FEW, SessionsPage
from app.ui.pages.sessions.session_care import removal_text
from app.ui.pages.sessions.session_list import ITEM_HEIGHT, MARK_ROLE, SessionListModel, second_line
from app.ui.parts.error_dialog import ErrorDialog
from app.ui.parts.session_names import full_names


@pytest.fixture
def doorbell(monkeypatch) -> list[int]:
    """Which sessions the worker was called for; no queue is running."""
    rung: list[int] = []

    def enqueue(session_id: int) -> str:
        rung.append(session_id)
        return f"job-{session_id}"

    monkeypatch.setattr(enqueue_module, "_enqueue_session", enqueue)
    return rung


def make(backend: Any, parts: Parts) -> SessionsPage:
    return parts.show(
        SessionsPage(backend, parts.runner, parts.poller, actions=parts.commands.session_actions)
    )


async def loaded(qt_loop: Any, page: SessionsPage) -> None:
    await qt_loop.until(lambda: page.stack.currentWidget() is page.split)


def shown_names(page: SessionsPage) -> list[str]:
    model = page.list.model()
    return [model.index(row, 0).data() for row in range(model.rowCount())]


def test_without_sessions_the_window_is_told(qt_loop, backend) -> None:
    async def steps() -> None:
        async with Parts(backend) as parts:
            page = make(backend, parts)
            told: list[bool] = []
            page.no_sessions.connect(told.append)
            await qt_loop.until(lambda: told == [True])
            add_session("First")
            await qt_loop.until(lambda: told == [True, False])
            assert shown_names(page) == ["First"]

    qt_loop.run(steps())


def test_the_newest_session_is_first_and_what_runs_is_shown(qt_loop, backend) -> None:
    ids = [add_session(name, status) for name, status in (("a", "running"), ("b", "pending"))]

    async def steps() -> None:
        async with Parts(backend) as parts:
            page = make(backend, parts)
            await loaded(qt_loop, page)
            assert shown_names(page) == ["b", "a"]
            assert page.selected == ids[0]
            assert page.view.name.full_text() == "a"
            assert page.list.currentIndex().row() == 1

    qt_loop.run(steps())


def test_the_selection_survives_new_sessions(qt_loop, backend) -> None:
    first = add_session("first")
    add_session("second")

    async def steps() -> None:
        async with Parts(backend) as parts:
            page = make(backend, parts)
            await loaded(qt_loop, page)
            page.list.setCurrentIndex(page.list.model().index(1, 0))
            assert page.selected == first
            for number in range(5):
                add_session(f"new {number}")
            await qt_loop.until(lambda: len(shown_names(page)) == 7)
            assert page.selected == first
            assert page.list.currentIndex().row() == 6
            assert page.view.name.full_text() == "first"

    qt_loop.run(steps())


def test_a_session_is_renamed_and_removed_after_one_question(
    qt_loop, backend, doorbell, monkeypatch
) -> None:
    monkeypatch.setattr("app.services.session_service.enqueue_payload_refresh", lambda: None)
    keep = add_session("Kept", "completed")
    gone = add_session("Old name", "completed")
    add_pictures(gone, {"completed": ["/photos/a.jpg", "/photos/b.jpg"]})

    async def steps() -> None:
        async with Parts(backend) as parts:
            page = make(backend, parts)
            await loaded(qt_loop, page)
            care = page.view.care
            page.select(gone)
            care.actions["rename"].trigger()
            assert care.field.textValue() == "Old name"
            care.field.setTextValue("New name")
            care.field.accept()
            await qt_loop.until(lambda: page.view.name.full_text() == "New name")
            care.actions["remove"].trigger()
            await qt_loop.until(lambda: care.question is not None)
            assert care.question.accessibleName() == "Remove “New name”?"
            told = care.question.accessibleDescription()
            assert told == ("2 pictures can no longer be found here. Your files stay as they are.")
            care.question.yes_button.click()
            await qt_loop.until(lambda: shown_names(page) == ["Kept"])
            assert page.selected == keep
            assert page.view.name.full_text() == "Kept"

    qt_loop.run(steps())


def test_a_running_session_cannot_be_removed(qt_loop, backend) -> None:
    add_session("Running", "running")

    async def steps() -> None:
        async with Parts(backend) as parts:
            page = make(backend, parts)
            await loaded(qt_loop, page)
            assert page.view.care.actions["rename"].isEnabled()
            assert not page.view.care.actions["remove"].isEnabled()

    qt_loop.run(steps())


def test_what_a_removal_does_is_said_in_its_numbers() -> None:
    assert removal_text(RemovalPreview(pictures=0, kept=0)) == "Your files stay as they are."
    both = removal_text(RemovalPreview(pictures=1_200, kept=1))
    assert "1,199 pictures can no longer be found here." in both
    assert "1 that is in other sessions, too, can still be found." in both


def test_sessions_of_the_same_name_are_told_apart(qt_loop, backend) -> None:
    moments = [datetime(2026, 5, day, 12, tzinfo=UTC) for day in (3, 4)]
    add_session("Holidays", created_at=moments[0])
    add_session("Holidays", created_at=moments[1], model="ViT-B-32/openai")
    add_session("Other")

    async def steps() -> None:
        async with Parts(backend) as parts:
            page = make(backend, parts)
            await loaded(qt_loop, page)
            model = page.list.sessions
            told = [model.index(row, 0).data(MARK_ROLE) for row in range(3)]
            assert told == ["", "4 May 2026, ViT-B-32 (openai)", "3 May 2026, Built-in model"]
            names = full_names(model.sessions.values())
            assert sorted(names.values()) == [
                "Holidays (3 May 2026, Built-in model)",
                "Holidays (4 May 2026, ViT-B-32 (openai))",
                "Other",
            ]
            page.list.grab()

    qt_loop.run(steps())


def test_a_thousand_sessions_are_listed_and_found(qt_loop, backend, qtbot) -> None:
    for number in range(1_000):
        add_session(f"Session {number:04d}", "completed", f"/photos/{number % 7}")
    running = add_session("Running", "running")

    async def steps() -> None:
        async with Parts(backend) as parts:
            page = make(backend, parts)
            await loaded(qt_loop, page)
            assert page.list.model().rowCount() == 1_001
            assert page.filter.isVisible()
            page.list.scrollToBottom()
            page.list.grab()
            qtbot.keyClicks(page.filter, "0042")
            assert shown_names(page) == ["Session 0042"]
            assert page.selected == running
            page.filter.clear()
            assert page.list.model().rowCount() == 1_001
            assert page.list.currentIndex().row() == 0
            calls = count_calls(backend)
            set_columns(running, total_images=50)
            view = page.view
            await qt_loop.until(lambda: "50" in view.panel.done.text())
            assert calls["list_sessions"] == 0  # only what moves is asked for

    qt_loop.run(steps())


def count_calls(backend: Any) -> dict[str, int]:
    counts = {"list_sessions": 0}
    original = backend.training.list_sessions

    async def counted(db: Any) -> Any:
        counts["list_sessions"] += 1
        return await original(db)

    backend.training.list_sessions = counted
    return counts


def test_a_few_sessions_are_all_asked_for(qt_loop, backend) -> None:
    ids = [add_session(f"{number}") for number in range(3)]
    assert len(ids) < FEW

    async def steps() -> None:
        async with Parts(backend) as parts:
            page = make(backend, parts)
            await loaded(qt_loop, page)
            set_columns(ids[0], status="cancelled")  # by another program
            known = page.list.sessions.sessions
            await qt_loop.until(lambda: known is not None and _status(page, ids[0]) == "cancelled")

    qt_loop.run(steps())


def _status(page: SessionsPage, session_id: int) -> str:
    return page.list.sessions.sessions[session_id].status


def test_a_start_finds_the_pictures_and_runs(qt_loop, backend, tmp_path, doorbell) -> None:
    for number in range(3):
        save_picture(str(tmp_path / f"{number}.jpg"))
    session_id = add_session("New", root=str(tmp_path))

    async def steps() -> None:
        async with Parts(backend) as parts:
            page = make(backend, parts)
            await loaded(qt_loop, page)
            page.start_session(session_id)
            page.start_session(session_id)  # a double click
            assert page.view.panel.done.text() == "Looking for pictures…"
            await qt_loop.until(lambda: _status(page, session_id) == "running")
            await qt_loop.until(lambda: page.view.table.jobs.rowCount() == 3)
            await qt_loop.until(lambda: set(doorbell) == {session_id})
            page.actions_["pause"].trigger()
            await qt_loop.until(lambda: _status(page, session_id) == "paused")
            await qt_loop.until(page.actions_["resume"].isEnabled)
            assert not page.actions_["pause"].isEnabled()
            page.actions_["resume"].trigger()
            await qt_loop.until(lambda: _status(page, session_id) == "running")
            await qt_loop.until(page.actions_["pause"].isEnabled)

    qt_loop.run(steps())


def test_a_start_that_fails_says_why_and_can_be_tried_again(
    qt_loop, backend, tmp_path, doorbell
) -> None:
    session_id = add_session("Gone", root=str(tmp_path / "nowhere"))

    async def steps() -> None:
        async with Parts(backend) as parts:
            page = make(backend, parts)
            await loaded(qt_loop, page)
            page.start_session(session_id)
            await qt_loop.until(lambda: parts.window.findChild(ErrorDialog))
            assert "does not exist" in parts.window.findChild(ErrorDialog).message
            await qt_loop.until(page.actions_["start"].isEnabled)
            assert doorbell == []

    qt_loop.run(steps())


def test_retrying_failed_pictures_makes_them_wait_again(qt_loop, backend, doorbell) -> None:
    session_id = add_session("Done", "completed")
    add_pictures(session_id, {"completed": ["/p/a"], "failed": ["/p/b", "/p/c"]})

    async def steps() -> None:
        async with Parts(backend) as parts:
            page = make(backend, parts)
            await loaded(qt_loop, page)
            page.actions_["retry"].trigger()
            await qt_loop.until(lambda: page.view.chips["pending"].number == 2)
            assert page.view.panel.bar.shown == pytest.approx(1 / 3, abs=0.01)
            await qt_loop.until(lambda: not page.view.table.jobs.loading)

    qt_loop.run(steps())


def test_the_window_learns_how_far_a_running_session_is(qt_loop, backend) -> None:
    idle = add_session("Idle", "completed")
    running = add_session("Busy", "running")
    add_many(running, 10)

    async def steps() -> None:
        async with Parts(backend) as parts:
            page = make(backend, parts)
            told: list[Any] = []
            polled: list[Any] = []
            page.active_progress.connect(told.append)
            page.sessions_polled.connect(polled.append)
            await qt_loop.until(lambda: told)
            assert told[-1].sessionId == running
            page.select(idle)
            page.refresh()
            await qt_loop.until(lambda: len(told) > 1)
            assert told[-1].sessionId == running
            assert {item.sessionId for item in polled[-1]} == {idle, running}
            set_columns(running, status="completed")
            await qt_loop.until(lambda: told[-1] is None)

    qt_loop.run(steps())


def test_a_session_made_elsewhere_can_be_selected_before_it_is_known(qt_loop, backend) -> None:
    add_session("Old")

    async def steps() -> None:
        async with Parts(backend) as parts:
            page = make(backend, parts)
            await loaded(qt_loop, page)
            fresh = add_session("Fresh")
            page.select(fresh)
            await qt_loop.until(lambda: page.view.name.full_text() == "Fresh")
            assert page.list.currentIndex().row() == 0

    qt_loop.run(steps())


def test_an_error_at_first_has_a_way_out(qt_loop, backend) -> None:
    add_session("One")
    works = backend.training.list_sessions

    async def breaks(db: Any) -> Any:
        raise AppError("The ledger cannot be used.", "Check the disk.")

    async def steps() -> None:
        async with Parts(backend) as parts:
            backend.training.list_sessions = breaks
            page = make(backend, parts)
            await qt_loop.until(lambda: page.stack.currentWidget() is page._trouble)
            backend.training.list_sessions = works
            page._trouble.button.click()
            await loaded(qt_loop, page)
            parts.problems.clear()

    qt_loop.run(steps())


def test_loading_is_shown_only_when_it_takes_long(qt_loop, backend) -> None:
    works = backend.training.list_sessions
    go_on = asyncio.Event()

    async def slow(db: Any) -> Any:
        await go_on.wait()
        return await works(db)

    async def steps() -> None:
        async with Parts(backend) as parts:
            backend.training.list_sessions = slow
            page = make(backend, parts)
            assert page.stack.currentWidget() is page._skeleton
            assert not page._skeleton.drawn
            await qt_loop.until(lambda: page._skeleton.drawn)
            go_on.set()
            await loaded(qt_loop, page)

    qt_loop.run(steps())


def test_every_state_fits_one_line(qt_loop, backend) -> None:
    states = ("pending", "running", "paused", "completed", "failed", "cancelled")
    ids = {status: add_session(status * 20, status) for status in states}
    for session_id in ids.values():
        add_pictures(
            session_id, {"completed": [f"/p/{session_id}"], "failed": [f"/q/{session_id}"]}
        )

    async def steps() -> None:
        async with backend.db() as db:
            sessions = await backend.training.list_sessions(db)
        lines = {item.status: second_line(item, False) for item in sessions}
        assert lines["pending"] == "Waiting to start"
        assert lines["running"] == "Indexing · 2 of 2"
        assert lines["paused"] == "Paused · 2 of 2"
        assert lines["completed"] == "1 indexed · 1 failed"
        assert second_line(sessions[-1], True) == "Looking for pictures…"

    qt_loop.run(steps())


def test_the_list_changes_as_little_as_it_can(qt_loop, backend, qtbot) -> None:
    for name in "abcde":
        add_session(name)

    async def steps() -> None:
        async with backend.db() as db:
            sessions = await backend.training.list_sessions(db)
        model = SessionListModel()
        resets: list[int] = []
        model.modelReset.connect(lambda: resets.append(1))
        model.set_all(sessions[2:])
        with qtbot.waitSignal(model.rowsInserted) as inserted:
            model.set_all(sessions)
        assert inserted.args[1:] == [0, 1]
        with qtbot.waitSignal(model.rowsRemoved):
            model.set_filter("c")
        assert model.rowCount() == 1
        model.set_filter("")
        assert [model.id_at(row) for row in range(5)] == [item.sessionId for item in sessions]
        assert not resets

    qt_loop.run(steps())


def test_keys_move_through_the_list(qt_loop, backend, qtbot) -> None:
    for name in "abc":
        add_session(name)

    async def steps() -> None:
        async with Parts(backend) as parts:
            page = make(backend, parts)
            await loaded(qt_loop, page)
            page.list.setFocus()
            qtbot.keyClick(page.list, Qt.Key.Key_Down)
            await qt_loop.until(lambda: page.view.name.full_text() == "b")
            assert page.list.visualRect(page.list.currentIndex()).height() == ITEM_HEIGHT

    qt_loop.run(steps())
