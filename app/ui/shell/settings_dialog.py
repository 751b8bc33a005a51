"""The settings that a person may want to change, outside of any session."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from PySide6.QtCore import QSettings, QSize, Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QScrollArea,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from app.api.exclude_patterns import clean
from app.config import get_settings, limits, save_setting, set_by
from app.ui.pages.sessions.update_words import SCHEDULES
from app.ui.parts.actions import ActionRunner
from app.ui.parts.choice_box import ChoiceBox
from app.ui.parts.commands import SCHEMES, Commands
from app.ui.parts.fields import devices, error_label, field, set_error
from app.ui.parts.fitting import fit_size
from app.ui.parts.theme import SPACE_L, SPACE_M, SPACE_S, SPACE_XL
from app.ui.parts.widgets import button, label, line
from app.ui.pictures.file_acts import ASKED_KEY
from app.ui.shell import autostart

SIZE = QSize(640, 730)
NEW_SESSIONS = ("exclude", "update_every_hours", "training_batch_size")
OF_THE_WORKER = (
    "device",
    "precision",
    "decode_threads",
    "max_image_megapixels",
    "log_level",
)
"""What the indexing process reads when it starts."""
_TEXTS = {
    "exclude": (
        "Exclude",
        "Names of files and folders, or paths from a session's folder on, separated by commas",
    ),
    "update_every_hours": ("Update", "How often their folders are checked for changes"),
    "training_batch_size": (
        "Batch size",
        "Pictures processed together; a smaller number needs less memory",
    ),
    "device": ("Models run on", "Sessions that do not choose another device run on this one"),
    "precision": (
        "Precision",
        "Automatic measures what is fastest here without other results; full is the slowest",
    ),
    "decode_threads": (
        "Pictures decoded at once",
        "Fewer leave more of the processor to other programs",
    ),
    "max_image_megapixels": (
        "Largest picture",
        "Larger pictures are refused before they are opened",
    ),
    "log_level": ("Log", "What is written to the log; everything helps to find a problem"),
}
"""What each setting is called here, and what it does."""
_PRECISIONS = (
    ("auto", "Automatic"),
    ("fp32", "Full (fp32)"),
    ("bf16", "Half (bf16)"),
    ("fp16", "Half (fp16)"),
)
_LEVELS = (
    ("DEBUG", "Everything"),
    ("INFO", "What happens"),
    ("WARNING", "Only what goes wrong"),
    ("ERROR", "Only errors"),
)
RESTART = (
    "When one of these changes, the indexing process starts again; sessions continue where they "
    "are."
)


class SettingsDialog(QDialog):
    """What a variable of the environment sets is shown with its name, and cannot be changed here.

    Args:
        commands: its colour schemes are among the choices.
        memory: whether to ask before pictures go to the trash is noted there.
    """

    restart_wanted = Signal()
    """The worker has to start again for what was saved."""

    def __init__(
        self, parent: QWidget, runner: ActionRunner, commands: Commands, memory: QSettings
    ) -> None:
        super().__init__(parent)
        self._runner, self._commands, self._memory = runner, commands, memory
        self.setWindowTitle("Settings")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.colours, self.schedule = ChoiceBox(), ChoiceBox()
        self.device, self.precision, self.log_level = ChoiceBox(), ChoiceBox(), ChoiceBox()
        self.autostart = QCheckBox("Start in the tray when I log in")
        self.ask_trash = QCheckBox("Ask before pictures are moved to the trash")
        self.exclude, self.exclude_error = QLineEdit(), error_label()
        self.batch, self.decoders, self.megapixels = QSpinBox(), QSpinBox(), QSpinBox()
        self._fields: dict[str, ChoiceBox | QSpinBox | QLineEdit] = {
            "exclude": self.exclude,
            "update_every_hours": self.schedule,
            "training_batch_size": self.batch,
            "device": self.device,
            "precision": self.precision,
            "decode_threads": self.decoders,
            "max_image_megapixels": self.megapixels,
            "log_level": self.log_level,
        }
        self.save_button = button("Save", "primary")
        self.cancel_button = button("Cancel")
        self._fill()
        self._lay_out()
        self.save_button.setDefault(True)
        self.save_button.clicked.connect(self._save)
        self.cancel_button.clicked.connect(self.reject)

    def _fill(self) -> None:
        settings = get_settings()
        shown = next((key for key, item in self._commands.schemes.items() if item.isChecked()), "")
        _offer(self.colours, SCHEMES, shown)
        self.colours.setAccessibleName("Colours")
        self.autostart.setChecked(autostart.is_on())
        self.ask_trash.setChecked(self._memory.value(ASKED_KEY, "") != "no")
        rhythms = [(hours, title.capitalize()) for hours, title in SCHEDULES]
        hours = settings.update_every_hours
        _offer(self.schedule, rhythms, hours, f"Every {hours} hours")
        _offer(self.device, devices(), settings.device, settings.device)
        _offer(self.precision, _PRECISIONS, settings.precision)
        _offer(self.log_level, _LEVELS, settings.log_level)
        self.exclude.setText(settings.exclude)
        self.exclude.setPlaceholderText("For example: *.png, Exports/")
        for setting, box in self._fields.items():
            if isinstance(box, QSpinBox):
                box.setRange(*limits(setting))
                box.setValue(getattr(settings, setting))
                box.setAccelerated(True)
            title, tip = _TEXTS[setting]
            box.setAccessibleName(title)
            box.setToolTip(tip)
            box.setEnabled(set_by(setting) is None)
        self.decoders.setSpecialValueText("One for each processor")
        self.megapixels.setSuffix(" megapixels")

    def _lay_out(self) -> None:
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(SPACE_XL, SPACE_XL, SPACE_XL, SPACE_XL)
        column.setSpacing(SPACE_L)
        column.addWidget(label("Window", "section"))
        window = QGridLayout()
        window.setHorizontalSpacing(SPACE_L)
        window.setVerticalSpacing(SPACE_M)
        window.addLayout(field("Colours", self.colours), 0, 0)
        if autostart.is_known_here():
            window.addWidget(self.autostart, 0, 1, Qt.AlignmentFlag.AlignBottom)
        window.addWidget(self.ask_trash, 1, 0, 1, 2)
        for number in range(2):
            window.setColumnStretch(number, 1)
        column.addLayout(window)
        column.addSpacing(SPACE_S)
        column.addWidget(label("New sessions", "section"))
        column.addLayout(self._field("exclude"))
        column.addLayout(self._grid(NEW_SESSIONS[1:]))
        column.addSpacing(SPACE_S)
        column.addWidget(label("Indexing", "section"))
        column.addLayout(self._grid(OF_THE_WORKER))
        restart = label(RESTART, "secondary")
        restart.setWordWrap(True)
        column.addWidget(restart)
        column.addStretch()
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(inside)
        bottom = QHBoxLayout()
        bottom.setContentsMargins(SPACE_XL, SPACE_S, SPACE_XL, SPACE_L)
        bottom.setSpacing(SPACE_S)
        bottom.addStretch()
        bottom.addWidget(self.cancel_button)
        bottom.addWidget(self.save_button)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(SPACE_S)
        rows.addWidget(area)
        rows.addWidget(line())
        rows.addLayout(bottom)
        fit_size(self, SIZE)

    def _grid(self, settings: Sequence[str]) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(SPACE_L)
        grid.setVerticalSpacing(SPACE_L)
        for number, setting in enumerate(settings):
            grid.addLayout(self._field(setting), *divmod(number, 2), Qt.AlignmentFlag.AlignTop)
        for number in range(2):
            grid.setColumnStretch(number, 1)
        return grid

    def _field(self, setting: str) -> QVBoxLayout:
        column = field(_TEXTS[setting][0], self._fields[setting])
        if setting == "exclude":
            column.addWidget(self.exclude_error)
        if (variable := set_by(setting)) is not None:
            column.addWidget(label(f"Set by {variable}", "secondary"))
        return column

    def _wanted(self) -> dict[str, object]:
        """What differs from the settings in force."""
        now = get_settings()
        values = {name: _value(box) for name, box in self._fields.items() if box.isEnabled()}
        return {name: value for name, value in values.items() if value != getattr(now, name)}

    def _save(self) -> None:
        try:
            clean(self.exclude.text().split(","))
        except ValueError as error:
            set_error(self.exclude_error, f"“Exclude” {error}.")
            self.exclude.setFocus()
            return
        wanted, starts = self._wanted(), self.autostart.isChecked()

        async def save() -> None:
            for name, value in wanted.items():
                await asyncio.to_thread(save_setting, name, value)
            if starts != autostart.is_on():
                await asyncio.to_thread(autostart.set_on, starts)

        self._runner.run(self.save_button, save, done=lambda _: self._done(wanted))

    def _done(self, changed: dict[str, object]) -> None:
        self._commands.schemes[self.colours.currentData()].trigger()
        self._memory.setValue(ASKED_KEY, "" if self.ask_trash.isChecked() else "no")
        logging.getLogger("app").setLevel(get_settings().log_level)
        self.accept()
        if any(name in OF_THE_WORKER for name in changed):
            self.restart_wanted.emit()


def _offer(
    box: ChoiceBox, choices: Sequence[tuple[object, str]], chosen: object, other: str = ""
) -> None:
    """Fill a box; what is chosen and not among the choices is called ``other``."""
    for value, title in choices:
        box.addItem(title, value)
    if box.findData(chosen) < 0:
        box.addItem(other, chosen)
    box.setCurrentIndex(box.findData(chosen))


def _value(box: ChoiceBox | QSpinBox | QLineEdit) -> object:
    if isinstance(box, QSpinBox):
        return box.value()
    return box.text().strip() if isinstance(box, QLineEdit) else box.currentData()
