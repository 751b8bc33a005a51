"""Several workers at one session, as on several machines: PostgreSQL, Redis, a Qdrant stand-in."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from following import draw_pictures, finished, progress_of, until
from kept_measurements import kept_measurements
from many_machines import running_postgres, shared_servers, worker_machine
from sqlalchemy import delete, func, insert, select, update
from warm_processes import start_warm

from app.api.library_schemas import LibraryGroup, MonthPictures, Section
from app.api.training_schemas import SessionConfig, TrainingSessionCreate
from app.config import get_settings
from app.db.engine import close_engines, get_sync_engine, write_transaction
from app.db.migrate import migrate
from app.db.models import ImageAsset, TrainingEvidence, TrainingJob
from app.queue.reconcile import reconcile
from app.services.backend import Backend
from app.vectors.factory import open_store
from app.worker.maintenance.ledger_check import verify_ledger

PICTURES = 400
BATCH = 8


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_postgres(tmp_path_factory.mktemp("postgres")) as url:
        yield url


@pytest.fixture
async def shared(postgres: str, data_dir: Path) -> AsyncIterator[Backend]:
    """The services on the shared servers."""
    with shared_servers(postgres):
        await asyncio.to_thread(migrate)
        yield Backend()
        await close_engines()


async def start(backend: Backend, root: Path) -> int:
    async with backend.db() as db:
        data = TrainingSessionCreate(rootPath=str(root), config=SessionConfig(batch_size=BATCH))
        session = await backend.training.create_session(db, data)
        await backend.training.enqueue_training(db, session.id)
        return session.id


def holders() -> set[str]:
    """The workers that hold pictures at this moment."""
    with get_sync_engine().connect() as conn:
        held = select(TrainingJob.worker).where(TrainingJob.worker.is_not(None)).distinct()
        return set(conn.scalars(held))


async def test_the_library_is_listed_as_on_sqlite(shared: Backend) -> None:
    names = ["IMG_2.jpg", "img_3.jpg", "IMG_010.jpg", "IMG_20190612_9.jpg", "Trip (2).jpg"]
    written = int(datetime(2019, 6, 3, tzinfo=UTC).timestamp()) * 10**9
    with write_transaction() as conn:
        for name in reversed(names):
            values = {"path": f"/p/{name}", "folder": "/p", "size": 1, "mtime_ns": written}
            conn.execute(insert(ImageAsset).values(values))
        taken = datetime(2024, 12, 31, 23, tzinfo=UTC)
        conn.execute(
            update(ImageAsset).where(ImageAsset.path == "/p/IMG_2.jpg").values(taken_at=taken)
        )
    library = shared.library
    async with shared.db() as db:
        assert await library.months(db) == [MonthPictures(2024, 12, 1), MonthPictures(2019, 6, 4)]
        listing = await library.listing(db, None, order="name")
        found = await library.page(db, None, listing, 0, 10)
        assert [os.path.basename(picture.path) for picture in found] == names
        june = await library.listing(db, None, LibraryGroup(year=2019, month=6))
        assert (june.count, june.sections) == (4, (Section(4, 2019, 6),))
    with write_transaction() as conn:  # the other test's ledger is this one
        conn.execute(delete(ImageAsset))


@pytest.mark.early
async def test_two_workers_share_a_session_and_one_may_be_killed(
    shared: Backend, tmp_path: Path, measurements_file: Path
) -> None:
    draw_pictures(tmp_path / "pictures", PICTURES, seed="many")
    with (
        kept_measurements(measurements_file, tmp_path / "one"),
        kept_measurements(measurements_file, tmp_path / "two"),
        worker_machine(tmp_path / "one", start=start_warm) as one,
        worker_machine(tmp_path / "two", start=start_warm) as two,
    ):
        session_id = await start(shared, tmp_path / "pictures")

        async def both_work() -> bool:
            return await asyncio.to_thread(holders) == {one.name, two.name}

        await until(both_work, every=0.02)
        one.kill()
        killed_at = (await progress_of(shared, session_id)).progress.current
        await asyncio.to_thread(reconcile, [one.name])  # as whoever watched over it would
        progress = await finished(shared, session_id)
    assert killed_at < PICTURES
    assert (progress.status, progress.jobsSummary.completed) == ("completed", PICTURES)
    store = open_store(get_settings())
    try:
        report = await asyncio.to_thread(verify_ledger, store)
    finally:
        store.close()
    assert (report.problems, report.vectors) == ([], PICTURES)
    with get_sync_engine().connect() as conn:
        of_one_attempt = (
            select(func.count())
            .select_from(TrainingEvidence)
            .group_by(TrainingEvidence.job_id, TrainingEvidence.attempt)
        )
        assert set(conn.scalars(of_one_attempt)) == {1}
