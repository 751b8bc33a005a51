"""Asks the worker to compare the ledger with the vectors, and to repair what differs."""

from __future__ import annotations

from functools import partial

from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.api.training_schemas import LedgerReport
from app.services.backend import Backend
from app.ui.parts import words
from app.ui.parts.actions import ActionRunner
from app.ui.parts.theme import SPACE_S
from app.ui.parts.widgets import IconLabel, button, label

SHOWN_PROBLEMS = 8
_INVITATION = "Compares the ledger with the stored vectors, and embeds a few pictures again."


class LedgerCheck(QWidget):
    """*Check*, then *Repair* where something differs."""

    def __init__(self, backend: Backend, runner: ActionRunner) -> None:
        super().__init__()
        self._backend, self._runner = backend, runner
        self.check_button = button("Check", "", "check")
        self.repair_button = button("Repair", "", "wrench")
        self.repair_button.setEnabled(False)
        self._icon = IconLabel("circle", "pending", 18)
        self.result = label(_INVITATION, tone="secondary")
        self.result.setWordWrap(True)
        self.check_button.clicked.connect(partial(self._ask, False))
        self.repair_button.clicked.connect(partial(self._ask, True))
        buttons, answer = QHBoxLayout(), QHBoxLayout()
        for row in (buttons, answer):
            row.setSpacing(SPACE_S)
        buttons.addWidget(self.check_button)
        buttons.addWidget(self.repair_button)
        buttons.addStretch()
        answer.addWidget(self._icon)
        answer.addWidget(self.result, 1)
        self._icon.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE_S)
        column.addLayout(answer)
        column.addLayout(buttons)

    def _ask(self, repair: bool, _checked: bool = False) -> None:
        clicked = self.repair_button if repair else self.check_button
        other = self.check_button if repair else self.repair_button
        other.setEnabled(False)

        async def ask() -> LedgerReport:
            try:
                return await self._backend.system.verify(repair=repair)
            finally:
                other.setEnabled(other is self.check_button)

        self._runner.run(
            clicked, ask, done=self.show_report, busy_text="Repairing…" if repair else "Checking…"
        )

    def show_report(self, report: LedgerReport) -> None:
        """Show what a check found."""
        self._icon.show()
        self._runner.set_enabled(self.repair_button, bool(report.problems))
        self.result.setProperty("tone", "")
        self.result.style().polish(self.result)
        if not report.problems:
            self._icon.set_icon("check-circle", "completed")
            self.result.setText(_in_order(report))
            return
        self._icon.set_icon("warning-circle", "paused")
        lines = report.problems[:SHOWN_PROBLEMS]
        if more := len(report.problems) - len(lines):
            lines.append(f"and {words.count(more)} more")
        self.result.setText("\n".join(lines))


def _in_order(report: LedgerReport) -> str:
    verdict = (
        f"Repaired {words.plural(report.repaired, 'difference')}. No problems remain"
        if report.repaired
        else "No problems found"
    )
    again = f" {words.plural(report.sampled, 'picture')} checked again." if report.sampled else ""
    return (
        f"{verdict}: {words.plural(report.sessions, 'session')}, "
        f"{words.plural(report.jobs, 'picture')}, {words.plural(report.vectors, 'vector')}.{again}"
    )
