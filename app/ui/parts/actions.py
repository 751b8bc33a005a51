"""Everything a person sets off by a click runs through here: one at a time, and never silent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import shiboken6
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QAbstractButton, QApplication, QWidget

from app.ui.parts.error_dialog import report

if TYPE_CHECKING:
    from app.services.backend import Backend

T = TypeVar("T")
Control = QAbstractButton | QAction
END_WITHIN_S = 0.5


@dataclass(slots=True)
class _Busy:
    """A control at work, and how it is to look afterwards."""

    task: asyncio.Task[None]
    enabled: bool
    text: str
    had_focus: bool = False
    moved_focus_to: QWidget | None = None


class ActionRunner:
    """Runs awaitable work for a control.

    The control is disabled meanwhile, so a second click does nothing. A cancellation ends
    quietly, an AppError is shown with its hint, anything else is logged and offered as a report.
    """

    def __init__(self, parent: QWidget, backend: Backend | None = None) -> None:
        self.parent = parent
        self.backend = backend
        self._busy: dict[Control, _Busy] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    def run(
        self,
        control: Control | None,
        work: Callable[[], Awaitable[T]],
        *,
        done: Callable[[T], None] | None = None,
        busy_text: str | None = None,
    ) -> asyncio.Task[None]:
        """Start ``work`` and return at once.

        Args:
            control: what was clicked; while its work runs, asking again returns that task.
            done: called with the result, in the window's thread, when it succeeded.
            busy_text: what the control says meanwhile.
        """
        if control is not None and control in self._busy:
            return self._busy[control].task
        task = asyncio.ensure_future(self._guarded(control, work, done))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if self._closed:
            task.cancel()  # nobody would wait for its end
        if control is not None:
            self._begin(control, task, busy_text)
        return task

    def set_enabled(self, control: Control, enabled: bool) -> None:
        """Enable a control now, or when its work is done: pages call this instead of Qt's."""
        if busy := self._busy.get(control):
            busy.enabled = enabled
        else:
            control.setEnabled(enabled)

    def set_text(self, control: Control, text: str) -> None:
        """Set a control's text now, or when its work is done."""
        if busy := self._busy.get(control):
            busy.text = text
        else:
            control.setText(text)

    async def close(self) -> None:
        """Cancel what is running and wait for its end, but not for what is stuck.

        What is started from now on is cancelled before it begins.
        """
        self._closed = True
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=END_WITHIN_S)

    async def _guarded(
        self,
        control: Control | None,
        work: Callable[[], Awaitable[T]],
        done: Callable[[T], None] | None,
    ) -> None:
        try:
            result = await work()
            self._end(control)
            if done is not None and not self._closed:
                done(result)
        except asyncio.CancelledError:
            self._end(control)
            raise
        except Exception as error:  # noqa: BLE001 — the one place that tells errors apart
            self._end(control)
            if not self._closed:
                report(self.parent if shiboken6.isValid(self.parent) else None, error)

    def _begin(self, control: Control, task: asyncio.Task[None], text: str | None) -> None:
        busy = _Busy(task, control.isEnabled(), control.text())
        self._busy[control] = busy
        busy.had_focus = isinstance(control, QWidget) and control.hasFocus()
        if text is not None:
            if isinstance(control, QWidget):
                control.setMinimumWidth(control.width())  # what stands beside it stays put
            control.setText(text)
        control.setEnabled(False)
        # Qt hands the focus on; who works by keyboard wants it back afterwards
        busy.moved_focus_to = QApplication.focusWidget()

    def _end(self, control: Control | None) -> None:
        busy = self._busy.pop(control, None) if control is not None else None
        if busy is None or control is None or not shiboken6.isValid(control):
            return
        control.setText(busy.text)
        control.setEnabled(busy.enabled)
        if isinstance(control, QWidget):
            control.setMinimumWidth(0)
            if busy.had_focus and QApplication.focusWidget() is busy.moved_focus_to:
                control.setFocus()
