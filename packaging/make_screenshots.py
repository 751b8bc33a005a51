"""Draw every state of the window, light and dark, into ``docs/images``: ``make screenshots``.

The pictures show the real program: a real session over drawn pictures, its real worker and store.
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

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

    from app.api.training_schemas import TrainingProgress
    from app.ui.program import Program

TARGET = Path(__file__).resolve().parent.parent / "docs" / "images"
SIZE = (1100, 720)
PICTURES = 1500


def main() -> None:
    """Set up a place of its own, run the program in it, and take its pictures."""
    place = Path(tempfile.gettempdir()) / "ada"  # its name is seen in the pictures
    place.mkdir()
    os.environ |= {"DATA_DIR": str(place / "data"), "HF_HUB_OFFLINE": "1"}
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
        draw(scene, 128, supersample=1).save(folder / f"IMG_{index:04}.jpg")
    (root / "Family" / "IMG_9001.jpg").write_bytes(b"")
    (root / "Family" / "IMG_9002.jpg").write_bytes(b"Dear diary, today was fine.\n" * 40)
    whole = (root / "Family" / "IMG_0001.jpg").read_bytes()
    (root / "Garden" / "Spring" / "IMG_9003.jpg").write_bytes(whole[: len(whole) // 4])
    (root / "Garden" / "Spring" / "IMG_9004.jpg").write_bytes(bytes(5000))


def _run(root: Path) -> None:
    sys.path.insert(0, str(TARGET.parent.parent))
    from app.ui import main as program_main
    from app.ui.event_loop import make_loop
    from app.ui.program import Parts, Program
    from app.ui.theme import app_icon
    from app.ui.tray import Tray
    from app.ui.window import MainWindow

    app = program_main.make_application()
    window = MainWindow(program_main.memory())
    window.resize(*SIZE)
    window.show()
    parts = Parts(
        program_main.open_backend,
        program_main.close_backend,
        program_main.make_runtime,
        program_main.add_pages,
    )
    loop = make_loop(app)
    program = Program(window, Tray(window, app_icon()), parts)
    loop.run_until_complete(_drive(program, Studio(window), root))
    loop.close()
    window.deleteLater()
    app.processEvents()


class Studio:
    """Takes a picture of a widget in both colour schemes."""

    def __init__(self, window: QWidget) -> None:
        self.window = window

    async def take(self, name: str, widget: QWidget | None = None) -> None:
        from app.ui.theme import theme

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
    from app.ui.pages import Pages

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
    dialog.options.batch.setValue(8)
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
    await studio.take("session-starting")
    await _until(lambda: done(120))
    await studio.take("session-running")
    pages.sessions.actions_["pause"].trigger()
    await _until(lambda: status("paused"), settle=1.0)
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
    failed = pages.sessions.show_failed(pages.sessions.selected or 0)
    await asyncio.sleep(2)
    await studio.take("failed-dialog", failed)
    failed.accept()


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
