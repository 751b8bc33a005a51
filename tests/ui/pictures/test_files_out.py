"""Pictures that leave for other programs: by real drags, and over the clipboard."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from urllib.parse import unquote_to_bytes

from page_parts import save_picture
from PySide6.QtGui import QImage
from screens import GRID, program, virtual_screen

from app.ui.pictures.files_out import files_as_mime, files_to_paste

ODD = [os.fsdecode(b"/p/caf\xe9 \xff.jpg"), "/p/a b, #1?%.jpg"]

TARGET = """
from PySide6.QtWidgets import QApplication, QWidget

class Target(QWidget):
    def dragEnterEvent(self, event):
        event.acceptProposedAction()
    def dropEvent(self, event):
        event.acceptProposedAction()
        print(*(url.toLocalFile() for url in event.mimeData().urls()), sep="\\t", flush=True)

app = QApplication([])
target = Target(acceptDrops=True)
target.setGeometry(700, 0, 300, 300)
target.show()
print("ready", flush=True)
app.exec()
"""


def mouse(screen: str, *steps: str) -> None:
    """Real events of a mouse and of keys."""
    for step in steps:
        subprocess.run(
            ["xdotool", *step.split()], env={**os.environ, "DISPLAY": screen}, check=True
        )
        time.sleep(0.05)  # a hand is no faster, and Qt takes drags for clicks that are


def test_selected_pictures_are_dragged_into_another_program(tmp_path: Path) -> None:
    paths = [save_picture(str(tmp_path / f"{name}.png")) for name in ("a", "b é", "c")]
    with (
        virtual_screen() as screen,
        program(screen, GRID, *paths) as told,
        program(screen, "-c", TARGET) as dropped,
    ):
        places = [told() for _ in paths]
        assert dropped() == "ready"

        def drag(row: int, *keys: str) -> list[str]:
            mouse(screen, f"mousemove {places[row]}", "mousedown 1")
            # in small steps: a drag begins after a few pixels, and ends where it was seen last
            x, y = map(int, places[row].split())
            mouse(screen, *(f"mousemove {x + dx} {y}" for dx in (4, 8, 16, 40)))
            mouse(screen, "mousemove 800 100", "mousemove 802 102", "mousemove 803 103")
            mouse(screen, "mouseup 1")
            return dropped().split("\t")

        assert drag(1) == paths[1:2]  # was not selected before
        mouse(screen, f"mousemove {places[0]}", "keydown ctrl", "click 1", "keyup ctrl")
        assert drag(0) == paths[:2]


def test_names_that_are_not_utf_8_arrive_as_they_are() -> None:
    lines = bytes(files_as_mime(ODD).data("text/uri-list").data()).split()
    assert [unquote_to_bytes(line.removeprefix(b"file://")) for line in lines] == [
        os.fsencode(path) for path in ODD
    ]


def test_the_clipboard_has_files_paths_and_one_picture() -> None:
    picture = QImage(3, 2, QImage.Format.Format_RGB32)
    data = files_to_paste(["/p/a b.jpg"], picture)
    assert data.hasImage()
    assert data.text() == "/p/a b.jpg"
    assert data.urls()[0].toLocalFile() == "/p/a b.jpg"
    for_file_managers = bytes(data.data("x-special/gnome-copied-files").data())
    assert for_file_managers == b"copy\nfile:///p/a%20b.jpg"
    assert not files_to_paste(ODD).hasImage()
    assert not files_to_paste(["/p/a.heic"], QImage()).hasImage()
