"""Failed pictures as rows of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt

from app.api.error_kinds import ErrorKind
from app.printable import printable
from app.ui.parts import words
from app.ui.parts.paged_model import NO_PARENT, Index, PagedModel
from app.ui.parts.theme import font, theme
from app.ui.parts.widgets import plain_tip
from app.ui.pictures.job_rows import file_name, folder_name

if TYPE_CHECKING:
    from app.api.training_schemas import JobRow
    from app.services.backend import Backend
    from app.ui.parts.poller import Poller

COLUMNS = ("Picture", "What happened", "Session", "Tries", "When")
PICTURE, WHY, SESSION, TRIES, WHEN = range(5)
THUMBNAIL = 40
ROW_HEIGHT = 52
ROW_ROLE = int(Qt.ItemDataRole.UserRole) + 1
ItemRole = Qt.ItemDataRole
_KINDS = {kind.value: kind for kind in ErrorKind}


class FailedModel(PagedModel["JobRow"]):
    """Failed pictures, the newest first, of one cause or of all."""

    def __init__(self, backend: Backend, poller: Poller, parent: QObject | None = None) -> None:
        super().__init__(poller, parent)
        self._backend = backend
        self._sessions: Mapping[int, str] = {}

    def show_cause(self, session_id: int | None, kind: str | None, count: int) -> None:
        """Show what failed for a cause, in one session or in all."""

        async def fetch(offset: int, limit: int) -> Sequence[JobRow]:
            async with self._backend.db() as db:
                return await self._backend.pictures.failures(
                    db, session_id, error_kind=kind, offset=offset, limit=limit
                )

        self.set_source(fetch, count)

    def name_sessions(self, names: Mapping[int, str]) -> None:
        """What the sessions are called."""
        if names != self._sessions:
            self._sessions = names
            self.stale.emit()

    def columnCount(self, parent: Index = NO_PARENT) -> int:
        return 0 if parent.isValid() else len(COLUMNS)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = ItemRole.DisplayRole
    ) -> Any:
        if orientation == Qt.Orientation.Horizontal and role == ItemRole.DisplayRole:
            return COLUMNS[section]
        return None

    def data(self, index: Index, role: int = ItemRole.DisplayRole) -> Any:
        column = index.column()
        if role == ItemRole.ForegroundRole:
            return theme().color("text" if column in (PICTURE, WHY) else "text-secondary")
        if role == ItemRole.FontRole:
            return font("count") if column in (TRIES, WHEN) else None
        if role not in (
            ItemRole.DisplayRole,
            ItemRole.ToolTipRole,
            ItemRole.AccessibleTextRole,
            ROW_ROLE,
        ):
            return None
        row = self.row(index.row())
        if row is None or role == ROW_ROLE:
            return row
        if role == ItemRole.ToolTipRole:
            return plain_tip(_tip(row, column))
        return self._text(row, column)

    def _text(self, row: JobRow, column: int) -> str:
        if column == PICTURE:
            return file_name(row)
        if column == WHY:
            return sentence(row)
        if column == SESSION:
            return printable(self._sessions.get(row.sessionId, ""))
        if column == TRIES:
            return str(row.attempts)
        return words.ago(row.finishedAt) if row.finishedAt else ""


def kind_of(text: str | None) -> ErrorKind | None:
    """The cause that the ledger names; None for one that this version does not know."""
    return _KINDS.get(text or "")


def sentence(row: JobRow) -> str:
    """Why a picture failed, in one line."""
    kind = kind_of(row.errorKind)
    text = row.errorMessage or (kind.title if kind else "The cause is not known")
    return " ".join(text.split())


def _tip(row: JobRow, column: int) -> str:
    if column == PICTURE:
        return f"{file_name(row)}\n{folder_name(row)}"
    if column == WHY:
        kind = kind_of(row.errorKind)
        return "\n".join(filter(None, (row.errorMessage, kind.advice if kind else "")))
    if column == WHEN and row.finishedAt:
        return row.finishedAt.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    return ""
