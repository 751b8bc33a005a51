"""What an update of an unchanged folder of 100,000 pictures costs, beside merely listing it."""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from pathlib import Path
from typing import Any

from many_files import listing_seconds, many_files
from sqlalchemy import func, insert, literal, select, update
from surroundings import empty_data_folder

from app.config import BUILTIN_MODEL
from app.db.engine import get_sync_engine, open_db, write_transaction
from app.db.files import register_files
from app.db.jobs import chunks, create_jobs_for_paths
from app.db.migrate import migrate
from app.db.models import (
    AssetVector,
    EmbeddingModel,
    ImageAsset,
    JobStatus,
    SessionStatus,
    TrainingJob,
    TrainingSession,
)
from app.db.types import utc_now
from app.scan.file_walk import WalkReport, walk
from app.services.update_service import UpdateService

PICTURES = 100_000
ROUNDS = 3


def measure() -> dict[str, float]:
    """Seconds of the fastest of a few rounds, and what an update of unchanged pictures touched."""
    root = many_files(PICTURES)
    with empty_data_folder():
        session_id = enter_as_indexed(root)
        listing = listing_seconds(root)
        with FilesOpened(root) as opened:
            rescan = min(_seconds(lambda: asyncio.run(_update(session_id))) for _ in range(ROUNDS))
        return {
            "rescan_100k_s": rescan,
            "listing_100k_s": listing,
            "rescan_ratio": rescan / listing,
            "rescan_files_opened": float(opened.number),
            "rescan_embedded": float(_jobs_to_do(session_id)),
        }


def enter_as_indexed(root: Path) -> int:
    """Enter every file as a finished picture with its vector; the id of the session."""
    migrate()
    with write_transaction() as conn:
        model_id = conn.execute(
            insert(EmbeddingModel)
            .values(
                name=BUILTIN_MODEL,
                version="1",
                weights_digest="0" * 64,
                dimension=4,
                collection="demo",
                spec=BUILTIN_MODEL,
            )
            .returning(EmbeddingModel.id)
        ).scalar_one()
        session_id = conn.execute(
            insert(TrainingSession)
            .values(
                name="Unchanged",
                root_path=str(root),
                status=SessionStatus.COMPLETED,
                model=BUILTIN_MODEL,
                model_id=model_id,
                discovered_at=utc_now(),
            )
            .returning(TrainingSession.id)
        ).scalar_one()
        files = list(walk(str(root), ("jpg",), True, WalkReport()))
        for some in chunks(files, 10_000):
            register_files(conn, some)
            create_jobs_for_paths(conn, session_id, [file.path for file in some])
        facts = select(
            ImageAsset.id, literal(model_id), ImageAsset.size, ImageAsset.mtime_ns, literal("0")
        )
        columns = ["asset_id", "model_id", "size", "mtime_ns", "sha256"]
        conn.execute(insert(AssetVector).from_select(columns, facts))
        conn.execute(update(TrainingJob).values(status=JobStatus.COMPLETED))
        conn.execute(update(TrainingSession).values(completed_images=len(files)))
    return session_id


class FilesOpened:
    """Counts the files below a folder that this process opens inside the block."""

    def __init__(self, root: Path) -> None:
        self.number = 0
        self._root = str(root)
        self._counting = False

    def __enter__(self) -> FilesOpened:
        self._counting = True
        sys.addaudithook(self._heard)
        return self

    def __exit__(self, *_: object) -> None:
        self._counting = False  # an audit hook stays for good

    def _heard(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self._counting and event == "open" and isinstance(arguments[0], str):
            self.number += arguments[0].startswith(self._root)


async def _update(session_id: int) -> None:
    async with open_db() as db:
        summary = await UpdateService().update(db, session_id)
    from app.db.engine import get_async_engine

    await get_async_engine().dispose()
    get_async_engine.cache_clear()
    assert (summary.unchanged, summary.new, summary.missing) == (PICTURES, 0, 0)


def _jobs_to_do(session_id: int) -> int:
    with get_sync_engine().connect() as conn:
        to_do = select(func.count()).where(
            TrainingJob.session_id == session_id, TrainingJob.status != JobStatus.COMPLETED
        )
        return conn.scalar(to_do) or 0


def _seconds(work: Any) -> float:
    gc.collect()
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


if __name__ == "__main__":
    print(measure())
