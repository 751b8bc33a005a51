"""The start of the program on old, new and damaged ledgers."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app.db.engine import get_sync_engine, write_transaction
from app.db.migrate import HEAD, MIGRATIONS, migrate
from app.db.models import Base, ImageAsset
from app.errors import AppError


@pytest.fixture
def fresh() -> None:
    migrate()


def test_the_newest_revision_is_the_one_the_program_expects() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


@pytest.mark.usefixtures("ledger")
def test_the_migrations_build_what_the_models_describe() -> None:
    from alembic.autogenerate import compare_metadata

    with get_sync_engine().connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), Base.metadata)
    assert differences == []


@pytest.mark.usefixtures("ledger")
def test_migrating_again_changes_nothing(data_dir: Path) -> None:
    migrate()
    assert not (data_dir / "backups").exists()


def test_an_older_ledger_is_copied_before_it_is_upgraded(data_dir: Path, fresh: None) -> None:
    with write_transaction() as conn:
        conn.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("app.db.migrate.known_revisions", lambda: {"0000", HEAD})
        patch.setattr("app.db.migrate._upgrade", lambda: None)
        migrate()
    copies = list((data_dir / "backups").glob("*.sqlite3"))
    assert [path.name for path in copies] == ["ledger-0000.sqlite3"]
    copy = sqlite3.connect(copies[0])
    assert copy.execute("SELECT count(*) FROM training_jobs").fetchone() == (0,)
    copy.close()
    get_sync_engine().dispose()


@pytest.mark.usefixtures("ledger")
def test_a_newer_ledger_is_refused_in_plain_words() -> None:
    with write_transaction() as conn:
        conn.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(AppError, match="newer version"):
        migrate()


def test_a_ledger_that_is_no_database_is_refused_in_plain_words(data_dir: Path) -> None:
    data_dir.mkdir()
    (data_dir / "ledger.sqlite3").write_bytes(b"this is not a database" * 100)
    with pytest.raises(AppError, match="ledger"):
        migrate()


def test_a_data_folder_that_is_a_file_is_refused_in_plain_words(data_dir: Path) -> None:
    data_dir.write_text("in the way")
    with pytest.raises(AppError, match="data folder"):
        migrate()


def test_the_ledger_of_the_first_version_gets_its_folders(data_dir: Path) -> None:
    data_dir.mkdir()
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    engine = get_sync_engine()
    with engine.connect().execution_options(write=True) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(
            text(
                "INSERT INTO image_assets (id, path, size, mtime_ns, excluded)"
                " VALUES (1, '/a//dcff/one.jpg', 1, 1, false), (2, '/two.jpg', 1, 1, false)"
            )
        )
        connection.commit()
    migrate()
    with Session(engine) as db:
        folders = db.scalars(select(ImageAsset.folder).order_by(ImageAsset.id)).all()
    assert folders == ["/a\udcff", "/"]
    assert (data_dir / "backups" / "ledger-0001.sqlite3").exists()
    engine.dispose()
