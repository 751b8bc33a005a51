"""How long the window's question "how far is it?" takes with a million pictures in the ledger."""

from __future__ import annotations

import asyncio
import statistics
import time
from datetime import timedelta

from sqlalchemy import Connection, Integer, String, cast, insert, literal, select
from sqlalchemy.sql.selectable import CTE

from app.config import BUILTIN_MODEL
from app.db.engine import write_transaction
from app.db.migrate import migrate
from app.db.models import (
    ImageAsset,
    JobStatus,
    SessionStatus,
    TrainingEvidence,
    TrainingJob,
    TrainingSession,
)
from app.db.types import utc_now
from app.services.backend import Backend

JOBS = 1_000_000
DONE = 300_000
SECONDS_OF_WORK = 600
WARM_UP = 20
POLLS = 400
PAUSE_S = 0.005


def poll_times_ms() -> tuple[float, float]:
    """Median and maximum of many polls of a running session with a million pictures."""
    migrate()
    session_id = enter_pictures(JOBS, DONE)
    times = asyncio.run(_poll(session_id))
    return statistics.median(times), max(times)


def enter_pictures(jobs: int, done: int) -> int:
    """Enter a running session of ``jobs`` pictures, the first ``done`` finished; its id."""
    with write_transaction() as conn:
        session_id = _enter_session(conn, jobs, done)
        number = _numbers(jobs).c.number
        path = literal("/pictures/") + cast(number, String) + ".jpg"
        conn.execute(
            insert(ImageAsset).from_select(
                ["id", "path", "size", "mtime_ns"], select(number, path, number, number)
            )
        )
        for first, last, status in ((1, done, JobStatus.COMPLETED), (done + 1, jobs, "pending")):
            chosen = select(ImageAsset.id, literal(session_id), ImageAsset.id, literal(str(status)))
            conn.execute(
                insert(TrainingJob).from_select(
                    ["id", "session_id", "asset_id", "status"],
                    chosen.where(ImageAsset.id.between(first, last)).order_by(ImageAsset.id),
                )
            )
        _enter_evidence(conn, session_id, done)
    return session_id


def _enter_session(conn: Connection, jobs: int, done: int) -> int:
    now = utc_now()
    return conn.execute(
        insert(TrainingSession)
        .values(
            name="A million pictures",
            root_path="/pictures",
            status=SessionStatus.RUNNING,
            model=BUILTIN_MODEL,
            total_images=jobs,
            completed_images=done,
            started_at=now - timedelta(seconds=SECONDS_OF_WORK),
            running_since=now - timedelta(seconds=SECONDS_OF_WORK),
            last_progress_at=now,
            discovered_at=now,
        )
        .returning(TrainingSession.id)
    ).scalar_one()


def _enter_evidence(conn: Connection, session_id: int, done: int) -> None:
    """One attempt for every finished picture, evenly over the last minutes."""
    now, each = utc_now(), done // SECONDS_OF_WORK
    for second in range(SECONDS_OF_WORK):
        moment = now - timedelta(seconds=SECONDS_OF_WORK - 1 - second)
        columns = (TrainingJob.id, TrainingJob.asset_id, literal(session_id), literal(1))
        created = literal(moment, TrainingEvidence.created_at.type)
        conn.execute(
            insert(TrainingEvidence).from_select(
                ["job_id", "asset_id", "session_id", "attempt", "created_at"],
                select(*columns, created).where(
                    TrainingJob.id.between(second * each + 1, (second + 1) * each)
                ),
            )
        )


def _numbers(last: int) -> CTE:
    """The numbers from 1 to ``last``."""
    first = select(literal(1, Integer).label("number")).cte("numbers", recursive=True)
    return first.union_all(select(first.c.number + 1).where(first.c.number < last))


async def _poll(session_id: int) -> list[float]:
    """Ask as the window's poller does; milliseconds of each time."""
    backend, times = Backend(), []
    for _ in range(WARM_UP + POLLS):
        began = time.perf_counter()
        async with backend.db() as db:
            await backend.training.get_session_progress(db, session_id)
        times.append(1000 * (time.perf_counter() - began))
        await asyncio.sleep(PAUSE_S)
    return times[WARM_UP:]
