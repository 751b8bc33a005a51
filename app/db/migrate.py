"""Bring the ledger to this program's version at start: back up first, refuse a newer one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from filelock import FileLock
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DatabaseError

from app.config import get_settings
from app.db.engine import get_sync_engine
from app.errors import AppError, first_line

MIGRATIONS = Path(__file__).resolve().parent.parent.parent / "migrations"
HEAD = "0004"
"""The newest revision; a test compares it with Alembic's. Naming it here spares every start that
has nothing to upgrade the import of Alembic."""

BACKUPS_KEPT = 3


def migrate() -> None:
    """Create or upgrade the ledger.

    Raises:
        AppError: the ledger is newer than this program, damaged, or cannot be opened or written.
    """
    settings = get_settings()
    try:
        settings.run_dir.mkdir(parents=True, exist_ok=True)
        with FileLock(settings.run_dir / "migrate.lock", timeout=60):
            _migrate()
    except OSError as error:
        raise AppError(
            f"The data folder {settings.data_dir} cannot be used: {error.strerror}.",
            "Make it writable, or set DATA_DIR to another folder.",
        ) from error
    except DatabaseError as error:
        raise ledger_error(error) from error


def _migrate() -> None:
    engine = get_sync_engine()
    with engine.connect() as connection:
        revision = _revision(connection)
    if revision == HEAD:
        return
    if revision is not None and revision not in known_revisions():
        raise AppError(
            "The ledger was written by a newer version of Afterimage.",
            "Install the newest version, or set DATA_DIR to another folder to begin afresh.",
        )
    if revision is not None and engine.dialect.name == "sqlite":
        _back_up(Path(str(engine.url.database)), revision)
    _upgrade()


def known_revisions() -> set[str]:
    """The revisions that this program has."""
    return {path.name.split("_")[0] for path in (MIGRATIONS / "versions").glob("*.py")}


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return None if found is None else str(found)


def _upgrade() -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    with get_sync_engine().connect().execution_options(write=True) as connection:
        if connection.dialect.name == "postgresql":  # several machines may start at once
            connection.execute(text("SELECT pg_advisory_xact_lock(7261)"))
        config.attributes["connection"] = connection
        with _foreign_keys_off(connection):
            command.upgrade(config, "head")
            connection.commit()


@contextmanager
def _foreign_keys_off(connection: Connection) -> Iterator[None]:
    """Let a table be built anew, which SQLite can do only so; outside a transaction, as it asks."""
    driver = connection.connection.driver_connection
    if not isinstance(driver, sqlite3.Connection):
        yield
        return
    driver.execute("PRAGMA foreign_keys=OFF")
    try:
        yield
    finally:
        connection.rollback()  # after an error
        driver.execute("PRAGMA foreign_keys=ON")


def _back_up(ledger: Path, revision: str) -> None:
    """A consistent copy beside the ledger, also while others write to it."""
    folder = ledger.parent / "backups"
    folder.mkdir(exist_ok=True)
    partial = folder / "partial"
    with closing(sqlite3.connect(ledger)) as source, closing(sqlite3.connect(partial)) as target:
        source.backup(target)
    partial.replace(folder / f"ledger-{revision}.sqlite3")
    copies = sorted(folder.glob("ledger-*.sqlite3"), key=lambda path: path.stat().st_mtime)
    for old in copies[:-BACKUPS_KEPT]:
        old.unlink()


def ledger_error(error: Exception) -> AppError:
    """What a person can do about a ledger that does not answer or cannot be written."""
    reason = first_line(error).split(") ", 1)[-1]
    if "full" in reason:
        return AppError(
            "The disk that holds the ledger is full.", "Free some space, then start again."
        )
    if "readonly" in reason or "read-only" in reason or "unable to open" in reason:
        return AppError(
            f"The data folder {get_settings().data_dir} cannot be written.",
            "Make it writable, or set DATA_DIR to another folder.",
        )
    if get_settings().database_url.startswith("postgresql"):
        return AppError(
            f"The database server does not answer: {reason}.",
            "Check that it runs and that DATABASE_URL is right.",
        )
    return AppError(f"The ledger cannot be used: {reason}.", "A copy lies in the folder 'backups'.")
