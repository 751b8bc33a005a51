"""The table of a session's pictures, over paged SQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QItemSelectionModel, QModelIndex, QObject, Qt, Signal
from PySide6.QtWidgets import QWidget

from app.ui.parts import words
from app.ui.parts.paged_model import NO_PARENT, Index, PagedModel
from app.ui.parts.tables import PagedTable
from app.ui.parts.theme import font, state_icon, theme
from app.ui.parts.widgets import plain_tip
from app.ui.pictures.job_rows import dimensions, file_name, folder_name, state_of

if TYPE_CHECKING:
    from app.api.training_schemas import JobRow, JobsSummary, TrainingProgress
    from app.services.backend import Backend
    from app.ui.parts.poller import Poller

COLUMNS = ("Picture", "State", "Tries", "Size", "Dimensions", "Message")
PICTURE, STATE, TRIES, SIZE, DIMENSIONS, MESSAGE = range(6)
_RIGHT = frozenset({TRIES, SIZE, DIMENSIONS})

WIDEST, LEAST = 220, 120
"""Of the first column, in pixels."""

FILTERS = ("pending", "running", "completed", "failed", "reused", "cancelled")
"""What a table can be narrowed to; reused ones are among the completed."""

ItemRole = Qt.ItemDataRole


def count_of(summary: JobsSummary, status: str | None) -> int:
    """How many pictures a filter leaves; None leaves all."""
    if status is not None:
        return int(getattr(summary, status))
    parts = ("pending", "running", "completed", "failed", "cancelled")
    return sum(int(getattr(summary, part)) for part in parts)


class JobTableModel(PagedModel["JobRow"]):
    """One row a picture, in the order they were found."""

    def __init__(self, backend: Backend, poller: Poller, parent: QObject | None = None) -> None:
        super().__init__(poller, parent)
        self._backend = backend

    def show_session(self, session_id: int | None, status: str | None, count: int) -> None:
        """Show a session's pictures, all or those of one status."""
        if session_id is None:
            self.set_source(None, 0)
            return
        narrowed: dict[str, Any] = {"status": status}
        if status == "reused":
            narrowed = {"status": "completed", "reused": True}

        async def fetch(offset: int, limit: int) -> Sequence[JobRow]:
            async with self._backend.db() as db:
                return await self._backend.pictures.page(
                    db, session_id, offset=offset, limit=limit, **narrowed
                )

        self.set_source(fetch, count)

    def columnCount(self, parent: Index = NO_PARENT) -> int:
        return 0 if parent.isValid() else len(COLUMNS)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = ItemRole.DisplayRole
    ) -> Any:
        if orientation == Qt.Orientation.Horizontal:
            if role == ItemRole.DisplayRole:
                return COLUMNS[section]
            if role == ItemRole.TextAlignmentRole and section in _RIGHT:
                return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        return None

    def data(self, index: Index, role: int = ItemRole.DisplayRole) -> Any:
        column = index.column()
        if role == ItemRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignRight if column in _RIGHT else Qt.AlignmentFlag.AlignLeft
            return side | Qt.AlignmentFlag.AlignVCenter
        if role == ItemRole.FontRole:
            return font("count") if column in _RIGHT else None
        if role == ItemRole.ForegroundRole:
            return theme().color("text" if column in (PICTURE, STATE) else "text-secondary")
        if role not in (ItemRole.DisplayRole, ItemRole.DecorationRole, ItemRole.ToolTipRole):
            return None
        row = self.row(index.row())
        if row is None:
            return None
        if role == ItemRole.DisplayRole:
            return _text(row, column)
        if role == ItemRole.ToolTipRole:
            return plain_tip(_tip(row, column))
        return state_icon(state_of(row)) if column == STATE else None


def _text(row: JobRow, column: int) -> str:
    if column == PICTURE:
        return file_name(row)
    if column == STATE:
        return words.picture_state_word(state_of(row))
    if column == TRIES:
        return str(row.attempts) if row.attempts else ""
    if column == SIZE:
        return words.size(row.size)
    if column == DIMENSIONS:
        return dimensions(row)
    return " ".join((row.errorMessage or "").split())


def _tip(row: JobRow, column: int) -> str:
    if column == PICTURE:
        return f"{file_name(row)}\n{folder_name(row)}"
    return (row.errorMessage or "") if column == MESSAGE else ""


class JobTable(PagedTable):
    """The table; ``picked`` says which picture is selected, also when its row moves."""

    picked = Signal(object)
    """The :class:`JobRow`, or None."""

    def __init__(self, backend: Backend, poller: Poller, parent: QWidget | None = None) -> None:
        self.jobs = JobTableModel(backend, poller)
        super().__init__(self.jobs, "pictures", parent)
        self.jobs.setParent(self)
        self.setAccessibleName("Pictures of this session")
        self.set_widths(WIDEST, 124, 52, 76, 112, 64)
        self.fit_first_column(_width_for_names)
        self.selected_id: int | None = None
        self._shown: tuple[int | None, str | None] = (None, None)
        self._summary: JobsSummary | None = None
        self._counting = False
        self.selectionModel().currentRowChanged.connect(self._pick)
        self.jobs.arrived.connect(self._keep_selection)

    def show_progress(self, progress: TrainingProgress | None, status: str | None) -> None:
        """Show a session as it is now; ``status`` narrows it."""
        session_id = None if progress is None else progress.sessionId
        summary = None if progress is None else progress.jobsSummary
        count = 0 if summary is None else count_of(summary, status)
        if (session_id, status) != self._shown:
            self._forget()
            self._shown = (session_id, status)
            self.jobs.show_session(session_id, status, count)
            self.scrollToTop()
        elif summary != self._summary or self.jobs.failing:
            self._counting = True  # Qt moves the mark when its row goes; a person did not
            self.jobs.set_count(count)
            self._counting = False
            self.jobs.refresh()
        self._summary = summary

    def clear_choice(self) -> None:
        """Select nothing."""
        self._forget()
        self.selectionModel().clear()

    def _forget(self) -> None:
        if self.selected_id is not None:
            self.selected_id = None
            self.picked.emit(None)

    def _pick(self, current: QModelIndex, _previous: QModelIndex) -> None:
        if self._counting:
            return
        row = self.jobs.row(current.row()) if current.isValid() else None
        if row is not None and row.jobId != self.selected_id:
            self.selected_id = row.jobId
            self.picked.emit(row)

    def _keep_selection(self) -> None:
        """After rows came: the mark follows its picture, and what is known of it is renewed."""
        if self.selected_id is None:
            self._pick(self.currentIndex(), QModelIndex())
            return
        here = self.currentIndex()
        row = self.jobs.row(here.row()) if here.isValid() else None
        if row is not None and row.jobId == self.selected_id:
            self.picked.emit(row)
            return
        at = self.jobs.find(lambda row: row.jobId == self.selected_id)
        if at is not None:
            self.select_quietly(at)
            self.picked.emit(self.jobs.row(at))
        elif row is not None:
            # another picture took its place: the mark goes, what is known of the picture stays
            blocked = self.selectionModel().blockSignals(True)
            self.selectionModel().setCurrentIndex(
                QModelIndex(), QItemSelectionModel.SelectionFlag.Clear
            )
            self.selectionModel().blockSignals(blocked)
            self.viewport().update()


def _width_for_names(room: int) -> int:
    """Such that every column is in sight, or else at least the state."""
    others = 448 if room >= 448 + LEAST else 126
    return max(min(room - others, WIDEST), LEAST)
