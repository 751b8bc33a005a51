"""What a person reads where the ledger's database does not do what it is asked to."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from app.config import get_settings
from app.db import engine as engine_module
from app.db import migrate as migrate_module
from app.db.engine import close_engines, get_sync_engine, open_db, write_transaction
from app.db.errors import LedgerError, ledger_error
from app.db.migrate import SCHEMA_REVISION, migrate
from app.errors import AppError

HOLDER = """
import sqlite3, sys
ledger = sqlite3.connect(sys.argv[1], isolation_level=None)
ledger.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def ledger(data_dir: Path) -> Path:
    migrate()
    return data_dir / "ledger.sqlite3"


@pytest.fixture
def held(ledger: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Another program holds the ledger; its process id."""
    monkeypatch.setattr(engine_module, "BUSY_TIMEOUT_S", 0)
    get_sync_engine().dispose()
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(ledger)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        yield other.pid
        other.communicate()


def test_a_ledger_that_another_program_holds_is_named_with_its_holder(held: int) -> None:
    with pytest.raises(Exception, match="locked") as caught, write_transaction():
        pass
    plain = ledger_error(caught.value)
    assert plain is not None
    assert plain.transient
    assert "held the ledger" in plain.message
    assert f"(process {held}, since" in plain.hint


def _write_something() -> None:
    with write_transaction():
        pass


async def test_work_in_a_session_or_beside_it_gets_the_sentence(held: int) -> None:
    with pytest.raises(LedgerError, match="held the ledger"):
        async with open_db() as db:
            await db.execute(text("UPDATE alembic_version SET version_num = version_num"))
    with pytest.raises(LedgerError, match="held the ledger"):
        async with open_db():
            await asyncio.to_thread(_write_something)
    await close_engines()


async def test_a_bug_of_ours_is_not_blamed_on_the_database(ledger: Path) -> None:
    with pytest.raises(Exception, match="no such table") as caught:
        async with open_db() as db:
            await db.execute(text("SELECT * FROM nowhere"))
    assert ledger_error(caught.value) is None
    assert ledger_error(ValueError("locked, full, malformed, readonly")) is None
    await close_engines()


@pytest.mark.parametrize("backup", [True, False])
def test_a_damaged_ledger_is_told_to_use_the_copy_only_where_there_is_one(
    data_dir: Path, backup: bool
) -> None:
    copy = data_dir / "backups" / "ledger-0001.sqlite3"
    copy.parent.mkdir(parents=True)
    if backup:
        copy.touch()
    (data_dir / "ledger.sqlite3").write_bytes(b"no database" * 1000)
    with pytest.raises(LedgerError, match="damaged") as caught:
        migrate()
    assert (str(copy) in caught.value.hint) is backup
    assert not caught.value.transient
    if not backup:
        assert "no copy" in caught.value.hint


def test_a_ledger_that_breaks_in_the_middle_is_damaged(ledger: Path) -> None:
    get_sync_engine().dispose()
    content = bytearray(ledger.read_bytes())
    content[200:4096] = os.urandom(3896)
    ledger.write_bytes(content)
    with pytest.raises(LedgerError, match="is damaged"):
        migrate()


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        (sqlite3.SQLITE_FULL, "disk that holds the ledger is full"),
        (sqlite3.SQLITE_READONLY_DBMOVED, "moved or deleted"),
        (sqlite3.SQLITE_READONLY_ROLLBACK, "cannot be written"),
        (sqlite3.SQLITE_CANTOPEN_ISDIR, "cannot be written"),
        (sqlite3.SQLITE_IOERR_WRITE, "reports an error"),
        (sqlite3.SQLITE_CORRUPT_VTAB, "is damaged"),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, "held the ledger"),
        (sqlite3.SQLITE_NOMEM, "memory"),
    ],
)
def test_sqlite_s_errors_are_told_apart_by_their_codes(code: int, sentence: str) -> None:
    error = sqlite3.OperationalError("words that say nothing")
    error.sqlite_errorcode = code
    plain = ledger_error(error)
    assert plain is not None
    assert sentence in plain.message


@pytest.mark.parametrize(
    "url",
    ["postgresql:", "postgresql://host:port/database", "sqlite:ledger", "postgresql://[::1/d"],
)
def test_a_database_url_that_cannot_be_read_is_named(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AFTERIMAGE_DATABASE_URL", url)
    get_settings.cache_clear()
    with pytest.raises(
        AppError, match=r"AFTERIMAGE_DATABASE_URL is set to .*, which is not an address"
    ):
        migrate()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://somebody:secret@127.0.0.1:9/ledger",
        "postgresql://somebody:secret@nowhere.invalid/ledger",
        "postgresql://somebody:secret@127.0.0.1:9/ledger?bogus=1",
    ],
)
def test_a_server_that_is_not_there_is_one_sentence_without_the_password(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AFTERIMAGE_DATABASE_URL", url)
    get_settings.cache_clear()
    with pytest.raises(
        LedgerError, match="that AFTERIMAGE_DATABASE_URL names cannot be used"
    ) as caught:
        migrate()
    assert "secret" not in str(caught.value)
    assert "\n" not in caught.value.message


def test_a_sqlite_that_is_too_old_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 37, 2))
    with pytest.raises(AppError, match="too old"):
        migrate()


def test_a_program_without_its_migrations_says_that_it_is_incomplete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate_module, "MIGRATIONS", tmp_path / "nowhere")
    with pytest.raises(AppError, match="incomplete"):
        migrate()


def test_a_copy_that_cannot_be_made_stops_the_upgrade_and_leaves_nothing_half(
    ledger: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with write_transaction() as conn:
        conn.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    get_sync_engine().dispose()
    real = sqlite3.connect

    class Full(sqlite3.Connection):
        def backup(self, target: sqlite3.Connection, **_: object) -> None:  # type: ignore[override]
            target.execute("PRAGMA max_page_count = 2")
            target.execute("CREATE TABLE t (x)")
            target.execute("INSERT INTO t VALUES (zeroblob(100000))")

    monkeypatch.setattr(migrate_module.sqlite3, "connect", lambda path: real(path, factory=Full))
    with pytest.raises(LedgerError, match="is full"):
        migrate()
    assert list((data_dir / "backups").iterdir()) == []
    assert SCHEMA_REVISION != "0001"


def test_an_upgrade_that_somebody_else_is_at_is_waited_for_and_then_named(
    ledger: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate_module, "LOCK_WITHIN_S", 0.1)
    hold = (
        "import sys; from filelock import FileLock\n"
        "with FileLock(sys.argv[1]): print('held', flush=True); sys.stdin.read()"
    )
    lock = data_dir / "run" / "migrate.lock"
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(AppError, match=rf"\(process {other.pid}, since"):
            migrate()
        other.communicate()
