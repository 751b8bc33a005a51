"""Ledger, store and queue files that are gone, cut, damaged or of another version."""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from albums import Album
from catalogue import Fault, add, fault, finish, must
from injection import hold, kill
from scene import REPOSITORY, Scene

PAGE = 4096
OLD_REVISION = "0002"


def _indexed(scene: Scene) -> Album:
    """An album that is indexed to the end, with nothing running any more."""
    album = scene.album()
    scene.run("index", str(album.folder), "--batch-size", "4", "--json")
    return album


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.stat().st_size)


# --- the vector store ---------------------------------------------------------------------------


@fault("vector store deleted")
def _store_deleted(scene: Scene) -> None:
    """It is rebuilt from the pictures at the next start."""
    _indexed(scene)
    shutil.rmtree(scene.data / "vectors")
    scene.repeats = True
    scene.strike()
    scene.window()
    _until_rebuilt(scene)


def _until_rebuilt(scene: Scene) -> None:
    """Wait until a worker has looked at the store and every picture has its vector again."""
    scene.until_ready()
    lost = (
        "SELECT 1 FROM training_jobs WHERE status IN ('pending', 'running') OR"
        " status = 'completed' AND asset_id NOT IN (SELECT asset_id FROM asset_vectors)"
    )
    scene.until(lambda: not scene.rows(lost), "the store is not rebuilt")
    scene.until_complete()


def _cut(path: Path, rng: random.Random) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


def _scribble(path: Path, rng: random.Random) -> None:
    with path.open("r+b") as file:
        for _ in range(8):
            file.seek(rng.randrange(path.stat().st_size))
            file.write(rng.randbytes(16))


def _empty(path: Path, rng: random.Random) -> None:
    path.write_bytes(b"")


def _remove(path: Path, rng: random.Random) -> None:
    path.unlink()


DAMAGE: dict[str, Callable[[Path, random.Random], None]] = {
    "cut in half": _cut,
    "overwritten in places": _scribble,
    "emptied": _empty,
    "removed": _remove,
}


def _store_damaged(name: str, damage: Callable[[Path, random.Random], None]) -> None:
    def inject(scene: Scene) -> None:
        """What it is told is damaged can be deleted, as the sentence says; else nothing is wrong.

        Bytes that changed inside a stored vector are found by ``verify``, which compares checksums.
        """
        _indexed(scene)
        rng = random.Random(scene.seed)
        damage(rng.choice(_files(scene.data / "vectors")), rng)
        scene.repeats = True
        scene.strike()
        said = scene.run("verify", "--repair", code=None)
        scene.programs[-1].killed = True
        must("Traceback" not in said, said[-800:])
        if scene.programs[-1].process.returncode != 0 and "damaged" in said:
            shutil.rmtree(scene.data / "vectors")
        scene.window()
        _until_rebuilt(scene)

    add(Fault(f"a file of the vector store {name}", inject, fresh=True))


for _name, _damage in DAMAGE.items():
    _store_damaged(_name, _damage)


# --- the ledger ---------------------------------------------------------------------------------


@fault("ledger deleted", fresh=True)
def _ledger_deleted(scene: Scene) -> None:
    """A folder that is indexed again is as if for the first time; old vectors are dropped."""
    album = _indexed(scene)
    for path in scene.data.glob("ledger.sqlite3*"):
        path.unlink()
    scene.strike()
    scene.index(album)
    finish(scene)


@fault("ledger damaged, no backup there", fresh=True)
def _ledger_damaged(scene: Scene) -> None:
    """The sentence offers no copy where there is none."""
    album = _indexed(scene)
    _spoil(scene.data / "ledger.sqlite3")
    must("backups" not in (said := _refused(scene)), f"it offers a copy that is not there: {said}")
    for path in scene.data.glob("ledger.sqlite3*"):
        path.unlink()
    scene.strike()
    scene.index(album)
    finish(scene)


@fault("ledger damaged, a backup there", fresh=True)
def _ledger_damaged_with_backup(scene: Scene) -> None:
    """The sentence offers the copy, and the copy is good."""
    _make_old_ledger(scene)
    album = scene.album()
    scene.index(album)
    finish(scene)
    scene.end()
    _spoil(scene.data / "ledger.sqlite3")
    must("backups" in (said := _refused(scene)), f"it does not offer the copy: {said}")
    for path in scene.data.glob("ledger.sqlite3*"):
        path.unlink()
    (copy,) = (scene.data / "backups").glob("*.sqlite3")
    shutil.copy(copy, scene.data / "ledger.sqlite3")
    scene.strike()
    scene.index(album)
    finish(scene)


def _spoil(ledger: Path) -> None:
    """Write over every page but the first bytes, by which a database is known."""
    size = ledger.stat().st_size
    for path in ledger.parent.glob(f"{ledger.name}-*"):
        path.unlink()
    with ledger.open("r+b") as file:
        file.seek(100)
        file.write(random.Random(1).randbytes(size - 100))


def _refused(scene: Scene) -> str:
    """What the program says as it refuses to start: a sentence and exit code 1."""
    said = scene.run("sessions", code=1)
    scene.programs[-1].killed = True
    must("Traceback" not in said, said[-800:])
    return said


@fault("ledger emptied", fresh=True)
def _ledger_emptied(scene: Scene) -> None:
    album = _indexed(scene)
    for path in scene.data.glob("ledger.sqlite3-*"):
        path.unlink()
    (scene.data / "ledger.sqlite3").write_bytes(b"")
    scene.strike()
    scene.index(album)
    finish(scene)


@fault("ledger cut in half", fresh=True)
def _ledger_cut(scene: Scene) -> None:
    album = _indexed(scene)
    ledger = scene.data / "ledger.sqlite3"
    for path in scene.data.glob("ledger.sqlite3-*"):
        path.unlink()
    with ledger.open("r+b") as file:
        file.truncate(ledger.stat().st_size // 2 // PAGE * PAGE)
    said = scene.run("verify", code=1)
    scene.programs[-1].killed = True
    must("Traceback" not in said, said[-800:])
    for path in scene.data.glob("ledger.sqlite3*"):
        path.unlink()
    scene.strike()
    scene.index(album)
    finish(scene)


@fault("ledger of a newer version")
def _ledger_newer(scene: Scene) -> None:
    """It is refused, and not touched."""
    _indexed(scene)
    ledger = scene.data / "ledger.sqlite3"
    known = _set_revision(ledger, "9999")
    must("newer version" in (said := _refused(scene)), f"it says: {said}")
    must(_set_revision(ledger, known) == "9999", "the newer ledger was changed")
    scene.strike()
    scene.index(scene.album())
    finish(scene)


def _set_revision(ledger: Path, revision: str) -> str:
    """Write the version into a ledger; the one that was there."""
    with closing(sqlite3.connect(ledger)) as connection, connection:
        (before,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))
    return str(before)


@fault("an index of the ledger that does not fit its table")
def _ledger_index(scene: Scene) -> None:
    """``verify`` has SQLite check itself, and finds what no query of the program would."""
    _indexed(scene)
    ledger = scene.data / "ledger.sqlite3"
    name = "ix_training_evidence_asset"
    with closing(sqlite3.connect(ledger)) as connection:
        definition = connection.execute(
            "SELECT type, name, tbl_name, rootpage, sql FROM sqlite_schema WHERE name = ?", (name,)
        ).fetchone()
        for sql, values in (
            ("DELETE FROM sqlite_schema WHERE name = ?", (name,)),
            ("INSERT INTO sqlite_schema VALUES (?, ?, ?, ?, ?)", definition),
        ):
            connection.execute("PRAGMA writable_schema = ON")
            connection.execute(sql, values)
            connection.commit()
            connection.execute("PRAGMA writable_schema = RESET")
            if sql.startswith("DELETE"):  # without its index, so that the index keeps the old ones
                connection.execute("UPDATE training_evidence SET asset_id = -asset_id")
                connection.commit()
    said = scene.run("verify", code=1)
    scene.programs[-1].killed = True
    must("Traceback" not in said, said[-800:])
    must("ledger" in said.lower(), f"it says: {said}")
    with closing(sqlite3.connect(ledger)) as connection, connection:
        connection.execute(f"REINDEX {name}")
        connection.execute("UPDATE training_evidence SET asset_id = abs(asset_id)")
    scene.strike()
    scene.index(scene.album())
    finish(scene)


# --- migrations ---------------------------------------------------------------------------------


def _make_old_ledger(scene: Scene) -> None:
    """A ledger as an earlier version left it."""
    from alembic import command
    from alembic.config import Config

    from app.db.engine import get_sync_engine

    config = Config()
    config.set_main_option("script_location", str(REPOSITORY / "migrations"))
    scene.data.mkdir(parents=True, exist_ok=True)
    with scene.inside(), get_sync_engine().connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, OLD_REVISION)
        connection.commit()


def _killed_migrations() -> Iterator[Fault]:
    for name, step in {
        "before its first step": kill("alembic.command:upgrade", within="index"),
        "before its commit": kill("alembic.command:upgrade", after=True, within="index"),
        "while the backup is made": kill("app.db.migrate:_back_up", within="index"),
        "after the backup": kill("app.db.migrate:_back_up", after=True, within="index"),
    }.items():

        def inject(scene: Scene, step: object = step) -> None:
            _make_old_ledger(scene)
            album = scene.album()
            program = scene.index(album, step)  # type: ignore[arg-type]
            program.wait()
            must(program.process.returncode == -9, f"not killed: {program.said()[-500:]}")
            program.killed = True
            scene.strike()
            scene.index(album)
            finish(scene)

        yield Fault(f"migration killed {name}", inject, fresh=True)


for _entry in _killed_migrations():
    add(_entry)


# --- the queue's files --------------------------------------------------------------------------


def _queue_damaged(name: str, damage: Callable[[Path, random.Random], None]) -> None:
    @fault(f"the queue's files {name}")
    def inject(scene: Scene) -> None:
        """The queue is a doorbell: whatever becomes of its files, the ledger knows all work."""
        step = hold("app.db.settle:settle", 2)
        scene.index(scene.album(), step)
        scene.until_struck(step)
        scene.kill()
        for path in _files(scene.data / "redis"):
            damage(path, random.Random(scene.seed))
        scene.window()
        scene.strike()
        finish(scene)


for _name, _damage in DAMAGE.items():
    _queue_damaged(_name, _damage)
