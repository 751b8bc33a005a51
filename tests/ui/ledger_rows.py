"""Real rows for window tests: sessions with pictures in every state, up to a million."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import text

from app.db.engine import get_sync_engine, write_transaction
from app.db.models import ImageAsset, TrainingJob, TrainingSession
from app.db.types import utc_now

STATES = ("completed", "failed", "running", "cancelled", "pending")


def add_session(
    name: str = "Photos",
    status: str = "pending",
    root: str = "/photos",
    *,
    found: bool = True,
    **values: Any,
) -> int:
    """A session without pictures; ``found``: the walk over its folders is over."""
    now = utc_now()
    row = {
        "name": name,
        "root_path": root,
        "subdirectories": [],
        "config": {},
        "status": status,
        "model": "builtin",
        "skipped": {},
        "created_at": now,
        "discovered_at": now if found and status != "pending" else None,
        "started_at": None if status == "pending" else now,
        "last_progress_at": now if status == "running" else None,
    }
    with write_transaction() as conn:
        result = conn.execute(TrainingSession.__table__.insert().values(row | values))
        return int(result.inserted_primary_key[0])


def add_pictures(session_id: int, paths: dict[str, list[str]], **values: Any) -> list[int]:
    """Pictures by state, in that order; returns the ids of their jobs."""
    ids = []
    now = utc_now()
    with write_transaction() as conn:
        for state, names in paths.items():
            for number, path in enumerate(names):
                asset = conn.execute(
                    ImageAsset.__table__.insert().values(
                        path=path, size=2_400_000 + number, mtime_ns=number, width=4000, height=3000
                    )
                ).inserted_primary_key[0]
                done = state in ("completed", "failed", "cancelled")
                job = {
                    "session_id": session_id,
                    "asset_id": asset,
                    "status": state,
                    "attempts": int(state in ("completed", "failed", "running")),
                    "finished_at": now - timedelta(seconds=number) if done else None,
                }
                if state == "failed":
                    job |= {"error_kind": "corrupt", "error_message": "The data is damaged."}
                job |= values
                ids.append(conn.execute(TrainingJob.__table__.insert().values(job)).lastrowid)
    recount(session_id)
    return ids


def add_many(session_id: int, number: int, failed_every: int = 0) -> None:
    """So many pictures at once, in up to 500 folders; completed, but for every so-manieth."""
    failed = f"i % {failed_every} = 0" if failed_every else "0"
    with write_transaction() as conn:
        conn.exec_driver_sql("PRAGMA cache_size = -400000")  # in KB: room for all indexes
        first = conn.execute(text("SELECT coalesce(max(id), 0) FROM image_assets")).scalar_one()
        conn.execute(
            text(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :number)"
                " INSERT INTO image_assets (id, path, folder, size, mtime_ns, excluded)"
                " SELECT :first + i, folder || '/IMG_' || printf('%07d', :first + i) || '.jpg',"
                " folder, 3000000 + i, i, 0"
                " FROM (SELECT i, '/photos/album ' || (500 * i / max(:number + 1, 500))"
                " AS folder FROM n)"
            ),
            {"number": number, "first": first},
        )
        conn.execute(
            text(
                "INSERT INTO training_jobs (session_id, asset_id, status, reused, attempts,"
                " crashes, error_kind, error_message, finished_at)"
                f" SELECT :session, id, CASE WHEN {failed} THEN 'failed' ELSE 'completed' END,"
                f" 0, 1, 0, CASE WHEN {failed} THEN CASE WHEN i % 3 = 0 THEN 'busy' ELSE 'corrupt'"
                f" END END, CASE WHEN {failed} THEN 'The data is damaged.' END,"
                " datetime('2026-01-01', '+' || (i / 100) || ' seconds')"
                " FROM (SELECT id, id - :first AS i FROM image_assets WHERE id > :first)"
            ),
            {"session": session_id, "first": first},
        )
    recount(session_id)


def recount(session_id: int) -> None:
    """Bring the counters on the session's row in line with its jobs."""
    from app.db.sessions import recount as counted

    with write_transaction() as conn:
        values: dict[str, Any] = dict(counted(conn, session_id))
        conn.execute(
            TrainingSession.__table__.update()
            .where(TrainingSession.__table__.c.id == session_id)
            .values(**values, total_bytes=values["total_images"] * 3_000_000)
        )


def set_columns(session_id: int, **values: Any) -> None:
    """Change a session's row."""
    with write_transaction() as conn:
        conn.execute(
            TrainingSession.__table__.update()
            .where(TrainingSession.__table__.c.id == session_id)
            .values(**values)
        )


def columns_of(session_id: int) -> dict[str, Any]:
    """A session's row."""
    with get_sync_engine().connect() as conn:  # what is being saved meanwhile is not in the way
        table = TrainingSession.__table__
        row = conn.execute(table.select().where(table.c.id == session_id)).mappings().one()
        return dict(row)
