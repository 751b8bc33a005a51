"""What tests of walks have in common."""

from __future__ import annotations

import pytest
from ledgers import fresh_ledger

from app.scan import session_walk


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A fresh ledger; the sessions that were rung for."""
    fresh_ledger()
    calls: list[int] = []
    monkeypatch.setattr(session_walk, "enqueue_session_if_possible", calls.append)
    return calls
