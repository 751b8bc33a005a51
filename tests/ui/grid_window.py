"""A grid of pictures as a program of its own: `python grid_window.py FILE…`.

Prints the place of each picture on the screen, a line each.
"""

import sys

from PySide6.QtWidgets import QApplication

from app.queue.thumbnail_requests import ThumbnailRequests
from app.ui.parts.poller import Poller
from app.ui.parts.theme import theme
from app.ui.pictures.grid import HeldTiles, PictureGrid, tile_for
from app.ui.pictures.thumbnails import ThumbnailLoader

app = QApplication([])
theme()
grid = PictureGrid(HeldTiles(Poller()), ThumbnailLoader(ThumbnailRequests()))
grid.tiles.show([tile_for(row, path) for row, path in enumerate(sys.argv[1:])])
grid.setGeometry(0, 0, 600, 400)
grid.show()
for row in range(grid.tiles.rowCount()):
    middle = grid.visualRect(grid.tiles.index(row, 0)).center()
    print(*grid.mapToGlobal(middle).toTuple(), flush=True)
app.exec()
