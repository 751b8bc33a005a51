"""The New session dialog: what it shows before and what it creates."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from ledger_rows import add_many, add_session, columns_of, set_columns
from page_parts import Parts, save_picture
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtTest import QTest

from app.config import BUILTIN_MODEL
from app.file_types import DEFAULT_EXTENSIONS
from app.ui.pages.sessions.new_session import NewSessionDialog, about, earlier_rate, summary
from app.ui.parts.error_dialog import ErrorDialog


def fill(root: Path) -> str:
    for name, number in {"": 1, "Sea": 3, "Snow/Alps": 2}.items():
        (root / name).mkdir(parents=True, exist_ok=True)
        for picture in range(number):
            save_picture(str(root / name / f"{picture}.png"))
    return str(root)


async def opened(qt_loop: Any, parts: Parts, backend: Any, folder: str = "") -> NewSessionDialog:
    dialog = NewSessionDialog(backend, parts.runner, parts.poller, folder, parts.window)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)
    parts.window.show()
    dialog.open()
    if folder:
        root = dialog.tree.folders.root
        await qt_loop.until(lambda: root.shown or root.leaf)
        await qt_loop.until(lambda: not dialog.tree.folders.counting)
    await qt_loop.until(lambda: not dialog.tree.folders._say.isActive())
    return dialog


def tick(dialog: NewSessionDialog, name: str, on: bool) -> None:
    model = dialog.tree.folders
    model.tick(next(n for n in model.root.children if n.path.endswith(name)), on)


def test_at_first_it_asks_for_a_folder(qt_loop, backend) -> None:
    async def steps() -> None:
        async with Parts(backend) as parts:
            dialog = await opened(qt_loop, parts, backend)
            assert not dialog.create_button.isEnabled()
            assert not dialog.options.box.isVisible()
            assert dialog.summary.text() == ""
            dialog.grab()
            dialog.reject()

    qt_loop.run(steps())


def test_a_folder_gives_the_name_and_the_numbers(qt_loop, backend, tmp_path) -> None:
    root = fill(tmp_path / "Holidays")

    async def steps() -> None:
        async with Parts(backend) as parts:
            dialog = await opened(qt_loop, parts, backend, root)
            assert dialog.name.text() == "Holidays"
            assert dialog.summary.text().startswith("6 pictures, ")
            assert "computer" not in dialog.summary.text()  # nothing was measured here before
            assert dialog.create_button.isEnabled()
            dialog.reject()

    qt_loop.run(steps())


def test_create_makes_the_session_and_closes_at_once(qt_loop, backend, tmp_path) -> None:
    root = fill(tmp_path / "Holidays")

    async def steps() -> None:
        async with Parts(backend) as parts:
            dialog = await opened(qt_loop, parts, backend, root)
            created: list[int] = []
            dialog.created.connect(created.append)
            dialog.create_button.click()
            dialog.create_button.click()  # a double click
            await qt_loop.until(lambda: created)
            assert not dialog.isVisible()
            row = columns_of(created[0])
            assert (row["name"], row["status"], row["root_path"]) == ("Holidays", "pending", root)
            assert row["subdirectories"] == []
            assert row["config"]["extensions"] == list(DEFAULT_EXTENSIONS)
            assert row["model"] == BUILTIN_MODEL
            assert len(created) == 1

    qt_loop.run(steps())


def test_ticks_and_options_reach_the_session(qt_loop, backend, tmp_path) -> None:
    root = fill(tmp_path / "Holidays")

    async def steps() -> None:
        async with Parts(backend) as parts:
            dialog = await opened(qt_loop, parts, backend, root)
            created: list[int] = []
            dialog.created.connect(created.append)
            tick(dialog, "Sea", False)
            assert "1 picture that is directly in “Holidays”" in dialog.note.text()
            assert dialog.summary.text().startswith("2 pictures, ")
            dialog.name.setText("Snow only")
            dialog.name.textEdited.emit("Snow only")
            options = dialog.options
            options.toggle.click()
            assert options.box.isVisible()
            options.types.setText(".PNG; jpg *.webp")
            options.left_out.setText(" 0.*, Raw/,, ")
            options.batch.setValue(8)
            options.device.setCurrentIndex(options.device.findData("cpu"))
            dialog.create_button.click()
            await qt_loop.until(lambda: created)
            row = columns_of(created[0])
            assert row["name"] == "Snow only"
            assert row["subdirectories"] == [os.path.join(root, "Snow")]
            assert row["config"] == {
                "recursive": True,
                "extensions": ["png", "jpg", "webp"],
                "exclude": ["0.*", "Raw/"],
                "batch_size": 8,
                "device": "cpu",
                "watch": False,
                "update_every_hours": 0,
            }

    qt_loop.run(steps())


def test_without_subfolders_only_the_folder_itself_counts(qt_loop, backend, tmp_path) -> None:
    root = fill(tmp_path / "Holidays")

    async def steps() -> None:
        async with Parts(backend) as parts:
            dialog = await opened(qt_loop, parts, backend, root)
            created: list[int] = []
            dialog.created.connect(created.append)
            dialog.options.recursive.setChecked(False)
            assert dialog.summary.text().startswith("1 picture, ")
            assert not dialog.tree.isEnabled()
            assert "directly in “Holidays”" in dialog.note.text()
            dialog.create_button.click()
            await qt_loop.until(lambda: created)
            row = columns_of(created[0])
            assert (row["config"]["recursive"], row["subdirectories"]) == (False, [])

    qt_loop.run(steps())


def test_nothing_ticked_cannot_be_created(qt_loop, backend, tmp_path) -> None:
    root = fill(tmp_path / "pics")

    async def steps() -> None:
        async with Parts(backend) as parts:
            dialog = await opened(qt_loop, parts, backend, root)
            dialog.tree.folders.tick(dialog.tree.folders.root, False)
            assert not dialog.create_button.isEnabled()
            assert dialog.summary.text() == "Tick at least one folder."
            dialog.tree.folders.tick(dialog.tree.folders.root, True)
            assert dialog.create_button.isEnabled()
            dialog.reject()

    qt_loop.run(steps())


def test_enter_reads_a_typed_folder_and_another_one_starts(qt_loop, backend, tmp_path) -> None:
    before, typed = fill(tmp_path / "Before"), fill(tmp_path / "Typed")

    async def steps() -> None:
        async with Parts(backend) as parts:
            dialog = await opened(qt_loop, parts, backend, before)
            created: list[int] = []
            dialog.created.connect(created.append)
            dialog.activateWindow()
            dialog.folder.setFocus()
            dialog.folder.selectAll()
            QTest.keyClicks(dialog.folder, typed)
            assert "Press Enter" in dialog.summary.text()
            assert not dialog.create_button.isEnabled()
            assert not dialog.tree.isEnabled()
            QTest.keyClick(dialog.folder, Qt.Key.Key_Return)
            assert dialog.root == typed
            assert dialog.name.text() == "Typed"
            await qt_loop.until(lambda: dialog.summary.text().startswith("6 pictures"))
            assert not created
            QTest.keyClick(dialog.folder, Qt.Key.Key_Return)
            await qt_loop.until(lambda: created)
            assert columns_of(created[0])["root_path"] == typed

    qt_loop.run(steps())


def test_a_second_session_over_a_folder_says_so_and_offers_an_update(
    qt_loop, backend, tmp_path
) -> None:
    root = fill(tmp_path / "Holidays")
    known = add_session(name="Summer", root=root, status="completed")
    add_session(name="Stopped", root=root, status="cancelled")

    async def steps() -> None:
        async with Parts(backend) as parts:
            dialog = await opened(qt_loop, parts, backend, root)
            await qt_loop.until(dialog.same.isVisible)
            assert "“Summer” has the pictures of this folder" in dialog.same.text.text()
            assert dialog.create_button.isEnabled()
            dialog.set_folder(str(tmp_path))
            assert not dialog.same.isVisible()
            dialog.set_folder(root)
            wanted: list[int] = []
            dialog.update_wanted.connect(wanted.append)
            dialog.same.update_button.click()
            assert wanted == [known]
            assert not dialog.isVisible()

    qt_loop.run(steps())


def test_a_folder_that_is_gone_is_said_beside_it(qt_loop, backend, tmp_path) -> None:
    async def steps() -> None:
        async with Parts(backend) as parts:
            dialog = await opened(qt_loop, parts, backend)
            dialog.folder.setText(str(tmp_path / "nowhere"))
            dialog.folder.editingFinished.emit()
            await qt_loop.until(lambda: dialog.folder_error.isVisible())
            assert "does not exist" in dialog.folder_error.text()
            dialog.reject()

    qt_loop.run(steps())


def test_a_folder_that_goes_meanwhile_is_said_beside_it(qt_loop, backend, tmp_path) -> None:
    root = fill(tmp_path / "Holidays")

    async def steps() -> None:
        async with Parts(backend) as parts:
            dialog = await opened(qt_loop, parts, backend, root)
            os.rename(root, root + " elsewhere")
            dialog.create_button.click()
            await qt_loop.until(lambda: dialog.folder_error.isVisible())
            assert "does not exist" in dialog.folder_error.text()
            assert dialog.isVisible()
            assert parts.window.findChild(ErrorDialog) is None
            await qt_loop.until(dialog.create_button.isEnabled)
            dialog.reject()

    qt_loop.run(steps())


def test_what_is_to_be_left_out_changes_the_counts_and_keeps_the_ticks(
    qt_loop, backend, tmp_path
) -> None:
    root = fill(tmp_path / "Holidays")
    fill(tmp_path / "Holidays" / "@eaDir")

    async def steps() -> None:
        async with Parts(backend) as parts:
            dialog = await opened(qt_loop, parts, backend, root)
            shown = [os.path.basename(node.path) for node in dialog.tree.folders.root.children]
            assert shown == ["Sea", "Snow"]
            dialog.options.toggle.click()
            field = dialog.options.left_out
            field.setText("Sea/, 0.png")
            field.textEdited.emit(field.text())
            await qt_loop.until(lambda: dialog.summary.text().startswith("1 picture, "))
            assert dialog.tree.folders.root.state == Qt.CheckState.Checked
            dialog.reject()

    qt_loop.run(steps())


@pytest.mark.parametrize("patterns", ["*", "[", "**/"])
def test_a_wrong_pattern_is_said_beside_it(qt_loop, backend, tmp_path, patterns) -> None:
    root = fill(tmp_path / "Holidays")

    async def steps() -> None:
        async with Parts(backend) as parts:
            dialog = await opened(qt_loop, parts, backend, root)
            dialog.options.left_out.setText(patterns)
            dialog.create_button.click()
            assert dialog.options.left_out_error.isVisible()
            assert dialog.options.left_out_error.text().startswith("“Exclude” ")
            assert dialog.isVisible()
            dialog.reject()

    qt_loop.run(steps())


@pytest.mark.parametrize("types", ["", " ,; ", "jp!g"])
def test_wrong_file_types_are_said_beside_them(qt_loop, backend, tmp_path, types) -> None:
    root = fill(tmp_path / "pics")

    async def steps() -> None:
        async with Parts(backend) as parts:
            dialog = await opened(qt_loop, parts, backend, root)
            dialog.options.types.setText(types)
            dialog.create_button.click()
            assert dialog.options.types_error.isVisible()
            assert dialog.isVisible()
            dialog.reject()

    qt_loop.run(steps())


def test_a_wrong_model_is_said_beside_it(qt_loop, backend, tmp_path) -> None:
    root = fill(tmp_path / "Holidays")
    (tmp_path / "not a model").mkdir()

    async def steps() -> None:
        async with Parts(backend) as parts:
            dialog = await opened(qt_loop, parts, backend, root)
            dialog.options.use_model(str(tmp_path / "not a model"))
            dialog.create_button.click()
            await qt_loop.until(lambda: dialog.options.model_error.isVisible())
            assert "open_clip_config.json" in dialog.options.model_error.text()
            assert not dialog.folder_error.isVisible()
            dialog.options.use_model(BUILTIN_MODEL)
            assert not dialog.options.model_error.isVisible()
            dialog.reject()

    qt_loop.run(steps())


def test_other_file_types_are_counted_at_once(qt_loop, backend, tmp_path) -> None:
    root = fill(tmp_path / "pics")

    async def steps() -> None:
        async with Parts(backend) as parts:
            dialog = await opened(qt_loop, parts, backend, root)
            dialog.options.types.setText("jpg")
            dialog.options.types.textEdited.emit("jpg")
            await qt_loop.until(lambda: "No pictures" in dialog.summary.text())
            dialog.reject()

    qt_loop.run(steps())


def test_the_time_comes_from_earlier_sessions_with_the_same_model(
    qt_loop, backend, tmp_path
) -> None:
    root = fill(tmp_path / "pics")
    session_id = add_session("Before", "completed", model=BUILTIN_MODEL)
    add_many(session_id, 6)
    set_columns(session_id, active_ms=120_000)  # three a minute
    other = add_session("Other", "completed", model="ViT-B-32/x", active_ms=1)
    add_many(other, 600)

    async def steps() -> None:
        async with Parts(backend) as parts:
            dialog = await opened(qt_loop, parts, backend, root)
            await qt_loop.until(lambda: "about 2 minutes on this computer" in dialog.summary.text())
            async with backend.db() as db:
                sessions = await backend.training.list_sessions(db)
            assert earlier_rate(sessions, BUILTIN_MODEL) == 3.0
            assert earlier_rate(sessions, "unknown") is None
            dialog.reject()

    qt_loop.run(steps())


def test_a_dropped_folder_is_taken(qt_loop, backend, tmp_path) -> None:
    root = fill(tmp_path / "Dropped")

    async def steps() -> None:
        async with Parts(backend) as parts:
            dialog = await opened(qt_loop, parts, backend)
            data = QMimeData()
            data.setUrls([QUrl.fromLocalFile(root)])
            event = QDropEvent(
                QPointF(5, 5),
                Qt.DropAction.CopyAction,
                data,
                Qt.MouseButton.LeftButton,
                Qt.KeyboardModifier.NoModifier,
            )
            dialog.dropEvent(event)
            assert dialog.root == root
            assert dialog.name.text() == "Dropped"
            await qt_loop.until(lambda: dialog.summary.text().startswith("6 pictures"))
            dialog.reject()

    qt_loop.run(steps())


def test_a_name_of_ones_own_is_kept_when_the_folder_changes(qt_loop, backend, tmp_path) -> None:
    root = fill(tmp_path / "Holidays")

    async def steps() -> None:
        async with Parts(backend) as parts:
            dialog = await opened(qt_loop, parts, backend)
            dialog.name.setText("Mine")
            dialog.name.textEdited.emit("Mine")
            dialog.set_folder(root)
            assert dialog.name.text() == "Mine"
            await qt_loop.until(lambda: not dialog.tree.folders.counting)
            dialog.reject()

    qt_loop.run(steps())


def test_a_root_that_is_not_utf_8_can_be_indexed(qt_loop, backend, tmp_path) -> None:
    root = os.path.join(str(tmp_path), os.fsdecode(b"caf\xe9"))
    os.mkdir(root)
    save_picture(str(tmp_path / "a.png"))
    os.rename(tmp_path / "a.png", os.path.join(root, "a.png"))

    async def steps() -> None:
        async with Parts(backend) as parts:
            dialog = await opened(qt_loop, parts, backend, root)
            created: list[int] = []
            dialog.created.connect(created.append)
            assert dialog.summary.text().startswith("1 picture, ")
            dialog.folder.editingFinished.emit()  # leaving the field changes nothing
            dialog.create_button.click()
            await qt_loop.until(lambda: created)
            assert columns_of(created[0])["root_path"] == root

    qt_loop.run(steps())


def test_what_is_said_while_counting_and_after() -> None:
    assert summary(0, 0, complete=False, rate=None) == "Counting…"
    assert summary(12_000, 9, complete=False, rate=5) == "12,000 pictures so far, still counting"
    assert "No pictures" in summary(0, 0, complete=True, rate=5)
    said = summary(18_204, 61_000_000_000, complete=True, rate=1_517)
    assert said == "18,204 pictures, 61.0 GB, about 12 minutes on this computer"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(3, "less than a minute"), (60, "about 1 minute"), (7_500, "about 2 h 5 min")],
)
def test_a_rough_time(seconds: float, said: str) -> None:
    assert about(seconds) == said
