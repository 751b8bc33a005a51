"""Looking through all pictures: folders, dates, duplicates, orders, states, ways to fail."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from ledger_rows import add_many, add_session
from page_parts import Parts, choose_node, save_picture
from PySide6.QtCore import QSettings, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from sqlalchemy import insert, text, update

from app.api.library_schemas import ScanStatus
from app.db.engine import write_transaction
from app.db.models import AssetVector, EmbeddingModel, ImageAsset, NearDuplicate, TrainingJob
from app.db.types import utc_now
from app.services.duplicate_service import DuplicateService
from app.services.library_service import LibraryService
from app.ui.pages.pictures import browser as library_browser
from app.ui.pages.pictures import duplicate_browser as library_duplicate_browser
from app.ui.pages.pictures.browsed import LibraryPictures, LibraryTile
from app.ui.pages.pictures.browser import LibraryBrowser
from app.ui.pages.pictures.duplicates import DuplicatePanel, ScanBox, scan_text
from app.ui.pictures.thumbs import Thumbs

Key = Qt.Key


@pytest.fixture(autouse=True)
def asked_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library_browser, "EVERY_S", 0.0)
    monkeypatch.setattr(library_browser, "REST", 0)
    monkeypatch.setattr(library_duplicate_browser, "EVERY_S", 0.0)


class Scans:
    """Stands in for the scans of the worker."""

    def __init__(self) -> None:
        self.status = ScanStatus(state="never")
        self.asked: list[Any] = []


@pytest.fixture(autouse=True)
def scans(monkeypatch: pytest.MonkeyPatch) -> Scans:
    state = Scans()

    async def scan(_self: Any, model_id: int) -> None:
        state.asked.append(model_id)
        state.status = ScanStatus(state="waiting")

    async def stop(_self: Any, model_id: int) -> None:
        state.asked.append(("stop", model_id))
        state.status = ScanStatus(state="stopped", endedAt=utc_now())

    async def status(_self: Any, model_id: int | None) -> ScanStatus:
        return state.status

    monkeypatch.setattr(DuplicateService, "scan", scan)
    monkeypatch.setattr(DuplicateService, "stop_scan", stop)
    monkeypatch.setattr(DuplicateService, "scan_status", status)
    return state


class NoThumbnails:
    """No worker makes any."""

    def request(self, paths: Any, edge: int) -> str:
        return "1"

    def answered(self, requests: Any) -> dict[str, bool]:
        return dict.fromkeys(requests, True)


class Shown:
    """A browser in a window, by folder unless a test says otherwise::

    async with Shown(backend, tmp_path) as shown:
        await shown.ready(qt_loop)
    """

    def __init__(self, backend: Any, folder: Path) -> None:
        self.parts = Parts(backend)
        self.context = self.parts.context(thumbnails=NoThumbnails())
        self.memory = QSettings(str(folder / "window.ini"), QSettings.Format.IniFormat)
        self.memory.setValue("pictures/order", "folder")

    async def __aenter__(self) -> Shown:
        await self.parts.__aenter__()
        context = self.context
        pictures = LibraryPictures(context, Thumbs())
        panel = DuplicatePanel(context.poller, context.thumbnails)
        self.page: LibraryBrowser = self.parts.show(
            LibraryBrowser(context, self.memory, pictures, panel)
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.parts.__aexit__()

    def names(self) -> list[str]:
        """What stands under the pictures, first lines."""
        model = self.page.pictures.model
        tiles = [model.row(row) for row in range(model.rowCount())]
        return [tile.caption.partition("\n")[0] if tile else "…" for tile in tiles]

    async def until_names(self, qt_loop: Any, *expected: str) -> None:
        await qt_loop.until(lambda: self.names() == list(expected))

    def place(self) -> str:
        page = self.page
        places = {
            page._skeleton: "loading",
            page.split: "pictures",
            page.invitation: "invitation",
            page._trouble: "trouble",
        }
        return places[page.stack.currentWidget()]


def add(path: str, state: str = "waiting", **values: Any) -> int:
    """A picture in this state; its id."""
    asset = {"path": path, "folder": path.rpartition("/")[0], "size": 1_000_000, "mtime_ns": 5}
    if state == "missing":
        asset["missing_since"] = utc_now()
    asset |= {"excluded": state == "excluded"} | values
    with write_transaction() as conn:
        if not conn.execute(text("SELECT count(*) FROM embedding_models")).scalar():
            model = {"id": 1, "name": "m", "version": "1", "weights_digest": "x", "dimension": 4}
            conn.execute(
                insert(EmbeddingModel).values(model | {"collection": "c", "spec": "builtin"})
            )
        number: int = conn.execute(insert(ImageAsset).values(asset)).inserted_primary_key[0]
        if state in ("indexed", "changed"):
            vector = {"asset_id": number, "model_id": 1, "sha256": "x", "size": asset["size"]}
            vector["mtime_ns"] = asset["mtime_ns"] - (state == "changed")
            conn.execute(insert(AssetVector).values(vector))
    return number


def fail(asset_id: int) -> None:
    session_id = add_session("Holidays", "completed")
    with write_transaction() as conn:
        job = {"session_id": session_id, "asset_id": asset_id, "status": "failed"}
        conn.execute(insert(TrainingJob).values(job))


def one_of_each() -> dict[str, int]:
    """A picture in each state, by state."""
    states = ("indexed", "changed", "waiting", "missing", "excluded")
    numbers = {state: add(f"/p/{state}.jpg", state) for state in states}
    numbers["failed"] = add("/p/failed.jpg")
    fail(numbers["failed"])
    return numbers


def test_without_pictures_the_page_invites_to_a_session(qt_loop, backend, qtbot, tmp_path) -> None:
    async def steps() -> None:
        async with Shown(backend, tmp_path) as shown:
            await qt_loop.until(lambda: shown.place() == "invitation")
            with qtbot.waitSignal(shown.page.new_session_wanted, timeout=0):
                shown.page.invitation.button.click()
            add("/p/first.jpg")
            await qt_loop.until(lambda: shown.place() == "pictures")
            await shown.until_names(qt_loop, "first.jpg")

    qt_loop.run(steps())


def test_every_state_has_a_number_and_shows_its_pictures(qt_loop, backend, tmp_path) -> None:
    numbers = one_of_each()

    async def steps() -> None:
        async with Shown(backend, tmp_path) as shown:
            pictures = shown.page.pictures
            await qt_loop.until(lambda: pictures.chips["failed"].number)
            assert pictures.chips[""].number == 6
            assert all(pictures.chips[state].number == 1 for state in numbers)
            await qt_loop.until(
                lambda: {name.partition(".")[0] for name in shown.names()} == set(numbers)
            )
            for state in numbers:
                pictures.chips[state].click()
                await shown.until_names(qt_loop, f"{state}.jpg")
                tile = pictures.model.row(0)
                assert isinstance(tile, LibraryTile)
                assert tile.state == ("" if state == "indexed" else state)
                assert [name for name, chip in pictures.chips.items() if chip.isChecked()] == [
                    state
                ]
            pictures.chips[""].click()
            await qt_loop.until(lambda: pictures.model.rowCount() == 6)

    qt_loop.run(steps())


def test_a_count_elsewhere_leads_to_its_pictures(qt_loop, backend, tmp_path) -> None:
    one_of_each()
    add("/q/missing too.jpg", "missing")

    async def steps() -> None:
        async with Shown(backend, tmp_path) as shown:
            shown.page.show_pictures("/p", "missing")  # before anything is read
            await shown.until_names(qt_loop, "missing.jpg")
            shown.page.tabs.setCurrentIndex(1)
            shown.page.show_pictures("/no such folder", "missing")
            await qt_loop.until(lambda: shown.page.pictures.model.rowCount() == 2)
            assert shown.page.pictures.chips["missing"].isChecked()

    qt_loop.run(steps())


def test_a_state_that_nothing_is_in_has_no_button(qt_loop, backend, tmp_path) -> None:
    first = add("/p/a.jpg", "missing")

    async def steps() -> None:
        async with Shown(backend, tmp_path) as shown:
            pictures = shown.page.pictures
            await qt_loop.until(lambda: pictures.chips["missing"].isVisible())
            assert not pictures.chips["failed"].isVisible()
            pictures.chips["missing"].click()
            await shown.until_names(qt_loop, "a.jpg")
            with write_transaction() as conn:
                conn.execute(
                    update(ImageAsset).where(ImageAsset.id == first).values(missing_since=None)
                )
            await qt_loop.until(lambda: pictures.stack.currentWidget() is pictures.nothing)
            assert pictures.chips["missing"].isVisible()

    qt_loop.run(steps())


def test_a_folder_shows_what_lies_below_it(qt_loop, backend, tmp_path) -> None:
    for path in ("/p/Italy/1.jpg", "/p/Italy/Rome/2.jpg", "/p/Spain/3.jpg"):
        add(path)

    async def steps() -> None:
        async with Shown(backend, tmp_path) as shown:
            await shown.until_names(qt_loop, "1.jpg", "2.jpg", "3.jpg")
            choose_node(shown.page.folders, "/p/Italy")
            await shown.until_names(qt_loop, "1.jpg", "2.jpg")
            assert shown.page.pictures.heading.full_text() == "Italy"
            assert "/p/Italy" in shown.page.pictures.subtitle.text()

    qt_loop.run(steps())


def test_dates_show_a_time_and_the_grouping_is_remembered(qt_loop, backend, tmp_path) -> None:
    add("/p/may.jpg", taken_at=datetime(2024, 5, 7, 14, 5, tzinfo=UTC))
    add("/p/old.jpg", taken_at=datetime(1999, 1, 1, tzinfo=UTC))
    add("/p/undated.jpg", mtime_ns=10**18)  # the camera did not date it: its file does

    async def steps() -> None:
        async with Shown(backend, tmp_path) as shown:
            shown.page.pictures.order_box.setCurrentIndex(0)
            await qt_loop.until(lambda: shown.page.pictures.model.rowCount() == 3)
            shown.page.tabs.setCurrentIndex(1)
            choose_node(shown.page.dates, "2024")
            await shown.until_names(qt_loop, "may.jpg")
            assert "7 May 2024, 14:05" in shown.page.pictures.model.row(0).caption
            choose_node(shown.page.dates, "2001")
            await shown.until_names(qt_loop, "undated.jpg")
        async with Shown(backend, tmp_path) as again:
            assert again.page.side.grouping == "dates"
            await qt_loop.until(lambda: again.page.pictures.model.rowCount() == 3)

    qt_loop.run(steps())


def test_what_is_new_comes_by_itself_unless_somebody_reads_on(qt_loop, backend, tmp_path) -> None:
    add("/p/b.jpg")

    async def steps() -> None:
        async with Shown(backend, tmp_path) as shown:
            pictures = shown.page.pictures
            await shown.until_names(qt_loop, "b.jpg")
            add("/p/a.jpg")
            await shown.until_names(qt_loop, "a.jpg", "b.jpg")
            pictures.grid.select_row(1)
            add("/p/0.jpg")
            await qt_loop.until(pictures.anew_button.isVisible)
            assert shown.names() == ["a.jpg", "b.jpg"]
            assert pictures.grid.currentIndex().row() == 1
            pictures.anew_button.click()
            await shown.until_names(qt_loop, "0.jpg", "a.jpg", "b.jpg")
            assert not pictures.anew_button.isVisible()

    qt_loop.run(steps())


def test_a_state_that_changes_is_shown_where_the_picture_is(qt_loop, backend, tmp_path) -> None:
    number = add("/p/a.jpg")

    async def steps() -> None:
        async with Shown(backend, tmp_path) as shown:
            pictures = shown.page.pictures
            await shown.until_names(qt_loop, "a.jpg")
            pictures.grid.select_row(0)
            assert pictures.grid.current_tile().state == "waiting"
            fail(number)
            with write_transaction() as conn:
                conn.execute(text("UPDATE training_sessions SET failed_images = 1"))
            await qt_loop.until(lambda: pictures.model.row(0).state == "failed")
            assert pictures.grid.currentIndex().row() == 0
            assert not pictures.anew_button.isVisible()

    qt_loop.run(steps())


def test_the_details_say_whose_date_it_is(qt_loop, backend, tmp_path) -> None:
    written = int(datetime(2021, 3, 9, 8, 7).timestamp()) * 10**9  # by this computer's clock
    add("/p/a.jpg", "indexed", mtime_ns=written)
    add("/p/b.jpg", "indexed", mtime_ns=written, taken_at=datetime(2019, 6, 3, 14, 5, tzinfo=UTC))

    async def steps() -> None:
        async with Shown(backend, tmp_path) as shown:
            pictures = shown.page.pictures
            await shown.until_names(qt_loop, "a.jpg", "b.jpg")
            pictures.grid.select_row(0)
            QTest.keyClick(pictures.grid, Key.Key_Space)
            facts = pictures.preview.facts
            assert ("File date", "9 March 2021, 08:07") in facts._shown
            pictures.grid.select_row(1)
            assert ("Taken", "3 June 2019, 14:05") in facts._shown

    qt_loop.run(steps())


def test_keys_preview_open_copy_and_find_more(
    qt_loop, backend, qtbot, tmp_path, monkeypatch
) -> None:
    path = save_picture(str(tmp_path / "a.png"))
    number = add(path, "indexed", width=64, height=48)
    opened: list[str] = []

    async def open_it(path: str) -> None:
        opened.append(path)

    monkeypatch.setattr("app.ui.pictures.actions.open_picture", open_it)

    async def steps() -> None:
        async with Shown(backend, tmp_path) as shown:
            pictures = shown.page.pictures
            await shown.until_names(qt_loop, "a.png")
            pictures.grid.setFocus()
            pictures.grid.select_row(0)
            QTest.keyClick(pictures.grid, Key.Key_Space)
            assert pictures.preview.isVisible()
            assert pictures.preview.name.full_text() == "a.png"
            QTest.keyClick(pictures.preview, Key.Key_Escape)
            assert not pictures.preview.isVisible()
            pictures.actions_.open.trigger()
            await qt_loop.until(lambda: opened == [path])
            clipboard = QGuiApplication.clipboard()
            pictures.actions_.copy.trigger()
            await qt_loop.until(lambda: not clipboard.image().isNull())
            assert clipboard.image().size().toTuple() == (64, 48)
            assert clipboard.mimeData().urls()[0].toLocalFile() == clipboard.text() == path
            with qtbot.waitSignal(pictures.like_wanted, timeout=0) as wanted:
                pictures.actions_.like.trigger()
            assert wanted.args[0].asset_id == number

    qt_loop.run(steps())


def test_an_excluded_picture_can_be_included_again(qt_loop, backend, tmp_path) -> None:
    add("/p/a.jpg", "excluded")
    add("/p/b.jpg", "indexed")

    async def steps() -> None:
        async with Shown(backend, tmp_path) as shown:
            pictures = shown.page.pictures
            await shown.until_names(qt_loop, "a.jpg", "b.jpg")
            pictures.grid.select_row(1)
            assert not pictures.include_action.isVisible()
            pictures.grid.selectAll()
            assert pictures.include_action.isVisible()
            pictures.include_action.trigger()
            await qt_loop.until(lambda: pictures.model.row(0) and not excluded(pictures))
            assert "1 picture included again" in pictures.notice.text.text()
            await qt_loop.until(lambda: pictures.chips["waiting"].number == 1)

    qt_loop.run(steps())


def excluded(pictures: Any) -> bool:
    return pictures.model.row(0).state == "excluded"


def test_what_cannot_be_read_can_be_tried_again(qt_loop, backend, tmp_path, monkeypatch) -> None:
    add("/p/a.jpg")
    folders = LibraryService.folders

    async def broken(*_: Any) -> Any:
        raise OSError("the disk is gone")

    monkeypatch.setattr(LibraryService, "folders", broken)

    async def steps() -> None:
        async with Shown(backend, tmp_path) as shown:
            await qt_loop.until(lambda: shown.place() == "trouble")
            monkeypatch.setattr(LibraryService, "folders", folders)
            shown.page._trouble.button.click()
            await qt_loop.until(lambda: shown.place() == "pictures")
            await shown.until_names(qt_loop, "a.jpg")
            shown.parts.problems.clear()

    qt_loop.run(steps())


def test_pictures_that_cannot_be_listed_can_be_tried_again(
    qt_loop, backend, tmp_path, monkeypatch
) -> None:
    add("/p/a.jpg")
    listing, reported = LibraryService.listing, []
    monkeypatch.setattr(
        "app.ui.parts.actions.report", lambda _parent, error: reported.append(error)
    )

    async def broken(*_: Any) -> Any:
        raise OSError("the disk is gone")

    monkeypatch.setattr(LibraryService, "listing", broken)

    async def steps() -> None:
        async with Shown(backend, tmp_path) as shown:
            pictures = shown.page.pictures
            await qt_loop.until(lambda: pictures.stack.currentWidget() is pictures.trouble)
            assert reported
            monkeypatch.setattr(LibraryService, "listing", listing)
            pictures.trouble.button.click()
            await shown.until_names(qt_loop, "a.jpg")

    qt_loop.run(steps())


def test_a_hundred_thousand_pictures_are_read_page_by_page(qt_loop, backend, tmp_path) -> None:
    add_many(add_session("Big", "completed"), 100_000)

    async def steps() -> None:
        async with Shown(backend, tmp_path) as shown:
            pictures = shown.page.pictures
            await qt_loop.until(lambda: pictures.model.rowCount() == 100_000)
            bar = pictures.grid.verticalScrollBar()
            bar.setValue(bar.maximum())
            pictures.grid.grab()
            await qt_loop.until(lambda: pictures.model.row(99_999) is not None)
            assert len(pictures.model._pages) < 10
            assert shown.page.folders.nodes.rowCount() == 502

    qt_loop.run(steps())


# Duplicates


def add_copies(*paths: str, sha: str, **values: Any) -> None:
    for path in paths:
        add(path, "indexed", sha256=sha * 64, **values)


def add_alike(*paths: str) -> None:
    numbers = [add(path, "indexed") for path in paths]
    with write_transaction() as conn:
        for number in numbers:
            group = {"model_id": 1, "asset_id": number, "group_id": min(numbers), "score": 0.98}
            conn.execute(insert(NearDuplicate).values(group))


def test_copies_are_shown_group_by_group_the_best_first(qt_loop, backend, tmp_path) -> None:
    add_copies("/p/small.jpg", "/q/small.jpg", sha="1", size=10)
    add_copies("/p/large.jpg", "/q/large.jpg", "/r/large.jpg", sha="2", size=9_000_000)

    async def steps() -> None:
        async with Shown(backend, tmp_path) as shown:
            page = shown.page
            page.tabs.setCurrentIndex(2)
            await qt_loop.until(lambda: page.panel.model.rowCount() == 2)
            await shown.until_names(qt_loop, "large.jpg", "large.jpg", "large.jpg")
            assert page.pictures.model.row(0).note == "Best"
            assert page.pictures.heading.full_text() == "3 files with the same content"
            assert page.pictures.subtitle.text() == "The others take 18.0 MB."
            assert not page.pictures.states.isVisible()
            assert page.panel.chips["exact"].number == 2
            total = page.panel.total.text()
            assert total == "2 groups; all but the best of each take 18.0 MB."
            assert page.panel.chips["similar"].text() == "Near duplicates"  # nobody has looked
            assert page.panel.list.selectionModel().hasSelection()
            page.panel.list.setFocus()
            QTest.keyClick(page.panel.list, Key.Key_Down)
            await shown.until_names(qt_loop, "small.jpg", "small.jpg")
            assert page.pictures.subtitle.text() == "The other takes 10 bytes."
            page.tabs.setCurrentIndex(0)
            await qt_loop.until(lambda: page.pictures.model.rowCount() == 5)
            assert page.pictures.states.isVisible()

    qt_loop.run(steps())


def test_a_group_that_is_looked_at_stays_while_the_library_changes(
    qt_loop, backend, tmp_path
) -> None:
    add_copies("/p/a.jpg", "/q/a.jpg", sha="1", size=10)
    add_copies("/p/b.jpg", "/q/b.jpg", sha="2", size=9_000_000)

    async def steps() -> None:
        async with Shown(backend, tmp_path) as shown:
            page = shown.page
            page.tabs.setCurrentIndex(2)
            await shown.until_names(qt_loop, "b.jpg", "b.jpg")
            page.panel.list.selectRow(1)
            await shown.until_names(qt_loop, "a.jpg", "a.jpg")
            before = page._overview
            add("/p/another.jpg")
            await qt_loop.until(lambda: page._overview is not before)
            await qt_loop.until(lambda: not page._runner._tasks)
            assert page.panel.list.currentIndex().row() == 1
            assert shown.names() == ["a.jpg", "a.jpg"]

    qt_loop.run(steps())


def test_without_duplicates_the_page_says_so(qt_loop, backend, tmp_path) -> None:
    add("/p/a.jpg", "indexed")

    async def steps() -> None:
        async with Shown(backend, tmp_path) as shown:
            shown.page.tabs.setCurrentIndex(2)
            pictures = shown.page.pictures
            await qt_loop.until(lambda: pictures.stack.currentWidget() is pictures.nothing)
            assert shown.page.panel.nothing.text() == "No two files have the same content."
            assert shown.page.panel.nothing.isVisible()

    qt_loop.run(steps())


def test_look_alikes_are_looked_for_and_come_when_they_are_found(
    qt_loop, backend, tmp_path, scans
) -> None:
    add("/p/a.jpg", "indexed")

    async def steps() -> None:
        async with Shown(backend, tmp_path) as shown:
            panel = shown.page.panel
            shown.page.tabs.setCurrentIndex(2)
            await qt_loop.until(lambda: shown.page._overview is not None)
            panel.chips["similar"].click()
            box = panel.scan
            await qt_loop.until(
                lambda: box.start_button.isVisible() and box.start_button.isEnabled()
            )
            assert "half a minute" in box.message.text()
            box.start_button.click()
            await qt_loop.until(lambda: scans.asked == [1])
            await qt_loop.until(box.stop_button.isVisible)
            scans.status = ScanStatus(state="running", share=0.34)
            await qt_loop.until(lambda: box.message.text() == "Comparing pictures: 34 %")
            assert box.bar.isVisible()
            add_alike("/p/b.jpg", "/p/c.jpg")
            scans.status = ScanStatus(state="done", share=1.0, endedAt=utc_now())
            await shown.until_names(qt_loop, "b.jpg", "c.jpg")
            await qt_loop.until(lambda: "just now" in box.message.text())
            assert box.start_button.text() == "Compare again"
            assert panel.chips["similar"].number == 1

    qt_loop.run(steps())


def test_a_scan_can_be_stopped(qt_loop, backend, tmp_path, scans) -> None:
    add("/p/a.jpg", "indexed")
    scans.status = ScanStatus(state="running", share=0.5)

    async def steps() -> None:
        async with Shown(backend, tmp_path) as shown:
            shown.page.tabs.setCurrentIndex(2)
            await qt_loop.until(lambda: shown.page._overview is not None)
            shown.page.panel.chips["similar"].click()
            await qt_loop.until(shown.page.panel.scan.stop_button.isVisible)
            shown.page.panel.scan.stop_button.click()
            await qt_loop.until(lambda: scans.asked == [("stop", 1)])
            await qt_loop.until(shown.page.panel.scan.start_button.isVisible)

    qt_loop.run(steps())


@pytest.mark.parametrize(
    ("scan", "said"),
    [
        (ScanStatus(state="never"), "Every picture is compared"),
        (ScanStatus(state="waiting"), "This starts once nothing else"),
        (ScanStatus(state="waiting", share=0.4), "Comparing pictures: 40 %. It continues once"),
        (ScanStatus(state="waiting", error="Qdrant does not answer."), "Qdrant does not answer. "),
        (ScanStatus(state="running", share=0.999), "Comparing pictures: 99 %"),
        (ScanStatus(state="done", share=1, endedAt=utc_now()), "All pictures were compared"),
        (ScanStatus(state="stopped", endedAt=utc_now()), "What was found before is kept."),
        (
            ScanStatus(state="failed", error="KeyError: 3."),
            "failed never. KeyError: 3. See the log",
        ),
    ],
)
def test_each_state_of_a_scan_has_its_sentence(scan: ScanStatus, said: str) -> None:
    assert said in scan_text(scan)


def test_a_scan_that_begins_anew_shows_so(qapp) -> None:
    box = ScanBox()
    for share in (0.8, 0.1):
        box.show_scan(ScanStatus(state="running", share=share))
    assert box.bar.shown < 0.2
    box.deleteLater()


def test_the_groups_are_written_to_a_table(qt_loop, backend, tmp_path) -> None:
    add_copies("/p/a.jpg", "/q/a.jpg", sha="1")
    target = tmp_path / "copies.csv"

    async def steps() -> None:
        async with Shown(backend, tmp_path) as shown:
            page = shown.page
            assert not page.export_button.isVisible()
            page.tabs.setCurrentIndex(2)
            await qt_loop.until(lambda: page.panel.model.rowCount() == 1)
            assert page.export_button.isVisible()
            page.duplicates.export_to(str(target), page.export_button)
            await qt_loop.until(lambda: "2 lines" in page.pictures.notice.text.text())
            rows = list(csv.reader(target.read_text(encoding="utf-8").splitlines()))
            assert [row[1] for row in rows[1:]] == ["/p/a.jpg", "/q/a.jpg"]

    qt_loop.run(steps())
