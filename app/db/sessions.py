"""The moves of sessions, each inside the caller's transaction.

All moves are guarded: the UPDATE says which status it comes from, so whoever comes second changes
nothing. These functions take a Core connection: the worker calls them directly, the window
through ``AsyncConnection.run_sync``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.clock import ledger_now
from app.db.models import SESSION_MOVES, JobStatus, SessionStatus, TrainingJob, TrainingSession
from app.db.statuses import SessionErrorKind, sources_of
from app.errors import AppError


async def find_session(db: AsyncSession, session_id: int) -> TrainingSession:
    """The session with this id, read afresh.

    Raises:
        AppError: there is none.
    """
    session = await db.get(TrainingSession, session_id, populate_existing=True)
    if session is None:
        raise AppError(f"There is no session {session_id}.", "List them with: sessions")
    return session


def lock_sessions(conn: Connection, session_ids: Iterable[int]) -> None:
    """Be the one who changes these sessions, their jobs and counters, until the transaction ends.

    Sessions are the first of the locks, in the order of their ids; :mod:`app.db.jobs` tells why.
    """
    if conn.dialect.name == "postgresql" and (ids := sorted(set(session_ids))):
        rows = select(TrainingSession.id).where(TrainingSession.id.in_(ids))
        # key_share: rows that only refer to the session may be entered meanwhile
        conn.execute(rows.order_by(TrainingSession.id).with_for_update(key_share=True))


def move_session(conn: Connection, session_id: int, target: SessionStatus) -> bool:
    """Move a session to ``target`` from any status that allows it; False where none does."""
    moved = conn.execute(
        update(TrainingSession)
        .where(
            TrainingSession.id == session_id,
            TrainingSession.status.in_(sources_of(SESSION_MOVES, target)),
        )
        .values(status=target.value, error_message=None, error_kind=None, waiting_for=None)
    ).rowcount
    if moved and target is SessionStatus.RUNNING:
        start_clock(conn, session_id)
    elif moved:
        stop_clock(conn, session_id)
    return bool(moved)


def fail_session(
    conn: Connection, session_id: int, reason: str, kind: SessionErrorKind | None = None
) -> None:
    """Move a running session to failed, and note why."""
    if move_session(conn, session_id, SessionStatus.FAILED):
        why = update(TrainingSession).where(TrainingSession.id == session_id)
        conn.execute(why.values(error_message=reason, error_kind=kind and kind.value))


def reopen_session(conn: Connection, session_id: int) -> None:
    """Let a complete session go on, because it has pictures to index again."""
    reopened = conn.execute(
        update(TrainingSession)
        .where(TrainingSession.id == session_id, TrainingSession.status == SessionStatus.COMPLETED)
        .values(status=SessionStatus.RUNNING.value)
    ).rowcount
    if reopened:
        start_clock(conn, session_id)


def lock_session(conn: Connection, session_id: int) -> Any:
    """The session's row; until the transaction ends, nobody settles, counts or moves it."""
    row = select(TrainingSession).where(TrainingSession.id == session_id)
    return conn.execute(row.with_for_update()).one()


def has_model(conn: Connection, session_id: int, spec: str, model_id: int | None = None) -> bool:
    """Whether a session still has this model; if so, it keeps it until the transaction ends.

    Args:
        model_id: also that it is to be indexed with these weights of it.
    """
    kept = select(TrainingSession.id).where(
        TrainingSession.id == session_id, TrainingSession.model == spec
    )
    if model_id is not None:
        kept = kept.where(TrainingSession.model_id == model_id)
    return conn.execute(kept.with_for_update(key_share=True)).first() is not None


def note_waiting(conn: Connection, session_id: int, sentence: str | None) -> None:
    """Say why a running session stands still for the moment, or that it does no longer."""
    conn.execute(
        update(TrainingSession)
        .where(
            TrainingSession.id == session_id,
            TrainingSession.status == SessionStatus.RUNNING,
            TrainingSession.waiting_for.is_distinct_from(sentence),
        )
        .values(waiting_for=sentence)
    )


def start_clock(conn: Connection, session_id: int) -> None:
    """Note that a running session runs from now on, unless that is noted already."""
    now = ledger_now(conn)
    conn.execute(
        update(TrainingSession)
        .where(
            TrainingSession.id == session_id,
            TrainingSession.status == SessionStatus.RUNNING,
            TrainingSession.running_since.is_(None),
        )
        .values(
            running_since=now,
            started_at=func.coalesce(TrainingSession.started_at, now),
            finished_at=None,
            last_progress_at=now,
        )
    )


def stop_clock(conn: Connection, session_id: int) -> None:
    """Add the time since the last start to the session's running time, once."""
    row = conn.execute(
        select(TrainingSession.running_since, TrainingSession.active_ms, TrainingSession.status)
        .where(TrainingSession.id == session_id)
        .with_for_update()
    ).one()
    if row.running_since is None:
        return
    now = ledger_now(conn)
    ended = row.status in (
        SessionStatus.COMPLETED,
        SessionStatus.FAILED,
        SessionStatus.CANCELLED,
    )
    conn.execute(
        update(TrainingSession)
        .where(TrainingSession.id == session_id)
        .values(
            running_since=None,
            active_ms=row.active_ms + round((now - row.running_since).total_seconds() * 1000),
            finished_at=now if ended else None,
        )
    )


def finish_session(conn: Connection, session_id: int) -> bool:
    """Complete a running session that has been walked whole and has no job left to do."""
    # What is committed while this waits for the lock is seen by the statement after it only.
    lock_sessions(conn, [session_id])
    unfinished = select(TrainingJob.id).where(
        TrainingJob.session_id == session_id,
        TrainingJob.status.in_([JobStatus.PENDING, JobStatus.RUNNING]),
    )
    ready = conn.execute(
        select(TrainingSession.id).where(
            TrainingSession.id == session_id,
            TrainingSession.status == SessionStatus.RUNNING,
            TrainingSession.discovered_at.is_not(None),
            ~unfinished.exists(),
        )
    ).first()
    return ready is not None and move_session(conn, session_id, SessionStatus.COMPLETED)


def count(conn: Connection, session_id: int, **changes: int) -> None:
    """Add to the counters on the session's row."""
    columns = TrainingSession.__table__.c
    values = {name: columns[name] + change for name, change in changes.items() if change}
    if values:
        conn.execute(update(TrainingSession).where(TrainingSession.id == session_id).values(values))


def recount(conn: Connection, session_id: int) -> dict[str, int]:
    """The counters as the job rows have them; slow for a large session, exact always."""
    rows = conn.execute(
        select(TrainingJob.status, TrainingJob.reused, func.count())
        .where(TrainingJob.session_id == session_id)
        .group_by(TrainingJob.status, TrainingJob.reused)
    ).all()
    counts = dict.fromkeys(("total", "running", "completed", "reused", "failed", "cancelled"), 0)
    for status, reused, number in rows:
        counts["total"] += number
        if status != JobStatus.PENDING:
            counts[status] += number
        if reused and status == JobStatus.COMPLETED:
            counts["reused"] += number
    return {f"{name}_images": number for name, number in counts.items()}
