"""The System page tells the truth about everything that runs."""

from __future__ import annotations

from typing import Any

import pytest
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QWidget
from system_status import system, worker

from app.api.training_schemas import LedgerReport, QueueStatus
from app.config import get_settings
from app.errors import AppError
from app.ui.pages.system.page import SystemPage
from app.ui.parts.actions import ActionRunner
from app.ui.parts.commands import Commands
from app.ui.parts.error_dialog import ErrorDialog
from app.ui.parts.poller import Poller

GOOD = LedgerReport(problems=[], sessions=3, jobs=19_900, evidence=19_900, vectors=19_898)


class Shown:
    """The page with what it needs."""

    def __init__(self, backend: Any) -> None:
        self.owner = QWidget()
        self.poller = Poller(self.owner)
        self.runner = ActionRunner(self.owner, backend)
        self.commands = Commands(self.owner)
        self.page = SystemPage(backend, self.runner, self.poller, self.commands)
        self.page.resize(1_000, 700)
        self.page.show()

    async def close(self) -> None:
        await self.poller.close()
        await self.runner.close()


@pytest.fixture
def shown(backend: Any) -> Shown:
    return Shown(backend)


def test_it_fills_from_the_real_services(qt_loop: Any, shown: Shown) -> None:
    async def steps() -> None:
        shown.poller.start()
        values = shown.page.storage.values
        await qt_loop.until(lambda: values["Data folder"].full_text())
        assert values["Data folder"].full_text() == str(get_settings().data_dir)
        assert values["Ledger"].full_text().startswith("sqlite:")
        assert shown.page.no_worker.isVisible()
        assert not shown.page.workers.isVisible()
        assert "does not answer" in shown.page.redis.full_text()
        await shown.close()

    qt_loop.run(steps())


def test_workers_and_queues_are_listed_in_their_order(qt_loop: Any, shown: Shown) -> None:
    queues = [
        QueueStatus(name="training-high", waiting=1_000_000, started=1, failed=0),
        QueueStatus(name="training-low", waiting=0, started=0, failed=2),
    ]
    gone = worker(pid=2, alive=False, device="", model="")
    busy = worker(pid=1, state="session 3", notice="Working on the CPU.")
    shown.page.show_status(system(busy, gone, queues=queues))
    rows = shown.page.workers.texts()
    assert rows[0][:3] == ["Session 3", "1 on studio", "cuda:0"]
    assert rows[1][:4] == ["Gone", "2 on studio", "–", "–"]
    assert shown.page.notices.text() == "1: Working on the CPU."
    assert shown.page.order.text().endswith("training-high")
    assert shown.page.queues.texts() == [
        ["training-high", "1,000,000", "1", "0"],
        ["training-low", "0", "0", "2"],
    ]
    shown.page.show_status(system())
    assert not shown.page.notices.isVisible()


def test_a_check_says_that_all_is_in_order(
    qt_loop: Any, backend: Any, shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def verify(repair: bool = False) -> LedgerReport:
        return GOOD

    monkeypatch.setattr(type(backend.system), "verify", staticmethod(verify))

    async def steps() -> None:
        check = shown.page.check
        check.check_button.click()
        assert check.check_button.text() == "Checking…"
        await qt_loop.until(check.check_button.isEnabled)
        assert check.result.text() == (
            "No problems found: 3 sessions, 19,900 pictures, 19,898 vectors."
        )
        assert not check.repair_button.isEnabled()
        await shown.close()

    qt_loop.run(steps())


def test_what_differs_can_be_repaired(
    qt_loop: Any, backend: Any, shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []

    async def verify(repair: bool = False) -> LedgerReport:
        asked.append(repair)
        problems = [] if repair else [f"I2: problem {number}." for number in range(20)]
        return GOOD.model_copy(update={"problems": problems, "repaired": 20 if repair else 0})

    monkeypatch.setattr(type(backend.system), "verify", staticmethod(verify))

    async def steps() -> None:
        check = shown.page.check
        check.check_button.click()
        await qt_loop.until(check.repair_button.isEnabled)
        assert check.result.text().endswith("and 12 more")
        check.repair_button.click()
        assert not check.check_button.isEnabled()
        await qt_loop.until(check.check_button.isEnabled)
        assert asked == [False, True]
        assert check.result.text().startswith("Repaired 20 differences. No problems remain")
        assert not check.repair_button.isEnabled()
        await shown.close()

    qt_loop.run(steps())


def test_a_check_without_a_worker_says_why(
    qt_loop: Any, backend: Any, shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def verify(repair: bool = False) -> LedgerReport:
        raise AppError("The indexing process does not answer.", "See the System page.")

    monkeypatch.setattr(type(backend.system), "verify", staticmethod(verify))

    async def steps() -> None:
        shown.page.check.check_button.click()
        await qt_loop.until(lambda: shown.owner.findChildren(ErrorDialog))
        assert shown.page.check.check_button.isEnabled()
        await shown.close()

    qt_loop.run(steps())


def test_a_problem_is_reported_from_here_too(shown: Shown) -> None:
    reported: list[bool] = []
    shown.commands.report.triggered.connect(lambda: reported.append(True))
    shown.page.report_button.click()
    assert reported == [True]


def test_the_data_folder_is_opened(
    qt_loop: Any, shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile()))
    shown.page.show_status(system())
    shown.page.folder_button.click()
    assert opened == ["/data"]


def test_the_log_follows_and_leaves_a_selection_alone(
    qt_loop: Any, backend: Any, shown: Shown
) -> None:
    log = get_settings().log_dir / "worker.log"
    log.parent.mkdir(parents=True)
    log.write_text("first line\n")
    (log.parent / "window.log").write_text("of the window\n")

    async def steps() -> None:
        view = shown.page.log
        shown.page.tabs.setCurrentWidget(view)
        shown.poller.start()
        await qt_loop.until(lambda: view.text.toPlainText() == "first line")
        view.text.selectAll()
        log.write_text("first line\nsecond line\n")
        view._watch.now()
        await qt_loop.until(lambda: view._watch.task is None)
        assert view.text.toPlainText() == "first line"
        view.text.moveCursor(view.text.textCursor().MoveOperation.End)
        view._watch.now()
        await qt_loop.until(lambda: "second line" in view.text.toPlainText())
        view.choice.setCurrentIndex(1)
        await qt_loop.until(lambda: view.text.toPlainText() == "of the window")
        await shown.close()

    qt_loop.run(steps())
