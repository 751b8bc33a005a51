"""A scan for look-alikes in the whole program ends, whatever happens to its worker and queue."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from following import draw_pictures, finished, until
from sqlalchemy import select

from app.api.training_schemas import TrainingSessionCreate
from app.db.duplicate_scans import claim_scan, request_scan
from app.db.engine import get_sync_engine, write_transaction
from app.db.models import EmbeddingModel, NearDuplicate, WorkerRecord
from app.queue.connection import get_redis
from app.runtime.supervisor import Supervisor
from app.services.backend import Backend


async def test_a_scan_whose_worker_is_killed_ends_by_itself_also_with_an_empty_queue(
    backend: Backend, supervisor: Supervisor, tmp_path: Path
) -> None:
    draw_pictures(tmp_path / "pictures", 6, seed="scan")
    for copy in range(2):  # the same picture in two files of different content
        picture = (tmp_path / "pictures" / "00000.jpg").read_bytes()
        (tmp_path / "pictures" / f"copy {copy}.jpg").write_bytes(picture + bytes(copy))
    async with backend.db() as db:
        data = TrainingSessionCreate(rootPath=str(tmp_path / "pictures"))
        session = await backend.training.create_session(db, data)
        await backend.training.enqueue_training(db, session.id)
    await finished(backend, session.id)
    with get_sync_engine().connect() as conn:
        model_id = conn.scalar(select(EmbeddingModel.id))
        worker = conn.scalar(select(WorkerRecord.name).where(WorkerRecord.stopped_at.is_(None)))
    duplicates = backend.library.duplicates
    pid = supervisor.status().worker_pid
    assert model_id is not None
    assert pid is not None

    with write_transaction() as conn:  # as if the worker were in the middle of it
        request_scan(conn, model_id, 0.95)
        assert claim_scan(conn, worker) is not None
    await duplicates.scan(model_id)
    assert (await duplicates.scan_status(model_id)).state == "running"
    get_redis().flushall()
    os.kill(pid, signal.SIGKILL)

    async def is_done() -> bool:
        return (await duplicates.scan_status(model_id)).state == "done"

    await until(is_done)
    with get_sync_engine().connect() as conn:
        assert len(conn.scalars(select(NearDuplicate.asset_id)).all()) >= 2
