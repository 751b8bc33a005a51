"""Disks that are full or cannot be written, for a while: the program goes on by itself."""

from __future__ import annotations

import os
import subprocess
import time
from contextlib import suppress
from typing import Any

from catalogue import Fault, add, fault, finish, mount, must
from injection import Step, hold
from scene import Scene

DISK_MB = 320
"""More than the margin that the vector store wants to be left free, and not much more."""
LEFT_MB = 20
"""What is left for the ledger where only the vector store must stop."""
FULL_FOR_S = 4.0
WRITES = {
    "the walk enters pictures": hold("app.scan.session_walk:SessionWalk._take"),
    "a batch is claimed": hold("app.db.jobs:claim", 2),
    "vectors are stored": hold("app.vectors.embedded:EmbeddedStore.upsert", 2),
    "a batch is settled": hold("app.db.settle:settle", 2),
    "the store is flushed": hold("app.vectors.embedded:EmbeddedStore.flush"),
    "a session is finished": hold("app.db.sessions:finish_session"),
    "a heartbeat is written": hold("app.worker.context:WorkerContext.beat", 2),
}


class SmallDisk(Scene):
    """A scene whose data folder lies on a file system of its own."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.disk = self.place / "disk"
        if not self.disk.exists():
            mount(self.disk, DISK_MB)
        self.data = self.disk / "data"

    def fill(self, left_mb: int = 0) -> None:
        """Take the space, up to so many megabytes that are left free."""
        free = os.statvfs(self.disk)
        size = free.f_bavail * free.f_frsize - left_mb * 2**20
        with (self.disk / "ballast").open("wb") as ballast, suppress(OSError):
            os.posix_fallocate(ballast.fileno(), 0, size)

    def free(self) -> None:
        (self.disk / "ballast").unlink()
        self.strike()

    def remount(self, options: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{options}", self.disk], check=True)

    def clear(self) -> None:
        subprocess.run(["umount", "-l", self.disk], check=True)
        super().clear()


_ON_A_SMALL_DISK: dict[str, Any] = {"make": SmallDisk, "fresh": True, "mounts": True}


def _full_at(name: str, step: Step) -> None:
    def inject(scene: Scene) -> None:
        assert isinstance(scene, SmallDisk)
        program = scene.index(scene.album(), step)
        scene.until_struck(step)
        scene.fill()
        scene.plan.lift(step)
        time.sleep(FULL_FOR_S)
        scene.free()
        session = scene.session()
        if program.process.poll() is not None and (
            session is None or session.status != "completed"
        ):  # a walk that breaks off ends its command, in words
            must("full" in program.said(), f"it does not say why it ended: {program.said()[-500:]}")
            program.killed = True
            scene.index(scene.albums[-1])
        finish(scene)

    add(Fault(f"disk full when {name}", inject, **_ON_A_SMALL_DISK))


for _name, _step in WRITES.items():
    _full_at(_name, _step)


@fault("disk nearly full", quick=True, **_ON_A_SMALL_DISK)
def _nearly_full(scene: Scene) -> None:
    """The session waits, says why, and goes on without a click."""
    assert isinstance(scene, SmallDisk)
    step = hold("app.vectors.embedded:EmbeddedStore.upsert", 2)
    scene.index(scene.album(), step)
    scene.until_struck(step)
    scene.fill(LEFT_MB)
    scene.plan.lift(step)
    message = scene.until_waiting()
    must("full" in message, f"it says: {message}")
    scene.free()
    finish(scene)


@fault("disk full at the start", **_ON_A_SMALL_DISK)
def _full_at_the_start(scene: Scene) -> None:
    """One sentence, no server that is left, and a start as ever once there is room."""
    assert isinstance(scene, SmallDisk)
    album = scene.album()
    scene.fill()
    program = scene.index(album)
    program.wait()
    must(program.process.returncode == 1, f"it ended with {program.process.returncode}")
    must("full" in program.said(), f"it says: {program.said()}")
    program.killed = True
    scene.look_at_sockets()
    scene.free()
    scene.index(album)
    finish(scene)


@fault("data folder read-only at the start", **_ON_A_SMALL_DISK)
def _read_only_start(scene: Scene) -> None:
    assert isinstance(scene, SmallDisk)
    album = scene.album()
    scene.data.mkdir(exist_ok=True)
    scene.remount("ro")
    program = scene.index(album)
    code = program.wait()
    program.killed = True
    scene.remount("rw")
    must(code == 1, f"it ended with {code}")
    must("written" in program.said() or "writable" in program.said(), program.said()[-500:])
    scene.index(album)
    finish(scene)
