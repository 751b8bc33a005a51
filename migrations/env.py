"""Alembic's entry: on the connection that the program hands over, or on the configured ledger."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection

from app.db.engine import get_sync_engine
from app.db.models import Base


def run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=connection.dialect.name == "sqlite",
        user_module_prefix="app.db.types.",
    )
    with context.begin_transaction():
        context.run_migrations()


handed_over = context.config.attributes.get("connection")
if handed_over is not None:
    run(handed_over)
else:
    with get_sync_engine().connect() as own_connection:
        run(own_connection)
