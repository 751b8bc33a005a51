"""One poller: it never asks twice at once, and a failure is a line, not a storm."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from PySide6.QtWidgets import QWidget

from app.errors import AppError
from app.ui.parts import poller as poller_module
from app.ui.parts.poller import HIDDEN_MS, VISIBLE_MS, Poller


@pytest.fixture
def poller(qt_loop: Any, monkeypatch: pytest.MonkeyPatch) -> Poller:
    monkeypatch.setattr(poller_module, "VISIBLE_MS", 10)
    return Poller()


def test_it_asks_again_and_again(qt_loop: Any, poller: Poller) -> None:
    async def steps() -> None:
        got: list[int] = []
        numbers = iter(range(1_000))

        async def fetch() -> int:
            return next(numbers)

        poller.watch(fetch, got.append)
        poller.start()
        await qt_loop.until(lambda: len(got) >= 3)
        assert got[:3] == [0, 1, 2]
        await poller.close()

    qt_loop.run(steps())


def test_a_slow_answer_is_waited_for_and_holds_up_nobody_else(qt_loop: Any, poller: Poller) -> None:
    async def steps() -> None:
        at_once = most = 0
        quick: list[None] = []

        async def slow() -> None:
            nonlocal at_once, most
            at_once += 1
            most = max(most, at_once)
            await asyncio.sleep(0.1)
            at_once -= 1

        async def fast() -> None: ...

        slow_watch = poller.watch(slow, lambda _: None)
        poller.watch(fast, quick.append)
        poller.start()
        for _ in range(5):
            slow_watch.now()
        await asyncio.sleep(0.35)
        assert most == 1
        assert len(quick) > 8
        await poller.close()

    qt_loop.run(steps())


def test_now_asks_once_more_after_the_answer_under_way(qt_loop: Any, poller: Poller) -> None:
    async def steps() -> None:
        got: list[None] = []
        watch = poller.watch(lambda: asyncio.sleep(0.02), got.append, every_s=60)
        watch.now()
        await asyncio.sleep(0)
        watch.now()
        watch.now()
        await asyncio.sleep(0.1)
        assert len(got) == 2
        await poller.close()

    qt_loop.run(steps())


def test_after_stop_nothing_is_delivered(qt_loop: Any, poller: Poller) -> None:
    async def steps() -> None:
        got: list[None] = []
        watch = poller.watch(lambda: asyncio.sleep(0.03), got.append)
        poller.start()
        await asyncio.sleep(0.01)
        watch.stop()
        watch.now()
        await asyncio.sleep(0.08)
        assert got == []
        await poller.close()

    qt_loop.run(steps())


def test_a_failure_is_said_once_and_taken_back(
    qt_loop: Any, poller: Poller, caplog: pytest.LogCaptureFixture
) -> None:
    async def steps() -> None:
        said: list[str] = []
        poller.problem.connect(said.append)
        failures: list[Exception | None] = [KeyError("x"), KeyError("x"), None]

        async def fetch() -> None:
            error = failures.pop(0) if failures else None
            if error:
                raise error

        poller.watch(fetch, lambda _: None)
        poller.start()
        await qt_loop.until(lambda: said and said[-1] == "")
        assert said == ["The display could not be refreshed; see the log.", ""]
        assert caplog.text.count("a refresh failed") == 1
        await poller.close()

    with caplog.at_level(logging.ERROR):
        qt_loop.run(steps())


def test_an_app_error_says_what_to_do(qt_loop: Any, poller: Poller) -> None:
    async def steps() -> None:
        said: list[str] = []
        poller.problem.connect(said.append)

        async def fetch() -> None:
            raise AppError("The disk is full.", "Free some space.")

        watch = poller.watch(fetch, lambda _: None)
        poller.start()
        await qt_loop.until(lambda: said)
        assert said == ["The disk is full. Free some space."]
        watch.stop()
        assert said[-1] == ""
        await poller.close()

    qt_loop.run(steps())


def test_a_page_that_nobody_sees_is_not_asked_for(qt_loop: Any, poller: Poller) -> None:
    async def steps() -> None:
        page, got = QWidget(), []

        async def fetch() -> None: ...

        poller.watch(fetch, got.append, owner=page)
        poller.start()
        await asyncio.sleep(0.05)
        assert got == []
        page.show()
        await qt_loop.until(lambda: got)
        page.deleteLater()
        await asyncio.sleep(0.05)
        await poller.close()

    qt_loop.run(steps())


def test_what_is_asked_for_seldom_is_asked_for_at_once_on_a_computer_that_has_just_started(
    qt_loop: Any, poller: Poller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poller_module.time, "monotonic", lambda: 5.0)  # since it was started

    async def steps() -> None:
        got: list[None] = []

        async def fetch() -> None: ...

        poller.watch(fetch, got.append, every_s=600.0)
        poller.start()
        await asyncio.sleep(0.05)
        assert got == [None]
        await poller.close()

    qt_loop.run(steps())


def test_it_slows_down_while_the_window_is_hidden(qt_loop: Any) -> None:
    async def steps() -> None:
        poller = Poller()
        assert poller.interval == VISIBLE_MS
        poller.set_window_visible(False)
        assert poller.interval == HIDDEN_MS
        poller.set_window_visible(True)
        assert poller.interval == VISIBLE_MS

    qt_loop.run(steps())


def test_close_waits_for_what_is_under_way(qt_loop: Any, poller: Poller) -> None:
    async def steps() -> None:
        poller.watch(lambda: asyncio.sleep(60), lambda _: None)
        poller.start()
        await asyncio.sleep(0.02)
        await poller.close()

    qt_loop.run(steps())
