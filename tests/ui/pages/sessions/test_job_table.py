"""The table of pictures: a million rows, and a selection that stays with its picture."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import pytest
from ledger_rows import add_many, add_pictures, add_session, recount, set_columns
from page_parts import Parts
from PySide6.QtCore import Qt
from sqlalchemy import text

from app.db.engine import write_transaction
from app.errors import AppError
from app.ui.pages.sessions.job_table import FILTERS, MESSAGE, PICTURE, STATE, JobTable, count_of
from app.ui.parts.paged_model import KEPT, PAGE

ItemRole = Qt.ItemDataRole


async def progress(backend: Any, session_id: int) -> Any:
    async with backend.db() as db:
        return await backend.training.get_session_progress(db, session_id)


async def shown(qt_loop: Any, parts: Parts, backend: Any, session_id: int, status=None) -> JobTable:
    table = parts.show(JobTable(backend, parts.poller), 800, 400)
    table.show_progress(await progress(backend, session_id), status)
    await qt_loop.until(lambda: table.jobs.row(0) is not None)
    await qt_loop.until(lambda: not table.jobs.loading)
    return table


@pytest.mark.early
def test_a_million_rows_scroll_to_the_end(qt_loop, backend) -> None:
    session_id = add_session("Everything", "completed")
    add_many(session_id, 1_000_000)

    async def steps() -> None:
        async with Parts(backend) as parts:
            table = await shown(qt_loop, parts, backend, session_id)
            model = table.jobs
            assert model.rowCount() == 1_000_000
            table.scrollToBottom()
            table.grab()
            await qt_loop.until(lambda: model.row(999_999) is not None)
            last = model.index(999_999, PICTURE).data()
            assert last == "IMG_1000000.jpg"
            bar = table.verticalScrollBar()
            for step in range(60):  # across the whole, as fast as a hand can drag
                bar.setValue(bar.maximum() * step // 60)
                table.grab()
                await asyncio.sleep(0.005)
            await qt_loop.until(lambda: not model.loading)
            assert len(model._pages) <= KEPT
            row = table.rowAt(0)
            await qt_loop.until(lambda: model.row(row) is not None)
            assert model.index(row, PICTURE).data() == f"IMG_{row + 1:07d}.jpg"

    qt_loop.run(steps(), timeout=120)


def test_rows_are_grey_bars_until_they_come(qt_loop, backend) -> None:
    session_id = add_session("Some", "completed")
    add_many(session_id, 1_000)

    async def steps() -> None:
        async with Parts(backend) as parts:
            table = parts.show(JobTable(backend, parts.poller), 800, 400)
            table.show_progress(await progress(backend, session_id), None)
            assert table.jobs.row(0) is None
            assert table.jobs.index(0, PICTURE).data() is None
            table.grab()
            await qt_loop.until(lambda: table.jobs.index(0, PICTURE).data() is not None)

    qt_loop.run(steps())


def test_each_filter_shows_what_its_chip_counts(qt_loop, backend) -> None:
    session_id = add_session("Mixed", "paused")
    add_pictures(
        session_id,
        {
            "completed": ["/p/a.jpg", "/p/b.jpg"],
            "failed": ["/p/c.jpg"],
            "cancelled": ["/p/d.jpg"],
            "running": ["/p/e.jpg"],
            "pending": ["/p/f.jpg", "/p/g.jpg"],
        },
    )
    with write_transaction() as conn:
        conn.execute(text("UPDATE training_jobs SET reused = 1 WHERE id = 2"))
    recount(session_id)

    async def steps() -> None:
        async with Parts(backend) as parts:
            now = await progress(backend, session_id)
            for status in (None, *FILTERS):
                table = await shown(qt_loop, parts, backend, session_id, status)
                number = count_of(now.jobsSummary, status)
                assert table.jobs.rowCount() == number
                words = {table.jobs.index(row, STATE).data() for row in range(number)}
                assert len(words) == (6 if status is None else 2 if status == "completed" else 1)
            assert count_of(now.jobsSummary, None) == 7

    qt_loop.run(steps())


NAMES = {
    os.fsdecode(b"/p/caf\xe9 \xff.jpg"): "caf� �.jpg",
    "/p/two\nlines.jpg": "two⏎lines.jpg",
    "/p/\U0001f431 cat.jpg": "\U0001f431 cat.jpg",
    "/p/" + "x" * 250 + ".jpg": "x" * 250 + ".jpg",
    "/p/שלום.jpg": "שלום.jpg",
}


def test_every_name_can_be_shown(qt_loop, backend) -> None:
    session_id = add_session("Names", "completed")
    add_pictures(session_id, {"completed": list(NAMES)})

    async def steps() -> None:
        async with Parts(backend) as parts:
            table = await shown(qt_loop, parts, backend, session_id)
            names = [table.jobs.index(row, PICTURE).data() for row in range(len(NAMES))]
            assert names == list(NAMES.values())
            assert "/p" in table.jobs.index(0, PICTURE).data(ItemRole.ToolTipRole)
            assert not table.grab().isNull()

    qt_loop.run(steps())


def test_a_message_is_one_line(qt_loop, backend) -> None:
    session_id = add_session("Failed", "completed")
    add_pictures(session_id, {"failed": ["/p/a.jpg"]}, error_message="One.\nTwo.")

    async def steps() -> None:
        async with Parts(backend) as parts:
            table = await shown(qt_loop, parts, backend, session_id)
            assert table.jobs.index(0, MESSAGE).data() == "One. Two."

    qt_loop.run(steps())


def test_the_selection_stays_with_its_picture(qt_loop, backend) -> None:
    session_id = add_session("Moving", "running")
    names = [f"/p/{number}.jpg" for number in range(40)]
    jobs = add_pictures(session_id, {"pending": names})

    async def steps() -> None:
        async with Parts(backend) as parts:
            table = await shown(qt_loop, parts, backend, session_id, "pending")
            table.selectRow(30)
            assert table.selected_id == jobs[30]
            with write_transaction() as conn:
                conn.execute(
                    text(f"UPDATE training_jobs SET status='completed' WHERE id<{jobs[10]}")
                )
            recount(session_id)
            top = table.verticalScrollBar().value()
            table.show_progress(await progress(backend, session_id), "pending")
            await qt_loop.until(lambda: table.currentIndex().row() == 20)
            assert table.jobs.rowCount() == 30
            assert table.selected_id == jobs[30]
            assert table.selected_count() == 1
            assert table.verticalScrollBar().value() <= top

    qt_loop.run(steps())


def test_a_picture_that_left_the_filter_is_no_longer_marked(qt_loop, backend) -> None:
    session_id = add_session("Leaving", "running")
    jobs = add_pictures(session_id, {"pending": [f"/p/{number}.jpg" for number in range(9)]})

    async def steps() -> None:
        async with Parts(backend) as parts:
            table = await shown(qt_loop, parts, backend, session_id, "pending")
            picked: list[Any] = []
            table.picked.connect(picked.append)
            table.selectRow(0)
            with write_transaction() as conn:
                conn.execute(
                    text(f"UPDATE training_jobs SET status='completed' WHERE id={jobs[0]}")
                )
            recount(session_id)
            table.show_progress(await progress(backend, session_id), "pending")
            await qt_loop.until(lambda: not table.currentIndex().isValid())
            assert table.selected_count() == 0
            assert [row.jobId for row in picked] == [jobs[0]]  # its details stay as they were

    qt_loop.run(steps())


def test_growing_moves_nothing(qt_loop, backend) -> None:
    session_id = add_session("Growing", "running", found=False)
    add_many(session_id, 5_000)

    async def steps() -> None:
        async with Parts(backend) as parts:
            table = await shown(qt_loop, parts, backend, session_id)
            table.verticalScrollBar().setValue(32 * 1_000)
            await qt_loop.until(lambda: table.jobs.row(1_000) is not None)
            table.selectRow(1_001)
            await asyncio.to_thread(add_many, session_id, 2_000)
            table.show_progress(await progress(backend, session_id), None)
            await qt_loop.until(lambda: not table.jobs.loading)
            assert table.jobs.rowCount() == 7_000
            assert table.verticalScrollBar().value() == 32 * 1_000
            assert table.currentIndex().row() == 1_001

    qt_loop.run(steps())


def test_unchanged_counts_ask_for_nothing(qt_loop, backend, monkeypatch) -> None:
    session_id = add_session("Still", "completed")
    add_many(session_id, 300)

    async def steps() -> None:
        async with Parts(backend) as parts:
            table = await shown(qt_loop, parts, backend, session_id)
            now = await progress(backend, session_id)
            table.show_progress(now, None)
            table.grab()
            assert not table.jobs.loading
            set_columns(session_id, running_images=1)
            table.show_progress(await progress(backend, session_id), None)
            table.grab()
            assert table.jobs.loading
            await qt_loop.until(lambda: not table.jobs.loading)

    qt_loop.run(steps())


@pytest.mark.parametrize("error", [AppError("The ledger is busy."), OSError("disk")])
def test_a_page_that_cannot_be_fetched_is_asked_for_again(qt_loop, backend, error) -> None:
    session_id = add_session("Broken", "completed")
    add_many(session_id, 300)

    async def steps() -> None:
        async with Parts(backend) as parts:
            table = parts.show(JobTable(backend, parts.poller), 800, 400)
            now = await progress(backend, session_id)
            table.show_progress(now, None)

            async def fails(offset: int, limit: int) -> Any:
                raise error

            works, table.jobs._fetch = table.jobs._fetch, fails
            table.grab()
            await qt_loop.until(lambda: table.jobs.failing)
            table.jobs._fetch = works
            table.show_progress(now, None)
            table.grab()
            await qt_loop.until(lambda: table.jobs.row(0) is not None)

    qt_loop.run(steps())


def test_home_and_end_go_to_the_first_and_last_picture(qt_loop, backend, qtbot) -> None:
    session_id = add_session("Keys", "completed")
    add_many(session_id, 3 * PAGE)

    async def steps() -> None:
        async with Parts(backend) as parts:
            table = await shown(qt_loop, parts, backend, session_id)
            table.setFocus()
            qtbot.keyClick(table, Qt.Key.Key_End)
            assert table.currentIndex().row() == 3 * PAGE - 1
            await qt_loop.until(lambda: table.selected_id is not None)
            qtbot.keyClick(table, Qt.Key.Key_Home)
            assert table.currentIndex().row() == 0

    qt_loop.run(steps())
