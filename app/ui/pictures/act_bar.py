"""How far an act on files is, and then what came of it, with a way back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QDialog, QHBoxLayout, QPlainTextEdit, QVBoxLayout, QWidget

from app.printable import printable
from app.ui.parts import words
from app.ui.parts.fitting import fit_size
from app.ui.parts.passing import Passing
from app.ui.parts.theme import SPACE_L, SPACE_S, SPACE_XL
from app.ui.parts.widgets import ElidedLabel, IconLabel, ProgressBar, button, label

if TYPE_CHECKING:
    from app.api.file_schemas import ActProgress

LOOK_EVERY_MS = 100
BAR_WIDTH = 160


class ActBar(QWidget):
    """One line above the pictures; takes no room while there is nothing to say."""

    undo_wanted = Signal()
    shown = Signal()
    """It takes room now, or no longer."""

    def __init__(self) -> None:
        super().__init__()
        self._progress: ActProgress | None = None
        self._failed: list[tuple[str, str]] = []
        self._timer = QTimer(self, interval=LOOK_EVERY_MS)
        self._icon = IconLabel("check-circle", "completed", 18)
        self.text = label()
        self.text.setWordWrap(True)
        self.count = label(role="count", tone="secondary")
        self.bar = ProgressBar()
        self.bar.setFixedWidth(BAR_WIDTH)
        self.stop_button = button("Stop", icon_name="x")
        self.details_button = button("Details…")
        self.undo_button = button("Undo", icon_name="arrow-u-up-left", hint="Undo (Ctrl+Z)")
        self.close_button = button("", "quiet", "x", "Dismiss")
        self.close_button.setAccessibleName("Dismiss")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE_S)
        row.addWidget(self._icon)
        row.addWidget(self.text, 1)
        for part in (
            self.count,
            self.bar,
            self.stop_button,
            self.details_button,
            self.undo_button,
            self.close_button,
        ):
            row.addWidget(part, 0, Qt.AlignmentFlag.AlignVCenter)
        self._timer.timeout.connect(self._look)
        self.stop_button.clicked.connect(self._stop)
        self.details_button.clicked.connect(self._show_details)
        self.undo_button.clicked.connect(self.undo_wanted)
        self.close_button.clicked.connect(self.hide)
        self.passing = Passing(self)
        self.passing.over.connect(self.hide)
        self.hide()

    def show_progress(self, sentence: str, progress: ActProgress) -> None:
        """Show how far an act is, from now on."""
        self._progress = progress
        self._show("arrow-bend-up-right", "text-secondary", sentence, busy=True)
        self.passing.begin(False)
        self.bar.reset_to(0.0)
        self.stop_button.setEnabled(True)
        self._look()
        self._timer.start()

    def end(self) -> None:
        """The act is over; what is said of it follows, or nothing does."""
        self._timer.stop()
        self._progress = None
        self.hide()

    def show_outcome(
        self,
        sentence: str,
        *,
        good: bool = True,
        can_undo: bool = False,
        failed: list[tuple[str, str]] | None = None,
        passes: bool = True,
    ) -> None:
        """Say what came of it.

        Args:
            failed: paths and reasons, which a button lists where there are several.
            passes: it goes with the next thing that is done, and soon by itself where it is good;
                not while it can be undone.
        """
        self._failed = failed or []
        name, token = ("check-circle", "completed") if good else ("warning-circle", "paused")
        self._show(name, token, sentence, busy=False)
        self.undo_button.setVisible(can_undo)
        self.details_button.setVisible(len(self._failed) > 1)
        self.passing.begin(passes and not can_undo, by_itself=good)

    def _show(self, icon_name: str, token: str, sentence: str, *, busy: bool) -> None:
        self._icon.set_icon(icon_name, token)
        self.text.setText(sentence)
        self.setAccessibleName(sentence)
        for part in (self.count, self.bar, self.stop_button):
            part.setVisible(busy)
        for other in (self.details_button, self.undo_button):
            other.hide()
        self.close_button.setVisible(not busy)
        self.show()

    def _look(self) -> None:
        progress = self._progress
        if progress is not None:
            self.bar.set_progress(progress.share)
            done, total = words.count(progress.done), words.count(progress.total)
            self.count.setText(f"{done} of {total}" if progress.total else "")

    def _stop(self) -> None:
        if self._progress is not None:
            self._progress.stop.set()
            self.stop_button.setEnabled(False)

    def _show_details(self) -> None:
        FailedFilesDialog(self.window(), self._failed).open()


class FailedFilesDialog(QDialog):
    """Every file that an act left as it was, and why."""

    def __init__(self, parent: QWidget, failed: list[tuple[str, str]]) -> None:
        super().__init__(parent)
        self.setWindowTitle("Afterimage")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        number = words.plural(len(failed), "file")
        self.title = ElidedLabel(role="section")
        self.title.set_text(f"{number} stayed as {'it was' if len(failed) == 1 else 'they were'}")
        self.list = QPlainTextEdit()
        self.list.setReadOnly(True)
        self.list.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.list.setPlainText("\n".join(f"{printable(path)}\n    {why}" for path, why in failed))
        self.list.setAccessibleName(self.title.full_text())
        close = button("Close", "primary")
        close.clicked.connect(self.accept)
        bottom = QHBoxLayout()
        bottom.addStretch()
        bottom.addWidget(close)
        column = QVBoxLayout(self)
        column.setContentsMargins(SPACE_XL, SPACE_XL, SPACE_XL, SPACE_L)
        column.setSpacing(SPACE_L)
        column.addWidget(self.title)
        column.addWidget(self.list, 1)
        column.addLayout(bottom)
        fit_size(self, self.sizeHint().expandedTo(parent.size() * 0.6))
