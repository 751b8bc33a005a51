"""How large pictures are shown; remembered."""

from __future__ import annotations

from PySide6.QtCore import QSettings, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QSlider, QWidget

from app.ui.parts.theme import SPACE_S
from app.ui.parts.widgets import IconLabel
from app.ui.pictures.justified_view import LEAST_HEIGHT, MOST_HEIGHT, USUAL_HEIGHT

KEY = "pictures/height"
STEP = 20


class SizeSlider(QWidget):
    """Between a small picture and a large one."""

    changed = Signal(int)
    """Another height, in pixels."""

    def __init__(self, memory: QSettings) -> None:
        super().__init__()
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(LEAST_HEIGHT, MOST_HEIGHT)
        self.slider.setFixedSize(120, 24)
        self.slider.setAccessibleName("Size of the pictures")
        self.slider.setToolTip("Size of the pictures (Ctrl++, Ctrl+−)")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE_S)
        row.addWidget(IconLabel("image-square", "text-secondary", 12))
        row.addWidget(self.slider)
        row.addWidget(IconLabel("image-square", "text-secondary", 20))
        noted = str(memory.value(KEY, ""))
        self.slider.setValue(int(noted) if noted.isdecimal() else USUAL_HEIGHT)
        self.slider.valueChanged.connect(lambda height: memory.setValue(KEY, height))
        self.slider.valueChanged.connect(self.changed)

    @property
    def height_wanted(self) -> int:
        """In pixels."""
        return self.slider.value()

    def step(self, steps: int) -> None:
        """Larger by so many steps, or smaller."""
        self.slider.setValue(self.slider.value() + steps * STEP)
