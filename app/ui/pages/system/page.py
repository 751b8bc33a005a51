"""Everything that runs, live: for a look when something seems wrong, and for who helps then."""

from __future__ import annotations

from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import (
    QHBoxLayout,
    QScrollArea,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from app.api.training_schemas import SystemStatus, WorkerStatus
from app.embedding.catalogue import model_title
from app.services.backend import Backend
from app.ui.pages.system.ledger_check import LedgerCheck
from app.ui.pages.system.log_view import LogView
from app.ui.parts import words
from app.ui.parts.actions import ActionRunner
from app.ui.parts.commands import Commands, follow
from app.ui.parts.fact_table import FactGrid, FactTable
from app.ui.parts.poller import Poller
from app.ui.parts.theme import SPACE_L, SPACE_S, SPACE_XL
from app.ui.parts.widgets import ElidedLabel, Page, button, label

REFRESH_S = 1.0


class SystemPage(Page):
    """Workers, queues, storage, the ledger check and the logs."""

    def __init__(
        self, backend: Backend, runner: ActionRunner, poller: Poller, commands: Commands
    ) -> None:
        super().__init__("System")
        self._backend, self._runner = backend, runner
        self._data_dir = ""
        self._commands = commands
        self._build_buttons()
        self._build_overview()
        self.log = LogView(backend, poller)
        self.tabs = QTabWidget()
        self.tabs.setAccessibleName("Parts of the system page")
        self.tabs.addTab(self._overview, "Overview")
        self.tabs.addTab(self.log, "Log")
        self.body.addWidget(self.tabs)
        self._watch = poller.watch(self._fetch, self.show_status, owner=self, every_s=REFRESH_S)

    def _build_buttons(self) -> None:
        self.folder_button = button("Open data folder", "", "folder-open")
        self.report_button = button("Report a problem…", "", "bug")
        self.add_buttons([self.folder_button, self.report_button])
        self.folder_button.clicked.connect(self.open_data_folder)
        follow(self.report_button, self._commands.report)
        self._commands.open_data_folder.triggered.connect(self.open_data_folder)

    def _build_overview(self) -> None:
        self.workers = FactTable(
            ["State", "Process", "Device", "Model", "Last seen"], [3, 4, 2, 4, 3]
        )
        self.workers.setAccessibleName("Workers")
        self.no_worker = label("No worker has reported yet.", tone="secondary")
        self.notices, self.order = label(role="secondary", tone="paused"), label(role="secondary")
        for part in (self.notices, self.order):
            part.setWordWrap(True)
        self.queues = FactTable(["Queue", "Waiting", "Started", "Failed"], [5, 4, 3, 3])
        self.queues.setAccessibleName("Queues")
        self.redis = ElidedLabel(role="secondary")
        self.storage = FactGrid(["Ledger", "Vector store", "Data folder", "Version"])
        self.check = LedgerCheck(self._backend, self._runner)
        left, right = QVBoxLayout(), QVBoxLayout()
        _group(left, "Queues", self.redis, self.queues)
        left.addStretch()
        _group(right, "Storage", self.storage)
        right.addSpacing(SPACE_XL)
        _group(right, "Ledger check", self.check)
        right.addStretch()
        columns = QHBoxLayout()
        columns.setSpacing(SPACE_XL)
        columns.addLayout(left, 1)
        columns.addLayout(right, 1)
        inside = QWidget()
        rows = QVBoxLayout(inside)
        rows.setContentsMargins(0, SPACE_L, 0, SPACE_L)
        rows.setSpacing(SPACE_S)
        _group(rows, "Workers", self.workers, self.no_worker, self.notices, self.order)
        rows.addSpacing(SPACE_L)
        rows.addLayout(columns)
        rows.addStretch()
        self.workers.hide()
        self._overview = QScrollArea()
        self._overview.setWidgetResizable(True)
        self._overview.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._overview.setWidget(inside)

    async def _fetch(self) -> SystemStatus:
        async with self._backend.db() as db:
            return await self._backend.system.status(db)

    def show_status(self, status: SystemStatus) -> None:
        """Show one look at the system."""
        self._data_dir = status.dataDir
        self.workers.setVisible(bool(status.workers))
        self.no_worker.setVisible(not status.workers)
        self.workers.set_rows([_worker_row(worker) for worker in status.workers])
        notices = [f"{item.pid}: {item.notice}" for item in status.workers if _noticed(item)]
        self.notices.setText("\n".join(notices))
        self.notices.setVisible(bool(notices))
        names = next((worker.queues for worker in status.workers if worker.alive), [])
        self.order.setText(f"Serves the queues in this order: {', '.join(names)}" if names else "")
        self.order.setVisible(bool(names))
        ping = status.redisPingMs
        answer = "does not answer" if ping is None else f"answers in {ping:.1f} ms"
        self.redis.set_text(f"Redis {answer}: {status.redisUrl}")
        self.queues.set_rows(
            [
                [queue.name, *map(words.count, (queue.waiting, queue.started, queue.failed))]
                for queue in status.queues
            ]
        )
        self.queues.setVisible(bool(status.queues))
        self.storage.set_values([status.ledger, status.vectorStore, status.dataDir, status.version])

    def open_data_folder(self) -> None:
        """Show the folder in the file manager."""
        if self._data_dir:
            QDesktopServices.openUrl(QUrl.fromLocalFile(self._data_dir))


def _noticed(worker: WorkerStatus) -> bool:
    return worker.alive and bool(worker.notice)


def _worker_row(worker: WorkerStatus) -> list[str]:
    return [
        worker.state.capitalize() if worker.alive else "Gone",
        f"{worker.pid} on {worker.host}",
        worker.device or "–",
        model_title(worker.model) if worker.model else "–",
        words.ago(worker.beatAt),
    ]


def _group(column: QVBoxLayout, title: str, *parts: QWidget) -> None:
    column.setSpacing(SPACE_S)
    column.addWidget(label(title, "section"))
    for part in parts:
        column.addWidget(part)
