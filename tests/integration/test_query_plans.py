"""No statement of the daily work reads a whole table: its cost does not grow with the library."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ledgers import fresh_ledger
from sqlalchemy import Engine, event, text

from app.api.training_schemas import TrainingSessionCreate
from app.db.engine import close_engines, get_sync_engine
from app.queue.reconcile import reconcile
from app.scan import session_walk
from app.scan.session_walk import STARTED, SessionWalk
from app.services.backend import Backend
from app.worker.context import context
from app.worker.indexing.run import SessionRun

LARGE = ("image_assets", "training_jobs", "training_evidence", "asset_vectors")
OF_FEW_ROWS = (
    "ix_training_jobs_running",
    "ix_training_jobs_failed",
    "ix_asset_vectors_stale",
    "ix_asset_vectors_unsettled",
    "ix_image_assets_excluded",
)
"""Indexes on the rows that are something special; to go through one of them costs little."""

Statement = tuple[str, Any]


@contextmanager
def recorded() -> Iterator[list[Statement]]:
    """Every statement that any engine of this process executes meanwhile."""
    statements: list[Statement] = []

    def note(_c: Any, _cursor: Any, statement: str, values: Any, _x: Any, many: bool) -> None:
        statements.append((statement, values[0] if many else values))

    event.listen(Engine, "before_cursor_execute", note)
    yield statements
    event.remove(Engine, "before_cursor_execute", note)


def plan(statement: Statement) -> list[str]:
    sql, values = statement
    with get_sync_engine().connect() as conn:
        rows = conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", tuple(values or ()))
        return [row[3] for row in rows]


def whole_tables(statements: list[Statement]) -> list[str]:
    """The steps that go through all rows of a large table, each with its statement."""
    kinds = {sql: (sql, values) for sql, values in statements if not sql.startswith("PRAGMA")}
    return [
        f"{step} — {sql}"
        for sql, statement in kinds.items()
        if sql.startswith(("SELECT", "UPDATE", "INSERT", "DELETE", "WITH"))
        for step in plan(statement)
        if step.startswith("SCAN")
        and step.split()[1] in LARGE
        and not any(step.endswith(index) for index in OF_FEW_ROWS)
    ]


@pytest.fixture
def session_id(pictures: Path) -> Iterator[int]:
    """A session of forty pictures and a broken one, on a ledger without statistics."""
    fresh_ledger()
    (pictures / "broken.jpg").write_bytes(b"not a picture")

    async def create() -> int:
        backend = Backend()
        async with backend.db() as db:
            data = TrainingSessionCreate(rootPath=str(pictures))
            session = await backend.training.create_session(db, data)
        await close_engines()
        return session.id

    yield asyncio.run(create())
    context().close()
    context.cache_clear()


def test_indexing_updating_and_reconciling_look_rows_up(
    session_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_walk, "enqueue_session_if_possible", lambda _id: None)
    with recorded() as statements:
        assert list(SessionWalk(session_id, STARTED).steps()) == [41]
        counts = SessionRun(session_id, context()).run()
        list(SessionWalk(session_id).steps())
        reconcile(["some-worker"])
    assert (counts["processed"], counts["failed"]) == (41, 1)
    with get_sync_engine().connect() as conn:
        assert conn.scalar(text("SELECT status FROM training_sessions")) == "completed"
    assert len(statements) > 20
    assert whole_tables(statements) == []


async def test_polling_and_paging_look_rows_up(session_id: int) -> None:
    backend = Backend()
    await asyncio.to_thread(list, SessionWalk(session_id).steps())
    with recorded() as statements:
        async with backend.db() as db:
            await backend.training.list_sessions(db)
            await backend.pictures.page(db, session_id, offset=20, limit=10)
            await backend.pictures.page(db, session_id, status="completed", limit=10)
            await backend.pictures.failures(db, session_id)
            await backend.pictures.failures(db)
            await backend.pictures.failure_groups(db)
            await backend.system.status(db)
    assert whole_tables(statements) == []
    await close_engines()
