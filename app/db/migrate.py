"""Bring the ledger to this program's version at start: back up first, refuse a newer one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from sqlalchemy import Connection, inspect, text

from app.bundled import MIGRATIONS
from app.config import get_settings
from app.db.engine import get_sync_engine
from app.db.errors import DATABASE_ERRORS, backup_folder, backups, raise_plain
from app.errors import AppError
from app.locks import holders

SCHEMA_REVISION = "0009"
"""The newest revision; a test compares it with Alembic's. Naming it here spares every start that
has nothing to upgrade the import of Alembic."""

BACKUPS_KEPT = 3
LOCK_WITHIN_S = 60


def migrate() -> None:
    """Create or upgrade the ledger.

    Raises:
        AppError: the ledger is newer than this program, damaged, held by another program, or
            cannot be opened, copied or written.
    """
    settings = get_settings()
    lock = settings.run_dir / "migrate.lock"
    try:
        settings.run_dir.mkdir(parents=True, exist_ok=True)
        with FileLock(lock, timeout=LOCK_WITHIN_S, fallback_to_soft=False):
            _migrate()
    except Timeout as error:
        raise AppError(
            f"The ledger is being upgraded, for more than {LOCK_WITHIN_S} seconds now, by "
            f"{holders(lock)}.",
            "Wait until that is done, or end it, then try again.",
        ) from error
    except OSError as error:
        raise AppError(
            f"The data folder {settings.data_dir} cannot be used: {error.strerror or error}.",
            "Make it writable and check that its disk is not full, or set AFTERIMAGE_DATA_DIR to "
            "another "
            "folder.",
        ) from error
    except DATABASE_ERRORS as error:
        raise_plain(error)
        raise


def _migrate() -> None:
    engine = get_sync_engine()
    with engine.connect() as connection:
        revision = _revision(connection)
    if revision == SCHEMA_REVISION:
        return
    known = known_revisions()
    if SCHEMA_REVISION not in known:
        raise AppError(
            f"The program is incomplete: the folder {MIGRATIONS} is missing or damaged.",
            "Install the program again; your data stays.",
        )
    if revision is not None and revision not in known:
        raise AppError(
            "The ledger was written by a newer version of Afterimage.",
            "Install the newest version, or set AFTERIMAGE_DATA_DIR to another folder to start "
            "afresh.",
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
            connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_WITHIN_S}s'"))
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
    folder = backup_folder(ledger)
    folder.mkdir(exist_ok=True)
    partial = folder / "partial"
    try:
        with closing(sqlite3.connect(ledger)) as source, closing(sqlite3.connect(partial)) as copy:
            source.backup(copy)
        partial.replace(folder / f"ledger-{revision}.sqlite3")
    finally:
        partial.unlink(missing_ok=True)  # half a copy on a full disk is in the way
    for old in backups(ledger)[:-BACKUPS_KEPT]:
        old.unlink()
