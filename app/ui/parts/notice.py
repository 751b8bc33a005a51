"""A sentence above what it is about."""

from __future__ import annotations

from PySide6.QtWidgets import QHBoxLayout, QWidget

from app.ui.parts.theme import SPACE_S
from app.ui.parts.widgets import IconLabel, button, label


class Notice(QWidget):
    """One quiet sentence with an icon, to be dismissed; takes no room while there is none."""

    def __init__(self) -> None:
        super().__init__()
        self._icon = IconLabel("warning-circle", "paused", 18)
        self.text = label()
        self.text.setWordWrap(True)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE_S)
        row.addWidget(self._icon)
        row.addWidget(self.text, 1)
        self.close_button = button("", "quiet", "x", "Dismiss")
        self.close_button.setAccessibleName("Dismiss")
        self.close_button.clicked.connect(self.hide)
        row.addWidget(self.close_button)
        self.hide()

    def show_message(self, icon_name: str, sentence: str) -> None:
        """Show a sentence."""
        self._icon.set_icon(icon_name)
        self.text.setText(sentence)
        self.setAccessibleName(sentence)
        self.show()
