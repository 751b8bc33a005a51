"""Thumbnails with the real queue and the real worker, also while a session holds its main loop."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from following import until

from app.db.engine import write_transaction
from app.db.models import ImageAsset
from app.db.types import utc_now
from app.errors import AppError
from app.pictures.thumbnail_paths import thumbnail_file, thumbnails_dir
from app.queue import thumbnail_requests
from app.queue.enqueue import enqueue_cleanup
from app.queue.jobs import JobName
from app.queue.queues import QUEUE_HIGH, QUEUE_LOW, get_queue
from app.queue.thumbnail_requests import ThumbnailRequests
from app.runtime.redis_server import ensure_redis, stop_redis
from app.runtime.supervisor import Supervisor
from app.services.backend import Backend
from app.ui.pictures.thumbnails import ThumbnailLoader


@pytest.fixture
def queue_only(data_dir: Path) -> Iterator[None]:
    """Redis without a worker."""
    ensure_redis()
    yield
    stop_redis()


def is_made(path: Path) -> bool:
    return os.path.exists(thumbnail_file(str(path), 256))


async def answer_to(service: ThumbnailRequests, paths: list[Path]) -> bool:
    """Ask as soon as there is a queue, and wait for the answer."""
    sent: list[str] = []

    async def asked() -> bool:
        try:
            sent.append(await asyncio.to_thread(service.request, [*map(str, paths)], 256))
        except AppError:
            return False
        return True

    answers: dict[str, bool] = {}

    async def answered() -> bool:
        answers.update(await asyncio.to_thread(service.answered, sent))
        return bool(answers)

    await until(asked)
    await until(answered)
    return answers[sent[0]]


HOLDABLE_WORKER = """
import sys
from app.__main__ import main
from app.queue.jobs import JobName
from app.worker.functions import FUNCTIONS
import subprocess
FUNCTIONS[JobName.UNDO_BROKEN_STORES] = subprocess.call
sys.argv = ["app", "worker", "--child"]
sys.exit(main())
"""


@pytest.fixture
def holdable_worker(backend: Backend, warm_workers: None) -> Iterator[None]:
    """Whose jobs may also run a command."""
    runtime = Supervisor(lambda _name: None, [sys.executable, "-c", HOLDABLE_WORKER])
    runtime.start()
    yield
    runtime.stop()


@pytest.mark.usefixtures("holdable_worker")
async def test_thumbnails_come_while_a_session_holds_the_main_loop(
    backend: Backend, pictures: Path, tmp_path: Path
) -> None:
    paths = sorted((pictures / "family").iterdir())[:8]
    assert await answer_to(backend.thumbnails, paths[:1])
    release = tmp_path / "release"
    wait = f"while [ ! -e '{release}' ]; do sleep 0.05; done"
    holding = get_queue(QUEUE_HIGH).enqueue(JobName.UNDO_BROKEN_STORES, ["sh", "-c", wait])

    async def held() -> bool:
        return await asyncio.to_thread(lambda: holding.is_started)

    try:
        await until(held)
        assert await answer_to(backend.thumbnails, paths)
        assert all(map(is_made, paths))
        assert await held()
    finally:
        release.touch()


async def test_after_the_death_of_a_worker_the_next_one_answers(
    backend: Backend, supervisor: Supervisor, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = sorted((pictures / "family").iterdir())
    assert await answer_to(backend.thumbnails, paths[:2])
    pid = supervisor.status().worker_pid
    assert pid is not None
    monkeypatch.setattr(thumbnail_requests, "ANSWER_WITHIN", timedelta(seconds=5))
    os.kill(pid, signal.SIGKILL)  # which may take the next request with it

    async def answered() -> bool:
        return await answer_to(backend.thumbnails, paths[2:4])

    await until(answered)
    assert all(map(is_made, paths[:4]))


@pytest.mark.usefixtures("warm_workers")
def test_the_window_waits_for_a_worker_and_then_shows_what_it_made(
    qtbot, backend: Backend, pictures: Path
) -> None:
    paths = [str(path) for path in sorted((pictures / "family").iterdir())]
    loader = ThumbnailLoader(backend.thumbnails)
    loader._rest.setInterval(100)
    shown: dict[str, bool] = {}

    def paint(_path: str = "") -> None:
        for path in paths:
            if (pixmap := loader.get(path, 160)) is not None:
                shown[path] = not pixmap.isNull()

    loader.ready.connect(paint)
    with qtbot.waitSignal(loader.ready):
        paint()
    assert not shown
    runtime = Supervisor(lambda _name: None)
    runtime.start()
    try:
        qtbot.waitUntil(lambda: len(shown) == len(paths), timeout=60_000)
        assert all(shown.values())
        qtbot.waitUntil(lambda: loader.pending == 0)
    finally:
        loader.close()
        runtime.stop()


async def test_thumbnails_of_deleted_pictures_are_cleaned_up(
    backend: Backend, supervisor: Supervisor, pictures: Path
) -> None:
    kept, gone = sorted((pictures / "family").iterdir())[:2]
    assert await answer_to(backend.thumbnails, [kept, gone])
    gone.unlink()
    with write_transaction() as conn:
        for path in (kept, gone):
            conn.execute(
                ImageAsset.__table__.insert().values(
                    path=str(path),
                    folder=str(path.parent),
                    size=1,
                    mtime_ns=1,
                    missing_since=utc_now() if path == gone else None,
                )
            )
    await asyncio.to_thread(enqueue_cleanup)

    async def cleaned() -> bool:
        return not is_made(gone)

    await until(cleaned)
    assert is_made(kept)
    assert not list(Path(thumbnails_dir()).rglob("*.part"))


def test_a_request_that_no_worker_takes_dies_and_leaves_nothing(
    queue_only: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = ThumbnailRequests()
    first, second = service.request(["/a.jpg"], 256), service.request(["/b.jpg"], 256)
    queue = get_queue(QUEUE_LOW)
    assert queue.get_job_ids() == [second, first]  # what is looked at now comes first
    job = queue.fetch_job(first)
    assert job is not None
    assert 0 < queue.connection.ttl(job.key) <= thumbnail_requests.ANSWER_WITHIN.total_seconds()
    assert service.answered([first, second]) == {}
    job.delete(remove_from_queue=False)  # as when its time is over
    assert service.answered([first, second]) == {first: False}
    monkeypatch.setattr(thumbnail_requests, "ANSWER_WITHIN", timedelta(0))
    assert service.answered([second]) == {second: False}
    assert queue.get_job_ids() == []


def test_cleaning_up_is_in_the_queue_once(queue_only: None) -> None:
    for _ in range(3):
        enqueue_cleanup()
    assert get_queue(QUEUE_LOW).get_job_ids() == ["clean-thumbnails-0"]


def test_without_a_queue_asking_says_so() -> None:
    with pytest.raises(AppError):
        ThumbnailRequests().request(["/a.jpg"], 256)
    with pytest.raises(AppError):
        ThumbnailRequests().answered(["1"])
