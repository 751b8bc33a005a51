"""The window closed in every state: exit code 0, nothing left, nothing said."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable

from catalogue import Fault, add, finish, must
from death_faults import empty_queue
from injection import hold, stop
from scene import Program, Scene

TIMES = 50


def _opened(scene: Scene) -> None:
    """It has just begun to open."""
    scene.programs[-1].until_open()


def _starting(scene: Scene) -> None:
    """Its worker process starts."""
    scene.until_runs("worker")


def _idle(scene: Scene) -> None:
    """All is ready, and there is nothing to do."""
    scene.until_ready()


def _indexing(scene: Scene) -> None:
    """Its worker is in the middle of a session."""
    _idle(scene)
    scene.until_settled(8)


def _without_queue(scene: Scene) -> None:
    """The queue's server has just died."""
    _idle(scene)
    scene.kill("queue")


def _without_worker(scene: Scene) -> None:
    """Its worker has just died."""
    _idle(scene)
    scene.kill("worker")


def _with_empty_queue(scene: Scene) -> None:
    _idle(scene)
    empty_queue(scene)


def _worker_stopped(scene: Scene) -> None:
    """Its worker does not obey."""
    _idle(scene)
    scene.until_runs("worker").suspend()


def _any_moment(scene: Scene) -> None:
    _opened(scene)
    time.sleep(random.Random(scene.seed).uniform(0, 7))


STATES: dict[str, Callable[[Scene], None]] = {
    "it opens": _opened,
    "its worker starts": _starting,
    "it is idle": _idle,
    "it indexes": _indexing,
    "its queue server has died": _without_queue,
    "its worker has died": _without_worker,
    "its queue was emptied": _with_empty_queue,
    "its worker does not obey": _worker_stopped,
    "any moment": _any_moment,
}
QUICK = ("it opens", "its worker starts")


def close(program: Program, within: float = 40.0) -> None:
    """Ask the window to end, as the system does, and see that it ends well."""
    program.until_open()
    program.process.send_signal(signal.SIGTERM)
    code = program.wait(within)
    must(code == 0, f"the window ended with {code}: {program.said()[-800:]}")


def _closed_when(name: str, state: Callable[[Scene], None]) -> Fault:
    def inject(scene: Scene) -> None:
        """A session is under way; it is closed; opened again, the session goes on by itself."""
        step = hold("app.db.settle:settle", 3)
        scene.index(scene.album(), step)
        scene.until_struck(step)
        scene.kill()
        window = scene.window()
        state(scene)
        close(window)
        left = scene.end()
        must(not left, f"after the window: {left}")
        scene.window()
        scene.strike()
        finish(scene)

    return Fault(f"window closed when {name}", inject)


for _name, _state in STATES.items():
    add(_closed_when(_name, _state))


def _closed_in_three_states(scene: Scene) -> None:
    """The quick form: as it opens, as its worker starts, and once all is done (by the judge)."""
    step = hold("app.db.settle:settle", 3)
    scene.index(scene.album(), step)
    scene.until_struck(step)
    scene.kill()
    for name in QUICK:
        window = scene.window()
        STATES[name](scene)
        close(window)
        left = scene.end()
        must(not left, f"after the window, closed when {name}: {left}")
    scene.window()
    scene.strike()
    finish(scene)


add(
    Fault(
        "everything killed, the window closed in three states", _closed_in_three_states, quick=True
    )
)


def _closed_many_times(scene: Scene) -> None:
    """Fifty times in a row on one library, at any moment."""
    album = scene.album(400, odd=False)
    step = hold("app.db.settle:settle", 3)
    scene.index(album, step)
    scene.until_struck(step)
    scene.kill()
    rng = random.Random(scene.seed)
    for number in range(TIMES):
        window = scene.window()
        STATES[rng.choice(("it opens", "its worker starts"))](scene)
        time.sleep(rng.uniform(0, 6))
        close(window)
        left = scene.end()
        must(not left, f"after the window was closed {number + 1} times: {left}")
    scene.window()
    scene.strike()
    finish(scene)


add(Fault("window closed 50 times", _closed_many_times, rare=True))


def _closed_with_a_hung_decoder(scene: Scene) -> None:
    """Whatever a decoder does, two seconds after the window nothing of it runs."""
    step = stop("app.pictures.decode:decode", 3)
    hold_step = hold("app.db.settle:settle", 3)
    scene.index(scene.album(), hold_step)
    scene.until_struck(hold_step)
    scene.kill()
    window = scene.window(step)
    scene.until_struck(step)
    close(window)
    left = scene.end()
    must(not left, f"after the window: {left}")
    scene.window()
    scene.strike()
    finish(scene)


add(Fault("window closed while a decoder hangs", _closed_with_a_hung_decoder))
