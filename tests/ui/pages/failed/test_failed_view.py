"""Failed pictures by cause: what is shown, what is retried, excluded and exported."""

from __future__ import annotations

import asyncio
import csv
import os
from typing import Any

import pytest
from ledger_rows import add_many, add_pictures, add_session, columns_of, recount
from page_parts import Parts, save_picture
from PySide6.QtCore import Qt
from sqlalchemy import text

from app.api.error_kinds import ErrorKind
from app.db.engine import write_transaction
from app.queue import enqueue as enqueue_module
from app.ui.pages.failed import view as failed_view
from app.ui.pages.failed.actions import SMALL_BATCH, Outcome, Retried
from app.ui.pages.failed.cause_list import AGAIN, LOOK, title_of
from app.ui.pages.failed.dialog import FailedDialog
from app.ui.pages.failed.model import PICTURE, SESSION, TRIES, WHY
from app.ui.pages.failed.view import TRYING, FailedView, summary
from app.ui.parts import reveal
from app.ui.parts.confirm import ConfirmDialog
from app.worker.thumbnails import make_thumbnails


@pytest.fixture(autouse=True)
def doorbell(monkeypatch) -> list[int]:
    """Which sessions the worker was called for; no queue is running."""
    rung: list[int] = []

    def enqueue(session_id: int) -> str:
        rung.append(session_id)
        return f"job-{session_id}"

    monkeypatch.setattr(enqueue_module, "_enqueue_session", enqueue)
    monkeypatch.setattr(failed_view, "EVERY_S", 0.0)
    return rung


def some_failures(status: str = "completed") -> int:
    session_id = add_session("Holidays", status)
    add_pictures(session_id, {"completed": ["/p/good.jpg"], "failed": ["/p/1", "/p/2", "/p/3"]})
    busy = {"error_kind": "busy", "error_message": "It is open elsewhere."}
    add_pictures(session_id, {"failed": ["/p/4", "/p/5"]}, **busy)
    return session_id


async def opened(
    qt_loop: Any, parts: Parts, backend: Any, session_id: int | None = None
) -> FailedView:
    view = parts.show(FailedView(backend, parts.runner, parts.poller, session_id))
    await qt_loop.until(lambda: view.stack.currentWidget() is not view._skeleton)
    await qt_loop.until(lambda: not view.model.rowCount() or view.model.row(0) is not None)
    return view


def entries(view: FailedView) -> list[str]:
    model = view.causes.model()
    return [model.index(row, 0).data() for row in range(model.rowCount())]


def choose_cause(view: FailedView, kind: str) -> None:
    """Choose a cause as a click does."""
    row = entries(view).index(title_of(kind))
    view.causes.setCurrentIndex(view.causes.model().index(row, 0))


def statuses(*paths: str) -> list[str]:
    with write_transaction() as conn:
        rows = conn.execute(
            text(
                "SELECT path, status FROM training_jobs JOIN image_assets"
                " ON image_assets.id = asset_id"
            )
        )
        found = dict(iter(rows))
    return [found[path] for path in paths]


def test_without_failures_the_page_says_so(qt_loop, backend) -> None:
    add_session("Fine", "completed")

    async def steps() -> None:
        async with Parts(backend) as parts:
            view = await opened(qt_loop, parts, backend)
            assert view.stack.currentWidget() is view._empty
            assert not view.all_button.isVisible()
            assert not view.export_button.isVisible()
            assert view.count == 0

    qt_loop.run(steps())


def test_the_sessions_are_named_as_soon_as_the_page_is_seen(qt_loop, backend, monkeypatch) -> None:
    monkeypatch.setattr(failed_view, "EVERY_S", 600.0)
    some_failures()

    async def steps() -> None:
        async with Parts(backend) as parts:
            view = FailedView(backend, parts.runner, parts.poller)
            await qt_loop.until(lambda: view.count == 5)  # it counts for the rail, unseen
            parts.show(view)
            first = view.model.index(0, SESSION)
            await qt_loop.until(lambda: view.model.data(first) == "Holidays")

    qt_loop.run(steps())


def test_causes_are_grouped_by_whether_another_try_helps(qt_loop, backend) -> None:
    some_failures()

    async def steps() -> None:
        async with Parts(backend) as parts:
            view = await opened(qt_loop, parts, backend)
            assert entries(view) == [
                "All causes",
                AGAIN,
                ErrorKind.BUSY.title,
                LOOK,
                ErrorKind.CORRUPT.title,
            ]
            assert view.causes.count_of(None) == 5
            assert "5 pictures" in view.advice.text()
            assert "2 of them" in view.advice.text()
            choose_cause(view, "busy")
            assert view.cause_title.text() == ErrorKind.BUSY.title
            assert view.advice.text() == ErrorKind.BUSY.advice
            assert view.model.rowCount() == 2
            assert view.cause_button.button.text() == "Retry all 2"
            await qt_loop.until(lambda: view.model.row(0) is not None)
            assert view.model.index(0, WHY).data() == "It is open elsewhere."
            assert view.model.index(0, TRIES).data() == "1"

    qt_loop.run(steps())


def test_the_page_counts_for_the_rail_also_unseen(qt_loop, backend) -> None:
    some_failures()

    async def steps() -> None:
        async with Parts(backend) as parts:
            view = FailedView(backend, parts.runner, parts.poller, parent=parts.window)
            told: list[int] = []
            view.count_changed.connect(told.append)
            await qt_loop.until(lambda: told == [5])

    qt_loop.run(steps())


def test_the_page_names_sessions_and_the_dialog_does_not(qt_loop, backend) -> None:
    session_id = some_failures()
    other = add_session("Other", "completed")
    add_pictures(other, {"failed": ["/q/1"]})

    async def steps() -> None:
        async with Parts(backend) as parts:
            view = await opened(qt_loop, parts, backend)
            names = {view.model.index(row, SESSION).data() for row in range(6)}
            assert names == {"Holidays", "Other"}
            dialog = FailedDialog(
                backend, parts.runner, parts.poller, session_id, "Holidays", parent=parts.window
            )
            dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)
            dialog.open()
            await qt_loop.until(lambda: dialog.view.count == 5)
            assert dialog.view.table.isColumnHidden(SESSION)
            assert "Holidays" in dialog.view.title.text()
            dialog.grab()
            dialog.reject()

    qt_loop.run(steps())


def test_selected_pictures_are_tried_again(qt_loop, backend, doorbell) -> None:
    session_id = some_failures()

    async def steps() -> None:
        async with Parts(backend) as parts:
            view = await opened(qt_loop, parts, backend)
            assert not view.selected_button.isEnabled()
            view.table.selectRow(0)
            name = view.model.index(0, PICTURE).data()
            assert view.selected_button.isEnabled()
            view.selected_button.button.click()
            await qt_loop.until(lambda: view.message.text() == "1 picture is being retried.")
            assert statuses(f"/p/{name}") == ["pending"]
            assert set(doorbell) == {session_id}
            await qt_loop.until(lambda: view.model.rowCount() == 4)
            assert view.table.selected_count() == 0

    qt_loop.run(steps())


def test_a_whole_cause_is_tried_again_in_another_way(qt_loop, backend) -> None:
    session_id = some_failures()

    async def steps() -> None:
        async with Parts(backend) as parts:
            view = await opened(qt_loop, parts, backend)
            choose_cause(view, "busy")
            view.cause_button.menu.actions()[0].trigger()
            await qt_loop.until(lambda: view.count == 3)
            assert statuses("/p/4", "/p/5", "/p/1") == ["pending", "pending", "failed"]
            assert columns_of(session_id)["config"]["batch_size"] == SMALL_BATCH
            assert view.causes.kind == "busy"  # it stays listed until it is known what came of it
            view.all_button.menu.actions()[1].trigger()
            await qt_loop.until(lambda: view.count == 0)
            assert columns_of(session_id)["config"]["device"] == "cpu"

    qt_loop.run(steps())


def settle(session_id: int, again: int) -> None:
    """What a worker does: so many fail again, the rest is indexed, and the session ends."""
    with write_transaction() as conn:
        conn.execute(text("UPDATE training_jobs SET status = 'completed'"))
        conn.execute(
            text(
                "UPDATE training_jobs SET status = 'failed', error_kind = 'corrupt'"
                " WHERE id IN (SELECT id FROM training_jobs ORDER BY id DESC LIMIT :again)"
            ),
            {"again": again},
        )
        conn.execute(text("UPDATE training_sessions SET status = 'completed'"))
    recount(session_id)


@pytest.mark.parametrize(
    ("again", "told"),
    [
        (2, "Retried: 5 pictures, 3 indexed now, 2 failed again."),
        (0, "Retried: 5 pictures, all indexed now."),
    ],
)
def test_while_all_are_tried_again_the_page_stays_and_says_what_came_of_it(
    qt_loop, backend, again: int, told: str
) -> None:
    session_id = some_failures()

    async def steps() -> None:
        async with Parts(backend) as parts:
            view = await opened(qt_loop, parts, backend)
            view.activateWindow()
            choose_cause(view, "corrupt")
            view.all_button.button.setFocus()
            await qt_loop.until(view._has_focus)
            view.all_button.button.click()
            await qt_loop.until(lambda: view.count == 0)
            assert view.stack.currentWidget() is view.split
            assert view.message.text() == "5 pictures are being retried."
            assert view.advice.text() == TRYING
            assert view.causes.kind == "corrupt"
            assert "Another" not in entries(view)
            assert view._has_focus()
            settle(session_id, again)
            await qt_loop.until(lambda: "Retried" in view.message.text())
            assert view.message.text() == told
            assert view.count == again
            await qt_loop.until(lambda: (view.stack.currentWidget() is view._empty) == (not again))
            assert view.causes.kind == ("corrupt" if again else None)

    qt_loop.run(steps())


def test_what_is_asked_while_a_retry_begins_does_not_count_its_pictures_as_gone(
    qt_loop, backend, monkeypatch
) -> None:
    """They are waiting in the ledger already, and the page is told of it a moment later."""
    some_failures()
    begun, told = asyncio.Event(), asyncio.Event()
    real = failed_view.retry_cause

    async def slow(*args: Any) -> Retried:
        result = await real(*args)
        begun.set()
        await told.wait()
        return result

    monkeypatch.setattr(failed_view, "retry_cause", slow)

    async def steps() -> None:
        async with Parts(backend) as parts:
            view = await opened(qt_loop, parts, backend)
            choose_cause(view, "corrupt")
            view.all_button.button.click()
            await begun.wait()
            view._deliver(await view._fetch())
            assert (view.count, view.stack.currentWidget()) == (5, view.split)
            told.set()
            await qt_loop.until(lambda: view.count == 0)
            assert view.stack.currentWidget() is view.split
            assert view.causes.kind == "corrupt"

    qt_loop.run(steps())


def test_what_came_of_a_retry_is_said_in_numbers() -> None:
    assert Outcome(1, open=1).sentence() == "1 picture is being retried."
    assert Outcome(9, open=4).sentence() == "9 pictures are being retried; 4 left."
    assert Outcome(1).sentence() == "Retried: 1 picture, all indexed now."
    assert Outcome(2, again=2).sentence() == "Retried: 2 pictures, all failed again."
    paused = Outcome(5, waiting=3, again=1).sentence()
    assert paused == "Retried: 5 pictures, 1 indexed now, 1 failed again, 3 waiting."


def test_pictures_of_a_cancelled_session_are_left_and_said(qt_loop, backend) -> None:
    some_failures()
    gone = add_session("Gone", "cancelled")
    add_pictures(gone, {"failed": ["/q/1", "/q/2"]})

    async def steps() -> None:
        async with Parts(backend) as parts:
            view = await opened(qt_loop, parts, backend)
            view.all_button.button.click()
            await qt_loop.until(lambda: view.message.text())
            assert view.message.text() == Retried(5, 2).sentence()
            assert statuses("/q/1", "/p/1") == ["failed", "pending"]
            await qt_loop.until(lambda: view.count == 2)

    qt_loop.run(steps())


def test_excluding_is_asked_once_and_refused_by_default(qt_loop, backend) -> None:
    some_failures()

    async def steps() -> None:
        async with Parts(backend) as parts:
            view = await opened(qt_loop, parts, backend)
            choose_cause(view, "corrupt")
            view.table.selectAll()
            assert view.table.selected_count() == 3
            view.exclude_button.click()
            question = view.question
            assert isinstance(question, ConfirmDialog)
            question.reject()
            assert statuses("/p/1") == ["failed"]
            view.exclude_button.click()
            view.question.yes_button.click()
            await qt_loop.until(lambda: view.message.text() == "3 pictures excluded.")
            assert statuses("/p/1", "/p/3", "/p/4") == ["cancelled", "cancelled", "failed"]
            await qt_loop.until(lambda: view.count == 2)

    qt_loop.run(steps())


def test_the_list_is_exported(qt_loop, backend, tmp_path) -> None:
    session_id = add_session("Odd", "completed")
    names = [os.fsdecode(b"/p/caf\xe9.jpg"), "/p/two\nlines.jpg", '/p/"quoted", with comma.jpg']
    add_pictures(session_id, {"failed": names})

    async def steps() -> None:
        async with Parts(backend) as parts:
            view = await opened(qt_loop, parts, backend)
            target = str(tmp_path / "failed.csv")
            view.export_to(target)
            await qt_loop.until(lambda: "3 lines written" in view.message.text())

    qt_loop.run(steps())
    with open(tmp_path / "failed.csv", encoding="utf-8", errors="surrogateescape", newline="") as f:
        assert [row[0] for row in csv.reader(f)][1:] == names


def test_the_folder_of_a_picture_is_shown(qt_loop, backend, tmp_path, monkeypatch) -> None:
    path = save_picture(str(tmp_path / "a, b.jpg"))
    session_id = add_session("One", "completed")
    add_pictures(session_id, {"failed": [path]})
    ran: list[list[str]] = []
    opened_urls: list[str] = []

    def open_url(url: Any) -> bool:
        opened_urls.append(url.toLocalFile())
        return True

    def refuse(command: list[str]) -> bool:
        ran.append(command)
        return False

    monkeypatch.setattr(reveal, "_succeeds", refuse)
    monkeypatch.setattr(reveal.QDesktopServices, "openUrl", open_url)

    async def steps() -> None:
        async with Parts(backend) as parts:
            view = await opened(qt_loop, parts, backend)
            view.table.selectRow(0)
            view.show_button.click()
            await qt_loop.until(lambda: opened_urls == [str(tmp_path)])
            assert any("a%2C%20b.jpg" in part for part in ran[0])
            await reveal.reveal(str(tmp_path / "gone" / "deep" / "x.jpg"))
            assert opened_urls[-1] == str(tmp_path)

    qt_loop.run(steps())


def test_new_failures_do_not_push_what_is_being_read(qt_loop, backend) -> None:
    session_id = some_failures("running")

    async def steps() -> None:
        async with Parts(backend) as parts:
            view = await opened(qt_loop, parts, backend)
            view.table.selectRow(2)
            row = view.model.row(2)
            add_pictures(session_id, {"failed": ["/p/6", "/p/7"]})
            await qt_loop.until(lambda: view.more_button.isVisible())
            assert view.more_button.text() == "2 more failed"
            assert view.model.rowCount() == 5
            assert view.model.row(2) == row
            assert view.count == 7
            view.more_button.click()
            assert view.model.rowCount() == 7
            assert not view.more_button.isVisible()
            await qt_loop.until(lambda: view.model.row(0) is not None)

    qt_loop.run(steps())


def test_a_hundred_thousand_failures(qt_loop, backend) -> None:
    session_id = add_session("Broken disk", "completed")
    add_many(session_id, 100_000, failed_every=1)

    async def steps() -> None:
        async with Parts(backend) as parts:
            view = await opened(qt_loop, parts, backend)
            assert view.count == 100_000
            for work in (view.table.selectAll, view.table.grab, view.table.scrollToBottom):
                work()
            assert view.selected_button.button.text() == "Retry 100,000 selected"
            await qt_loop.until(lambda: view.model.row(99_999) is not None)
            assert view.model.index(99_999, PICTURE).data().startswith("IMG_00000")
            rows = await view.model.rows(view.table.selected_ranges())
            assert len({row.jobId for row in rows}) == 100_000

    qt_loop.run(steps(), timeout=60)


NAMES = [
    os.fsdecode(b"/p/caf\xe9 \xff.jpg"),
    "/p/two\nlines.jpg",
    "/p/\U0001f431.jpg",
    "/p/" + "x" * 250,
]


def test_every_name_and_a_picture_are_drawn(qt_loop, backend, tmp_path) -> None:
    good = save_picture(str(tmp_path / "good.jpg"))
    make_thumbnails([good], 256)
    session_id = add_session("Odd", "completed")
    add_pictures(session_id, {"failed": [*NAMES, good]}, error_kind="from the future")

    async def steps() -> None:
        async with Parts(backend) as parts:
            view = await opened(qt_loop, parts, backend)
            view.table.grab()
            await qt_loop.until(lambda: not view.thumbnails.pending)
            thumbnail = view.thumbnails.get(good, 40)
            assert thumbnail is not None
            assert not thumbnail.isNull()
            view.table.grab()
            assert "Another cause" in entries(view)

    qt_loop.run(steps())


def test_summaries() -> None:
    from app.api.training_schemas import FailureGroup

    busy = FailureGroup(errorKind="busy", count=1)
    corrupt = FailureGroup(errorKind="corrupt", count=2)
    assert "1 of them is worth another try" in summary([busy, corrupt])
    assert summary([busy]).endswith("worth another try.")
    assert "Choose a cause" in summary([corrupt])
    assert Retried().sentence() == "No pictures are retried."
    assert "2 pictures are being retried." in Retried(2, 1).sentence()


def test_counters_add_up_after_excluding(qt_loop, backend) -> None:
    session_id = some_failures()

    async def steps() -> None:
        async with Parts(backend) as parts:
            view = await opened(qt_loop, parts, backend, session_id)
            view.table.selectRow(0)
            view.exclude_button.click()
            view.question.yes_button.click()
            await qt_loop.until(lambda: view.count == 4)
            before = columns_of(session_id)
            recount(session_id)
            assert columns_of(session_id)["failed_images"] == before["failed_images"] == 4

    qt_loop.run(steps())
