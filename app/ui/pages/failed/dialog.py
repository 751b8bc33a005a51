"""What failed in one session, in a window of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QDialog, QHBoxLayout, QVBoxLayout, QWidget

from app.printable import printable
from app.ui.pages.failed.view import FailedView
from app.ui.parts import words
from app.ui.parts.fitting import fit_size
from app.ui.parts.theme import SPACE_L
from app.ui.parts.widgets import button
from app.ui.pictures.thumbnails import ThumbnailLoader

if TYPE_CHECKING:
    from app.services.backend import Backend
    from app.ui.parts.actions import ActionRunner
    from app.ui.parts.poller import Poller


class FailedDialog(QDialog):
    """A :class:`FailedView` of one session; open it with ``open()``."""

    def __init__(
        self,
        backend: Backend,
        runner: ActionRunner,
        poller: Poller,
        session_id: int,
        name: str,
        *,
        thumbnails: ThumbnailLoader | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Failed pictures")
        self.view = FailedView(backend, runner, poller, session_id, thumbnails=thumbnails)
        if name:
            self.view.title.setText(f"What failed in “{words.shorten(printable(name), 40)}”")
        close = button("Close")
        close.setDefault(True)
        close.clicked.connect(self.accept)
        bottom = QHBoxLayout()
        bottom.setContentsMargins(SPACE_L, 0, SPACE_L, SPACE_L)
        bottom.addStretch()
        bottom.addWidget(close)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.view, 1)
        column.addLayout(bottom)
        fit_size(self, QSize(860, 560))
