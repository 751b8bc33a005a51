"""A click runs once, shows that it runs, and ends in one of three ways."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from PySide6.QtGui import QAction, QGuiApplication
from PySide6.QtWidgets import QPushButton, QVBoxLayout, QWidget

from app.errors import AppError
from app.ui.parts.actions import ActionRunner
from app.ui.parts.error_dialog import ErrorDialog


@pytest.fixture
def window(qt_loop: Any) -> QWidget:
    widget = QWidget()
    QVBoxLayout(widget)
    widget.show()
    return widget


@pytest.fixture
def press(window: QWidget) -> QPushButton:
    button = QPushButton("Start")
    window.layout().addWidget(button)
    return button


def dialogs(window: QWidget) -> list[ErrorDialog]:
    return [dialog for dialog in window.findChildren(ErrorDialog) if dialog.isVisible()]


def test_the_control_is_busy_from_the_click_to_the_end(
    qt_loop: Any, window: QWidget, press: QPushButton
) -> None:
    async def steps() -> None:
        runner, go = ActionRunner(window), asyncio.Event()
        runner.run(press, go.wait, busy_text="Starting…")
        assert not press.isEnabled()
        assert press.text() == "Starting…"
        assert press in runner._busy
        go.set()
        await qt_loop.until(press.isEnabled)
        assert press.text() == "Start"
        assert press not in runner._busy

    qt_loop.run(steps())


def test_a_second_click_does_nothing(qt_loop: Any, window: QWidget, press: QPushButton) -> None:
    async def steps() -> None:
        runner, ran = ActionRunner(window), []

        async def work() -> None:
            ran.append(1)
            await asyncio.sleep(0.05)

        first = runner.run(press, work)
        assert runner.run(press, work) is first
        await first
        assert ran == [1]
        await runner.run(press, work)
        assert ran == [1, 1]

    qt_loop.run(steps())


def test_work_without_a_control_may_run_side_by_side(qt_loop: Any, window: QWidget) -> None:
    async def steps() -> None:
        runner, ran = ActionRunner(window), []

        async def work() -> None:
            ran.append(1)

        await asyncio.gather(runner.run(None, work), runner.run(None, work))
        assert ran == [1, 1]

    qt_loop.run(steps())


def test_the_result_is_handed_on(qt_loop: Any, window: QWidget, press: QPushButton) -> None:
    async def steps() -> None:
        got: list[int] = []

        async def work() -> int:
            return 7

        await ActionRunner(window).run(press, work, done=got.append)
        assert got == [7]

    qt_loop.run(steps())


def test_an_app_error_shows_its_message_and_its_hint(
    qt_loop: Any, window: QWidget, press: QPushButton
) -> None:
    async def steps() -> None:
        async def work() -> None:
            raise AppError("The disk is full.", "Free some space.")

        done: list[None] = []
        await ActionRunner(window).run(press, work, done=done.append)
        (dialog,) = dialogs(window)
        assert (dialog.message, dialog.hint) == ("The disk is full.", "Free some space.")
        assert dialog.copy_button is None
        assert press.isEnabled()
        assert done == []
        dialog.close_button.click()
        assert dialogs(window) == []

    qt_loop.run(steps())


def test_the_same_error_again_is_one_dialog(
    qt_loop: Any, window: QWidget, press: QPushButton
) -> None:
    async def steps() -> None:
        async def work() -> None:
            raise AppError("The disk is full.")

        runner = ActionRunner(window)
        for _ in range(3):
            await runner.run(press, work)
        assert len(dialogs(window)) == 1

    qt_loop.run(steps())


def test_a_bug_is_logged_and_its_details_can_be_copied(
    qt_loop: Any, window: QWidget, press: QPushButton, caplog: pytest.LogCaptureFixture
) -> None:
    async def steps() -> None:
        async def work() -> None:
            raise ZeroDivisionError("secret detail")

        with caplog.at_level(logging.ERROR):
            await ActionRunner(window).run(press, work)
        (dialog,) = dialogs(window)
        assert "secret detail" not in dialog.message + dialog.hint
        assert dialog.copy_button is not None
        dialog.copy_button.click()
        assert "ZeroDivisionError: secret detail" in QGuiApplication.clipboard().text()
        assert "ZeroDivisionError" in caplog.text

    qt_loop.run(steps())


def test_a_cancellation_shows_nothing(qt_loop: Any, window: QWidget, press: QPushButton) -> None:
    async def steps() -> None:
        task = ActionRunner(window).run(press, asyncio.Event().wait)
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert dialogs(window) == []
        assert press.isEnabled()

    qt_loop.run(steps())


def test_close_cancels_and_waits(qt_loop: Any, window: QWidget) -> None:
    async def steps() -> None:
        runner, ended = ActionRunner(window), []

        async def work() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append(1)

        runner.run(None, work)
        await asyncio.sleep(0)
        await runner.close()
        assert ended == [1]

    qt_loop.run(steps())


def test_what_a_page_wants_meanwhile_holds_afterwards(
    qt_loop: Any, window: QWidget, press: QPushButton
) -> None:
    async def steps() -> None:
        runner, go = ActionRunner(window), asyncio.Event()
        task = runner.run(press, go.wait, busy_text="Pausing…")
        runner.set_enabled(press, False)
        runner.set_text(press, "Paused")
        assert press.text() == "Pausing…"
        go.set()
        await task
        assert not press.isEnabled()
        assert press.text() == "Paused"

    qt_loop.run(steps())


def test_an_action_of_the_menu_works_like_a_button(qt_loop: Any, window: QWidget) -> None:
    async def steps() -> None:
        runner, go, action = ActionRunner(window), asyncio.Event(), QAction("Pause", window)
        task = runner.run(action, go.wait)
        assert not action.isEnabled()
        go.set()
        await task
        assert action.isEnabled()

    qt_loop.run(steps())


def test_the_keyboard_finds_the_button_again(
    qt_loop: Any, window: QWidget, press: QPushButton
) -> None:
    async def steps() -> None:
        window.layout().addWidget(QPushButton("Next"))
        window.activateWindow()
        press.setFocus()
        await qt_loop.until(press.hasFocus)
        await ActionRunner(window).run(press, lambda: asyncio.sleep(0.02))
        assert press.hasFocus()

    qt_loop.run(steps())


def test_a_control_that_is_gone_is_left_alone(
    qt_loop: Any, window: QWidget, press: QPushButton
) -> None:
    async def steps() -> None:
        task = ActionRunner(window).run(press, lambda: asyncio.sleep(0.05))
        press.deleteLater()
        await task

    qt_loop.run(steps())


def test_what_is_started_after_the_close_never_begins(qt_loop: Any, window: QWidget) -> None:
    async def steps() -> None:
        runner = ActionRunner(window)
        begun: list[None] = []

        async def work() -> None:
            begun.append(None)

        await runner.close()
        task = runner.run(None, work)
        await asyncio.wait([task])
        assert task.cancelled()
        assert begun == []

    qt_loop.run(steps())
