"""What the System page and ``doctor`` show: workers, queue, ledger, store, logs."""

from __future__ import annotations

import asyncio
import platform
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.api.training_schemas import LedgerReport, SystemStatus, WorkerStatus
from app.config import get_settings
from app.db.clock import ledger_now
from app.db.liveness import is_alive
from app.db.models import WorkerRecord
from app.logs import log_file
from app.masking import hide, hide_in_address
from app.queue.questions import CheckLedgerRequest, check_ledger
from app.queue.status import queue_status

SHOWN_WORKERS = 20
SAMPLE = 20
"""Pictures that a check looks at anew: a second or two of a usual model's time."""


class SystemService:
    """Live state of everything that runs."""

    async def status(self, db: AsyncSession) -> SystemStatus:
        """One look at everything; Redis is asked in a thread."""
        await db.commit()
        records = await db.execute(
            select(WorkerRecord)
            .order_by(WorkerRecord.beat_at.desc())
            .limit(SHOWN_WORKERS)
            .execution_options(populate_existing=True)
        )
        now = await db.run_sync(lambda session: ledger_now(session.connection()))
        workers = [_worker(record, now) for record in records.scalars()]
        url, ping, queues = await asyncio.to_thread(queue_status)
        settings = get_settings()
        return SystemStatus(
            workers=workers,
            redisUrl=url,
            redisPingMs=ping,
            queues=queues,
            ledger=_ledger(),
            vectorStore=hide_in_address(settings.qdrant_url) or str(settings.vector_dir),
            dataDir=str(settings.data_dir),
            version=version("afterimage"),
        )

    async def verify(self, repair: bool = False, sample: int = SAMPLE) -> LedgerReport:
        """Have the worker, which owns the vectors, check the ledger against them.

        Args:
            sample: so many pictures of each model are looked at anew.

        Raises:
            AppError: no worker answered.
        """
        request = CheckLedgerRequest(repair=repair, sample=sample)
        return await asyncio.to_thread(check_ledger, request)

    async def log_tail(self, process: str, lines: int = 200) -> str:
        """The end of one log: ``window``, ``worker`` or ``terminal``.

        Raises:
            AppError: that is no name of a log.
        """
        return await asyncio.to_thread(_tail, log_file(process), lines)

    async def diagnostics(self, db: AsyncSession) -> str:
        """Everything someone who helps would ask for, as text without passwords."""
        status = await self.status(db)
        chosen = get_settings().model_dump_json(indent=2, exclude_defaults=True)
        parts = [
            f"{platform.platform()}, Python {platform.python_version()}",
            f"{status.model_dump_json(indent=2)}\n",
            f"Settings that are not as they were\n{chosen}",
        ]
        parts += [
            f"\n{process}.log\n{await self.log_tail(process, 60)}"
            for process in ("window", "worker")
        ]
        return hide("\n".join(parts))


def _ledger() -> str:
    """``AFTERIMAGE_DATABASE_URL`` without its password, or the ledger's own address."""
    settings = get_settings()
    return hide_in_address(settings.database_url) or f"sqlite:///{settings.ledger_file}"


def _worker(record: WorkerRecord, now: datetime) -> WorkerStatus:
    return WorkerStatus(
        name=record.name,
        host=record.host,
        pid=record.pid,
        queues=record.queues,
        device=record.device,
        model=record.model,
        state=record.state,
        notice=record.notice,
        startedAt=record.started_at,
        beatAt=record.beat_at,
        alive=is_alive(record, now),
    )


def _tail(path: Path, lines: int) -> str:
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(file.tell() - 400 * lines, 0))
            text = file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return "(no log yet)"
    return "\n".join(text.splitlines()[-lines:])
