"""Settings that are allowed one by one, but not together."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from app.config import check_settings, get_settings
from app.errors import AppError

POSTGRESQL = "postgresql://user:secret@host/ledger"


def test_a_shared_ledger_needs_a_shared_store(monkeypatch: pytest.MonkeyPatch) -> None:
    check_settings()
    monkeypatch.setenv("DATABASE_URL", POSTGRESQL)
    get_settings.cache_clear()
    with pytest.raises(AppError, match="QDRANT_URL is not set") as refused:
        check_settings()
    assert "secret" not in str(refused.value)
    monkeypatch.setenv("QDRANT_URL", "http://host:6333")
    get_settings.cache_clear()
    check_settings()


@pytest.mark.parametrize("command", [["worker"], ["index", "."], ["sessions"]])
def test_every_command_refuses_it(command: list[str]) -> None:
    refused = subprocess.run(
        [sys.executable, "-m", "app", *command],
        env=os.environ | {"DATABASE_URL": POSTGRESQL},
        capture_output=True,
        text=True,
    )
    assert refused.returncode == 1
    assert "DATABASE_URL names a PostgreSQL server, but QDRANT_URL is not set." in refused.stderr
    assert "Set QDRANT_URL" in refused.stderr
