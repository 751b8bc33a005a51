"""One session in every state: what is said, what can be done, and what the numbers show."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from ledger_rows import add_many, add_pictures, add_session, recount, set_columns
from page_parts import Parts, save_picture
from PySide6.QtCore import QEvent, QPoint, QRect, Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QComboBox, QLabel, QWidget
from sqlalchemy import text

from app.api.training_schemas import StageTimes
from app.api.update_schemas import UpdateSummary
from app.db.engine import write_transaction
from app.db.types import utc_now
from app.ui.pages.sessions import session_view
from app.ui.pages.sessions.progress_panel import done_text, left_text, speed_text
from app.ui.pages.sessions.rate_chart import (
    SPAN_S,
    RateChart,
    RateHistory,
    StageBar,
    nice_top,
    slowest,
    stage_shares,
)
from app.ui.pages.sessions.session_actions import NAMES, SessionActions, cancel_text, possible
from app.ui.pages.sessions.session_list import second_line
from app.ui.pages.sessions.session_view import SessionView
from app.ui.parts.theme import theme
from app.ui.pictures.thumbnails import ThumbnailLoader
from app.worker.thumbnails import make_thumbnails


async def progress(backend: Any, session_id: int, **changes: Any) -> Any:
    async with backend.db() as db:
        found = await backend.training.get_session_progress(db, session_id)
    return found.model_copy(update=changes)


class Shown:
    """A view with its actions, on a session."""

    def __init__(self, backend: Any, parts: Parts) -> None:
        self.thumbnails = ThumbnailLoader(backend.thumbnails, parts.window)
        self.actions = SessionActions(
            parts.window, backend, parts.runner, parts.commands.session_actions
        )
        self.view = parts.show(
            SessionView(backend, parts.runner, parts.poller, self.thumbnails, self.actions)
        )
        self.history = RateHistory()

    def show(self, found: Any, **more: Any) -> None:
        self.view.show_progress(found, self.history, **more)

    def buttons(self) -> set[str]:
        return {name for name, item in self.view.buttons.items() if item.isVisible()}


@pytest.mark.parametrize(
    ("status", "failed", "able"),
    [
        ("pending", 0, {"start", "cancel"}),
        ("running", 0, {"pause", "cancel"}),
        ("running", 3, {"pause", "cancel", "retry"}),
        ("paused", 3, {"resume", "cancel"}),
        ("completed", 0, set()),
        ("completed", 3, {"retry"}),
        ("failed", 3, {"start", "cancel"}),
        ("cancelled", 3, set()),
    ],
)
def test_only_what_can_act_is_offered(qt_loop, backend, status, failed, able) -> None:
    session_id = add_session("One", status)
    add_pictures(session_id, {"failed": [f"/p/{number}.jpg" for number in range(failed)]})

    async def steps() -> None:
        async with Parts(backend) as parts:
            shown = Shown(backend, parts)
            found = await progress(backend, session_id)
            shown.show(found)
            assert possible(found) == able
            enabled = {name for name in NAMES if shown.actions.actions[name].isEnabled()}
            assert enabled == able
            # a failed session has its Start again beside the reason, not at the top
            assert shown.buttons() == able - ({"start"} if status == "failed" else set())
            assert shown.view.banner.button.isVisible() == (status == "failed")
            shown.thumbnails.close()

    qt_loop.run(steps())


Place = dict[QWidget, QRect]


def pressable(view: SessionView) -> Place:
    """What would do something if it was clicked, and where."""
    found = [*view.findChildren(QAbstractButton), *view.findChildren(QComboBox)]
    return {
        item: QRect(item.mapTo(view, QPoint()), item.size())
        for item in found
        if item.isVisible() and item.isEnabled()
    }


def taken(view: SessionView, before: Place, after: Place) -> list[tuple[str, str]]:
    """What somebody would hit instead who aims at the middle of something and is too late."""
    controls = {view.buttons[name] for name in ("start", "pause", "resume")}
    together = [controls, set(view.chips.values())]
    return [
        (item.text(), other.text() if isinstance(other, QAbstractButton) else "a list")
        for item, place in before.items()
        for other, there in after.items()
        if other is not item and there.contains(place.center())
        if isinstance(item, QAbstractButton)
        if not any({item, other} <= some for some in together)
    ]


@pytest.mark.parametrize(("width", "height"), [(1000, 680), (740, 560), (575, 520), (420, 600)])
def test_no_place_of_a_button_gets_another_meaning_by_itself(
    qt_loop, backend, width, height
) -> None:
    session_id = add_session("One", "running", skipped={"hidden": 2})
    summary = update_summary(gone=2, missing=2)

    async def steps() -> None:
        async with Parts(backend) as parts:
            shown = Shown(backend, parts)
            view = shown.view
            view.setParent(parts.window)  # as beside the list: it may be narrower than it asks for
            view.show()
            view.resize(width, height)
            begun = await progress(backend, session_id, skipped={})
            add_pictures(session_id, {"completed": ["/p/1"], "pending": ["/p/2", "/p/3"]})
            running = await progress(backend, session_id)
            add_pictures(session_id, {"failed": ["/p/4"], "completed": ["/p/5"]})
            some = await progress(backend, session_id)
            states = [begun, running, some]
            for status in ("completed", "failed", "paused"):
                states += [one.model_copy(update={"status": status}) for one in (running, some)]
            states += [
                some.model_copy(update={"waitingFor": "The disk is not there."}),
                some.model_copy(update={"stalled": True}),
                some.model_copy(update={"status": "completed", "lastUpdate": summary}),
            ]
            seen = []
            for state in states:
                shown.show(state)
                await qt_loop.until(lambda: not view.table.jobs.loading)
                QApplication.sendPostedEvents(None, QEvent.Type.LayoutRequest)
                seen.append(pressable(view))
            assert seen[0]
            for before in seen:
                for after in seen:
                    assert taken(view, before, after) == []
            shown.thumbnails.close()

    qt_loop.run(steps())


def test_a_click_that_was_meant_for_pause_does_nothing_once_the_session_has_ended(
    qt_loop, backend
) -> None:
    session_id = add_session("One", "running")
    add_pictures(session_id, {"completed": ["/p/1"], "failed": ["/p/2"]})

    async def steps() -> None:
        async with Parts(backend) as parts:
            shown = Shown(backend, parts)
            view, done = shown.view, []
            running = await progress(backend, session_id)
            shown.show(running)
            await qt_loop.until(lambda: not view.table.jobs.loading)
            for action in parts.commands.session_actions.values():
                action.triggered.connect(lambda *_: done.append("an action"))
            view.search_wanted.connect(lambda _: done.append("search"))
            view.why_failed.connect(lambda _: done.append("why"))
            places = [
                view.buttons[name].mapTo(view, view.buttons[name].rect().center())
                for name in ("pause", "cancel")
            ]
            shown.show(running.model_copy(update={"status": "completed"}))
            await qt_loop.until(lambda: not view.table.jobs.loading)
            QApplication.sendPostedEvents(None, QEvent.Type.LayoutRequest)
            for place in places:
                there = view.childAt(place) or view
                QTest.mouseClick(there, Qt.MouseButton.LeftButton, pos=there.mapFrom(view, place))
            assert done == []
            shown.thumbnails.close()

    qt_loop.run(steps())


def update_summary(**values: Any) -> UpdateSummary:
    return UpdateSummary(at=utc_now(), **values)


def test_a_missing_folder_is_a_state_with_a_way_on(qt_loop, backend, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(session_view, "FOLDER_EVERY_S", 0.0)
    root = tmp_path / "Holidays"
    session_id = add_session("One", "completed", str(root))

    async def steps() -> None:
        async with Parts(backend) as parts:
            shown = Shown(backend, parts)
            view = shown.view
            shown.show(await progress(backend, session_id))
            assert not view.banner.isVisible()
            await qt_loop.until(view.banner.isVisible)
            assert "is not there" in view.banner.text.text()
            assert view.badge.accessibleName() == "Folder not found"
            assert view.banner.button.text() == "Relocate folder…"
            view.banner.button.click()
            assert view.update_actions.chooser.isVisible()
            view.update_actions.chooser.reject()
            root.mkdir()
            await qt_loop.until(lambda: not view.banner.isVisible())
            assert view.badge.accessibleName() == "Finished"
            assert view.update_button.isEnabled()

    qt_loop.run(steps())


def test_a_session_that_is_starting_cannot_be_started_again(qt_loop, backend) -> None:
    session_id = add_session("One")

    async def steps() -> None:
        async with Parts(backend) as parts:
            shown = Shown(backend, parts)
            shown.show(await progress(backend, session_id), starting=True)
            assert shown.buttons() == {"cancel"}
            assert shown.view.panel.done.text() == "Looking for pictures…"
            assert shown.view.panel.bar.counting

    qt_loop.run(steps())


def test_the_menu_and_the_view_share_their_actions(qt_loop, backend) -> None:
    async def steps() -> None:
        async with Parts(backend) as parts:
            menu = {name: QAction(name, parts.window) for name in NAMES}
            actions = SessionActions(parts.window, backend, parts.runner, menu)
            assert actions.actions == menu
            assert not any(action.isEnabled() for action in menu.values())

    qt_loop.run(steps())


def test_a_failed_session_says_why_and_what_to_do(qt_loop, backend) -> None:
    session_id = add_session("One", "failed", error_message="The disk is full. Free some space.")

    async def steps() -> None:
        async with Parts(backend) as parts:
            shown = Shown(backend, parts)
            shown.show(await progress(backend, session_id))
            assert shown.view.banner.text.text() == "The disk is full. Free some space."
            assert shown.view.banner.button.text() == "Start again"
            shown.show(await progress(backend, session_id, status="running"))
            assert not shown.view.banner.isVisible()

    qt_loop.run(steps())


def test_a_stalled_session_says_so_instead_of_a_time(qt_loop, backend) -> None:
    long_ago = utc_now() - timedelta(minutes=5)
    session_id = add_session("One", "running", running_since=long_ago)
    add_pictures(session_id, {"pending": ["/p/a.jpg"]})
    set_columns(session_id, last_progress_at=long_ago)

    async def steps() -> None:
        async with Parts(backend) as parts:
            shown = Shown(backend, parts)
            found = await progress(backend, session_id)
            assert found.stalled
            shown.show(found)
            assert shown.view.banner.isVisible()
            assert shown.view.panel.left.text() == "Nothing has finished for a while"

    qt_loop.run(steps())


def test_where_it_is_narrow_nothing_is_cut_off(qt_loop, backend, tmp_path) -> None:
    times = {"read_ms": 4_000, "decode_ms": 26_000, "embed_ms": 60_000, "store_ms": 1_000}
    session_id = add_session("One", "running", str(tmp_path), running_since=utc_now(), **times)
    add_pictures(session_id, {"completed": ["/p/a.jpg"], "pending": ["/p/b.jpg"]})

    async def steps() -> None:
        async with Parts(backend) as parts:
            shown = Shown(backend, parts)
            view = shown.view
            view.setParent(parts.window)  # as beside the list: it may be narrower than it asks for
            view.show()
            shown.show(await progress(backend, session_id))
            stages, chart = view.panel.stages, view.panel.chart
            for width, both in ((1_000, True), (575, False), (1_000, True)):
                view.resize(width, 520)
                await qt_loop.until(lambda both=both: chart.isVisible() == both)
                await qt_loop.until(lambda: stages.width() == stages.sizeHint().width())
                assert stages.mapTo(view, stages.rect().topRight()).x() < width
                assert view.table.horizontalScrollBar().maximum() == 0
            shown.thumbnails.close()

    qt_loop.run(steps())


def test_a_session_that_waits_says_what_for(qt_loop, backend, tmp_path) -> None:
    long_ago = utc_now() - timedelta(minutes=5)
    session_id = add_session("One", "running", str(tmp_path), running_since=long_ago)
    add_pictures(session_id, {"pending": ["/p/a.jpg"]})
    why = "The folder /p cannot be reached. Indexing goes on by itself."
    set_columns(session_id, last_progress_at=long_ago, waiting_for=why)

    async def steps() -> None:
        async with Parts(backend) as parts:
            shown = Shown(backend, parts)
            found = await progress(backend, session_id)
            assert not found.stalled
            shown.show(found)
            assert shown.view.banner.isVisible()
            assert shown.view.banner.text.text() == why
            assert shown.view.panel.left.text() == "Waiting"
            assert not shown.view.panel.chart.isVisible()  # there is no speed to be measured
            assert second_line(found, False) == "Waiting · 0 of 1"
            set_columns(session_id, status="paused")
            shown.show(await progress(backend, session_id))
            assert not shown.view.banner.isVisible()

    qt_loop.run(steps())


def test_the_numbers_are_honest(qt_loop, backend) -> None:
    session_id = add_session("One", "running")
    add_many(session_id, 100)

    async def steps() -> None:
        base = await progress(backend, session_id)
        numbers = base.progress

        def with_(**changes: Any) -> Any:
            return base.model_copy(
                update={"progress": numbers.model_copy(update=changes.pop("progress", {}))}
                | changes
            )

        unknown = with_(progress={"current": 3, "total": 19_900})
        assert done_text(unknown) == "Indexing 3 of 19,900 pictures"
        assert "stimating" in left_text(unknown)
        assert speed_text(unknown) == ""
        known = with_(
            progress={"current": 3, "total": 9, "etaSeconds": 600, "imagesPerMinute": 7.25}
        )
        assert left_text(known) == "About 10 minutes left"
        assert speed_text(known) == "· 7.2 a minute"
        counting = with_(progress={"total": 12_000}, discovering=True)
        assert done_text(counting) == "12,000 pictures so far, still counting"
        assert left_text(counting) == ""
        assert left_text(with_(progress={"current": 9, "total": 9})) == "Finishing…"
        paused = with_(status="paused", progress={"current": 3, "total": 9})
        assert (done_text(paused), left_text(paused)) == ("3 of 9 pictures", "")

    qt_loop.run(steps())


def test_a_finished_session_says_what_was_achieved(qt_loop, backend) -> None:
    session_id = add_session("One", "completed", active_ms=660_000, decode_ms=9, embed_ms=5)
    add_many(session_id, 19_900, failed_every=9_950)

    async def steps() -> None:
        async with Parts(backend) as parts:
            shown = Shown(backend, parts)
            shown.show(await progress(backend, session_id))
            said = shown.view.panel.done.text()
            assert said == "19,898 indexed, 2 failed, 11 min; slowest part: decoding"
            assert not shown.view.panel.bar.isVisible()
            asked: list[tuple[str, int]] = []
            shown.view.why_failed.connect(lambda number: asked.append(("why", number)))
            shown.view.search_wanted.connect(lambda number: asked.append(("search", number)))
            assert shown.view.search_button.text() == "Search these pictures"
            assert shown.view.why_button.text() == "Show what failed"
            for control in (shown.view.search_button, shown.view.why_button):
                assert control.isVisible()
                control.click()
            assert asked == [("search", session_id), ("why", session_id)]

    qt_loop.run(steps())


def test_what_was_left_out_is_said_the_most_frequent_first(qt_loop, backend) -> None:
    session_id = add_session(status="completed", skipped={"hidden": 2, ".mp4": 1300})

    async def steps() -> None:
        async with Parts(backend) as parts:
            shown = Shown(backend, parts)
            shown.show(await progress(backend, session_id))
            assert shown.view.left_out.isVisible()
            assert shown.view.left_out.full_text() == "Skipped: 1,300 × .mp4, 2 × hidden"
            shown.show(await progress(backend, add_session(status="completed")))
            assert not shown.view.left_out.isVisible()

    qt_loop.run(steps())


def test_chips_filter_the_table(qt_loop, backend) -> None:
    session_id = add_session("One", "completed")
    add_pictures(session_id, {"completed": ["/p/a.jpg", "/p/b.jpg"], "failed": ["/p/c.jpg"]})

    async def steps() -> None:
        async with Parts(backend) as parts:
            shown = Shown(backend, parts)
            view = shown.view
            shown.show(await progress(backend, session_id))
            chips = {status: chip.number for status, chip in view.chips.items()}
            assert (chips["completed"], chips["failed"], chips["pending"]) == (2, 1, 0)
            assert view.table.jobs.rowCount() == 3
            assert not view.chips["pending"].isEnabled()
            assert not view.chips["reused"].isVisible()
            view.chips["failed"].click()
            assert view.table.jobs.rowCount() == 1
            assert view.chips["failed"].isChecked()
            await qt_loop.until(lambda: view.table.jobs.row(0) is not None)
            view.chips["completed"].click()
            assert not view.chips["failed"].isChecked()
            assert view.table.jobs.rowCount() == 2
            view.chips["completed"].click()
            assert view.table.jobs.rowCount() == 3
            await qt_loop.until(lambda: not view.table.jobs.loading)

    qt_loop.run(steps())


def test_a_filter_that_runs_empty_stays_and_says_so(qt_loop, backend) -> None:
    session_id = add_session("One", "running")
    add_pictures(session_id, {"failed": ["/p/c.jpg"]})

    async def steps() -> None:
        async with Parts(backend) as parts:
            shown = Shown(backend, parts)
            shown.show(await progress(backend, session_id))
            shown.view.set_filter("failed")
            with write_transaction() as conn:
                conn.execute(text("UPDATE training_jobs SET status = 'pending'"))
            recount(session_id)
            shown.show(await progress(backend, session_id))
            assert shown.view.status_filter == "failed"
            assert shown.view.nothing.isVisible()
            assert shown.view.chips["failed"].isEnabled()

    qt_loop.run(steps())


def test_the_details_of_a_picture_are_shown_beside_the_table(qt_loop, backend, tmp_path) -> None:
    path = save_picture(str(tmp_path / "a.jpg"), 600, 400)
    make_thumbnails([path], 256)
    session_id = add_session("One", "completed", str(tmp_path))
    job = add_pictures(session_id, {"failed": [path]})[0]
    add_evidence(job, session_id, 2)

    async def steps() -> None:
        async with Parts(backend) as parts:
            shown = Shown(backend, parts)
            view = shown.view
            shown.show(await progress(backend, session_id))
            assert not view.evidence.isVisible()
            await qt_loop.until(lambda: view.table.jobs.row(0) is not None)
            view.table.selectRow(0)
            assert view.evidence.isVisible()
            assert view.evidence.job_id == job

            def texts() -> list[str]:
                return [item.text() for item in view.evidence.findChildren(QLabel)]

            await qt_loop.until(lambda: "Attempt 2" in texts())
            assert {"Attempt 1", "a.jpg", "The data is damaged.", "GPU · bf16"} <= set(texts())
            await qt_loop.until(lambda: shown.thumbnails.get(path, 200) is not None)
            view.evidence.grab()
            view.evidence.close_button.click()
            assert not view.evidence.isVisible()
            assert view.table.selected_count() == 0
            shown.thumbnails.close()

    qt_loop.run(steps())


def add_evidence(job: int, session_id: int, attempts: int) -> None:
    with write_transaction() as conn:
        for attempt in range(1, attempts + 1):
            conn.execute(
                text(
                    "INSERT INTO training_evidence (job_id, asset_id, session_id, attempt,"
                    " model_name, model_version, weights_digest, device, precision,"
                    " processing_time_ms, note, error_message, created_at) VALUES (:job, 1,"
                    " :session, :attempt, 'ViT-B-32', 'laion', 'abc', 'cuda:0', 'bf16', 23, '',"
                    " 'It did not work.', :now)"
                ),
                {
                    "job": job,
                    "session": session_id,
                    "attempt": attempt,
                    "now": utc_now().strftime("%Y-%m-%d %H:%M:%S.%f"),
                },
            )


def test_another_session_starts_its_bar_afresh(qt_loop, backend) -> None:
    one, two = add_session("One", "paused"), add_session("Two", "paused")
    add_pictures(one, {"completed": ["/p/1", "/p/2", "/p/3"], "pending": ["/p/4"]})
    add_pictures(two, {"completed": ["/q/1"], "pending": ["/q/2", "/q/3", "/q/4"]})

    async def steps() -> None:
        async with Parts(backend) as parts:
            shown = Shown(backend, parts)
            shown.show(await progress(backend, one))
            assert shown.view.panel.bar.shown == 0.75
            shown.show(await progress(backend, two))
            assert shown.view.panel.bar.shown == 0.25
            await qt_loop.until(lambda: not shown.view.table.jobs.loading)

    qt_loop.run(steps())


def test_cancelling_is_asked_once_and_refused_by_default(qt_loop, backend) -> None:
    session_id = add_session("Holidays", "paused")
    add_pictures(session_id, {"completed": ["/p/1"], "pending": ["/p/2", "/p/3"]})

    async def steps() -> None:
        async with Parts(backend) as parts:
            shown = Shown(backend, parts)
            shown.show(await progress(backend, session_id))
            shown.actions.actions["cancel"].trigger()
            question = shown.actions.question
            assert question is not None
            assert question.no_button.isDefault()
            question.reject()
            assert (await progress(backend, session_id)).status == "paused"
            shown.actions.actions["cancel"].trigger()
            shown.actions.question.yes_button.click()
            while (await progress(backend, session_id)).jobsSummary.cancelled != 2:
                pass
            found = await progress(backend, session_id)
            assert (found.status, found.jobsSummary.completed) == ("cancelled", 1)
            await qt_loop.until(lambda: shown.actions.actions["cancel"] not in parts.runner._busy)

    qt_loop.run(steps())


def test_what_cancelling_does_is_said_in_numbers(qt_loop, backend) -> None:
    session_id = add_session("Holidays", "running")
    add_pictures(session_id, {"completed": ["/p/1"], "pending": ["/p/2", "/p/3"]})

    async def steps() -> None:
        found = await progress(backend, session_id)
        assert "2 pictures will be skipped" in cancel_text(found)
        assert "1 picture already indexed can still be found" in cancel_text(found)

    qt_loop.run(steps())


@pytest.mark.parametrize(
    ("status", "line"),
    [
        ("running", "Indexing · 3 of 4"),
        ("paused", "Paused · 3 of 4"),
        ("cancelled", "Cancelled · 2 of 4"),
    ],
)
def test_the_list_counts_as_the_session_itself_does(
    qt_loop, backend, status: str, line: str
) -> None:
    session_id = add_session("Two", status)
    rest = "cancelled" if status == "cancelled" else "pending"
    add_pictures(session_id, {"completed": ["/p/1", "/p/2"], "failed": ["/p/3"], rest: ["/p/4"]})
    set_columns(session_id, last_progress_at=utc_now())

    async def steps() -> None:
        assert second_line(await progress(backend, session_id), False) == line

    qt_loop.run(steps())


def test_stage_shares_add_up_to_a_hundred() -> None:
    assert stage_shares(stage_times(0, 0, 0, 0)) == []
    for times in ((1, 1, 1, 1), (4, 41, 48, 7), (1, 0, 0, 0), (999_999, 1, 1, 1), (2, 2, 3, 3)):
        assert sum(share for _, share in stage_shares(stage_times(*times))) == 100
    times = stage_times(4, 41, 48, 7)
    expected = [("reading", 4), ("decoding", 41), ("analysing", 48), ("saving", 7)]
    assert stage_shares(times) == expected
    assert slowest(times) == "analysing"


def stage_times(*ms: int) -> StageTimes:
    return StageTimes(**dict(zip(("readMs", "decodeMs", "embedMs", "storeMs"), ms, strict=True)))


def test_the_stage_bar_says_what_it_draws(qapp) -> None:
    bar = StageBar()
    bar.set_times(stage_times(4, 41, 48, 7))
    assert bar.sentence() == "reading 4 %, decoding 41 %, analysing 48 %, saving 7 %"
    assert bar.sentence() in bar.accessibleName()


def test_the_words_of_the_stage_bar_are_whole(qapp) -> None:
    bar = StageBar()
    bar.set_times(stage_times(4, 41, 48, 7))
    wanted = bar.sizeHint()
    bar.resize(wanted.width() + 40, wanted.height() + 40)
    drawn = bar.grab().toImage()
    nothing = drawn.pixel(drawn.width() - 1, drawn.height() - 1)
    rows = [
        row
        for row in range(20, drawn.height())
        if any(drawn.pixel(x, row) != nothing for x in range(drawn.width()))
    ]
    assert 20 < rows[-1] < wanted.height()


@pytest.mark.parametrize(
    ("highest", "top"), [(0, 10), (9, 10), (10, 10), (11, 20), (499, 500), (7_001, 10_000)]
)
def test_the_scale_ends_at_a_round_number(highest: float, top: int) -> None:
    assert nice_top(highest) == top


def test_the_chart_keeps_three_minutes_of_running(qt_loop, backend) -> None:
    session_id = add_session("One", "running")

    async def steps() -> None:
        found = await progress(backend, session_id)
        rate = found.progress.model_copy(update={"imagesPerMinute": 60.0})
        running = found.model_copy(update={"progress": rate})
        history = RateHistory()
        for second in range(400):
            history.add(running, now=float(second))
        samples = history.of(session_id)
        assert samples[0][0] >= 399 - SPAN_S
        assert samples[-1] == (399.0, 60.0)
        history.add(running.model_copy(update={"stalled": True}), now=400.0)
        assert history.of(session_id)[-1] == (400.0, 0.0)
        history.add(running.model_copy(update={"status": "paused"}), now=401.0)
        assert history.of(session_id)[-1] == (400.0, 0.0)
        assert history.of(99) == []

    qt_loop.run(steps())


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("samples", [[], [(0.0, 5.0)], [(0.0, 0.0), (1.0, 1e6), (60.0, 3.0)]])
def test_the_chart_draws_anything(qapp, scheme, samples) -> None:
    theme().set_scheme(scheme)
    chart = RateChart()
    chart.set_samples(samples, now=61.0)
    chart.resize(300, 56)
    assert not chart.grab().isNull()
    theme().set_scheme("system")


def test_a_poll_of_a_million_is_shown_at_once(qt_loop, backend) -> None:
    session_id = add_session("One", "running")
    set_columns(session_id, total_images=1_000_000, completed_images=900_000)

    async def steps() -> None:
        async with Parts(backend) as parts:
            shown = Shown(backend, parts)
            found = await progress(backend, session_id)
            shown.show(found)
            shown.show(found)
            shown.view.grab()
            assert "900,000 of 1,000,000" in shown.view.panel.done.text()
            await qt_loop.until(lambda: not shown.view.table.jobs.loading)

    qt_loop.run(steps())
