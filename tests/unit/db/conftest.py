"""A fresh ledger, on SQLite and on PostgreSQL."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from many_machines import running_postgres
from sqlalchemy import create_engine, text

from app.config import get_settings
from app.db.engine import get_sync_engine
from app.db.migrate import migrate

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a PostgreSQL server of the tests' own."""
    with running_postgres(tmp_path_factory.mktemp("postgres")) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, data_dir: Path
) -> Iterator[None]:
    """An empty ledger of this program's version."""
    if request.param == "postgresql":
        server: str = request.getfixturevalue("postgres_server")
        name = f"ledger_{next(_numbers)}"
        admin = create_engine(
            server.replace("postgresql://", "postgresql+psycopg://"),
            isolation_level="AUTOCOMMIT",
        )
        with admin.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        admin.dispose()
        monkeypatch.setenv("AFTERIMAGE_DATABASE_URL", server.replace("/postgres?", f"/{name}?"))
        get_settings.cache_clear()
    migrate()
    yield
    get_sync_engine().dispose()
    get_sync_engine.cache_clear()
