"""A sentence above what it is about."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QHBoxLayout, QWidget

from app.ui.parts.passing import Passing
from app.ui.parts.slot import settle
from app.ui.parts.theme import SPACE_S
from app.ui.parts.widgets import IconLabel, button, label


class Notice(QWidget):
    """One quiet sentence with an icon, to be dismissed; takes no room while there is none."""

    def __init__(self) -> None:
        super().__init__()
        self._icon = IconLabel("warning-circle", "paused", 18)
        self.text = label()
        self.text.setWordWrap(True)
        self.button = button("")
        self._do: Callable[[], object] = _nothing
        self.button.clicked.connect(lambda: self._do())
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE_S)
        row.addWidget(self._icon)
        row.addWidget(self.text, 1)
        row.addWidget(self.button)
        self.close_button = button("", "quiet", "x", "Dismiss")
        self.close_button.setAccessibleName("Dismiss")
        self.close_button.clicked.connect(self.hide)
        row.addWidget(self.close_button)
        self.passing = Passing(self)
        self.passing.over.connect(self.hide)
        self.hide()

    def show_message(
        self,
        icon_name: str,
        sentence: str,
        offer: str = "",
        do: Callable[[], object] | None = None,
        *,
        passes: bool = False,
    ) -> None:
        """Show a sentence.

        Args:
            offer: what a button beside it says; empty: there is none.
            do: what that button does.
            passes: it is about something that is over, and goes by itself.
        """
        self._icon.set_icon(icon_name)
        self.text.setText(sentence)
        self.setAccessibleName(sentence)
        self._do = do or _nothing
        if offer != self.button.text():
            settle(self.button)
        self.button.setText(offer)
        self.button.setVisible(bool(offer))
        self.show()
        self.passing.begin(passes)


def _nothing() -> None:
    """No button is shown."""
