"""Engines and sessions on the ledger: one URL, async for reads in windows, sync for the rest."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import lru_cache
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from app.config import get_settings
from app.db.errors import BUSY_TIMEOUT_S, DATABASE_ERRORS, raise_plain
from app.errors import AppError
from app.masking import hide_in_address
from app.natural_order import natural_key

OLDEST_SQLITE = (3, 38)
CONNECT_WITHIN_S = 10
IDLE_WITHIN_S = 10
"""So long a PostgreSQL server keeps the locks of a process that stands still in a transaction."""
READ_IDLE_WITHIN_S = 60
"""The same for a window's reads, which lock no row."""
LOCK_WITHIN_S = BUSY_TIMEOUT_S
TRIES = 5
_STOOD_IN_THE_WAY = ("40P01", "40001")
"""SQLSTATE of a deadlock, and of two transactions that do not go together."""
_CONNECTION = {
    "application_name": "afterimage",
    # a server or a network that is gone without a word is noticed within half a minute
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
}

T = TypeVar("T")


def ledger_url() -> URL:
    """The ledger's address, without a driver.

    Raises:
        AppError: ``AFTERIMAGE_DATABASE_URL`` is none.
    """
    settings = get_settings()
    if settings.database_url:
        try:
            return make_url(settings.database_url)
        except (ArgumentError, ValueError):
            raise AppError(
                f"AFTERIMAGE_DATABASE_URL is set to {hide_in_address(settings.database_url)}, "
                "which is not "
                "an address of a database.",
                "Write it like postgresql://host:5432/name, with user:password@ before the host.",
            ) from None  # the error tells parts of the password
    # not from a text, in which ? and % of the data folder's name would have another meaning
    return URL.create("sqlite", database=str(settings.ledger_file))


def _url(asynchronous: bool) -> URL:
    settings = get_settings()
    url = ledger_url()
    if url.get_backend_name() == "sqlite":
        if sqlite3.sqlite_version_info < OLDEST_SQLITE:
            raise AppError(
                f"SQLite {sqlite3.sqlite_version} on this computer is too old for the ledger.",
                f"Install SQLite {OLDEST_SQLITE[0]}.{OLDEST_SQLITE[1]} or newer, or a Python that "
                "brings it.",
            )
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        return url.set(drivername="sqlite+aiosqlite" if asynchronous else "sqlite+pysqlite")
    return url.set(drivername="postgresql+psycopg").update_query_dict(
        {"connect_timeout": str(CONNECT_WITHIN_S)} if "connect_timeout" not in url.query else {}
    )


def _prepare_sqlite(engine: Engine) -> None:
    """WAL and full sync: what was committed survives a power cut, and readers never wait."""

    @event.listens_for(engine, "connect")
    def _pragmas(connection: Any, _record: Any) -> None:
        # Reads stand alone and see what was committed last, as on PostgreSQL; the first write
        # of a transaction takes the write lock at once, so it waits instead of failing.
        connection.isolation_level = "IMMEDIATE"
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_S * 1000}")
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        # 16 MB: pages that every batch writes are copied back once for some, not for each
        cursor.execute("PRAGMA wal_autocheckpoint=4000")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()
        connection.create_function("natural_key", 1, natural_key, deterministic=True)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        if connection.get_execution_options().get("write", False):
            connection.exec_driver_sql("BEGIN IMMEDIATE")  # what is read now must stay true


def _prepare_postgresql(engine: Engine, idle_s: float) -> None:
    """Nobody waits for ever for somebody who stands still."""

    @event.listens_for(engine, "connect")
    def _limits(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        cursor.execute(f"SET idle_in_transaction_session_timeout = {round(idle_s * 1000)}")
        cursor.execute(f"SET lock_timeout = {round(LOCK_WITHIN_S * 1000)}")
        cursor.close()
        connection.commit()


@lru_cache(maxsize=1)
def get_sync_engine() -> Engine:
    """The worker's engine; one a process, made where it is used."""
    url = _url(asynchronous=False)
    if url.get_backend_name() == "sqlite":
        engine = create_engine(url, pool_size=10, max_overflow=10)
        _prepare_sqlite(engine)
        return engine
    engine = create_engine(  # a connection that was cut while nobody used it is opened again
        url, pool_size=10, max_overflow=10, pool_pre_ping=True, connect_args=_CONNECTION
    )
    _prepare_postgresql(engine, IDLE_WITHIN_S)
    return engine


def get_sync_session() -> Session:
    """A new session for reads; close it before anything slow."""
    return Session(get_sync_engine(), expire_on_commit=False)


@contextmanager
def write_transaction() -> Iterator[Connection]:
    """One short transaction that writes: committed at the end, rolled back on an error."""
    with get_sync_engine().connect() as connection:
        connection.execution_options(write=True)
        with connection.begin():
            yield connection


def in_transaction(work: Callable[[Connection], T]) -> T:
    """Write in one transaction, from its start again where another one stood in its way.

    Args:
        work: is rolled back and called again then, so it changes nothing but the ledger.
    """
    for left in reversed(range(TRIES)):
        try:
            with write_transaction() as conn:
                return work(conn)
        except OperationalError as error:
            if not left or getattr(error.orig, "sqlstate", "") not in _STOOD_IN_THE_WAY:
                raise
    raise AssertionError("the last try returns or raises")


@lru_cache(maxsize=1)
def get_async_engine() -> AsyncEngine:
    """The window's engine; one a process and event loop."""
    url = _url(asynchronous=True)
    if url.get_backend_name() == "sqlite":
        engine = create_async_engine(url, pool_size=5, max_overflow=5)
        _prepare_sqlite(engine.sync_engine)
        return engine
    engine = create_async_engine(
        url, pool_size=5, max_overflow=5, pool_pre_ping=True, connect_args=_CONNECTION
    )
    _prepare_postgresql(engine.sync_engine, READ_IDLE_WITHIN_S)
    return engine


@asynccontextmanager
async def open_db() -> AsyncIterator[AsyncSession]:
    """A database session for one piece of work.

    Raises:
        LedgerError: in place of what the database raises inside the block, also in threads that
            the block waits for.
    """
    try:
        async with AsyncSession(get_async_engine(), expire_on_commit=False) as db:
            yield db
    except DATABASE_ERRORS as error:
        raise_plain(error)
        raise


async def close_engines() -> None:
    """Give every connection back; the next use opens new ones."""
    if get_async_engine.cache_info().currsize:
        await get_async_engine().dispose()
        get_async_engine.cache_clear()
    if get_sync_engine.cache_info().currsize:
        await asyncio.to_thread(get_sync_engine().dispose)
        get_sync_engine.cache_clear()
