"""The whole program without its window: real Redis, real worker process, real store and model."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from drawn_model import DRAWN_MODEL
from following import draw_pictures
from ledgers import fresh_ledger
from warm_processes import WarmWorker, all_have_ended, running_children

from app.config import get_settings
from app.db.engine import close_engines
from app.queue.reconcile import reconcile
from app.runtime import supervisor as supervisor_module
from app.runtime.supervisor import Supervisor
from app.scan import session_walk
from app.services.backend import Backend
from app.worker.context import context


@pytest.fixture(autouse=True)
def drawn_model(measured: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The setting ``MODEL`` of this process and of the workers that it starts."""
    monkeypatch.setenv("AFTERIMAGE_MODEL", DRAWN_MODEL)
    get_settings.cache_clear()


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder ``pictures`` with ``vacation`` and ``family``, twenty drawn pictures each."""
    root = tmp_path / "pictures"
    for folder in ("vacation", "family"):
        draw_pictures(root / folder, 20, seed=folder)
    return root


@pytest.fixture
async def backend() -> AsyncIterator[Backend]:
    """The services on a fresh ledger."""
    fresh_ledger()
    yield Backend()
    await close_engines()


@pytest.fixture
async def own_worker(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """On a fresh ledger, this process is the worker, so nobody is to be called."""
    monkeypatch.setattr(session_walk, "enqueue_session_if_possible", lambda _: None)
    yield
    context().close()
    context.cache_clear()


@pytest.fixture
def warm_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Supervisors start workers that need import nothing."""
    monkeypatch.setattr(supervisor_module, "WorkerProcess", WarmWorker)


@pytest.fixture
def supervisor(backend: Backend, warm_workers: None) -> Iterator[Supervisor]:
    """Redis and a worker process, which are gone afterwards."""
    runtime = Supervisor(lambda name: reconcile([name]))
    runtime.start()
    yield runtime
    runtime.stop()
    assert all_have_ended(), running_children()
