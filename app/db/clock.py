"""The one clock by which leases, signs of life and walks are judged, whatever machine looks."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, func, select

from app.db.types import UtcDateTime, utc_now


def ledger_now(conn: Connection) -> datetime:
    """Now, by the clock of whoever keeps the ledger.

    That is the PostgreSQL server, which all machines share; everybody who has a SQLite ledger open
    is on one machine and has that machine's clock.
    """
    if conn.dialect.name != "postgresql":
        return utc_now()
    now: datetime = conn.execute(
        select(func.clock_timestamp(type_=UtcDateTime))  # now() stands still in a transaction
    ).scalar_one()
    return now
