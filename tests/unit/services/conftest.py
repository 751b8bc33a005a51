"""The services on a fresh SQLite ledger; no queue runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.engine import close_engines, open_db
from app.db.migrate import migrate


@pytest.fixture
async def db() -> AsyncIterator[AsyncSession]:
    await asyncio.to_thread(migrate)
    async with open_db() as session:
        yield session
    await close_engines()
