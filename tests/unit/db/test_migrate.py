"""The start of the program on old, new and damaged ledgers."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, select, text
from sqlalchemy.orm import Session

from app.bundled import MIGRATIONS
from app.db.engine import get_sync_engine, write_transaction
from app.db.migrate import SCHEMA_REVISION, migrate
from app.db.models import (
    AssetVector,
    Base,
    EmbeddingModel,
    ImageAsset,
    TrainingJob,
    TrainingSession,
)
from app.errors import AppError


@pytest.fixture
def fresh() -> None:
    migrate()


def test_the_newest_revision_is_the_one_the_program_expects() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_current_head() == SCHEMA_REVISION


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
        patch.setattr("app.db.migrate.known_revisions", lambda: {"0000", SCHEMA_REVISION})
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


@pytest.fixture
def older(data_dir: Path) -> Iterator[Connection]:
    """A ledger of revision 0003, open for writing."""
    data_dir.mkdir()
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    engine = get_sync_engine()
    with engine.connect().execution_options(write=True) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0003")
        yield connection
    engine.dispose()


REUSED = "Same content as a picture that was indexed before."
WHOSE = [
    # asset, content, note of its last evidence, vector
    (1, "content a", "", "vector a"),
    (2, "content a", REUSED, "vector a"),  # a copy, rightly
    (3, "content b", REUSED, "vector a"),  # a copy of b, which was given what b's file became
    (4, "content c", REUSED, "vector c"),  # whose original is gone: nobody can tell
]


def fill_older(connection: Connection) -> None:
    """A complete, a paused and a cancelled session; the last alone has picture 4."""
    sessions = ((1, "completed", 3), (2, "paused", 1), (3, "cancelled", 1))
    connection.execute(
        text(
            "INSERT INTO embedding_models (id, name, version, weights_digest, dimension,"
            " collection, created_at, spec) VALUES (1, 'm', 'v', 'd', 4, 'c', '2026-01-01', 'm')"
        )
    )
    for number, status, pictures in sessions:
        connection.execute(
            text(
                "INSERT INTO training_sessions (id, name, root_path, subdirectories, config,"
                " status, model, model_id, total_images, total_bytes, running_images,"
                " completed_images, reused_images, failed_images, cancelled_images, skipped,"
                " decode_ms, embed_ms, store_ms, active_ms, created_at, discovered_at)"
                " VALUES (:id, 's', '/', '[]', '{}', :status, 'm', 1, :n, 0, 0, :n, :r, 0, 0,"
                " '{}', 0, 0, 0, 0, '2026-01-01', '2026-01-01')"
            ),
            {"id": number, "status": status, "n": pictures, "r": {1: 2, 2: 1, 3: 1}[number]},
        )
    for asset, content, note, vector in WHOSE:
        connection.execute(
            text(
                "INSERT INTO image_assets (id, path, folder, size, mtime_ns, sha256, excluded)"
                " VALUES (:a, :path, '/', 1, 1, :content, 0)"
            ),
            {"a": asset, "path": f"/{asset}", "content": content},
        )
        connection.execute(
            text(
                "INSERT INTO asset_vectors (asset_id, model_id, size, mtime_ns, sha256)"
                " VALUES (:a, 1, 1, 1, :content)"
            ),
            {"a": asset, "content": content},
        )
        for session in (3,) if asset == 4 else (1, 2) if asset == 3 else (1,):
            job = 10 * session + asset
            connection.execute(
                text(
                    "INSERT INTO training_jobs (id, session_id, asset_id, status, reused,"
                    " attempts, crashes) VALUES (:job, :s, :a, 'completed', :reused, 1, 0)"
                ),
                {"job": job, "s": session, "a": asset, "reused": note == REUSED},
            )
            connection.execute(
                text(
                    "INSERT INTO training_evidence (job_id, asset_id, session_id, attempt,"
                    " model_name, model_version, weights_digest, device, precision,"
                    " processing_time_ms, embedding_checksum, note, created_at)"
                    " VALUES (:job, :a, :s, 1, 'm', 'v', 'd', 'cpu', 'fp32', 1, :vector, :note,"
                    " '2026-01-01')"
                ),
                {"job": job, "a": asset, "s": session, "vector": vector, "note": note},
            )
    connection.commit()


def test_vectors_that_an_older_version_may_have_mixed_up_are_made_again(
    older: Connection,
) -> None:
    fill_older(older)
    migrate()
    with Session(get_sync_engine()) as db:
        vectors = {row.asset_id: row for row in db.scalars(select(AssetVector))}
        jobs = {job.id: job.status for job in db.scalars(select(TrainingJob))}
        sessions = {s.id: s for s in db.scalars(select(TrainingSession))}
    assert {asset: row.checksum for asset, row in vectors.items()} == {
        1: "vector a",
        2: "vector a",
        3: None,
    }
    assert vectors[3].size == -1
    assert {job for job, status in jobs.items() if status == "pending"} == {13, 23}
    assert [sessions[number].status for number in (1, 2, 3)] == ["running", "paused", "cancelled"]
    assert (sessions[1].completed_images, sessions[1].reused_images) == (2, 1)
    assert (sessions[2].completed_images, sessions[2].reused_images) == (0, 0)
    assert sessions[1].running_since is not None


def test_ids_that_were_given_out_before_the_upgrade_never_come_again(older: Connection) -> None:
    fill_older(older)
    migrate()
    with write_transaction() as conn:
        for table in ("training_evidence", "training_jobs", "asset_vectors", "image_assets"):
            column = "id" if table == "image_assets" else "asset_id"
            conn.execute(text(f"DELETE FROM {table} WHERE {column} = 4"))
        conn.execute(
            text(
                "INSERT INTO image_assets (path, folder, size, mtime_ns, excluded)"
                " VALUES ('/new', '/', 1, 1, 0)"
            )
        )
        assert conn.scalar(text("SELECT max(id) FROM image_assets")) == 5
        assert conn.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
        assert conn.exec_driver_sql("PRAGMA foreign_key_check").all() == []


def test_what_was_indexed_with_the_first_built_in_model_is_indexed_again_by_the_next(
    older: Connection,
) -> None:
    fill_older(older)
    older.execute(text("UPDATE embedding_models SET spec = 'demo'"))
    older.execute(text("UPDATE training_sessions SET model = 'demo' WHERE id = 1"))
    older.commit()
    migrate()
    with Session(get_sync_engine()) as db:
        assert db.scalars(select(EmbeddingModel.spec)).all() == ["builtin"]
        models = db.scalars(select(TrainingSession.model).order_by(TrainingSession.id)).all()
    assert models == ["builtin", "m", "m"]
