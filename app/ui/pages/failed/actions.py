"""Retry, exclude and export of failed pictures, in one session or in all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from app.errors import AppError
from app.ui.parts import words

if TYPE_CHECKING:
    from app.api.training_schemas import JobRow, TrainingProgress
    from app.services.backend import Backend

SMALL_BATCH = 4
NOTHING = "No pictures are retried."

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
    tried: dict[int, int] = field(default_factory=dict)
    """The pictures by session."""
    others: dict[int, int] = field(default_factory=dict)
    """How many more had failed in each of these sessions, and were not tried again."""

    def add(self, session: TrainingProgress, number: int) -> None:
        """Note that so many pictures of a session, as it was before, are tried again."""
        self.pictures += number
        before = session.jobsSummary.failed + self.tried.get(session.sessionId, 0)
        self.tried[session.sessionId] = self.tried.get(session.sessionId, 0) + number
        self.others[session.sessionId] = max(before - self.tried[session.sessionId], 0)

    def sentence(self) -> str:
        """What to tell the person."""
        begun = Outcome(self.pictures, self.pictures).sentence()
        return " ".join(filter(None, (begun if self.pictures else NOTHING, self.refusal())))

    def refusal(self) -> str:
        """What could not be tried again, and why; empty where all could."""
        if not self.left:
            return ""
        verb = "belongs" if self.left == 1 else "belong"
        return (
            f"{words.plural(self.left, 'picture')} {verb} to a cancelled session; "
            "start a new session for the folder instead."
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a retry, or how far it is."""

    tried: int
    open: int = 0
    """Still being tried."""
    waiting: int = 0
    """Of a session that was paused meanwhile."""
    again: int = 0
    """Failed again."""

    def sentence(self) -> str:
        """What to tell the person."""
        pictures = words.plural(self.tried, "picture")
        if self.open:
            verb = "is" if self.tried == 1 else "are"
            left = "" if self.open >= self.tried else f"; {words.count(self.open)} left"
            return f"{pictures} {verb} being retried{left}."
        indexed = self.tried - self.again - self.waiting
        if indexed == self.tried:
            return f"Retried: {pictures}, all indexed now."
        if self.again == self.tried:
            return f"Retried: {pictures}, all failed again."
        parts = [f"{words.count(indexed)} indexed now"]
        parts += [f"{words.count(self.again)} failed again"] if self.again else []
        parts += [f"{words.count(self.waiting)} waiting"] if self.waiting else []
        return f"Retried: {pictures}, {', '.join(parts)}."


async def outcome_of(backend: Backend, retried: Retried) -> Outcome:
    """How far a retry is, from its sessions' counters."""
    is_open = waiting = again = 0
    async with backend.db() as db:
        for session_id, tried in retried.tried.items():
            try:
                session = await backend.training.get_session_progress(db, session_id)
            except AppError:  # it was removed
                continue
            summary = session.jobsSummary
            failed = min(max(summary.failed - retried.others[session_id], 0), tried)
            left = min(summary.pending + summary.running, tried - failed)
            again += failed
            if session.status == "running":
                is_open += left
            else:
                waiting += left
    return Outcome(sum(retried.tried.values()), is_open, waiting, again)


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
            number = await backend.training.retry_failed(
                db, session_id, asset_ids=asset_ids, **how_to(how)
            )
            result.add(session, number)
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
            number = await backend.training.retry_failed(
                db, session.sessionId, error_kind=kind, **how_to(how)
            )
            result.add(session, number)
    return result


async def exclude_rows(backend: Backend, rows: Sequence[JobRow]) -> int:
    """Leave these pictures out from now on; how many."""
    async with backend.db() as db:
        return await backend.pictures.exclude(db, [row.jobId for row in rows])


async def export(backend: Backend, target: str, session_id: int | None) -> int:
    """Write the list to a CSV file; how many lines."""
    async with backend.db() as db:
        return await backend.pictures.export_failures(db, target, session_id)
