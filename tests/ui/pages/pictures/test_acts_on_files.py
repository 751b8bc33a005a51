"""Acts on files by mouse and keys, in the page and in the viewer: real files, a real trash."""

from __future__ import annotations

import asyncio
import csv
import json
import os
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from ledger_rows import add_many, add_pictures, add_session
from page_parts import save_picture
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog, QPlainTextEdit
from search_parts import Shown, hit
from sqlalchemy import select

from app.api.file_schemas import ActProgress, ActResult
from app.db.engine import get_sync_engine, write_transaction
from app.db.models import AssetVector, EmbeddingModel, FileAct, ImageAsset
from app.services import file_moves, search_service
from app.services.search_service import SearchService
from app.ui.pages.pictures.terms import Term
from app.ui.parts import passing, programs
from app.ui.parts.confirm import ConfirmDialog
from app.ui.pictures import file_acts
from app.ui.pictures.act_words import interrupted, outcome, trash_question, under_way
from app.ui.pictures.contact_sheet import write_contact_sheet

Key, Modifier = Qt.Key, Qt.KeyboardModifier
CONTROL_SHIFT = Modifier.ControlModifier | Modifier.ShiftModifier


pytestmark = pytest.mark.usefixtures("trash")


class Page:
    """The page of pictures over five real files, ``0.png`` the newest."""

    def __init__(self, shown: Shown, folder: Path, loop: Any) -> None:
        self.shown, self.folder, self.loop = shown, folder, loop
        self.page = shown.page
        self.grid = shown.page.browser.pictures.grid
        self.bar = shown.page.act_bar

    def names(self) -> list[str]:
        tiles = [self.grid.tiles.row(row) for row in range(self.grid.tiles.rowCount())]
        return [os.path.basename(tile.path)[0] if tile else "…" for tile in tiles]

    def current(self) -> str:
        tile = self.grid.current_tile()
        return tile.path if tile else ""

    def files(self) -> str:
        return "".join(sorted(name[0] for name in os.listdir(self.folder)))

    async def until_names(self, names: str) -> None:
        await self.loop.until(lambda: "".join(self.names()) == names)

    async def until_said(self, sentence: str) -> None:
        await self.loop.until(lambda: self.bar.isVisible() and self.bar.text.text() == sentence)

    async def key(self, key: Qt.Key, modifiers: Qt.KeyboardModifier = Modifier.NoModifier) -> None:
        window = self.page.window()
        window.activateWindow()  # a dialog was
        await self.loop.until(window.isActiveWindow)
        QTest.keyClick(self.grid, key, modifiers)

    def select(self, *rows: int) -> None:
        self.grid.setFocus()
        for number, row in enumerate(rows):
            place = self.grid.visualRect(self.grid.tiles.index(row, 0)).center()
            keys = Modifier.ControlModifier if number else Modifier.NoModifier
            QTest.mouseClick(self.grid.viewport(), Qt.MouseButton.LeftButton, keys, place)

    def question(self) -> ConfirmDialog:
        return next(
            dialog
            for dialog in self.page.window().findChildren(ConfirmDialog)
            if dialog.isVisible()
        )


@asynccontextmanager
async def opened(
    qt_loop: Any, backend: Any, tmp_path: Path, service: Any = None
) -> AsyncIterator[Page]:
    folder = tmp_path / "photos"
    folder.mkdir()
    session = add_session("Photos", "completed", str(folder))
    paths = [save_picture(str(folder / f"{number}.png")) for number in range(5)]
    for number, path in enumerate(paths):
        os.utime(path, (1, 1_600_000_000 - number))
    add_pictures(session, {"completed": paths})
    with write_transaction() as conn:
        for path in paths:
            status = os.stat(path)
            conn.execute(
                ImageAsset.__table__.update()
                .where(ImageAsset.__table__.c.path == path)
                .values(size=status.st_size, mtime_ns=status.st_mtime_ns, folder=str(folder))
            )
        if service is not None:
            add_vectors(conn)
    async with Shown(backend, tmp_path, service, pictures=0) as shown:
        page = Page(shown, folder, qt_loop)
        await page.until_names("01234")
        yield page


def add_vectors(conn: Any) -> None:
    """Every picture is indexed with a model."""
    conn.execute(
        EmbeddingModel.__table__.insert().values(
            id=1, name="demo", version="1", weights_digest="d", dimension=8,
            collection="demo", spec="builtin",
        )
    )  # fmt: skip
    for asset_id in conn.scalars(select(ImageAsset.__table__.c.id)).all():
        conn.execute(
            AssetVector.__table__.insert().values(
                asset_id=asset_id, model_id=1, size=1, mtime_ns=1, sha256="s"
            )
        )


def test_delete_asks_once_and_control_z_brings_them_back(qt_loop, backend, tmp_path, trash) -> None:
    async def steps() -> None:
        async with opened(qt_loop, backend, tmp_path) as page:
            page.select(1, 2)
            assert page.page.selection.count.text() == "2 selected"
            await page.key(Key.Key_Delete)
            question = page.question()
            assert question.accessibleName() == "Move 2 pictures to the trash?"
            QTest.keyClick(question, Key.Key_Return)  # the safe answer
            assert page.files() == "01234"
            await page.key(Key.Key_Delete)
            page.question().again.click()
            page.question().yes_button.click()
            await page.until_said("2 pictures moved to the trash.")
            await page.until_names("034")
            assert page.files() == "034"
            assert sorted(os.listdir(trash / "files")) == ["1.png", "2.png"]
            assert page.grid.selected_ranges() == [(1, 1)]  # the one after them
            await page.key(Key.Key_Delete)  # it is not asked again
            await page.until_said("1 picture moved to the trash.")
            await page.until_names("04")
            await page.key(Key.Key_Z, Modifier.ControlModifier)
            await page.until_said("1 picture restored.")
            await page.until_names("034")
            await page.key(Key.Key_Z, Modifier.ControlModifier)
            await page.until_said("2 pictures restored.")
            await page.until_names("01234")
            assert page.files() == "01234"
            assert not page.page.acts.undo.isEnabled()

    qt_loop.run(steps())


@pytest.mark.parametrize(
    ("key", "said", "left"),
    [
        (Key.Key_C, "2 pictures copied to best.", "01234"),
        (Key.Key_M, "2 pictures moved to best.", "124"),
    ],
)
def test_files_go_to_a_folder_and_the_button_undoes_it(
    qt_loop, backend, tmp_path, key, said, left
) -> None:
    best = tmp_path / "best"
    best.mkdir()
    (best / "0.png").write_bytes(b"another")

    async def steps() -> None:
        async with opened(qt_loop, backend, tmp_path) as page:
            page.select(0, 3)
            await page.key(key, CONTROL_SHIFT)
            dialog = page.page.window().findChild(QFileDialog)
            assert "2 pictures to…" in dialog.windowTitle()
            dialog.fileSelected.emit(str(best))
            dialog.close()
            await page.until_said(said)
            assert page.files() == left
            assert (best / "0.png").read_bytes() == b"another"
            assert sorted(os.listdir(best)) == ["0 (2).png", "0.png", "3.png"]
            await qt_loop.until(lambda: page.grid.selected_ranges() == [(0, 0), (3, 3)])
            if key == Key.Key_M:
                await qt_loop.until(lambda: page.current() == str(best / "3.png"))
            page.bar.undo_button.click()
            await qt_loop.until(lambda: sorted(os.listdir(best)) == ["0.png"])
            await page.until_names("01234")
            assert page.files() == "01234"

    qt_loop.run(steps())


def test_in_the_viewer_only_what_is_seen_goes_and_the_next_one_follows(
    qt_loop, backend, tmp_path
) -> None:
    async def steps() -> None:
        async with opened(qt_loop, backend, tmp_path) as page:
            page.shown.memory.setValue(file_acts.ASKED_KEY, "no")
            page.select(1, 2)
            await page.key(Key.Key_Return)
            viewer = page.page.browser.pictures.viewer
            assert viewer.name.full_text() == "2.png"
            QTest.keyClick(viewer, Key.Key_Delete)
            await qt_loop.until(lambda: page.files() == "0134")
            await qt_loop.until(lambda: viewer.name.full_text() == "3.png")
            assert viewer.isVisible()
            assert viewer.place.text() == "3 of 4"
            QTest.keyClick(viewer, Key.Key_Z, Modifier.ControlModifier)
            await qt_loop.until(lambda: page.files() == "01234")
            await page.until_names("01234")
            assert viewer.isVisible()
            QTest.keyClick(viewer, Key.Key_Escape)

    qt_loop.run(steps())


def test_the_last_picture_gone_closes_the_viewer(qt_loop, backend, tmp_path) -> None:
    async def steps() -> None:
        async with opened(qt_loop, backend, tmp_path) as page:
            page.shown.memory.setValue(file_acts.ASKED_KEY, "no")
            page.select(0)
            await page.key(Key.Key_A, Modifier.ControlModifier)
            await page.key(Key.Key_Delete)
            await qt_loop.until(lambda: page.files() == "")
            pictures = page.page.browser.pictures
            await qt_loop.until(lambda: page.grid.tiles.rowCount() == 0)
            page.page.acts.undo.trigger()
            await page.until_names("01234")
            assert pictures.stack.currentWidget() is pictures.split

    qt_loop.run(steps())


def test_what_was_not_done_is_listed_file_by_file(qt_loop, backend, tmp_path) -> None:
    async def steps() -> None:
        async with opened(qt_loop, backend, tmp_path) as page:
            for number in (0, 1):
                (page.folder / f"{number}.png").unlink()
            await page.key(Key.Key_A, Modifier.ControlModifier)
            page.page.acts.move_to_trash()
            await page.until_said(
                "3 of 5 pictures moved to the trash. 0.png: It is no longer there. "
                "1 more could not be."
            )
            page.bar.details_button.click()
            listed = page.page.window().findChild(QPlainTextEdit).toPlainText()
            assert listed.count("It is no longer there.") == 2

    qt_loop.run(steps())


def test_an_act_can_be_stopped_and_says_how_far_it_came(
    qt_loop, backend, tmp_path, monkeypatch
) -> None:
    second, go = threading.Event(), threading.Event()
    put = file_moves.put_into_trash
    calls: list[str] = []

    def slow(path: str) -> str | None:
        calls.append(path)
        if len(calls) == 2:
            second.set()
            assert go.wait(10)
        return put(path)

    monkeypatch.setattr(file_moves, "put_into_trash", slow)

    async def steps() -> None:
        async with opened(qt_loop, backend, tmp_path) as page:
            await page.key(Key.Key_A, Modifier.ControlModifier)
            page.page.acts.move_to_trash()
            await qt_loop.until(second.is_set)
            assert page.bar.text.text() == "Moving to the trash: 5 pictures"
            await qt_loop.until(lambda: page.bar.count.text() == "1 of 5")
            assert not page.page.acts.trash.isEnabled()
            page.bar.stop_button.click()
            go.set()
            await page.until_said(
                "2 of 5 pictures moved to the trash. It was stopped before the others."
            )
            assert len(page.files()) == 3

    qt_loop.run(steps())


def test_a_folder_that_cannot_be_written_is_said_in_a_dialog(qt_loop, backend, tmp_path) -> None:
    async def steps() -> None:
        async with opened(qt_loop, backend, tmp_path) as page:
            page.select(0)
            page.page.acts.move(str(tmp_path / "nowhere"))
            window = page.shown.parts.window
            await qt_loop.until(lambda: window.findChild(error_dialog()))
            assert "no longer there" in window.findChild(error_dialog()).message
            assert not page.bar.isVisible()
            assert page.page.acts.trash.isEnabled()
            window.findChild(error_dialog()).close()

    qt_loop.run(steps())


def error_dialog() -> type:
    from app.ui.parts.error_dialog import ErrorDialog

    return ErrorDialog


def test_trashed_results_go_at_once_and_the_place_stays(qt_loop, backend, tmp_path) -> None:
    async def steps() -> None:
        async with opened(qt_loop, backend, tmp_path) as page:
            tiles = [page.grid.tiles.row(row) for row in range(5)]
            service = page.shown.service
            service.hits = [hit(tile.asset_id, tile.path, 0.9) for tile in tiles]
            service.hits += [hit(1_000 + number, score=0.5) for number in range(190)]
            page.page.bar.search_for([Term("a boat")])
            await qt_loop.until(page.shown.found)
            results = page.page.results
            results.grid.select_row(1)
            assert page.page.selection.count.text() == "1 selected"
            page.page.acts.move_to_trash()
            await qt_loop.until(lambda: page.files() == "0234")
            await qt_loop.until(lambda: results.model.rowCount() == 194)
            assert results.grid.current_tile().path == tiles[2].path
            assert len(service.asked) == 1  # nothing was looked for again
            page.page.acts.undo.trigger()
            await qt_loop.until(lambda: results.model.rowCount() == 195)

    qt_loop.run(steps())


def test_what_is_over_goes_with_the_next_act_and_what_can_be_undone_stays(
    qt_loop, backend, tmp_path
) -> None:
    async def steps() -> None:
        async with opened(qt_loop, backend, tmp_path) as page:
            page.select(0)
            page.page.acts.move_to_trash()
            await page.until_said("1 picture moved to the trash.")
            await page.until_names("1234")
            page.page.field.setText("type:png")
            assert page.bar.undo_button.isVisible()
            page.bar.undo_button.click()
            await page.until_said("1 picture restored.")
            page.page.field.clear()
            assert not page.bar.isVisible()

            await page.until_names("01234")
            page.select(0)
            page.page.acts.export_to(str(tmp_path / "list.csv"))
            await page.until_said(f"1 picture written to list.csv in {tmp_path.name}.")
            page.page.browser.pictures.chips[""].click()
            assert not page.bar.isVisible()

    qt_loop.run(steps())


def test_what_is_over_goes_by_itself_and_what_went_wrong_does_not(
    qt_loop, backend, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(passing, "READ_WITHIN_MS", 1)

    async def steps() -> None:
        async with opened(qt_loop, backend, tmp_path) as page:
            page.page.act_bar.show_outcome("1 picture restored.")
            await qt_loop.until(lambda: not page.bar.isVisible())
            page.page.act_bar.show_outcome("1 picture copied.", can_undo=True)
            page.page.browser.pictures.notice.show_message("check-circle", "Done.", passes=True)
            await qt_loop.until(lambda: not page.page.browser.pictures.notice.isVisible())
            assert page.bar.isVisible()
            page.page.act_bar.show_outcome("0 of 1 picture copied.", good=False)
            page.page.browser.pictures.notice.show_message("check-circle", "Done.", passes=True)
            await qt_loop.until(lambda: not page.page.browser.pictures.notice.isVisible())
            assert page.bar.isVisible()

    qt_loop.run(steps())


def test_counts_are_new_after_an_act_and_after_its_undoing(
    qt_loop, backend, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(search_service, "COUNTED_AGAIN_AFTER_S", 3600.0)

    class Real(SearchService):
        go = asyncio.Event()

    async def steps() -> None:
        async with opened(qt_loop, backend, tmp_path, Real()) as page:
            said = page.page.models.text.full_text
            await qt_loop.until(lambda: said().startswith("Searching 5 pictures"))
            page.select(1, 2)
            page.page.acts.move_to_trash()
            await qt_loop.until(lambda: said().startswith("Searching 3 pictures"))
            page.page.acts.undo.trigger()
            await qt_loop.until(lambda: said().startswith("Searching 5 pictures"))

    qt_loop.run(steps())


def test_what_can_be_done_is_named_where_there_is_room(qt_loop, backend, tmp_path) -> None:
    beside, alone = (
        Qt.ToolButtonStyle.ToolButtonTextBesideIcon,
        Qt.ToolButtonStyle.ToolButtonIconOnly,
    )

    async def steps() -> None:
        async with opened(qt_loop, backend, tmp_path) as page:
            page.select(0)
            bar, whole = page.page.selection, page.page
            for width, style in ((1200, beside), (820, alone), (1200, beside)):
                whole.resize(width, 600)
                await qt_loop.until(lambda: bar.width() >= bar.sizeHint().width())
                assert {item.toolButtonStyle() for item in bar.buttons} == {style}
                assert whole.minimumSizeHint().width() <= 816
                places = [item.geometry() for item in (*bar.buttons, bar.clear_button)]
                assert all(one.right() < two.left() for one, two in pairwise(places))

    qt_loop.run(steps())


def test_two_to_four_selected_pictures_can_be_seen_side_by_side(qt_loop, backend, tmp_path) -> None:
    async def steps() -> None:
        async with opened(qt_loop, backend, tmp_path) as page:
            button, view = page.page.selection.compare_button, page.page.browser.pictures
            action = view.actions_.compare
            assert action in page.grid.actions()  # its menu
            for number in range(1, 6):
                page.select(*range(number))
                assert button.isVisible() == action.isEnabled() == (2 <= number <= 4)
            page.select(1, 3)
            QTest.mouseClick(button, Qt.MouseButton.LeftButton)
            assert names_beside(view) == ["1.png", "3.png"]
            QTest.keyClick(view.viewer, Key.Key_Escape)
            assert page.grid.hasFocus()
            assert page.page.selection.count.text() == "2 selected"
            await page.key(Key.Key_C)
            assert names_beside(view) == ["1.png", "3.png"]
            QTest.keyClick(view.viewer, Key.Key_C)
            assert names_beside(view) == []
            assert view.viewer.isVisible()
            QTest.keyClick(view.viewer, Key.Key_Escape)

    qt_loop.run(steps())


def names_beside(view: Any) -> list[str]:
    assert view.being_viewed
    return [os.path.basename(item.path) for item in view.viewer.compared.views]


def test_selected_pictures_are_counted_and_can_be_let_go(qt_loop, backend, tmp_path) -> None:
    add_many(add_session("Many", "completed"), 10_000)

    async def steps() -> None:
        async with Shown(backend, tmp_path, pictures=0) as shown:
            page = shown.page
            grid = page.browser.pictures.grid
            await qt_loop.until(lambda: grid.tiles.rowCount() == 10_000)
            assert not page.selection.isVisible()
            assert page.models.text.isVisible()
            grid.selectAll()
            assert page.selection.count.text() == "10,000 selected"
            assert not page.models.text.isVisible()
            names = [item.accessibleName() for item in page.selection.buttons]
            assert "Move to trash (Del)" in names
            page.selection.clear_button.click()
            assert not page.selection.isVisible()
            assert page.models.text.isVisible()

    qt_loop.run(steps())


def test_the_menu_offers_programs_and_one_gets_the_files(
    qt_loop, backend, tmp_path, monkeypatch
) -> None:
    monkeypatch.setenv("XDG_DATA_DIRS", str(tmp_path / "none"))
    entries = tmp_path / "share" / "applications"
    entries.mkdir(parents=True)
    script = tmp_path / "note"
    script.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/seen\n')
    script.chmod(0o755)
    entry = f"[Desktop Entry]\nType=Application\nName=Note\nExec={script} %F\nMimeType=image/png;\n"
    (entries / "note.desktop").write_text(entry)

    async def steps() -> None:
        async with opened(qt_loop, backend, tmp_path) as page:
            page.select(0, 1)
            menu = page.page.acts.open_with.menu()
            menu.aboutToShow.emit()
            await qt_loop.until(lambda: menu.actions()[0].text() == "Note")
            assert menu.actions()[-1].text() == "Another program…"
            menu.actions()[0].trigger()
            await qt_loop.until((tmp_path / "seen").exists)
            await qt_loop.until(lambda: programs._started and programs._started[-1].poll() == 0)
            seen = (tmp_path / "seen").read_text().split()
            assert seen == [str(page.folder / "0.png"), str(page.folder / "1.png")]

    qt_loop.run(steps())


def test_selected_pictures_are_written_to_lists_and_sheets(qt_loop, backend, tmp_path) -> None:
    async def steps() -> None:
        async with opened(qt_loop, backend, tmp_path) as page:
            page.select(0, 2)
            acts = page.page.acts
            for ending in ("csv", "json", "pdf"):
                acts.export_to(str(tmp_path / f"list.{ending}"))
                await page.until_said(
                    f"2 pictures written to list.{ending} in {tmp_path.name[:39].rstrip()}"
                    f"{'…' if len(tmp_path.name) > 40 else tmp_path.name[39:]}."
                )
            rows = list(csv.DictReader((tmp_path / "list.csv").read_text().splitlines()))
            listed = json.loads((tmp_path / "list.json").read_text())
            wanted = [str(page.folder / "0.png"), str(page.folder / "2.png")]
            assert [row["file"] for row in rows] == [row["file"] for row in listed] == wanted
            assert listed[0]["width"] == 4_000
            assert (tmp_path / "list.pdf").read_bytes().startswith(b"%PDF-")
            assert not list(tmp_path.glob("*.partial"))

    qt_loop.run(steps())


def test_a_contact_sheet_has_pages_for_all_also_for_what_cannot_be_shown(qapp, tmp_path) -> None:
    good = save_picture(str(tmp_path / "a.png"), 600, 400, "red")
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    paths = [good, str(tmp_path / "broken.jpg"), "/gone/nothing.jpg", *[good] * 20]
    progress = ActProgress()
    target = tmp_path / "sheet.pdf"
    assert write_contact_sheet(paths, str(target), progress) == 23
    assert target.read_bytes().count(b"/Type /Page\n") == 2
    assert (progress.done, progress.share) == (23, 1.0)
    stopped = ActProgress()
    stopped.stop.set()
    assert write_contact_sheet(paths, str(tmp_path / "none.pdf"), stopped) == 0
    assert not (tmp_path / "none.pdf").exists()


def test_what_an_earlier_run_had_begun_is_settled_when_the_page_is_seen(
    qt_loop, backend, tmp_path
) -> None:
    with write_transaction() as conn:
        conn.execute(
            FileAct.__table__.insert().values(
                act="a", machine=os.uname().nodename, kind="trash", state="begun", asset_id=1,
                source=str(tmp_path / "gone.jpg"), size=1, mtime_ns=1, message="",
                at=file_acts_now(),
            )
        )  # fmt: skip

    def state() -> str:
        with get_sync_engine().connect() as conn:
            return conn.execute(FileAct.__table__.select()).one().state

    async def steps() -> None:
        async with Shown(backend, tmp_path) as shown:
            await qt_loop.until(lambda: state() == "done")
            bar = shown.page.act_bar
            await qt_loop.until(bar.isVisible)
            begin = "Afterimage ended while pictures were being moved to the trash: "
            assert bar.text.text() == f"{begin}1 picture was moved."
            assert not bar.undo_button.isVisible()

    qt_loop.run(steps())


def file_acts_now() -> Any:
    from app.db.types import utc_now

    return utc_now()


def test_pictures_are_selected_as_in_a_file_manager(qt_loop, backend, tmp_path) -> None:
    async def steps() -> None:
        async with opened(qt_loop, backend, tmp_path) as page:
            page.select(0, 3)
            assert page.grid.selected_ranges() == [(0, 0), (3, 3)]
            page.select(3)
            place = page.grid.visualRect(page.grid.tiles.index(1, 0)).center()
            left = Qt.MouseButton.LeftButton
            QTest.mouseClick(page.grid.viewport(), left, Modifier.ShiftModifier, place)
            assert page.grid.selected_ranges() == [(1, 3)]
            await page.key(Key.Key_Home)
            await page.key(Key.Key_Right, Modifier.ShiftModifier)
            assert page.grid.selected_ranges() == [(0, 1)]
            for _ in range(2):
                await page.key(Key.Key_Right, Modifier.ControlModifier)
            await page.key(Key.Key_Space, Modifier.ControlModifier)
            assert page.grid.selected_ranges() == [(0, 1), (3, 3)]
            assert page.page.selection.count.text() == "3 selected"
            assert not page.page.browser.pictures.preview.isVisible()
            await page.key(Key.Key_A, Modifier.ControlModifier)
            assert page.grid.selected_ranges() == [(0, 4)]

    qt_loop.run(steps())


def test_a_click_beside_the_pictures_takes_the_bar_away(qt_loop, backend, tmp_path) -> None:
    async def steps() -> None:
        async with opened(qt_loop, backend, tmp_path) as page:
            page.select(0)
            assert page.page.selection.isVisible()
            first = page.grid.visualRect(page.grid.tiles.index(0, 0))
            beside = QPoint(first.right() + 2, first.center().y())
            QTest.mouseClick(
                page.grid.viewport(), Qt.MouseButton.LeftButton, Modifier.NoModifier, beside
            )
            assert not page.page.selection.isVisible()

    qt_loop.run(steps())


# --- words ----------------------------------------------------------------------------------------


def result(**values: Any) -> ActResult:
    row = {"act": "a", "kind": "move", "folder": "/best", "done": (1, 2), "bytes": 1, "failed": ()}
    return ActResult(**(row | values))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "2 pictures moved to best."),
        ({"done": (1,)}, "1 picture moved to best."),
        ({"kind": "copy"}, "2 pictures copied to best."),
        ({"undoes": True, "folder": None}, "2 pictures moved back."),
        ({"kind": "trash", "undoes": True, "folder": None}, "2 copies moved to the trash."),
        ({"left": 3}, "2 of 5 pictures moved to best. It was stopped before the others."),
        (
            {"left": 3, "ended": "The disk is full. Free some space."},
            "2 of 5 pictures moved to best. The disk is full. Free some space.",
        ),
        (
            {"done": (), "failed": (("/p/a.jpg", "It is no longer there."),)},
            "0 of 1 picture moved to best. a.jpg: It is no longer there.",
        ),
        (
            {"folder": "/" + "long " * 20},
            "2 pictures moved to long long long long long long long long….",
        ),
    ],
)
def test_what_came_of_an_act_is_said_plainly(values: dict[str, Any], said: str) -> None:
    assert outcome(result(**values)) == said


def test_what_came_of_an_act_of_the_last_run_is_said_plainly() -> None:
    begin = "Afterimage ended while pictures were being moved to best: "
    lost = (("/p/a.jpg", "Afterimage ended before."), ("/p/b.jpg", "Afterimage ended before."))
    assert interrupted(result()) == f"{begin}2 pictures were moved."
    assert interrupted(result(failed=lost)) == f"{begin}2 pictures were moved, 2 were not."
    assert interrupted(result(done=(), failed=lost[:1])) == (
        f"{begin}1 was not. a.jpg: Afterimage ended before."
    )
    assert interrupted(result(kind="restore", folder=None, done=(1,))) == (
        "Afterimage ended while pictures were being restored: 1 picture was restored."
    )


def test_questions_and_progress_name_the_number() -> None:
    assert trash_question(1)[0] == "Move this picture to the trash?"
    assert trash_question(12_345)[0] == "Move 12,345 pictures to the trash?"
    assert under_way("copy", 3, "/a/Family") == "Copying 3 pictures to Family"
