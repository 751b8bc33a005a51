"""Draw every state of the window, light and dark, into ``docs/images``: ``make screenshots``.

The pictures show the real program: a real session over drawn pictures and a
few photographs, its real worker and store.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from drawing import distinct_scenes, draw
from PIL import Image

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

    from app.api.training_schemas import TrainingProgress
    from app.ui.shell.pages import Pages
    from app.ui.shell.program import Program
    from app.ui.shell.window import MainWindow

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "docs" / "images"
PHOTOGRAPHS = ROOT / "resources" / "samples" / "photographs"
SIZE = (1100, 720)
PICTURES = 1500


def main() -> None:
    """Set up a place of its own, run the program in it, and take its pictures."""
    place = Path(tempfile.gettempdir()) / "ada"  # its name is seen in the pictures
    place.mkdir()
    os.environ |= {
        "AFTERIMAGE_DATA_DIR": str(place / "data"),
        "XDG_CACHE_HOME": str(place / "cache"),  # thumbnails lie there
        "HF_HUB_OFFLINE": "1",
    }
    TARGET.mkdir(parents=True, exist_ok=True)
    try:
        root = place / "Pictures"
        _draw_pictures(root)
        _run(root)
    finally:
        shutil.rmtree(place)


def _draw_pictures(root: Path) -> None:
    rng = random.Random(5)
    folders = ("Holiday in Norway", "Family", "Garden/Spring", "Garden/Autumn", "Scans 1960-1975")
    scenes = distinct_scenes(PICTURES, rng)
    for index, scene in enumerate(scenes):
        folder = root / folders[index % len(folders)]
        folder.mkdir(parents=True, exist_ok=True)
        size = (320, 240) if index % 3 else (240, 320)
        exif = Image.Exif()
        exif.get_ifd(0x8769)[0x9003] = f"{2015 + index % 9}:{index % 12 + 1:02}:14 12:00:00"
        draw(scene, size).save(folder / f"IMG_{index:04}.jpg", exif=exif)
    _add_photographs(root / "Holiday in Norway")
    for copy in range(6):
        shutil.copyfile(
            root / "Family" / f"IMG_{5 * copy + 1:04}.jpg", root / "Family" / f"Copy {copy + 1}.jpg"
        )
    (root / "Family" / "IMG_9001.jpg").write_bytes(b"")
    (root / "Family" / "IMG_9002.jpg").write_bytes(b"Dear diary, today was fine.\n" * 40)
    whole = (root / "Family" / "IMG_0001.jpg").read_bytes()
    (root / "Garden" / "Spring" / "IMG_9003.jpg").write_bytes(whole[: len(whole) // 4])
    (root / "Garden" / "Spring" / "IMG_9004.jpg").write_bytes(bytes(5000))
    for broken in root.rglob("IMG_900?.jpg"):  # no camera dated them: they are the oldest
        os.utime(broken, (1_400_000_000, 1_400_000_000))


def _add_photographs(folder: Path) -> None:
    """The sample photographs, as the newest pictures."""
    for number, file in enumerate(sorted(PHOTOGRAPHS.glob("*.jpg"))):
        exif = Image.Exif()
        exif.get_ifd(0x8769)[0x9003] = f"2024:07:14 12:{number:02}:00"
        with Image.open(file) as photograph:
            photograph.save(folder / f"IMG_8{number:03}.jpg", quality=90, exif=exif)


def _run(root: Path) -> None:
    sys.path.insert(0, str(TARGET.parent.parent))
    from app.ui.parts.theme import app_icon
    from app.ui.shell import main as program_main
    from app.ui.shell.event_loop import make_loop
    from app.ui.shell.program import Program, ProgramHooks
    from app.ui.shell.tray import Tray
    from app.ui.shell.window import MainWindow

    app = program_main.make_application()
    window = MainWindow(program_main.memory())
    window.resize(*SIZE)
    window.show()
    hooks = ProgramHooks(
        program_main.open_backend,
        program_main.close_backend,
        program_main.make_runtime,
        program_main.add_pages,
    )
    loop = make_loop(app)
    program = Program(window, Tray(window, app_icon()), hooks)
    loop.run_until_complete(_drive(program, Studio(window), root))
    loop.close()
    window.deleteLater()
    app.processEvents()


class Studio:
    """Takes a picture of a widget in both colour schemes."""

    def __init__(self, window: QWidget) -> None:
        self.window = window

    async def take(self, name: str, widget: QWidget | None = None) -> None:
        from app.ui.parts.theme import theme

        for scheme in ("light", "dark"):
            theme().set_scheme(scheme)
            await asyncio.sleep(0.4)
            subject = widget or self.window
            subject.grab().save(str(TARGET / f"{name}-{scheme}.png"))
            print(f"{name}-{scheme}.png", flush=True)


async def _drive(program: Program, studio: Studio, root: Path) -> None:
    running = asyncio.ensure_future(program.run())
    try:
        await _steps(program, studio, root)
    finally:
        program.end()
        await running


async def _steps(program: Program, studio: Studio, root: Path) -> None:
    from app.ui.shell.pages import Pages

    window = program.window
    await _until(lambda: window.findChild(Pages))
    pages = window.findChild(Pages)
    assert pages is not None
    await _until(lambda: pages.place.currentWidget() is pages.first_run)
    await studio.take("first-run")

    dialog = pages.new_session(str(root))
    await _until(lambda: not dialog.tree.folders.counting, settle=0.5)
    await studio.take("new-session", dialog)
    dialog.options.toggle.click()
    dialog.resize(620, 760)
    await studio.take("new-session-options", dialog)
    dialog.options.batch.setValue(3)  # slow enough to be seen at work
    dialog.create_button.click()

    def session() -> TrainingProgress | None:
        known = pages.sessions.list.sessions.sessions
        return known.get(pages.sessions.selected or 0)

    def done(number: int) -> bool:
        shown = session()
        return shown is not None and shown.jobsSummary.completed >= number

    def status(name: str) -> bool:
        shown = session()
        return shown is not None and shown.status == name

    await _until(lambda: session() is not None)
    window.show_page("sessions")  # the first one leads to the pictures
    await studio.take("session-starting")
    await _until(lambda: done(800))
    await studio.take("session-running")
    pages.sessions.actions_["pause"].trigger()
    await _until(lambda: status("paused"), settle=3.0)  # the worker says within 2 s that it rests
    await studio.take("session-paused")
    window.show_page("system")
    await asyncio.sleep(3)
    await studio.take("system")
    window.show_page("sessions")
    pages.sessions.actions_["resume"].trigger()
    await _until(lambda: status("completed"), settle=1.5)
    await studio.take("session-finished")
    window.show_page("failed")
    await _until(lambda: pages.failed.count > 0, settle=1.5)
    await studio.take("failed")
    selected = pages.sessions.list.sessions.sessions[pages.sessions.selected or 0]
    failed = pages.show_failed(selected.sessionId, selected.name)
    await asyncio.sleep(2)
    await studio.take("failed-dialog", failed)
    failed.accept()
    await _find(window, pages, studio)
    (root / "Holiday in Norway" / "IMG_0000.jpg").unlink()
    window.show_page("sessions")
    pages.sessions.view.update_actions.actions["update"].trigger()
    await asyncio.sleep(3)
    await studio.take("session-updated")
    await _change_model(window, pages, studio, root.parent / "Larger model")


async def _change_model(window: MainWindow, pages: Pages, studio: Studio, folder: Path) -> None:
    """The line over the results, while another model than the chosen one answers."""
    from app.config import BUILTIN_MODEL
    from app.embedding.catalogue import model_folder

    own = model_folder(BUILTIN_MODEL)
    assert own is not None
    shutil.copytree(own, folder)  # the same weights under another name are another model
    assert pages.pictures is not None
    line = pages.pictures.answering
    line.use_folder(str(folder))
    window.show_page("pictures")
    said = line.notice.text
    await _until(lambda: "until" in said.text() and ": 0 of" not in said.text(), settle=0.5)
    await studio.take("pictures-answering")


async def _find(window: MainWindow, pages: Pages, studio: Studio) -> None:
    """The page of pictures with what can be done on it, and the one for models."""
    from PySide6.QtCore import QItemSelectionModel

    window.show_page("pictures")
    await asyncio.sleep(5)
    await studio.take("pictures")
    page = pages.pictures
    assert page is not None
    grid = page.browser.pictures.grid
    grid.select_row(1)
    for row in (2, 3):
        grid.selectionModel().select(
            grid.tiles.index(row, 0), QItemSelectionModel.SelectionFlag.Select
        )
    await studio.take("pictures-selected")
    page.selection.clear_button.click()
    results = page.results
    page.bar.side_button.setChecked(False)
    page.field.setText("mountains with snow")
    await _until(lambda: results.hits, settle=3.0)
    await studio.take("pictures-results")
    results.grid.select_row(1)
    results.grid.previewed.emit(1)
    await asyncio.sleep(2)
    await studio.take("pictures-preview")
    results.split.close_preview()
    results.grid.viewed.emit(1)
    results.viewer.info.setChecked(True)
    await asyncio.sleep(2)
    await studio.take("pictures-viewer")
    results.viewer.close_viewer()
    page.field.setText("invoice")
    await asyncio.sleep(4)
    await studio.take("pictures-unknown-words")
    page.field.setText("in:Norway type:jpg")
    await asyncio.sleep(4)
    await studio.take("pictures-words")
    page.field.clear()
    page.bar.side_button.setChecked(True)
    page.browser.tabs.setCurrentIndex(2)
    await asyncio.sleep(4)
    await studio.take("pictures-duplicates")
    cleaning = page.browser.duplicates.clean_up()
    await _until(lambda: cleaning.plan.going, settle=3.0)
    await studio.take("pictures-clean-up", cleaning)
    cleaning.reject()
    page.browser.tabs.setCurrentIndex(0)
    window.show_page("models")
    await asyncio.sleep(2)
    await studio.take("models")


async def _until(
    condition: Callable[[], object], *, within: float = 180.0, settle: float = 0.2
) -> None:
    for _ in range(round(within / 0.05)):
        if condition():
            await asyncio.sleep(settle)
            return
        await asyncio.sleep(0.05)
    raise TimeoutError("the window did not get there")


if __name__ == "__main__":
    main()
