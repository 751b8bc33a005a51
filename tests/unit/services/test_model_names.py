"""No name of a model, a log or a collection leads out of the folder that it belongs to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from ledgers import fresh_ledger

from app.db.engine import close_engines, open_db
from app.embedding import weights
from app.embedding.catalogue import check_model
from app.embedding.download import download
from app.errors import AppError
from app.logs import log_file
from app.services.model_service import ModelService
from app.services.system_service import SystemService
from app.vectors.embedded import EmbeddedStore
from app.vectors.protocol import UnknownCollectionError
from app.vectors.server import ServerStore
from app.worker.models import hub_path

NAMES = [
    "", " ", ".", "..", "/", "//", "../..", "a/../../b", "../run", "./x", "a/..", "a\\..\\b/c",
    "a/b\0c", "a/b\nc", "C:/x", "folders.json", "~", "~nobody/x", "x" * 300 + "/y", "\udcff/x",
]  # fmt: skip


@pytest.fixture
def full(data_dir: Path, tmp_path: Path) -> Iterator[Path]:
    """A data folder with something everywhere; it must still be there afterwards."""
    fresh_ledger()
    (data_dir / "models" / "a--b").mkdir(parents=True)
    for name in ("settings.json", "models/folders.json", "models/a--b/x.bin", "run/x", "../beside"):
        (data_dir / name).parent.mkdir(parents=True, exist_ok=True)
        (data_dir / name).write_text("[]" if name.endswith("folders.json") else "{}")
    before = {path: path.is_dir() for path in tmp_path.rglob("*") if "sqlite3-" not in path.name}
    yield data_dir
    for path, was_folder in before.items():
        assert path.exists(), path
        assert path.is_dir() == was_folder


@pytest.mark.parametrize("name", NAMES)
async def test_removing_a_model_removes_nothing_else(full: Path, name: str) -> None:
    # an absolute path is a person's own folder and only taken off the list; some could be names
    harmless = name.startswith("/") or name in ("~nobody/x", "\udcff/x")
    with suppress(AppError) if harmless else pytest.raises(AppError):
        assert await ModelService().remove(name) == 0


@pytest.mark.parametrize("name", NAMES)
async def test_odd_names_are_no_models(
    full: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.queue.questions.hub_path", hub_path)
    with pytest.raises(AppError):
        check_model(name)
    with pytest.raises(AppError):
        await ModelService().use(name)
    with pytest.raises(AppError):
        await ModelService().add_folder(str(full / "models" / name.replace("\0", "")))
    assert (await ModelService().download(name)).phase == "failed"
    assert weights.files(name) == []


async def test_odd_names_in_the_ledger_do_not_break_the_list(
    full: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.services.model_service._own_folders", lambda: NAMES)
    async with open_db() as db:
        rows = await ModelService().list(db)
    assert set(NAMES) <= {row.spec for row in rows}
    assert not any(row.removable for row in rows if row.spec in NAMES)
    await close_engines()


def test_a_link_is_not_followed_out_of_the_folder_of_models(full: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "weights.bin").write_text("x")
    (full / "models" / "someone--big").symlink_to(precious)
    with pytest.raises(AppError, match="is not the name of anything in"):
        weights.remove("someone/big")
    with pytest.raises(AppError, match="is not the name of anything in"):
        download("someone/big", "someone/big/")
    assert (precious / "weights.bin").exists()


@pytest.mark.parametrize("name", ["..", "../settings", "a/b", "a\0b", "/etc/passwd"])
async def test_a_log_is_one_in_the_folder_of_logs(full: Path, name: str) -> None:
    if name != "..":  # "...log" is a name like any other
        with pytest.raises(AppError):
            log_file(name)
        with pytest.raises(AppError):
            await SystemService().log_tail(name)
    assert log_file("worker").parent == full / "logs"


@pytest.mark.parametrize("name", ["", ".", "..", "a/../../b", "/etc", "a\\b", "a\0b", "x" * 300])
def test_a_collection_lies_in_its_store(tmp_path: Path, name: str) -> None:
    server = ServerStore("http://127.0.0.1:9")  # where nobody listens, and nobody is asked
    with pytest.raises(ValueError, match="cannot name a collection"):
        server.ensure_collection(name, 4)
    with pytest.raises(UnknownCollectionError):
        server.count(name)
    server.drop_collection(name)
    server.close()
    embedded = EmbeddedStore(tmp_path / "store" / "vectors")
    with pytest.raises(ValueError, match="cannot name a collection"):
        embedded.ensure_collection(name, 4)
    with pytest.raises(UnknownCollectionError):
        embedded.count(name)
    embedded.drop_collection(name)
    embedded.close()
    assert [path.name for path in (tmp_path / "store").iterdir()] == ["vectors"]
