"""Processes that die or stand still: at every named step, and at any time."""

from __future__ import annotations

import os
import random
import time

import psutil
from albums import save_picture
from catalogue import Fault, add, fault, finish, must
from drawn_model import DRAWN_MODEL
from injection import Step, hold, kill, shorter_lease, stop
from scene import Role, Scene

IN_WORKER = "worker"
KILL_POINTS = {
    "a batch is claimed": kill("app.db.jobs:claim", 2, after=True, within=IN_WORKER),
    "a file is read": kill("app.worker.indexing.stages:Stages.read", 5),
    "a batch goes into the model": kill("app.embedding.encoder:Encoder.encode_images", 2),
    "a batch is embedded": kill("app.embedding.encoder:Encoder.encode_images", 2, after=True),
    "a store is begun in the ledger": kill("app.db.vectors:begin_store", 2),
    "a store was begun in the ledger": kill("app.db.vectors:begin_store", 2, after=True),
    "vectors are about to be stored": kill("app.vectors.embedded:EmbeddedStore.upsert", 2),
    "vectors are stored": kill("app.vectors.embedded:EmbeddedStore.upsert", 2, after=True),
    "a batch is about to be settled": kill("app.db.settle:settle", 2),
    "a batch is settled but not committed": kill("app.db.settle:settle", 2, after=True),
    "the store is about to be flushed": kill("app.vectors.embedded:EmbeddedStore.flush"),
    "the store is flushed": kill("app.vectors.embedded:EmbeddedStore.flush", after=True),
    "a session is about to be finished": kill("app.db.sessions:finish_session", within=IN_WORKER),
    "the ledger is put right": kill("app.queue.reconcile:reconcile", 1, within=IN_WORKER),
    "payloads are written anew": kill("app.worker.maintenance.payloads:refresh_payloads"),
    "the worker starts": kill("app.worker.maintenance.ledger_repair:repair_if_counts_differ"),
}


def _killed_at(step: Step) -> Fault:
    def inject(scene: Scene) -> None:
        scene.index(scene.album(), step)
        scene.until_struck(step)
        finish(scene)

    name = next(name for name, known in KILL_POINTS.items() if known is step)
    return Fault(f"worker killed when {name}", inject)


for _step in KILL_POINTS.values():
    add(_killed_at(_step))


def _killed_at_random(*roles: Role) -> None:
    """Processes of some kinds die at a moment that the scene's seed decides."""

    @fault(f"{' and '.join(roles)} killed at any time")
    def inject(scene: Scene) -> None:
        scene.index(scene.album())
        scene.until_runs(roles[0])
        time.sleep(random.Random(scene.seed).uniform(0, 4))
        if (session := scene.session()) is None or session.status != "completed":
            scene.kill(*roles)
        finish(scene)


_killed_at_random("worker")
_killed_at_random("decoder")
_killed_at_random("fork server")
_killed_at_random("guard")
_killed_at_random("queue")
_killed_at_random("worker", "queue")


@fault("processes killed a hundred times in one session", rare=True)
def _killed_often(scene: Scene) -> None:
    """Whatever dies in whatever order, each picture comes to its end, and none is set aside."""
    scene.index(scene.album(10_000))
    rng = random.Random(scene.seed)
    for _ in range(100):
        scene.until_runs("worker")
        time.sleep(rng.uniform(0, 6))
        if (session := scene.session()) and session.status == "completed":
            break
        scene.kill(rng.choice(("worker", "fork server", "decoder", "queue", "guard")))
    scene.until_complete(600)
    finish(scene)


@fault("a decoder killed when it has read a file")
def _killed_with_a_file(scene: Scene) -> None:
    """Another one reads the file again."""
    step = kill("app.pictures.decoder_process:read", after=True)
    scene.index(scene.album(), step)
    scene.until_struck(step)
    finish(scene)


@fault("a decoder killed by one picture")
def _poison(scene: Scene) -> None:
    """What kills a decoder costs that picture, no other one, and no worker."""
    loads_before = _model_loads(scene)
    album = scene.album()
    poison = album.folder / "poison.png"
    save_picture(poison, scene.seed + 1)
    album.fates[os.fspath(poison)] = "failed"
    album.remember()
    step = Step("app.pictures.decode:decode", "kill", times=0, about="poison.png")
    scene.index(album, step)
    scene.until_struck(step)
    worker = scene.until_runs("worker").pid
    finish(scene)
    must(scene.plan.struck_at(step), "no decoder was killed")
    loads = _model_loads(scene) - loads_before
    must(loads == 1, f"the model was loaded {loads} times, by worker {worker} and others")


def _model_loads(scene: Scene) -> int:
    """So far: a library may have been used before."""
    log = scene.data / "logs" / "worker.log"
    return log.read_text("utf-8", "replace").count(f" model {DRAWN_MODEL}") if log.exists() else 0


@fault("everything killed at once, the window opened again")
def _all_at_once(scene: Scene) -> None:
    step = hold("app.db.settle:settle", 3)
    scene.index(scene.album(), step)
    scene.until_struck(step)
    scene.kill()
    scene.window()
    scene.strike()
    finish(scene)


@fault("everything killed during the walk, the window opened again")
def _all_during_the_walk(scene: Scene) -> None:
    step = kill("app.scan.session_walk:SessionWalk._take", after=True, within="index")
    scene.index(scene.album(), step).killed = True
    scene.until_struck(step)
    scene.kill()
    scene.window()
    scene.strike()
    finish(scene)


@fault("window killed while a command waits for its worker")
def _window_beside_a_command(scene: Scene) -> None:
    """Whoever needs a worker has one, also when the one that it relied on is gone."""
    scene.window()
    scene.until_runs("worker")
    scene.until_ready()
    step = hold("app.db.jobs:claim", 2)
    scene.index(scene.album(), step)
    scene.until(scene.session, "no session was begun")
    scene.kill("window")
    scene.plan.lift(step)
    finish(scene)


@fault("a shorter command takes its worker away from a longer one")
def _two_commands(scene: Scene) -> None:
    short, long = scene.album(6, odd=False), scene.album(60, odd=False)
    scene.index(short)
    scene.until_runs("worker")
    scene.index(long)
    finish(scene)
    for program in scene.programs:
        must(program.wait() == 0, f"a command did not end well: {program.said()[-500:]}")


@fault("worker stopped beyond its lease, and woken")
def _asleep(scene: Scene) -> None:
    step = stop("app.vectors.embedded:EmbeddedStore.upsert", 2)
    scene.index(scene.album(), step, *shorter_lease(2))
    scene.until_struck(step)
    (worker,) = scene.of("worker")
    time.sleep(3)
    worker.resume()
    scene.strike()
    finish(scene)


@fault("a decoder stopped")
def _decoder_asleep(scene: Scene) -> None:
    """It holds one picture up until its deadline; another decoder takes its place."""
    step = stop("app.pictures.decode:decode", 3)
    scene.index(scene.album(48), step)
    scene.until_struck(step)
    must(scene.of("decoder"), "there is no decoder process")
    sleepers = [p for p in scene.of("decoder") if p.status() == psutil.STATUS_STOPPED]
    scene.until(
        lambda: not any(process.is_running() for process in sleepers), "it is waited for for ever"
    )
    scene.strike()
    finish(scene)


@fault("queue server stopped for ten seconds")
def _queue_asleep(scene: Scene) -> None:
    step = hold("app.db.settle:settle", 2)
    scene.index(scene.album(48), step)
    scene.until_struck(step)
    (server,) = scene.of("queue")
    server.suspend()
    scene.plan.lift(step)
    time.sleep(10)
    if server.is_running():
        server.resume()
    scene.strike()
    finish(scene)


@fault("queue emptied and its server killed")
def _queue_lost(scene: Scene) -> None:
    step = hold("app.db.settle:settle", 2)
    scene.index(scene.album(), step)
    scene.until_struck(step)
    empty_queue(scene)
    scene.kill("queue")
    scene.plan.lift(step)
    finish(scene)


@fault("queue emptied, its server and the worker killed before a commit", quick=True)
def _queue_and_worker_lost(scene: Scene) -> None:
    """Vectors are stored that no commit knows of, and nothing is left that says what to do."""
    step = hold("app.db.settle:settle", 2)
    scene.index(scene.album(), step)
    scene.until_struck(step)
    empty_queue(scene)
    scene.kill("queue", "worker")
    finish(scene)


def empty_queue(scene: Scene) -> None:
    """FLUSHALL."""
    from app.queue.connection import close_redis, get_redis

    with scene.inside():
        try:
            get_redis().flushall()
        finally:
            close_redis()


@fault("the parent killed while the queue server starts")
def _launch(scene: Scene) -> None:
    """The most dangerous moment: a server without its configuration listens to everyone."""
    step = kill("app.runtime.valkey:launch", within="index", after=True)
    scene.index(scene.album(), step).killed = True
    scene.until_struck(step)
    time.sleep(1)
    scene.look_at_sockets()
    scene.window()
    scene.until_runs("worker")
    scene.end()
    scene.strike()  # the start that counts; the one before has shown that it works in the window
    scene.index(scene.albums[-1])
    finish(scene)
