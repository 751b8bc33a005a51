"""The ledger's address: whatever its folder is called, the ledger lies in it."""

from __future__ import annotations

import asyncio
import sqlite3
import traceback
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from app.config import get_settings
from app.db import migrate as module
from app.db.engine import close_engines, ledger_url, open_db
from app.db.migrate import migrate
from app.errors import AppError

NAMES = [
    "what?now", "a?mode=memory&cache=shared", "100%25 photos", "a%20b", "#1", "it's \"so\"", "a\nb",
    "file:x", "ü \udcff", ":memory:", "back\\slash", "c@d:e",
]  # fmt: skip


def use(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    get_settings.cache_clear()


@pytest.mark.parametrize("name", NAMES)
async def test_the_ledger_and_its_copies_lie_in_the_data_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    data = tmp_path / "top" / name / "data"
    use(monkeypatch, "AFTERIMAGE_DATA_DIR", str(data))
    await asyncio.to_thread(migrate)
    async with open_db() as db:
        assert await db.scalar(text("SELECT count(*) FROM training_sessions")) == 0
    await close_engines()
    with closing(sqlite3.connect(data / "ledger.sqlite3")) as ledger:
        assert ledger.execute("SELECT version_num FROM alembic_version").fetchone() == (
            module.SCHEMA_REVISION,
        )
    await asyncio.to_thread(module._back_up, data / "ledger.sqlite3", module.SCHEMA_REVISION)
    assert (data / "backups" / f"ledger-{module.SCHEMA_REVISION}.sqlite3").exists()
    strays = [path for path in (tmp_path / "top").rglob("*") if data not in (path, *path.parents)]
    assert strays == [data.parent]


@pytest.mark.parametrize("password", ["p@ss/w?rd#1", "100%", "a:b", "'q' \"", "ü"])
def test_a_password_of_any_signs_is_understood(
    monkeypatch: pytest.MonkeyPatch, password: str
) -> None:
    from urllib.parse import quote

    use(
        monkeypatch,
        "AFTERIMAGE_DATABASE_URL",
        f"postgresql://a%40b:{quote(password, safe='')}@h:5432/d",
    )
    url = ledger_url()
    assert (url.username, url.password, url.host, url.database) == ("a@b", password, "h", "d")


def test_an_address_that_is_none_is_a_sentence_without_any_part_of_its_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use(monkeypatch, "AFTERIMAGE_DATABASE_URL", "postgresql://alice:hunter:two@h:port/x")
    with pytest.raises(
        AppError, match="AFTERIMAGE_DATABASE_URL is set to postgresql://alice:"
    ) as caught:
        ledger_url()
    assert "hunter" not in "".join(traceback.format_exception_only(caught.value))
    assert caught.value.__suppress_context__
