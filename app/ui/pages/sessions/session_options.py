"""What can be set for a session besides its folders; folded away at first."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QGridLayout,
    QLineEdit,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from app.config import get_settings, limits
from app.file_types import DEFAULT_EXTENSIONS
from app.ui.parts import words
from app.ui.parts.choice_box import ChoiceBox
from app.ui.parts.fields import devices, error_label, field, set_error
from app.ui.parts.file_dialogs import choose_folder
from app.ui.parts.language import person_language
from app.ui.parts.model_download import DownloadOffer
from app.ui.parts.theme import SPACE_L, SPACE_S, icon
from app.ui.parts.widgets import button

if TYPE_CHECKING:
    from app.services.backend import Backend
    from app.ui.parts.actions import ActionRunner

OWN_MODEL = ""
COUNTED_AFTER_MS = 600
LEFT_OUT_TIP = (
    "Names of files and folders, or paths from the chosen folder on. * matches anything, "
    "and / at the end matches folders only.\nHidden files, and what other programs keep for "
    "themselves (thumbnails, recycle bins), are always skipped."
)


class SessionOptions(QWidget):
    """Subfolders, file types, what is left out, model, device and batch size."""

    files_changed = Signal()
    """Other files are wanted than before."""
    recursive_changed = Signal(bool)
    model_changed = Signal()

    def __init__(self, backend: Backend, runner: ActionRunner) -> None:
        super().__init__()
        self.offer = DownloadOffer(backend, runner, at_once=False)
        self.toggle = button("Options", "quiet", "caret-right")
        self.toggle.setCheckable(True)
        self.toggle.setStyleSheet("text-align: left; padding-left: 2px; padding-right: 8px")
        self.box = QWidget()
        self.recursive = QCheckBox("Include all subfolders")
        self.recursive.setChecked(True)
        self.types = QLineEdit(", ".join(DEFAULT_EXTENSIONS))
        self.types.setCursorPosition(0)  # a long list is seen from its beginning
        self.left_out = QLineEdit()
        self.model = ChoiceBox()
        self.device = ChoiceBox()
        self.batch = QSpinBox()
        self.types_error, self.model_error = error_label(), error_label()
        self.left_out_error = error_label()
        self._spec = get_settings().model
        self._wait = QTimer(self, singleShot=True, interval=COUNTED_AFTER_MS)
        self._fill()
        self._lay_out()
        self._connect()
        self.box.hide()

    def _fill(self) -> None:
        for spec, title in devices():
            self.device.addItem(title, spec)
        self.batch.setRange(*limits("training_batch_size"))
        self.batch.setValue(get_settings().training_batch_size)
        self.batch.setAccelerated(True)
        self.types.setAccessibleName("File types")
        self.left_out.setText(get_settings().exclude)
        self.left_out.setAccessibleName("Exclude")
        self.left_out.setPlaceholderText("For example: *.png, Exports/, Holiday/Rejects")
        self.left_out.setToolTip(LEFT_OUT_TIP)
        self.model.setAccessibleName("Model")
        self.model.setSizeAdjustPolicy(
            ChoiceBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.model.setMinimumContentsLength(16)
        self._fill_models()

    def _fill_models(self) -> None:
        from app.embedding.catalogue import CURATED, model_title, recommended

        best = recommended(person_language())
        self.model.clear()
        for item in CURATED:
            mark = " (recommended)" if item == best else ""
            self.model.addItem(f"{item.title}{mark}", item.spec)
            self.model.setItemData(
                self.model.count() - 1, item.description, Qt.ItemDataRole.ToolTipRole
            )
        if self.model.findData(self._spec) < 0:
            self.model.addItem(model_title(self._spec), self._spec)
        self.model.insertSeparator(self.model.count())
        self.model.addItem("A checkpoint folder…", OWN_MODEL)
        self.model.setCurrentIndex(self.model.findData(self._spec))
        self.offer.show_model(self._spec)

    def _lay_out(self) -> None:
        grid = QGridLayout(self.box)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(SPACE_L)
        grid.setVerticalSpacing(SPACE_S)
        for number, stretch in enumerate((3, 2, 1)):
            grid.setColumnStretch(number, stretch)
        grid.addWidget(self.recursive, 0, 0, 1, 3)
        grid.addLayout(field("Model", self.model, self.model_error), 1, 0)
        grid.addLayout(field("Runs on", self.device), 1, 1)
        grid.addLayout(field("Batch size", self.batch), 1, 2)
        grid.addLayout(field("File types", self.types, self.types_error), 2, 0, 1, 3)
        grid.addLayout(field("Exclude", self.left_out, self.left_out_error), 3, 0, 1, 3)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE_S)
        column.addWidget(self.toggle, 0, Qt.AlignmentFlag.AlignLeft)
        column.addWidget(self.box)
        column.addWidget(self.offer)
        self.batch.setToolTip("Pictures processed together; a smaller number needs less memory")

    def _connect(self) -> None:
        self.toggle.toggled.connect(self.unfold)
        self.recursive.toggled.connect(self.recursive_changed)
        for text in (self.types, self.left_out):
            text.textEdited.connect(lambda: self._wait.start())
        self._wait.timeout.connect(self._edited)
        self.model.activated.connect(self._picked)
        self.offer.others_asked.connect(self._choose_another)

    def unfold(self, shown: bool) -> None:
        """Show or hide the options."""
        self.box.setVisible(shown)
        self.toggle.setChecked(shown)
        self.toggle.setIcon(icon("caret-down" if shown else "caret-right"))

    @property
    def model_spec(self) -> str:
        """The model that is chosen."""
        return self._spec

    def extensions(self) -> list[str]:
        """The file types, however they were written; none where the field is empty."""
        found = re.split(r"[\s,;]+", self.types.text().strip())
        return list(dict.fromkeys(item.lower().lstrip("*.") for item in found if item.strip("*.")))

    def exclude(self) -> list[str]:
        """The patterns of what is left out, as they were written."""
        return [item for text in self.left_out.text().split(",") if (item := text.strip())]

    def use_model(self, spec: str) -> None:
        """Choose a model, also one that is not in the list."""
        self._spec = spec
        self._fill_models()
        set_error(self.model_error, "")
        self.model_changed.emit()

    def check(self) -> bool:
        """Whether the fields can be used; says beside them what is wrong."""
        types = self.extensions()
        wrong = next((item for item in types if not re.fullmatch(r"[a-z0-9_+-]{1,12}", item)), "")
        message = ""
        if not types:
            message = "Name at least one file type, such as jpg."
        elif wrong:
            message = (
                f"“{words.shorten(wrong, 24)}” is not a file type; write them like this: jpg, png."
            )
        set_error(self.types_error, message)
        set_error(self.left_out_error, refused := self._refused_patterns())
        if message or refused:
            self.unfold(True)
        return not (message or refused)

    def _refused_patterns(self) -> str:
        from app.api.exclude_patterns import clean

        try:
            clean(self.exclude())
        except ValueError as error:
            return f"“Exclude” {error}."
        return ""

    def show_model_error(self, text: str) -> None:
        """What is wrong with the model."""
        set_error(self.model_error, text)
        self.unfold(True)

    def _edited(self) -> None:
        if self.check():
            self.files_changed.emit()

    def _choose_another(self) -> None:
        self.unfold(True)
        # once the box has its place
        QTimer.singleShot(0, self.model, self.model.showPopup)

    def _picked(self, at: int) -> None:
        spec = str(self.model.itemData(at))
        if spec != OWN_MODEL:
            self.use_model(spec)
            return
        self.model.setCurrentIndex(self.model.findData(self._spec))
        choose_folder(self.window(), "Choose the folder of a checkpoint", self.use_model)
