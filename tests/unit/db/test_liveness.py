"""Which workers are alive: by signs of life, by proof, and not by a clock that was set."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from ledgers import fresh_ledger
from sqlalchemy import insert, select, update

from app.db import jobs, liveness, reconcile
from app.db.clock import ledger_now
from app.db.engine import get_sync_engine, write_transaction
from app.db.files import FoundFile, register_files
from app.db.liveness import SteadyClock, has_died, proof_of_life
from app.db.models import TrainingJob, TrainingSession, WorkerRecord
from app.queue.queues import loop_names
from app.worker.context import IDLE, LOADING, WorkerContext
from app.worker.serving import _Beat

LIVING = """
from app.db.liveness import process_name, proof_of_life
with proof_of_life():
    print(process_name(), flush=True)
    input()
"""


@pytest.fixture(autouse=True)
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(liveness.tempfile, "tempdir", None)
    monkeypatch.setattr(reconcile, "_clock", SteadyClock())
    fresh_ledger()
    yield
    monkeypatch.undo()
    liveness.tempfile.tempdir = None


def running_session(pictures: int) -> int:
    with write_transaction() as conn:
        session_id: int = conn.execute(
            insert(TrainingSession)
            .values(name="s", root_path="/p", model="builtin", status="running")
            .returning(TrainingSession.id)
        ).scalar_one()
        files = [FoundFile(f"/p/{n}.jpg", "/p", 10, n) for n in range(pictures)]
        register_files(conn, files)
        jobs.create_jobs_for_paths(conn, session_id, [file.path for file in files])
    return session_id


def hold(session_id: int, worker: str, number: int) -> None:
    with write_transaction() as conn:
        jobs.claim(conn, session_id, worker, number, 10**9)


def beat_of(name: str, age: timedelta = timedelta(0)) -> None:
    with write_transaction() as conn:
        beat = ledger_now(conn) - age
        conn.execute(
            insert(WorkerRecord).values(name=name, host="h", pid=1, started_at=beat, beat_at=beat)
        )


def held() -> dict[str, int]:
    with get_sync_engine().connect() as conn:
        workers = list(conn.scalars(select(TrainingJob.worker).where(TrainingJob.worker != "")))
    return {worker: workers.count(worker) for worker in workers}


# --- signs of life ------------------------------------------------------------------------------


def test_a_silent_worker_loses_its_pictures_and_a_living_one_does_not() -> None:
    session_id = running_session(4)
    beat_of("silent", timedelta(seconds=61))
    beat_of("living", timedelta(seconds=30))
    hold(session_id, "silent", 2)
    hold(session_id, "living", 2)
    reconcile.reconcile_ledger()
    assert held() == {"living": 2}


def test_after_a_sleep_of_the_computer_nobody_is_taken_for_dead(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session_id = running_session(2)
    beat_of("living")
    hold(session_id, "living", 2)
    reconcile.reconcile_ledger()
    later = datetime.now(UTC) + timedelta(hours=8)
    monkeypatch.setattr("app.db.clock.utc_now", lambda: later)
    reconcile.reconcile_ledger()
    reconcile.reconcile_ledger()
    assert held() == {"living": 2}


def test_a_clock_that_was_set_is_in_doubt_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    own = [100.0]
    monkeypatch.setattr(liveness.time, "monotonic", lambda: own[0])
    clock, now = SteadyClock(), datetime.now(UTC)
    assert clock.is_steady(now)
    own[0] += 5
    assert clock.is_steady(now + timedelta(seconds=6))
    assert not clock.is_steady(now + timedelta(hours=1))
    own[0] += 5
    assert not clock.is_steady(now + timedelta(hours=1, seconds=5))
    own[0] += 60
    assert clock.is_steady(now + timedelta(hours=1, seconds=65))
    assert not clock.is_steady(now)  # set back


def test_leases_are_renewed_whatever_the_worker_seems_to_do() -> None:
    session_id, worker = running_session(2), WorkerContext()
    hold(session_id, worker.name, 2)
    with write_transaction() as conn:
        conn.execute(
            update(TrainingJob).values(lease_expires_at=ledger_now(conn) + timedelta(seconds=1))
        )
    assert worker.state == IDLE
    _Beat(worker)()
    with get_sync_engine().connect() as conn:
        ends = conn.scalars(select(TrainingJob.lease_expires_at)).all()
        assert min(ends) > ledger_now(conn) + timedelta(seconds=50)


def test_the_state_of_a_worker_is_that_of_what_it_does_most_telling() -> None:
    worker = WorkerContext()
    seen: list[str] = []

    def look() -> None:
        worker.state = "comparing pictures"
        seen.append(worker.state)
        worker.state = IDLE

    worker.state = "session 7"
    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == ["session 7"]
    assert worker.state == "session 7"
    worker.state = LOADING
    assert worker.state == LOADING
    worker.state = IDLE
    assert worker.state == IDLE


def test_workers_are_told_apart_by_their_whole_names() -> None:
    assert "host-1" not in loop_names("host-12")
    assert set(loop_names("host-1")) == {"host-1", "host-1-search", "host-1-training-low"}


# --- proof --------------------------------------------------------------------------------------


def test_a_killed_process_is_proved_dead_and_one_that_lives_or_ended_is_not() -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", LIVING], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    killed = processes[0]
    try:
        names = [process.stdout.readline().strip() for process in processes if process.stdout]
        assert len(set(names)) == 2
        assert not any(map(has_died, names))
        session_id = running_session(2)
        for name in names:
            beat_of(name)
            hold(session_id, name, 1)
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        reconcile.reconcile_ledger()
        assert held() == {names[1]: 1}
    finally:
        for process in processes:
            process.communicate("\n")
    assert not any(map(has_died, names))


def test_nobody_is_its_own_dead_predecessor(tmp_path: Path) -> None:
    with proof_of_life():
        assert not has_died(liveness.process_name())
        assert not has_died("on-another-machine")
    assert not list(tmp_path.glob("afterimage-*/*"))


def test_a_folder_of_somebody_else_proves_nothing(tmp_path: Path) -> None:
    with proof_of_life():
        folder = next(tmp_path.glob("afterimage-*"))
        (folder / "other.lock").touch()
        folder.chmod(0o777)
        assert not has_died("other")
        folder.chmod(0o700)
        assert has_died("other")


def test_whoever_has_the_store_to_itself_takes_back_what_all_others_held() -> None:
    session_id = running_session(6)
    beat_of("earlier")
    hold(session_id, "earlier", 2)
    hold(session_id, "without a row", 2)
    hold(session_id, "me", 1)
    reconcile.take_over("me")
    assert held() == {"me": 1}
    with get_sync_engine().connect() as conn:
        assert conn.scalar(select(WorkerRecord.stopped_at)) is not None


def test_what_a_worker_held_that_was_ended_from_outside_was_never_tried() -> None:
    session_id = running_session(3)
    beat_of("killed")
    hold(session_id, "killed", 3)
    reconcile.release("killed")
    with get_sync_engine().connect() as conn:
        rows = conn.execute(select(TrainingJob.status, TrainingJob.attempts, TrainingJob.crashes))
        assert set(map(tuple, rows)) == {("pending", 0, 0)}


def test_workers_that_have_been_gone_for_long_are_forgotten() -> None:
    beat_of("long gone", timedelta(days=8))
    beat_of("lately", timedelta(days=1))
    reconcile.forget_old_workers()
    with get_sync_engine().connect() as conn:
        assert list(conn.scalars(select(WorkerRecord.name))) == ["lately"]
