"""One window for each data folder."""

from __future__ import annotations

import subprocess
import sys
import uuid
from typing import Any

import pytest

from app.ui.shell import single_instance
from app.ui.shell.single_instance import SingleInstance

_CLAIM = """
import sys
from PySide6.QtCore import QCoreApplication
from app.ui.shell.single_instance import SingleInstance
app = QCoreApplication([])
instance = SingleInstance(*sys.argv[1:])
print(instance.claim(), flush=True)
{then}
"""


@pytest.fixture
def name() -> str:
    return f"afterimage-test-{uuid.uuid4().hex[:12]}"


def _process(name: str, then: str = "", path: str = "") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _CLAIM.format(then=then), name, path],
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_second_start_raises_the_first_and_gives_way(qt_loop: Any, name: str) -> None:
    first = SingleInstance(name)
    raised: list[None] = []
    first.raised.connect(lambda: raised.append(None))
    assert first.claim()

    async def steps() -> None:
        second = _process(name)
        await qt_loop.until(lambda: second.poll() is not None)
        assert second.communicate()[0].strip() == "False"
        await qt_loop.until(lambda: raised)

    qt_loop.run(steps())
    first.release()


def test_a_second_start_hands_on_what_it_was_given(qt_loop: Any, name: str) -> None:
    first = SingleInstance(name)
    raised: list[None] = []
    given: list[str] = []
    first.raised.connect(lambda: raised.append(None))
    first.given.connect(given.append)
    assert first.claim()

    async def steps() -> None:
        for path in ("/home/me/Fotos für Oma", ""):
            second = _process(name, path=path)
            await qt_loop.until(lambda second=second: second.poll() is not None)
            assert second.communicate()[0].strip() == "False"
        await qt_loop.until(lambda: len(raised) == 2)
        assert given == ["/home/me/Fotos für Oma"]

    qt_loop.run(steps())
    first.release()


def test_a_second_start_waits_for_a_first_that_is_quitting(qt_loop: Any, name: str) -> None:
    first = SingleInstance(name)
    raised: list[None] = []
    first.raised.connect(lambda: raised.append(None))
    assert first.claim()
    first.leave()

    async def steps() -> None:
        second = _process(name, then="instance.release()")
        asked = first._server.newConnection
        again: list[None] = []
        asked.connect(lambda: again.append(None))
        await qt_loop.until(lambda: len(again) > 2)
        assert second.poll() is None
        first.release()
        await qt_loop.until(lambda: second.poll() is not None)
        assert second.communicate()[0].strip() == "True"

    qt_loop.run(steps())
    assert not raised


def test_a_first_window_that_is_busy_still_counts(
    qt_loop: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(single_instance, "ANSWER_WITHIN_MS", 50)
    first = SingleInstance(name)
    assert first.claim()
    assert not SingleInstance(name).claim()  # the loop that would answer does not run here
    first.release()


def test_a_socket_that_a_killed_window_left_behind_is_no_obstacle(name: str, qt_loop: Any) -> None:
    killed = _process(name, then="import os; os.kill(os.getpid(), 9)")
    assert killed.communicate()[0].strip() == "True"
    after = SingleInstance(name)
    assert after.claim()
    after.release()


def test_after_a_release_the_next_one_is_first(qt_loop: Any, name: str) -> None:
    first = SingleInstance(name)
    assert first.claim()
    first.release()
    second = SingleInstance(name)
    assert second.claim()
    second.release()
