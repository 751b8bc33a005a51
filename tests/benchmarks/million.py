"""What is asked of a ledger with a million pictures, beside the poll of a session."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from unittest.mock import patch

from polling import DONE, JOBS, enter_pictures
from sqlalchemy import update

from app.api.error_kinds import ErrorKind
from app.db.engine import close_engines, write_transaction
from app.db.migrate import migrate
from app.db.models import JobStatus, TrainingJob, TrainingSession
from app.db.types import utc_now
from app.queue.reconcile import reconcile
from app.services.backend import Backend

FAILED = 100_000
ROUNDS = 5


def million_rows_ms() -> dict[str, float]:
    """Milliseconds, the best of some rounds; pages are of 200 rows and lie near the end."""
    migrate()
    session_id = enter_pictures(JOBS, DONE)
    _fail(session_id)
    times = asyncio.run(_ask(session_id))
    return times | {"reconcile_ms_at_1m": min(_ms_of_reconcile() for _ in range(ROUNDS))}


def _fail(session_id: int) -> None:
    """Have the first pictures failed, for two causes."""
    failed = TrainingJob.id <= FAILED
    with write_transaction() as conn:
        for odd, kind in enumerate((ErrorKind.CORRUPT, ErrorKind.MISSING)):
            conn.execute(
                update(TrainingJob)
                .where(failed, TrainingJob.id % 2 == odd)
                .values(
                    status=JobStatus.FAILED,
                    error_kind=kind,
                    error_message="It cannot be read.",
                    finished_at=utc_now() - timedelta(seconds=odd),
                )
            )
        conn.execute(
            update(TrainingSession)
            .where(TrainingSession.id == session_id)
            .values(completed_images=DONE - FAILED, failed_images=FAILED)
        )


async def _ask(session_id: int) -> dict[str, float]:
    backend = Backend()
    async with backend.db() as db:
        pictures = backend.pictures
        times = {
            "jobs_page_ms_at_1m": await _ms(
                lambda: pictures.page(db, session_id, offset=JOBS - 1_000)
            ),
            "failed_page_ms_at_100k": await _ms(
                lambda: pictures.failures(db, session_id, offset=FAILED - 1_000)
            ),
            "failed_causes_ms_at_100k": await _ms(lambda: pictures.failure_groups(db)),
        }
    await close_engines()
    return times


async def _ms(ask: Callable[[], Awaitable[object]]) -> float:
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        await ask()
        times.append(1000 * (time.perf_counter() - began))
    return min(times)


def _ms_of_reconcile() -> float:
    began = time.perf_counter()
    with patch("app.queue.reconcile.enqueue_session_if_possible"):  # no queue runs here
        reconcile()
    return 1000 * (time.perf_counter() - began)
