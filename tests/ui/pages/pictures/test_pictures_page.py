"""The page of pictures: asking while one types, examples, filters, results, and how it fails."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from ledger_rows import add_many, add_session
from page_parts import choose_node, save_picture
from PySide6.QtCore import QCoreApplication, QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel
from search_parts import Shown, hit, model

from app.api.search_schemas import SearchFilter
from app.db.engine import write_transaction
from app.db.models import AssetVector, EmbeddingModel, ImageAsset
from app.errors import AppError
from app.queue.ask import WorkerAwayError
from app.services.search_service import SearchService
from app.ui.pages.pictures import model_line, search_runner
from app.ui.pages.pictures.drops import dropped_files
from app.ui.pages.pictures.terms import Term
from app.ui.pictures import actions as picture_actions
from app.ui.pictures.files_out import files_as_mime

Key = Qt.Key


def texts(widget: Any) -> str:
    return "\n".join(part.text() for part in widget.findChildren(QLabel) if part.isVisible())


async def search(qt_loop: Any, shown: Shown, text: str = "a red circle") -> None:
    await qt_loop.until(lambda: shown.place() != "loading")
    shown.page.bar.search_for([Term(text)])
    await qt_loop.until(shown.found)


def test_without_an_index_the_page_invites_to_a_session(qt_loop, backend, qtbot, tmp_path) -> None:
    async def steps() -> None:
        shown = Shown(backend, tmp_path, pictures=0)
        shown.service.known = []
        async with shown:
            await qt_loop.until(lambda: shown.place() == "invitation")
            assert not shown.page.field.isEnabled()
            with qtbot.waitSignal(shown.page.new_session_wanted, timeout=0, raising=True):
                shown.page.browser.invitation.button.click()
            add_many(add_session(), 3)
            await qt_loop.until(lambda: shown.place() == "pictures", 20)
            assert shown.page.field.isEnabled()  # names and dates can be looked for
            assert not shown.page.bar.picture_button.isEnabled()
            shown.service.known = [model()]
            shown.page.models.refresh()
            await qt_loop.until(shown.page.bar.picture_button.isEnabled)

    qt_loop.run(steps())


def test_while_the_first_session_runs_the_page_says_that_it_will_soon_be_of_use(
    qt_loop, backend, tmp_path
) -> None:
    async def steps() -> None:
        shown = Shown(backend, tmp_path, pictures=0)
        shown.service.known = []
        async with shown:
            page = shown.page
            await qt_loop.until(lambda: shown.place() == "invitation")
            page.answering.indexing.emit(True)
            assert "The first pictures are being indexed" in texts(page.browser.invitation)
            assert not page.browser.invitation.button.isVisible()
            add_many(add_session(), 3)
            shown.service.known = [model(vectors=3)]
            page.answering.indexing.emit(True)
            await qt_loop.until(lambda: shown.place() == "pictures", 20)
            assert page.field.isEnabled()

    qt_loop.run(steps())


def test_results_follow_what_is_typed_and_go_with_it(qt_loop, backend, tmp_path) -> None:
    async def steps() -> None:
        async with Shown(backend, tmp_path) as shown:
            await qt_loop.until(lambda: shown.place() == "pictures" and shown.page.field.hasFocus())
            QTest.keyClicks(shown.page.field, "red")
            await qt_loop.until(shown.found)
            assert shown.service.texts == ["red"]
            assert shown.grid.tiles.rowCount() == 200
            assert shown.page.line.status_text.full_text() == "Best 200 pictures, more below"
            QTest.keyClick(shown.page.field, Key.Key_Escape)
            assert shown.place() == "pictures"
            assert shown.grid.tiles.rowCount() == 0

    qt_loop.run(steps())


def test_old_results_stay_dimmed_until_the_new_ones_are_there(qt_loop, backend, tmp_path) -> None:
    async def steps() -> None:
        async with Shown(backend, tmp_path) as shown:
            await search(qt_loop, shown)
            shown.service.go.clear()
            shown.service.hits = [hit(7)]
            shown.page.field.setText("blue")
            await qt_loop.until(lambda: shown.page.line.status_text.full_text() == "Searching…")
            assert shown.grid.tiles.rowCount() == 200
            assert shown.grid._dimmed
            shown.service.go.set()
            await qt_loop.until(lambda: shown.grid.tiles.rowCount() == 1)
            assert not shown.grid._dimmed
            assert shown.page.line.status_text.full_text() == "1 picture"

    qt_loop.run(steps())


def test_more_results_are_fetched_towards_the_end(qt_loop, backend, tmp_path) -> None:
    async def steps() -> None:
        async with Shown(backend, tmp_path) as shown:
            await search(qt_loop, shown)
            shown.grid.select_row(3)
            bar = shown.grid.verticalScrollBar()
            for count in (400, 450):
                bar.setValue(bar.maximum())
                await qt_loop.until(lambda count=count: shown.grid.tiles.rowCount() == count)
            assert shown.page.line.status_text.full_text() == "450 pictures"
            assert shown.grid.selected_ranges() == [(3, 3)]
            await qt_loop.until(shown.found)

    qt_loop.run(steps())


def test_the_same_answer_again_moves_nothing(qt_loop, backend, tmp_path) -> None:
    async def steps() -> None:
        async with Shown(backend, tmp_path) as shown:
            await search(qt_loop, shown)
            await qt_loop.until(shown.grid.verticalScrollBar().isVisible)  # it takes some width
            shown.grid.select_row(100)
            top = shown.grid.verticalScrollBar().value()
            shown.page._ask_again()
            await qt_loop.until(shown.found)
            assert len(shown.service.asked) >= 2
            assert shown.grid.selected_ranges() == [(100, 100)]
            assert shown.grid.verticalScrollBar().value() == top > 0

    qt_loop.run(steps())


def test_what_is_indexed_meanwhile_comes_by_itself_unless_somebody_reads_on(
    qt_loop, backend, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(model_line, "EVERY_S", 0.0)
    monkeypatch.setattr(search_runner, "RENEWED_EVERY_S", 0.0)

    async def steps() -> None:
        async with Shown(backend, tmp_path) as shown:
            service, results, line = shown.service, shown.page.results, shown.page.line

            def index(*new: int) -> None:
                service.hits = [hit(number, score=0.95) for number in new] + service.hits
                service.known = [model(vectors=service.known[0].vectors + len(new))]

            def first() -> int:
                return results.hits[0].assetId

            await search(qt_loop, shown)
            index(1000)
            await qt_loop.until(lambda: first() == 1000)
            assert not line.again_button.isVisible()

            bar = shown.grid.verticalScrollBar()
            bar.setValue(bar.maximum() // 2)
            place = bar.value()
            index(1001, 1002)
            await qt_loop.until(line.again_button.isVisible)
            assert line.again_button.text() == "2 more indexed: search again"
            index(1003)
            await qt_loop.until(lambda: line.again_button.text().startswith("3 more"))
            assert (bar.value(), first()) == (place, 1000)
            line.again_button.click()
            await qt_loop.until(lambda: first() == 1003)
            assert not line.again_button.isVisible()

            bar.setValue(0)
            shown.grid.select_row(2)
            index(1004)
            await qt_loop.until(line.again_button.isVisible)
            assert shown.grid.currentIndex().row() == 2
            shown.grid.clearSelection()  # nobody is at them any more
            await qt_loop.until(lambda: first() == 1004)
            await qt_loop.until(lambda: not line.again_button.isVisible())
            assert shown.page.minimumSizeHint().width() <= 816

    qt_loop.run(steps())


def test_everything_on_the_page_is_in_the_question(qt_loop, backend, tmp_path) -> None:
    session_id = add_session("Holiday", "completed")

    async def steps() -> None:
        async with Shown(backend, tmp_path) as shown:
            page = shown.page
            await search(qt_loop, shown, "a red circle")
            page.bar.add_pictures(["/p/one.jpg"])
            page.bar.without_button.click()
            assert page.bar.without_button.isEnabled()
            QTest.keyClicks(page.chips.chips[1].edit, "night")
            page.line.score.setValue(21)
            page.bar.filters_button.click()
            await qt_loop.until(lambda: page.filters.session.findData(session_id) > 0)
            page.filters.session.setCurrentIndex(page.filters.session.findData(session_id))
            page.focus_field()
            await qt_loop.until(shown.found)
            asked = shown.service.asked[-1][0]
            assert [(term.text, term.path, term.weight) for term in asked.terms] == [
                ("a red circle", None, 1.0),
                (None, "/p/one.jpg", 1.0),
                ("night", None, -1.0),
            ]
            assert asked.minScore == 0.21
            assert asked.filter.sessionId == session_id
            assert page.bar.filters_button.text() == "Filters (1)"
            assert page.line.score_text.text() == "At least 0.21"
            assert page.field.hasFocus()

    qt_loop.run(steps())


def test_a_word_with_a_minus_is_a_word(qt_loop, backend, tmp_path) -> None:
    async def steps() -> None:
        async with Shown(backend, tmp_path) as shown:
            await search(qt_loop, shown, "red -night")
            assert shown.service.texts == ["red -night"]
            assert not shown.page.chips.chips

    qt_loop.run(steps())


def test_more_like_a_result_looks_for_it_by_its_number(qt_loop, backend, tmp_path) -> None:
    async def steps() -> None:
        async with Shown(backend, tmp_path) as shown:
            await search(qt_loop, shown)
            shown.grid.select_row(2)
            shown.page.results.actions_.like.trigger()
            await qt_loop.until(lambda: len(shown.service.asked) == 2 and shown.found())
            assert [term.assetId for term in shown.service.asked[-1][0].terms] == [2]
            assert shown.page.chips.terms()[0].name == "00002.jpg"
            assert shown.page.field.text() == ""
            shown.page.search_like("/p/other.jpg")
            await qt_loop.until(lambda: len(shown.service.asked) == 3 and shown.found())
            assert [term.path for term in shown.service.asked[-1][0].terms] == ["/p/other.jpg"]

    qt_loop.run(steps())


def test_where_nothing_scores_enough_the_best_score_is_offered(qt_loop, backend, tmp_path) -> None:
    async def steps() -> None:
        async with Shown(backend, tmp_path) as shown:
            shown.service.hits = [hit(1, score=0.248), hit(2, score=0.1)]
            await search(qt_loop, shown)
            shown.page.line.score.setValue(30)
            await qt_loop.until(lambda: shown.place() == "message")
            assert "Nothing scores 0.30 or more" in texts(shown.page.results)
            assert "The best picture has 0.25." in texts(shown.page.results)
            assert shown.page.line.status_text.full_text() == ""
            shown.page.results.message_button.click()
            await qt_loop.until(lambda: shown.place() == "results" and shown.found())
            assert shown.page.line.score.value() == 24
            assert shown.grid.tiles.rowCount() == 1

    qt_loop.run(steps())


def test_where_filters_leave_nothing_they_can_be_cleared(qt_loop, backend, tmp_path) -> None:
    async def steps() -> None:
        async with Shown(backend, tmp_path) as shown:
            await search(qt_loop, shown)
            everything, shown.service.hits = shown.service.hits, []
            shown.page.filters.format.setCurrentText("BMP")
            await qt_loop.until(lambda: shown.place() == "message")
            assert "No picture matches the filters" in texts(shown.page.results)
            shown.service.hits = everything
            shown.page.results.message_button.click()
            await qt_loop.until(lambda: shown.place() == "results")
            assert shown.service.asked[-1][0].filter.formats == []
            assert shown.page.bar.filters_button.text() == "Filters"

    qt_loop.run(steps())


def test_an_error_is_said_on_the_page_and_can_be_tried_again(qt_loop, backend, tmp_path) -> None:
    async def steps() -> None:
        async with Shown(backend, tmp_path) as shown:
            shown.service.error = AppError("one.jpg is no picture.", "Choose another.")
            await search(qt_loop, shown)
            assert shown.place() == "message"
            assert "one.jpg is no picture." in texts(shown.page.results)
            shown.service.error = None
            shown.page.results.message_button.click()
            await qt_loop.until(lambda: shown.place() == "results")

    qt_loop.run(steps())


def test_results_stay_while_the_process_is_away(qt_loop, backend, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(search_runner, "AGAIN_MS", 20)

    async def steps() -> None:
        async with Shown(backend, tmp_path) as shown:
            await search(qt_loop, shown)
            shown.service.error = WorkerAwayError("It is starting.")
            shown.page.field.setText("blue")
            await qt_loop.until(shown.page.results.notice.isVisible)
            assert "It is starting." in shown.page.results.notice.text.text()
            assert shown.grid.tiles.rowCount() == 200
            shown.service.error = None
            await qt_loop.until(lambda: not shown.page.results.notice.isVisible())
            assert shown.service.texts[-1] == "blue"

    qt_loop.run(steps())


def test_the_real_service_without_a_worker_is_waited_for(qt_loop, backend, tmp_path) -> None:
    with write_transaction() as conn:
        conn.execute(
            EmbeddingModel.__table__.insert().values(
                id=1, name="demo", version="1", weights_digest="d", dimension=8,
                collection="demo", spec="builtin",
            )
        )  # fmt: skip
        conn.execute(ImageAsset.__table__.insert().values(id=1, path="/p", size=1, mtime_ns=1))
        conn.execute(
            AssetVector.__table__.insert().values(
                asset_id=1, model_id=1, size=1, mtime_ns=1, sha256="s"
            )
        )

    async def steps() -> None:
        async with Shown(backend, tmp_path, Real(), pictures=0) as shown:
            await qt_loop.until(lambda: shown.place() != "loading")
            assert "Searching 1 picture with" in shown.page.models.text.full_text()
            shown.page.field.setText("red")
            await qt_loop.until(lambda: shown.place() == "message")
            assert "The queue is not running." in texts(shown.page.results)
            assert shown.page.search_runner.waiting

    qt_loop.run(steps())


class Real(SearchService):
    """The service as it is; the parts of a test want an event to set."""

    class go:
        @staticmethod
        def set() -> None: ...


def test_a_file_that_vanished_is_said_and_marked(qt_loop, backend, tmp_path) -> None:
    async def steps() -> None:
        async with Shown(backend, tmp_path) as shown:
            await search(qt_loop, shown)
            shown.grid.select_row(1)
            shown.grid.setFocus()
            shown.page.results.actions_.open.trigger()
            await qt_loop.until(shown.page.results.notice.isVisible)
            assert "00001.jpg is no longer there." in shown.page.results.notice.text.text()
            assert shown.grid.current_tile().state == "missing"

    qt_loop.run(steps())


def test_a_picture_opens_with_the_systems_program(qt_loop, backend, tmp_path, monkeypatch) -> None:
    odd = os.fsdecode(b"caf\xe9 #1.jpg")
    path = str(tmp_path / odd)
    os.rename(save_picture(str(tmp_path / "a.jpg")), path)
    opened: list[bytes] = []

    class Services:
        @staticmethod
        def openUrl(url: QUrl) -> bool:
            opened.append(bytes(url.toEncoded().data()))
            return False

    monkeypatch.setattr(picture_actions, "QDesktopServices", Services)

    async def steps() -> None:
        async with Shown(backend, tmp_path) as shown:
            shown.service.hits = [hit(1, path)]
            await search(qt_loop, shown)
            shown.grid.select_row(0)
            shown.grid.setFocus()
            QTest.keyClick(shown.grid, Key.Key_O, Qt.KeyboardModifier.ControlModifier)
            await qt_loop.until(shown.page.results.notice.isVisible)
            shown.page.results.actions_.open.trigger()
            await qt_loop.until(lambda: len(opened) == 2)
            assert opened[0] == opened[1]
            assert opened[0].endswith(b"/caf%E9%20%231.jpg")
            assert "No program could be found" in shown.page.results.notice.text.text()
            assert shown.grid.current_tile().state == ""

    qt_loop.run(steps())


def test_a_session_is_searched_alone_when_another_page_asks_for_it(
    qt_loop, backend, tmp_path
) -> None:
    session_id = add_session("Holidays")

    async def steps() -> None:
        async with Shown(backend, tmp_path) as shown:
            page = shown.page
            page.filters.format.setCurrentText("BMP")
            page.search_in(session_id, "Holidays")
            assert page.filters.isVisible()
            assert page.filters.value() == SearchFilter(sessionId=session_id)
            assert page.filters.session.currentText() == "Holidays"
            assert page.bar.filters_button.text() == "Filters (1)"

    qt_loop.run(steps())


def test_all_selected_results_are_copied_as_paths_or_as_files(qt_loop, backend, tmp_path) -> None:
    async def steps() -> None:
        async with Shown(backend, tmp_path) as shown:
            await search(qt_loop, shown)
            assert not shown.page.results.actions_.copy.isEnabled()
            shown.grid.select_row(0)
            QTest.keyClick(shown.grid, Key.Key_Right, Qt.KeyboardModifier.ShiftModifier)
            clipboard = QGuiApplication.clipboard()
            shown.page.results.actions_.copy_path.trigger()
            await qt_loop.until(lambda: clipboard.text() == "/gone/00000.jpg\n/gone/00001.jpg")
            shown.page.results.actions_.copy.trigger()
            await qt_loop.until(lambda: clipboard.mimeData().hasUrls())
            assert not clipboard.mimeData().hasImage()

    qt_loop.run(steps())


def test_keys_lead_from_the_field_to_results_and_preview_and_back(
    qt_loop, backend, tmp_path
) -> None:
    async def steps() -> None:
        async with Shown(backend, tmp_path) as shown:
            page, preview = shown.page, shown.page.results.preview
            await search(qt_loop, shown)
            page.field.setFocus()
            QTest.keyClick(page.field, Key.Key_Down)
            assert shown.grid.hasFocus()
            assert shown.grid.selected_ranges() == [(0, 0)]
            QTest.keyClick(shown.grid, Key.Key_Space)
            assert preview.isVisible()
            QTest.keyClick(shown.grid, Key.Key_Right)
            assert preview.name.full_text() == "00001.jpg"
            assert ("Score", "0.899") in preview.facts._shown
            QTest.keyClick(preview, Key.Key_Right)
            assert preview.name.full_text() == "00002.jpg"
            QTest.keyClick(shown.grid, Key.Key_Escape)
            assert not preview.isVisible()
            QTest.keyClick(shown.grid, Key.Key_Slash)
            assert page.field.hasFocus()
            QTest.keyClicks(page.field, "/")
            assert page.field.text() == "/"

    qt_loop.run(steps())


def test_what_was_used_is_remembered_and_offered_again(qt_loop, backend, tmp_path) -> None:
    async def steps() -> None:
        async with Shown(backend, tmp_path) as shown:
            page = shown.page
            await qt_loop.until(lambda: page.field.hasFocus())
            QTest.keyClicks(page.field, "only typed")
            await qt_loop.until(shown.found)
            page.field.clear()
            page.bar.recent.open()
            assert not page.bar.recent.list.rows
            page.bar.recent.hide()
            QTest.keyClicks(page.field, "looked at")
            await qt_loop.until(shown.found)
            shown.grid.select_row(0)
            shown.grid.previewed.emit(0)
            page.field.clear()
            QTest.keyClick(page.field, Key.Key_Down, Qt.KeyboardModifier.AltModifier)
            assert page.bar.recent.isVisible()
            assert [row.search for row in page.bar.recent.list.rows] == [(Term("looked at"),)]
            page.bar.recent.list.rows[0].open_button.click()
            assert page.field.text() == "looked at"
            await qt_loop.until(shown.found)
            assert not page.bar.recent.isVisible()
            page.field.clear()
            page.bar.recent.open()
            page.bar.recent.list.rows[0].remove_button.click()
            assert not page.bar.recent.list.rows

    qt_loop.run(steps())


def test_another_model_is_chosen_and_asked(qt_loop, backend, tmp_path) -> None:
    async def steps() -> None:
        shown = Shown(backend, tmp_path)
        shown.service.known = [model(2, vectors=120), model(1, used=False)]
        async with shown:
            await search(qt_loop, shown)
            line = shown.page.models
            assert line.text.text() == "Searching 120 of 300 pictures with"
            assert line.choice.currentText() == "Model 2 (120)"
            asked = len(shown.service.asked)
            line.choice.setCurrentIndex(1)
            line.choice.activated.emit(1)
            await qt_loop.until(lambda: len(shown.service.asked) > asked)
            await qt_loop.until(lambda: line.text.text() == "Searching 300 pictures with")
            assert shown.service.used == [1]

    qt_loop.run(steps())


def test_the_model_is_prepared_once_and_its_failure_says_nothing(
    qt_loop, backend, tmp_path
) -> None:
    async def steps() -> None:
        async with Shown(backend, tmp_path) as shown:
            await qt_loop.until(lambda: shown.service.prepared)
            shown.page.hide()
            shown.page.show()
            await qt_loop.until(lambda: shown.place() != "loading")
            assert shown.service.prepared == 1

    qt_loop.run(steps())


def drop(page: Any, data: QMimeData) -> bool:
    """Hold something over the page and let go of it; whether it was taken."""
    actions, place = Qt.DropAction.CopyAction | Qt.DropAction.MoveAction, QPoint(300, 300)
    left, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(place, actions, data, left, none)
    enter.ignore()
    QCoreApplication.sendEvent(page, enter)
    if not enter.isAccepted():
        return False
    assert page.drops.hint.isVisible()
    event = QDropEvent(QPointF(place), actions, data, left, none)
    QCoreApplication.sendEvent(page, event)
    assert event.dropAction() == Qt.DropAction.CopyAction
    assert not page.drops.hint.isVisible()
    return True


def test_dropped_pictures_become_terms_and_folders_do_not(qt_loop, backend, tmp_path) -> None:
    odd = str(tmp_path / os.fsdecode(b"caf\xe9, b.jpg"))

    async def steps() -> None:
        async with Shown(backend, tmp_path) as shown:
            await qt_loop.until(lambda: shown.place() != "loading")
            assert not drop(shown.page, files_as_mime([str(tmp_path)]))
            text = QMimeData()
            text.setText("file:///p.jpg")
            assert not drop(shown.page, text)
            assert drop(shown.page, files_as_mime([odd, str(tmp_path)]))
            await qt_loop.until(shown.found)
            assert [term.path for term in shown.service.asked[-1][0].terms] == [odd]
            assert not shown.page.field.acceptDrops()

    qt_loop.run(steps())


@pytest.mark.parametrize(
    ("line", "paths"),
    [
        (b"file:///a%20b.jpg\r\nfile:///c.jpg", ["/a b.jpg", "/c.jpg"]),
        (b"https://example.org/a.jpg\r\nfile://host/a.jpg", []),
    ],
)
def test_only_local_files_are_taken(line: bytes, paths: list[str]) -> None:
    data = QMimeData()
    data.setData("text/uri-list", line)
    assert dropped_files(data) == paths


def test_a_page_of_long_and_odd_names_is_drawn(qt_loop, backend, tmp_path: Path) -> None:
    names = ["x" * 300 + ".jpg", "a\nb.jpg", os.fsdecode(b"\xff\xfe.jpg"), "\u202etxt.jpg", ".jpg"]

    async def steps() -> None:
        async with Shown(backend, tmp_path) as shown:
            shown.service.hits = [hit(at, f"/p/{name}") for at, name in enumerate(names)]
            await search(qt_loop, shown, "w" * 2_000)
            shown.page.bar.add_pictures([f"/p/{name}" for name in names])
            shown.grid.select_row(0)
            shown.grid.previewed.emit(0)
            for row in range(len(names)):
                shown.grid.select_row(row)
                shown.page.grab()
            assert shown.page.minimumSizeHint().width() <= 816

    qt_loop.run(steps())


def test_an_unknown_word_is_said_to_be_one_above_the_closest(qt_loop, backend, tmp_path) -> None:
    async def steps() -> None:
        async with Shown(backend, tmp_path) as shown:
            shown.service.knows, shown.service.likely = False, 12
            await search(qt_loop, shown, "  my   invoice ")
            notice = shown.page.results.notice
            assert notice.isVisible()
            assert notice.text.text() == "Nothing here looks like “my invoice”. Closest:"
            assert len(shown.page.results.hits) == 12

            shown.service.knows = True
            await search(qt_loop, shown, "dog")
            assert not notice.isVisible()

    qt_loop.run(steps())


def test_less_likely_pictures_are_shown_when_they_are_asked_for(qt_loop, backend, tmp_path) -> None:
    async def steps() -> None:
        async with Shown(backend, tmp_path) as shown:
            shown.service.likely = 30
            page = shown.page
            await search(qt_loop, shown)
            assert page.line.status_text.full_text() == "30 pictures"
            page.line.more_button.click()
            await qt_loop.until(lambda: len(page.results.hits) == 200)
            assert not page.line.more_button.isVisible()

            # another question is answered with what is likely
            await search(qt_loop, shown, "a blue square")
            assert len(page.results.hits) == 30
            assert page.line.more_button.isVisible()

    qt_loop.run(steps())


def test_a_language_that_the_model_does_not_read_is_told_with_a_way_on(
    qt_loop, backend, tmp_path, qtbot
) -> None:
    async def steps() -> None:
        shown = Shown(backend, tmp_path)
        shown.service.known = [model(spec="ViT-B-32/laion2b_s34b_b79k")]
        async with shown:
            await search(qt_loop, shown, "собака")
            notice = shown.page.results.notice
            assert "reads English only. SigLIP 2 ViT-B/32 understands" in notice.text.text()
            with qtbot.waitSignal(shown.page.models_wanted, timeout=0, raising=True):
                notice.button.click()
            await search(qt_loop, shown, "dog")
            assert not notice.isVisible()

            # a folder with that name was found all the same
            shown.service.knows = False
            named = hit(7, "/p/Fête/1.jpg").model_copy(update={"named": True, "score": 0.0})
            shown.service.named_hits = [named]
            await search(qt_loop, shown, "Fête")
            assert notice.text.text().startswith("First 1 picture that has “Fête”")

    qt_loop.run(steps())


def test_only_what_is_wanted_is_said_to_be_unknown(qt_loop, backend, tmp_path) -> None:
    async def steps() -> None:
        async with Shown(backend, tmp_path) as shown:
            shown.service.knows, shown.service.likely = False, 12
            shown.page.bar.search_for([Term(text="invoice"), Term(text="people", without=True)])
            await qt_loop.until(shown.found)
            said = shown.page.results.notice.text.text()
            assert said == "Nothing here looks like “invoice”. Closest:"

    qt_loop.run(steps())


def test_where_all_show_what_is_not_wanted_it_is_said_and_they_can_be_seen(
    qt_loop, backend, tmp_path
) -> None:
    async def steps() -> None:
        async with Shown(backend, tmp_path) as shown:
            shown.service.likely = 0
            await search(qt_loop, shown)
            assert shown.place() == "message"
            assert "No picture is left" in texts(shown.page.results.message)
            shown.page.line.more_button.click()
            await qt_loop.until(lambda: shown.place() == "results")

    qt_loop.run(steps())


def chips(shown: Shown) -> list[str]:
    """The filters that can be removed."""
    return [chip.text() for chip in shown.page.bar.filter_chips.chips]


def listed(shown: Shown) -> int:
    return shown.page.browser.pictures.model.rowCount()


def add_dated(folder: str, number: int, year: int) -> None:
    with write_transaction() as conn:
        for at in range(number):
            moment = datetime(year, 6, 1 + at, tzinfo=UTC)
            path = f"/photos/{folder}/{at}.jpg"
            asset = {"path": path, "folder": f"/photos/{folder}", "size": 1, "mtime_ns": 1}
            conn.execute(ImageAsset.__table__.insert().values(asset | {"taken_at": moment}))


def test_without_a_question_all_pictures_are_shown_and_narrowed_by_words(
    qt_loop, backend, tmp_path
) -> None:
    async def steps() -> None:
        shown = Shown(backend, tmp_path, pictures=20)
        add_dated("Norway", 5, 2019)
        async with shown:
            await qt_loop.until(lambda: listed(shown) == 25)
            assert shown.place() == "pictures"
            shown.page.field.setText("in:Norway 2019")
            await qt_loop.until(lambda: listed(shown) == 5)
            assert not shown.service.asked
            assert chips(shown) == ["in Norway", "2019"]
            shown.page.bar.filter_chips.chips[1].click()
            assert shown.page.field.text() == "in:Norway"
            shown.page.bar.filter_chips.chips[0].click()
            await qt_loop.until(lambda: listed(shown) == 25)
            assert not shown.page.bar.filter_chips.isVisible()

    qt_loop.run(steps())


def test_words_that_are_filters_restrict_a_question(qt_loop, backend, tmp_path) -> None:
    async def steps() -> None:
        async with Shown(backend, tmp_path) as shown:
            await search(qt_loop, shown, "beach 2019 type:heic")
            asked = shown.service.asked[-1][0]
            assert [term.text for term in asked.terms] == ["beach"]
            assert asked.filter == SearchFilter(
                takenFrom=date(2019, 1, 1), takenTo=date(2019, 12, 31), formats=["HEIF"]
            )
            assert chips(shown) == ["2019", "HEIF"]
            shown.service.hits = []
            shown.page._ask_again()
            await qt_loop.until(lambda: shown.place() == "message")
            shown.page.results.message_button.click()  # Clear filters
            assert shown.page.field.text() == "beach"
            await qt_loop.until(lambda: shown.service.asked[-1][0].filter == SearchFilter())

    qt_loop.run(steps())


def test_a_chosen_folder_is_a_filter_of_the_question_until_it_is_removed(
    qt_loop, backend, tmp_path
) -> None:
    async def steps() -> None:
        shown = Shown(backend, tmp_path, pictures=20)
        add_dated("Norway", 5, 2019)
        async with shown:
            await qt_loop.until(lambda: listed(shown) == 25)
            choose_node(shown.page.browser.folders, "/photos/Norway")
            await qt_loop.until(lambda: listed(shown) == 5)
            assert chips(shown) == ["in Norway"]
            await search(qt_loop, shown, "dog")
            assert shown.service.asked[-1][0].filter == SearchFilter(folder="/photos/Norway")
            shown.page.bar.filter_chips.chips[0].click()
            await qt_loop.until(lambda: shown.service.asked[-1][0].filter == SearchFilter())
            shown.page.field.clear()
            await qt_loop.until(lambda: shown.place() == "pictures" and listed(shown) == 25)

    qt_loop.run(steps())


def test_pictures_whose_names_match_come_first_where_none_looks_like_it(
    qt_loop, backend, tmp_path
) -> None:
    async def steps() -> None:
        async with Shown(backend, tmp_path) as shown:
            shown.service.knows = False
            named = hit(7, "/p/beach.jpg").model_copy(update={"named": True, "score": 0.0})
            shown.service.named_hits = [named]
            await search(qt_loop, shown, "beach")
            ids = [item.assetId for item in shown.page.results.hits]
            assert ids[:3] == [7, 0, 1]
            assert ids.count(7) == 1
            said = shown.page.results.notice.text.text()
            closest = "First 1 picture that has “beach” in the name or folder, then the closest."
            assert said == closest
            shown.service.knows = True
            shown.service.named_hits = []
            assert shown.grid.tiles.row(0).note == ""
            bar = shown.grid.verticalScrollBar()
            bar.setValue(bar.maximum())
            await qt_loop.until(lambda: len(shown.page.results.hits) == 400)
            await search(qt_loop, shown, "dog")
            assert not shown.page.results.notice.isVisible()

    qt_loop.run(steps())


def test_pictures_whose_names_match_come_behind_those_that_look_like_it(
    qt_loop, backend, tmp_path
) -> None:
    async def steps() -> None:
        async with Shown(backend, tmp_path) as shown:
            named = [hit(number, "/p/dogs/yurt.jpg") for number in (1, 999)]
            shown.service.named_hits = [
                one.model_copy(update={"named": True, "score": 0.0}) for one in named
            ]
            await search(qt_loop, shown, "dogs")
            ids = [item.assetId for item in shown.page.results.hits]
            assert ids[:2] == [0, 1]
            assert (ids[-1], ids.count(1)) == (999, 1)
            said = shown.page.results.notice.text.text()
            assert said.startswith("First what looks like it, then 1 picture that has “dogs”")

    qt_loop.run(steps())


def test_the_side_is_folded_away_and_stays_so(qt_loop, backend, tmp_path) -> None:
    async def steps() -> None:
        async with Shown(backend, tmp_path) as shown:
            await qt_loop.until(lambda: shown.place() == "pictures")
            assert shown.page.browser.side.isVisible()
            QTest.keyClick(shown.page.field, Key.Key_F9)
            assert not shown.page.browser.side.isVisible()
        async with Shown(backend, tmp_path, pictures=0) as again:
            await qt_loop.until(lambda: again.place() == "pictures")
            assert not again.page.browser.side.isVisible()
            assert not again.page.bar.side_button.isChecked()

    qt_loop.run(steps())


def test_the_size_of_pictures_is_changed_by_keys_and_remembered(qt_loop, backend, tmp_path) -> None:
    async def steps() -> None:
        async with Shown(backend, tmp_path) as shown:
            await qt_loop.until(lambda: shown.place() == "pictures")
            before = shown.page.size_slider.slider.value()
            QTest.keyClick(shown.page.field, Key.Key_Plus, Qt.KeyboardModifier.ControlModifier)
            assert shown.page.size_slider.slider.value() == before + 20
        async with Shown(backend, tmp_path, pictures=0) as again:
            assert again.page.size_slider.slider.value() == before + 20
            assert again.grid._picture_height == before + 20

    qt_loop.run(steps())


def test_choosing_duplicates_ends_a_search(qt_loop, backend, tmp_path) -> None:
    async def steps() -> None:
        async with Shown(backend, tmp_path) as shown:
            await search(qt_loop, shown)
            shown.page.browser.tabs.setCurrentIndex(2)
            assert shown.page.field.text() == ""
            assert shown.place() == "pictures"

    qt_loop.run(steps())


def test_a_count_elsewhere_ends_a_search_and_shows_its_pictures(qt_loop, backend, tmp_path) -> None:
    async def steps() -> None:
        async with Shown(backend, tmp_path, pictures=20) as shown:
            await search(qt_loop, shown, "dog 2019")
            shown.page.show_pictures("/photos/album 3", "waiting")
            await qt_loop.until(lambda: listed(shown) == 1)
            assert shown.place() == "pictures"
            assert shown.page.field.text() == ""
            assert chips(shown) == ["in album 3"]

    qt_loop.run(steps())


def test_the_viewer_shows_a_result_with_its_facts(qt_loop, backend, tmp_path) -> None:
    path = save_picture(str(tmp_path / "a.png"))

    async def steps() -> None:
        async with Shown(backend, tmp_path) as shown:
            written = int(datetime(2021, 3, 9, 8, 7).timestamp()) * 10**9
            shown.service.hits = [hit(1, path).model_copy(update={"modifiedNs": written}), hit(2)]
            await search(qt_loop, shown)
            shown.grid.setFocus()
            shown.grid.select_row(0)
            QTest.keyClick(shown.grid, Key.Key_Return)
            viewer = shown.page.results.viewer
            assert viewer.isVisible()
            QTest.keyClick(viewer, Key.Key_I)
            assert ("Score", "0.899") in viewer.facts._shown
            assert ("File date", "9 March 2021, 08:07") in viewer.facts._shown
            await qt_loop.until(lambda: not viewer.view.picture.isNull())
            QTest.keyClick(viewer, Key.Key_Escape)
            assert shown.grid.hasFocus()
            assert shown.place() == "results"

    qt_loop.run(steps())
