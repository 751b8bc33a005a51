"""The settings that a person may want to change, outside of any session."""

from __future__ import annotations

import asyncio

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QDialog,
    QGridLayout,
    QHBoxLayout,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from app.config import get_settings, limits, save_setting, set_by
from app.ui.parts.actions import ActionRunner
from app.ui.parts.choice_box import ChoiceBox
from app.ui.parts.fields import devices, field
from app.ui.parts.theme import SPACE_L, SPACE_S, SPACE_XL
from app.ui.parts.widgets import button, label

_WIDTH = 440
_ABOUT = "The indexing process starts again with these settings; sessions continue where they are."
_TEXTS = {
    "device": ("Models run on", "Sessions that do not choose another device run on this one"),
    "training_batch_size": (
        "Batch size",
        "Pictures processed together; a smaller number needs less memory",
    ),
    "decode_threads": (
        "Pictures decoded at once",
        "Fewer leave more of the processor to other programs",
    ),
    "max_image_megapixels": (
        "Largest picture",
        "Larger pictures are refused before they are opened",
    ),
}
"""What each setting is called here, and what it does."""


class SettingsDialog(QDialog):
    """What a variable of the environment sets is shown, and cannot be changed here."""

    saved = Signal()
    """Something has another value now."""

    def __init__(self, parent: QWidget, runner: ActionRunner) -> None:
        super().__init__(parent)
        self._runner = runner
        self.setWindowTitle("Settings")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.device = ChoiceBox()
        self.batch, self.decoders, self.megapixels = QSpinBox(), QSpinBox(), QSpinBox()
        self._numbers = {
            "training_batch_size": self.batch,
            "decode_threads": self.decoders,
            "max_image_megapixels": self.megapixels,
        }
        self._fields: dict[str, QWidget] = {"device": self.device, **self._numbers}
        self.save_button = button("Save", "primary")
        self.cancel_button = button("Cancel")
        self._fill()
        self._lay_out()
        self.save_button.setDefault(True)
        self.save_button.clicked.connect(self._save)
        self.cancel_button.clicked.connect(self.reject)

    def _fill(self) -> None:
        settings = get_settings()
        for spec, title in devices():
            self.device.addItem(title, spec)
        if self.device.findData(settings.device) < 0:  # such as the second of two cards
            self.device.addItem(settings.device, settings.device)
        self.device.setCurrentIndex(self.device.findData(settings.device))
        for setting, box in self._numbers.items():
            box.setRange(*limits(setting))
            box.setValue(getattr(settings, setting))
            box.setAccelerated(True)
        self.decoders.setSpecialValueText("One for each processor")
        self.megapixels.setSuffix(" megapixels")
        for setting, control in self._fields.items():
            title, tip = _TEXTS[setting]
            variable = set_by(setting)
            control.setAccessibleName(title)
            control.setEnabled(variable is None)
            control.setToolTip(f"Set by {variable}" if variable else tip)

    def _lay_out(self) -> None:
        grid = QGridLayout()
        grid.setHorizontalSpacing(SPACE_L)
        grid.setVerticalSpacing(SPACE_L)
        for number, (setting, control) in enumerate(self._fields.items()):
            one = field(_TEXTS[setting][0], control)
            grid.addLayout(one, *divmod(number, 2), Qt.AlignmentFlag.AlignTop)
            grid.setColumnStretch(number % 2, 1)
        names = [name for setting in self._fields if (name := set_by(setting))]
        note = label(f"Set by the environment: {', '.join(names)}." if names else "", "secondary")
        about = label(_ABOUT, "secondary")
        bottom = QHBoxLayout()
        bottom.setSpacing(SPACE_S)
        bottom.addStretch()
        bottom.addWidget(self.cancel_button)
        bottom.addWidget(self.save_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(SPACE_XL, SPACE_XL, SPACE_XL, SPACE_L)
        column.setSpacing(SPACE_L)
        column.addWidget(label("Indexing", "section"))
        column.addLayout(grid)
        for text in (note, about):
            text.setWordWrap(True)
            text.setFixedWidth(_WIDTH)
            column.addWidget(text)
        note.setVisible(bool(names))
        column.addLayout(bottom)
        column.setSizeConstraint(QVBoxLayout.SizeConstraint.SetFixedSize)

    def _wanted(self) -> dict[str, object]:
        """What differs from the settings in force."""
        values = {setting: box.value() for setting, box in self._numbers.items()}
        values["device"] = self.device.currentData()
        now = get_settings()
        return {name: value for name, value in values.items() if value != getattr(now, name)}

    def _save(self) -> None:
        wanted = self._wanted()
        if not wanted:
            self.accept()
            return

        async def save() -> None:
            for name, value in wanted.items():
                await asyncio.to_thread(save_setting, name, value)

        self._runner.run(self.save_button, save, done=lambda _: self._done())

    def _done(self) -> None:
        self.accept()
        self.saved.emit()
