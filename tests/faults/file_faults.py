"""What people and other programs do to the pictures while they are looked for and indexed."""

from __future__ import annotations

import fcntl
import os
import random
import shutil
from pathlib import Path

from albums import Album, make_album, save_picture
from broken_pictures import write_broken
from catalogue import fault, finish, must
from injection import Step, hold
from scene import Scene

MANY = 100_000
BROKEN_AT_ONCE = 250


def _held(scene: Scene, step: Step) -> Album:
    """An album whose session stands still at a step."""
    album = scene.album()
    scene.index(album, step)
    scene.until_struck(step)
    return album


def _go_on(scene: Scene, album: Album, step: Step) -> None:
    album.remember()
    scene.plan.lift(step)
    scene.strike()


@fault("files changed, replaced and deleted between scan and run", quick=True)
def _replaced(scene: Scene) -> None:
    step = hold("app.db.jobs:claim")
    album = _held(scene, step)
    plain = [path for path in album.indexed() if "day " in path]
    fates = {
        "changed": "indexed",
        "another format": "indexed",
        "deleted": "failed",
        "pipe": "failed",
        "folder": "failed",
        "loop": "failed",
        "to nowhere": "failed",
        "text": "failed",
        "emptied": "failed",
        "device": "failed",
        "locked": "indexed",
    }
    locked = None
    for path, (what, fate) in zip(plain, fates.items(), strict=False):
        album.fates[path] = fate  # type: ignore[assignment]
        locked = _change(Path(path), what, scene.seed) or locked
    _go_on(scene, album, step)
    finish(scene)
    if locked is not None:
        os.close(locked)


def _change(path: Path, what: str, seed: int) -> int | None:
    """Make something else of a file; the handle of a lock, where it is one."""
    if what == "locked":
        handle = os.open(path, os.O_RDWR)
        fcntl.lockf(handle, fcntl.LOCK_EX)
        return handle
    if what == "changed":
        save_picture(path, seed + 1_000)
        return None
    path.unlink()
    if what == "another format":
        picture = path.with_suffix(".png")
        save_picture(picture, seed + 2_000)
        picture.rename(path)
    elif what == "pipe":
        os.mkfifo(path)
    elif what == "folder":
        path.mkdir()
    elif what == "loop":
        path.symlink_to(path)
    elif what == "to nowhere":
        path.symlink_to(path.with_name("nothing"))
    elif what == "device":
        path.symlink_to("/dev/zero")
    elif what in ("text", "emptied"):
        path.write_text("no picture" if what == "text" else "")
    return None


@fault("files changed while they are in work")
def _changed_in_work(scene: Scene) -> None:
    """What was embedded stays what was read; the next update brings what is there now."""
    step = hold("app.vectors.embedded:EmbeddedStore.upsert", 2)
    album = _held(scene, step)
    for number, path in enumerate(album.indexed()):
        if "day " in path:
            save_picture(Path(path), scene.seed + 5_000 + number)
    _go_on(scene, album, step)
    finish(scene)
    scene.repeats = True
    scene.run("update", _newest(scene))
    scene.until_complete()


def _newest(scene: Scene) -> str:
    return str(scene.rows("SELECT max(id) FROM training_sessions")[0][0])


@fault("files renumbered, new ones under the old names")
def _renumbered(scene: Scene) -> None:
    """A vector that is known is only used for the content that it was made of."""
    album = scene.album(48)
    folder = album.folder / "holiday"
    for number in range(96):
        save_picture(folder / f"{number:04}.png", scene.seed * 1_000 + number, 64)
    scene.index(album)
    finish(scene)
    for number in reversed(range(96)):
        (folder / f"{number:04}.png").rename(folder / f"{number + 31:04}.png")
    for number in range(31):
        save_picture(folder / f"{number:04}.png", scene.seed * 1_000 + 500 + number, 64)
    album.fates |= {os.fspath(folder / f"{number:04}.png"): "indexed" for number in range(127)}
    album.remember()
    scene.repeats = True
    scene.strike()
    scene.run("update", _newest(scene))
    scene.until_complete()


@fault("originals kept beside edited pictures")
def _edited(scene: Scene) -> None:
    album = scene.album(48)
    plain = [path for path in album.indexed() if "day " in path]
    scene.index(album)
    finish(scene)
    for number, path in enumerate(plain):
        kept = Path(path).with_name(f"original {Path(path).name}")
        shutil.copy2(path, kept)
        save_picture(Path(path), scene.seed * 1_000 + 700 + number)
        album.fates[os.fspath(kept)] = "indexed"
    album.remember()
    scene.repeats = True
    scene.strike()
    scene.run("update", _newest(scene))
    scene.until_complete()


@fault("root unplugged while it is indexed, and plugged in again", quick=True)
def _unplugged(scene: Scene) -> None:
    """The session waits and says so; no picture is blamed."""
    step = hold("app.db.jobs:claim", 2)
    album = _held(scene, step)
    away = album.folder.with_name("unplugged")
    album.folder.rename(away)
    scene.plan.lift(step)
    try:
        scene.until_waiting()
        session = scene.session()
    finally:
        away.rename(album.folder)
        scene.strike()
    must(session and session.status == "running", f"it does not wait: {session}")
    finish(scene)


@fault("root unplugged while it is walked, and plugged in again")
def _unplugged_in_walk(scene: Scene) -> None:
    step = hold("app.scan.session_walk:SessionWalk._take", after=True)
    album = scene.album()
    program = scene.index(album, step)
    scene.until_struck(step)
    away = album.folder.with_name("unplugged")
    album.folder.rename(away)
    scene.plan.lift(step)
    try:
        scene.until(
            lambda: program.process.poll() is not None or scene.said(), "nothing is said of it"
        )
    finally:
        away.rename(album.folder)
        scene.strike()
    if program.process.poll() is not None:
        program.killed = True
        scene.run("start", _newest(scene))
    finish(scene)


@fault("an update with the root unplugged")
def _unplugged_update(scene: Scene) -> None:
    """Nothing counts as missing, and nothing is removed."""
    album = scene.album()
    scene.index(album)
    finish(scene)
    away = album.folder.with_name("unplugged")
    album.folder.rename(away)
    said = scene.run("update", _newest(scene), "--prune", "--yes", code=None)
    scene.programs[-1].killed = True
    away.rename(album.folder)
    must("Traceback" not in said, said[-500:])
    missing = scene.rows("SELECT count(*) FROM image_assets WHERE missing_since IS NOT NULL")
    must(missing == [(0,)], f"{missing} pictures count as missing")
    scene.strike()
    scene.run("update", _newest(scene))
    scene.until_complete()


@fault("broken pictures by the hundred")
def _broken(scene: Scene) -> None:
    """Each is settled by itself, none holds up another, and what is told of it is a sentence."""
    album = scene.album()
    for path in write_broken(album.folder / "by the hundred", BROKEN_AT_ONCE, scene.seed):
        album.fates[os.fspath(path)] = "any"
    album.remember()
    scene.index(album)
    scene.strike()
    scene.until_complete(600)
    finish(scene)
    for path, kind, message in scene.rows(
        "SELECT path, error_kind, error_message FROM training_jobs"
        " JOIN image_assets ON image_assets.id = asset_id WHERE training_jobs.status = 'failed'"
    ):
        plain = message and message[0].isupper() and message.rstrip().endswith(".")
        must(plain and kind not in ("internal", "worker_died"), f"{path!r}: {kind}: {message}")
    undone = scene.rows("SELECT count(*) FROM training_jobs WHERE status NOT IN"
                        " ('completed', 'failed')")  # fmt: skip
    must(undone == [(0,)], f"{undone} pictures were not settled")


@fault("100,000 files in one folder", rare=True)
def _many(scene: Scene) -> None:
    """Copies of some pictures, so that the number is what takes the time."""
    sources = make_album(scene.place / "pictures" / "sources", scene.seed, 40, odd=False)
    folder = scene.place / "pictures" / "many"
    folder.mkdir()
    contents = [Path(path) for path in sources.indexed()]
    for number in range(MANY):
        source = contents[number % len(contents)]
        os.link(source, folder / f"{random.Random(number).getrandbits(32):08x}{number}.jpg")
    album = Album(folder, scene.seed, {os.fspath(path): "indexed" for path in folder.iterdir()})
    album.remember()
    scene.albums.append(album)
    program = scene.start("index", str(folder), "--json")
    scene.until_complete(3_600)
    program.wait()
