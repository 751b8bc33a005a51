"""The page of pictures over a million rows, scrolled and dragged, with a heartbeat beside it.

    python tests/benchmarks/gallery_driver.py RESULT

Writes to RESULT how long frames took, in milliseconds, and the gaps between beats. No picture is
there: each row is shown with one of a few drawn thumbnails, which are scaled as real ones are.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

from heartbeat import Beats, Heartbeat
from PySide6.QtCore import QSettings, Qt
from PySide6.QtGui import QColor, QImage, QPainter
from sqlalchemy import text

from app.db.engine import close_engines, write_transaction
from app.db.migrate import migrate
from app.services.backend import Backend
from app.ui.parts.actions import ActionRunner
from app.ui.parts.poller import Poller
from app.ui.pictures import thumbnails
from app.ui.pictures.grid import PictureGrid
from app.ui.pictures.timeline import Timeline
from app.ui.shell.collector import Collector
from app.ui.shell.event_loop import make_loop
from app.ui.shell.main import make_application
from app.ui.shell.pages import Pages
from app.ui.shell.window import MainWindow

PICTURES = 1_000_000
SIZE = (1600, 1000)
DRAWN = 40
FRAMES = 300
STEPS = (40, 300, -300)
"""Pixels of a frame: slowly down, fast down, fast up."""
FRAME_S = 0.004
READY_WITHIN_S, LOOK_S = 120.0, 0.02
INSERT = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :number)
INSERT INTO image_assets (id, path, folder, size, mtime_ns, width, height, taken_at, excluded)
SELECT i, '/photos/' || (i % 500) || '/' || i || '.jpg', '/photos/' || (i % 500), 3000000 + i,
  1, CASE i % 5 WHEN 0 THEN 3000 ELSE 4000 END,
  CASE i % 5 WHEN 0 THEN 4000 WHEN 1 THEN 2250 ELSE 3000 END,
  strftime('%Y-%m-%d %H:%M:%S.000000', 1100000000 + (i * 7919) % 600000000, 'unixepoch'), 0
FROM n
"""


def drawn() -> list[QImage]:
    """Pictures with something in every corner."""
    found = []
    for number in range(DRAWN):
        image = QImage(512, 384, QImage.Format.Format_RGB32)
        painter = QPainter(image)
        for x in range(0, 512, 8):
            for y in range(0, 384, 8):
                colour = QColor.fromHsv((x + y + 9 * number) % 360, 90 + x % 160, 255 - y % 200)
                painter.fillRect(x, y, 8, 8, colour)
        painter.end()
        found.append(image)
    return found


async def measure(result: Path) -> None:
    """Open the page, scroll it, drag its timeline."""
    window = MainWindow(QSettings(str(result) + ".ini", QSettings.Format.IniFormat))
    window.resize(*SIZE)
    window.show()
    heartbeat = Heartbeat(window)
    heartbeat.loop = asyncio.get_running_loop()
    backend = Backend()
    runner, poller = ActionRunner(window, backend), Poller(window)
    pages = Pages(window, backend, runner, poller)
    poller.start()
    window.have_page("pictures")
    window.show_page("pictures")
    gc.freeze()
    await asyncio.sleep(0.1)
    heartbeat.take()  # how a page is built is measured elsewhere
    assert pages.pictures is not None
    pictures = pages.pictures.browser.pictures
    await _until(lambda: pictures.grid.tiles.rowCount() == PICTURES)
    await _until(lambda: pictures.grid.tiles.row(0) is not None)
    await asyncio.sleep(2)
    listing = heartbeat.take()
    frames = [await _scroll(pictures.grid, step) for step in STEPS]
    scrolling = heartbeat.take()
    await _drag(pictures.timeline, pictures.grid)
    dragging = heartbeat.take()
    heartbeat.stop()
    values = {
        "frames": [value for some in frames for value in some],
        "listing": _longest(listing),
        "scrolling": _longest(scrolling),
        "dragging": _longest(dragging),
    }
    result.write_text(json.dumps(values), encoding="utf-8")
    window.hide()
    await asyncio.sleep(1)  # what is painted last is still fetched
    await poller.close()
    await runner.close()
    await close_engines()


async def _scroll(grid: PictureGrid, step: int) -> list[float]:
    bar, times = grid.verticalScrollBar(), []
    for _ in range(FRAMES):
        began = time.perf_counter()
        bar.setValue(bar.value() + step)
        grid.viewport().repaint()
        times.append(1000 * (time.perf_counter() - began))
        await asyncio.sleep(FRAME_S)
    return times


async def _drag(timeline: Timeline, grid: PictureGrid) -> None:
    for number in range(FRAMES):
        share = number * 37 % FRAMES / FRAMES
        timeline.setValue(int(timeline.maximum() * share))
        grid.viewport().repaint()
        await asyncio.sleep(2 * FRAME_S)


async def _until(condition: Callable[[], bool]) -> None:
    for _ in range(round(READY_WITHIN_S / LOOK_S)):
        if condition():
            return
        await asyncio.sleep(LOOK_S)
    raise TimeoutError("the page did not get there")


def _longest(beats: Beats) -> float:
    for gap in sorted(beats.late, key=lambda late: late.ms)[-2:]:
        print(gap.explained(), file=sys.stderr)
    return max(beats.ms, default=0.0)


def main() -> None:
    """Fill the ledger of the data folder, and measure."""
    app = make_application()
    migrate()
    with write_transaction() as conn:
        conn.execute(text(INSERT), {"number": PICTURES})
    images = drawn()

    def read(path: str, edge: int) -> QImage:
        image = images[hash(path) % DRAWN]
        smooth = Qt.TransformationMode.SmoothTransformation
        return image.scaled(edge, edge, Qt.AspectRatioMode.KeepAspectRatio, smooth)

    collector = Collector()
    collector.start()
    with patch.object(thumbnails, "read_thumbnail", read):
        make_loop(app).run_until_complete(measure(Path(sys.argv[1])))


if __name__ == "__main__":
    main()
