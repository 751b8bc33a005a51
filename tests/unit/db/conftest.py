"""A fresh ledger, on SQLite and on PostgreSQL."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from ledgers import fresh_database, fresh_ledger
from many_machines import running_postgres

from app.config import get_settings
from app.db.engine import get_sync_engine

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
        monkeypatch.setenv(
            "AFTERIMAGE_DATABASE_URL", fresh_database(server, f"ledger_{next(_numbers)}")
        )
        get_settings.cache_clear()
    else:
        fresh_ledger()
    yield
    get_sync_engine().dispose()
    get_sync_engine.cache_clear()
