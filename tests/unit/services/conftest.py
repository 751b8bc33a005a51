"""The services on a fresh SQLite ledger; no queue runs."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from ledgers import fresh_ledger
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.engine import close_engines, open_db


@pytest.fixture
async def db() -> AsyncIterator[AsyncSession]:
    fresh_ledger()
    async with open_db() as session:
        yield session
    await close_engines()
