"""What this program is, and which version of it."""

from __future__ import annotations

from importlib.metadata import version

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QHBoxLayout, QVBoxLayout, QWidget

from app.ui.parts.theme import SPACE_L, SPACE_S, SPACE_XL
from app.ui.parts.widgets import IconLabel, button, label

_TEXT = (
    "Finds any picture in a large folder by a description of it. Everything happens on this "
    "computer, and no picture is changed unless you ask for it."
)


class AboutDialog(QDialog):
    """Version, purpose, license."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("About Afterimage")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        column = QVBoxLayout()
        column.setSpacing(SPACE_S)
        column.addWidget(label("Afterimage", "title"))
        column.addWidget(label(f"Version {version('afterimage')}", tone="secondary"))
        text = label(_TEXT)
        text.setWordWrap(True)
        text.setFixedWidth(340)
        column.addWidget(text)
        column.addWidget(label("Free software under the MIT licence.", "secondary"))
        self.close_button = button("Close", "primary")
        self.close_button.setDefault(True)
        self.close_button.clicked.connect(self.accept)
        bottom = QHBoxLayout()
        bottom.addStretch()
        bottom.addWidget(self.close_button)
        column.addSpacing(SPACE_S)
        column.addLayout(bottom)
        row = QHBoxLayout(self)
        row.setContentsMargins(SPACE_XL, SPACE_XL, SPACE_XL, SPACE_L)
        row.setSpacing(SPACE_L)
        row.setSizeConstraint(QHBoxLayout.SizeConstraint.SetFixedSize)
        row.addWidget(IconLabel("aperture", "accent", 40), 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(column)
        self.close_button.setFocus()
