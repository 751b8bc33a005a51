"""Errors of the ledger's database as sentences, told apart by their codes, never by their words."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from app.config import get_settings
from app.errors import AppError, first_line
from app.locks import holders

BUSY_TIMEOUT_S = 30
"""So long a statement waits for another program that writes to a SQLite ledger."""

DATABASE_ERRORS = (DBAPIError, PoolTimeoutError, sqlite3.Error)
"""What may be the database's doing; :func:`ledger_error` says whether it is. Those of PostgreSQL's
driver come as a ``DBAPIError``, so that it is imported only where there is such a ledger."""

_TRANSIENT_STATES = ("08", "25P03", "40", "53", "55", "57")
"""Of SQLSTATE: connection, idle for too long, rollback, resources, object in use, operator."""
_LASTING_STATES = ("25006", "28", "3D", "42501", "58", "XX")
"""Read-only, refused, no such database, no rights, the system's errors, a damaged database."""


class LedgerError(AppError):
    """The ledger's database does not do what it is asked to.

    Where it is transient, it may well do so in a moment: another program holds it, its server
    restarts, its disk is full.
    """


def ledger_error(error: BaseException) -> LedgerError | None:
    """What a person can do about an error of the database; None where it is a bug of ours."""
    if isinstance(error, PoolTimeoutError):
        return LedgerError("The ledger does not answer in time.", "Try again.", transient=True)
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, sqlite3.Error):
        return _of_sqlite(cause)
    return _of_postgresql(cause) if isinstance(error, DBAPIError) else None


def raise_plain(error: BaseException) -> None:
    """Raise the sentence for an error of the database; return where it has none."""
    if plain := ledger_error(error):
        raise plain from error


def _of_sqlite(error: sqlite3.Error) -> LedgerError | None:
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return None
    ledger = ledger_file()
    if code == sqlite3.SQLITE_READONLY_DBMOVED:
        return LedgerError(
            f"The ledger {ledger} was moved or deleted while it was in use.",
            "Put it back, then start again.",
        )
    match code & 0xFF:  # the rest of the code says in which of its steps
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED | sqlite3.SQLITE_PROTOCOL:
            return LedgerError(
                f"Another program has held the ledger {ledger} for {BUSY_TIMEOUT_S} seconds.",
                f"It is open in {holders(ledger)}. Close it there, for example in a backup or a "
                "database viewer, then try again.",
                transient=True,
            )
        case sqlite3.SQLITE_FULL:
            return LedgerError(
                "The disk that holds the ledger is full.",
                "Free some space, then start again.",
                transient=True,
            )
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM:
            return LedgerError(
                f"The ledger {ledger} cannot be written.",
                "Make its folder writable, or set AFTERIMAGE_DATA_DIR to another folder.",
            )
        case sqlite3.SQLITE_IOERR:
            return LedgerError(
                f"The disk that holds the ledger {ledger} reports an error.",
                "Check that it is connected, healthy and not full, then start again.",
            )
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return LedgerError(f"The ledger {ledger} is damaged.", _after_damage(ledger))
        case sqlite3.SQLITE_NOMEM:
            return LedgerError("There is not enough memory for the ledger.", "Close programs.")
    return None


def _of_postgresql(error: BaseException | None) -> LedgerError | None:
    import psycopg  # there where this is its error, and a tenth of what a command imports

    if not isinstance(error, psycopg.Error):
        return None
    state = error.sqlstate or ""
    lost = not state and isinstance(error, psycopg.OperationalError)
    wrong = not state and isinstance(error, psycopg.ProgrammingError)  # an option in the address
    transient = lost or state.startswith(_TRANSIENT_STATES)
    if not transient and not wrong and not state.startswith(_LASTING_STATES):
        return None
    reason = first_line(error).removeprefix("connection failed: ")
    return LedgerError(
        f"The database that AFTERIMAGE_DATABASE_URL names cannot be used: {reason}.",
        "Check that its server is running and has free space, and that address, user name, "
        "password and database in AFTERIMAGE_DATABASE_URL are correct.",
        transient=transient,
    )


def ledger_file() -> Path:
    """The file of a SQLite ledger."""
    settings = get_settings()
    if settings.database_url:
        return Path(make_url(settings.database_url).database or "")
    return settings.ledger_file


def backup_folder(ledger: Path) -> Path:
    """Where the copies from before each upgrade lie."""
    return ledger.parent / "backups"


def backups(ledger: Path) -> list[Path]:
    """The copies of a ledger, the newest last."""
    found = backup_folder(ledger).glob("ledger-*.sqlite3")
    return sorted(found, key=lambda path: path.stat().st_mtime)


def _after_damage(ledger: Path) -> str:
    copies = backups(ledger)
    if copies:
        return (
            f"Move it away and put {copies[-1]} in its place, the copy from before the last "
            "upgrade; or start without it, your pictures are untouched."
        )
    return "Move it away and index your folders again; there is no copy of it yet."
