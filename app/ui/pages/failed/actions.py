"""Retry, exclude and export of failed pictures, in one session or in all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app.ui.parts import words

if TYPE_CHECKING:
    from app.api.training_schemas import JobRow
    from app.services.backend import Backend

SMALL_BATCH = 4

HOWS = (
    ("", "As before"),
    ("small", "With smaller batches"),
    ("cpu", "On the CPU"),
)
"""Ways to try again; the second needs less memory, the third no graphics card."""


@dataclass(slots=True)
class Retried:
    """What a retry did."""

    pictures: int = 0
    left: int = 0
    """Pictures of cancelled sessions, which cannot run again."""

    def sentence(self) -> str:
        """What to tell the person."""
        message = "No pictures are retried."
        if self.pictures:
            verb = "is" if self.pictures == 1 else "are"
            message = f"{words.plural(self.pictures, 'picture')} {verb} being retried."
        if self.left:
            verb = "belongs" if self.left == 1 else "belong"
            message += (
                f" {words.plural(self.left, 'picture')} {verb} to a cancelled session; "
                "start a new session for the folder instead."
            )
        return message


def how_to(how: str) -> dict[str, Any]:
    """A way to try again, as the service takes it."""
    ways: dict[str, dict[str, Any]] = {
        "small": {"batch_size": SMALL_BATCH},
        "cpu": {"device": "cpu"},
    }
    return ways.get(how, {})


async def retry_rows(backend: Backend, rows: Iterable[JobRow], how: str) -> Retried:
    """Try these pictures again."""
    by_session: defaultdict[int, list[int]] = defaultdict(list)
    for row in rows:
        by_session[row.sessionId].append(row.assetId)
    result = Retried()
    async with backend.db() as db:
        for session_id, asset_ids in by_session.items():
            session = await backend.training.get_session_progress(db, session_id)
            if session.status == "cancelled":
                result.left += len(asset_ids)
                continue
            result.pictures += await backend.training.retry_failed(
                db, session_id, asset_ids=asset_ids, **how_to(how)
            )
    return result


async def retry_cause(
    backend: Backend, session_id: int | None, kind: str | None, how: str
) -> Retried:
    """Try everything again that failed for a cause, or everything that failed at all."""
    result = Retried()
    async with backend.db() as db:
        if session_id is None:
            sessions = await backend.training.list_sessions(db)
        else:
            sessions = [await backend.training.get_session_progress(db, session_id)]
        for session in sessions:
            if not session.jobsSummary.failed:
                continue
            if session.status == "cancelled":
                groups = await backend.pictures.failure_groups(db, session.sessionId)
                result.left += sum(g.count for g in groups if kind in (None, g.errorKind))
                continue
            result.pictures += await backend.training.retry_failed(
                db, session.sessionId, error_kind=kind, **how_to(how)
            )
    return result


async def exclude_rows(backend: Backend, rows: Sequence[JobRow]) -> int:
    """Leave these pictures out from now on; how many."""
    async with backend.db() as db:
        return await backend.pictures.exclude(db, [row.jobId for row in rows])


async def export(backend: Backend, target: str, session_id: int | None) -> int:
    """Write the list to a CSV file; how many lines."""
    async with backend.db() as db:
        return await backend.pictures.export_failures(db, target, session_id)
