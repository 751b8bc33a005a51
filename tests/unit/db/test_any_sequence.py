"""Whatever people, files, workers and accidents do, in any order: the ledger is true at each step.

All of it is the program's own code on a SQLite ledger and real files; see :mod:`instant_work` for
what stands in. ``pytest --hypothesis-profile=search`` looks for longer, and somewhere else each
time.
"""

from __future__ import annotations

import logging
import os
import shutil
import sys
from collections.abc import Sequence
from contextlib import closing, suppress
from datetime import timedelta
from functools import partial
from itertools import count
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from instant_work import CONTENTS, DecodersHere, Worker
from ledger_promises import (
    assets_of,
    check_files,
    check_filters,
    check_ledger,
    models,
    moved,
    session_of,
)
from ledgers import fresh_ledger
from sqlalchemy import Connection, select

from app.config import get_settings
from app.db import clock, jobs, relocation, sessions
from app.db.engine import get_sync_engine, get_sync_session, in_transaction
from app.db.models import (
    JOB_MOVES,
    SESSION_MOVES,
    ImageAsset,
    JobStatus,
    SessionStatus,
    TrainingJob,
    TrainingSession,
)
from app.db.reconcile import reconcile_ledger, release, take_over
from app.db.removal import remove_assets
from app.db.settle import expire_leases
from app.db.switching import switch_model
from app.db.types import utc_now
from app.errors import AppError
from app.queue.questions import RemoveIndexRequest, RemoveVectorsRequest
from app.scan import file_walk
from app.scan.arrivals import take_in
from app.scan.session_walk import STARTED, UPDATED, SessionWalk
from app.services.library_service import _include
from app.vectors.embedded import EmbeddedStore
from app.worker.context import context
from app.worker.indexing.run import SessionRun
from app.worker.maintenance.ledger_check import verify_ledger
from app.worker.maintenance.ledger_repair import repair_ledger, undo_broken_stores
from app.worker.maintenance.payloads import refresh_payloads
from app.worker.maintenance.updates import forget_moved, remove_vectors
from app.worker.models import remove_index

NAMES = ("1.png", "2.png", "3.png", "in/4.png", "in/5.png")
SPECS = ("builtin", "other")
FOLDERS = ("", "in")
WORKERS = (0, 1)
MOST_SESSIONS = 3
MANY = 9
AT_REST = (SessionStatus.PAUSED, SessionStatus.COMPLETED, SessionStatus.FAILED)
T = TypeVar("T")

names = st.sampled_from(NAMES)
contents = st.sampled_from(list(CONTENTS))
specs = st.sampled_from(SPECS)
picks = st.integers(0, 3)
"""Which one, of however many there are."""


class AnySequence(RuleBasedStateMachine):
    """A library of a few pictures, some sessions, and two workers that share a vector store.

    Args:
        folder: for this one sequence; whatever is there is removed.
    """

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        self.folder = folder
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        self.root = folder / "root 0"
        (self.root / "in").mkdir(parents=True)
        _begin_with_an_empty_ledger()
        self.store = EmbeddedStore(folder / "vectors")
        self.weights = dict.fromkeys(SPECS, 0)
        self.numbers = count(1)
        self.workers = [self._new_worker() for _ in WORKERS]
        self.asleep = timedelta(0)
        self.messages: list[dict[int, list[int]]] = []
        """To the worker, by model: assets that the ledger has removed."""
        self.orphans: set[int] = set()
        """Pictures that were removed, and whose vectors only a check of the ledger finds."""
        self.status_of: dict[int, str] = {}
        """By session; after the last step, like those of the jobs."""
        self.status_of_job: dict[int, str] = {}
        self.are_missing = self.are_excluded = False
        monkeypatch.setattr(context(), "_store", self.store)
        monkeypatch.setattr(clock, "utc_now", lambda: utc_now() + self.asleep)

    def _new_worker(self) -> Worker:
        return Worker(f"worker {next(self.numbers)}", self.store, self.weights)

    def teardown(self) -> None:
        for worker in self.workers:
            worker.die()
        try:
            if sys.exc_info()[0] is None:
                self.come_to_rest()
        finally:
            self.store.close()

    # --- files ----------------------------------------------------------------------------------

    @initialize(some=st.lists(st.tuples(names, contents), min_size=1, max_size=5))
    def begin(self, some: list[tuple[str, str]]) -> None:
        for name, shows in some:
            self.write(name, shows)
        self.create("", "builtin")
        self._start(1)

    @rule(name=names, shows=contents)
    def write(self, name: str, shows: str) -> None:
        path = self.root / name
        path.write_bytes(CONTENTS[shows])
        moment = next(self.numbers) * 10**9
        os.utime(path, ns=(moment, moment))

    @rule(name=names, shows=contents)
    def put(self, name: str, shows: str) -> None:
        """The program itself wrote a file there, as it copies one into a folder."""
        self.write(name, shows)
        take_in([str(self.root / name)])

    @precondition(lambda self: self.files())
    @rule(pick=picks)
    def delete(self, pick: int) -> None:
        pick_of(pick, self.files()).unlink()

    @precondition(lambda self: self.files())
    @rule(pick=picks, new=names)
    def rename(self, pick: int, new: str) -> None:
        pick_of(pick, self.files()).replace(self.root / new)

    # --- people ---------------------------------------------------------------------------------

    @precondition(lambda self: len(self.status_of) < MOST_SESSIONS)
    @rule(folder=st.sampled_from(FOLDERS), spec=specs)
    def create(self, folder: str, spec: str) -> None:
        root = str(self.root / folder)
        with get_sync_session() as db, db.begin():
            db.add(TrainingSession(name="s", root_path=root, model=spec, status="pending"))

    @precondition(lambda self: self.among(*STARTED))
    @rule(pick=picks)
    def start(self, pick: int) -> None:
        self._start(self.one(pick, *STARTED))

    @precondition(lambda self: self.among(*AT_REST))
    @rule(pick=picks, parts=st.sampled_from([MANY, 1]), broken_off=st.booleans())
    def update(self, pick: int, parts: int, broken_off: bool) -> None:
        """Look for changes; up to some part, where somebody stops it or its process dies."""
        _walk(SessionWalk(self.one(pick, *AT_REST), UPDATED), parts, broken_off)

    @precondition(lambda self: self.among(SessionStatus.RUNNING))
    @rule(pick=picks)
    def pause(self, pick: int) -> None:
        _move(self.one(pick, SessionStatus.RUNNING), SessionStatus.PAUSED)

    @precondition(lambda self: self.among(*STARTED))
    @rule(pick=picks, broken_off=st.booleans())
    def cancel(self, pick: int, broken_off: bool) -> None:
        session_id = self.one(pick, *STARTED)
        if _move(session_id, SessionStatus.CANCELLED) and not broken_off:
            in_transaction(partial(jobs.cancel_pending, session_id=session_id))

    @precondition(lambda self: JobStatus.FAILED in self.status_of_job.values())
    @rule(pick=picks)
    def retry(self, pick: int) -> None:
        session_id = self.one(pick, *STARTED)
        failed = assets_of(session_id, TrainingJob.status == JobStatus.FAILED)
        in_transaction(partial(jobs.create_jobs, session_id=session_id, asset_ids=failed))
        if failed:
            self._start(session_id)

    @rule(pick=picks, name=names)
    def leave_out(self, pick: int, name: str) -> None:
        session_id = self.one(pick, *SessionStatus)
        some = assets_of(session_id, ImageAsset.path == str(self.root / name))
        in_transaction(partial(jobs.leave_out, session_id=session_id, asset_ids=some))

    @precondition(lambda self: self.are_excluded)
    @rule()
    def include(self) -> None:
        with get_sync_engine().connect() as conn:
            _include(list(conn.scalars(select(ImageAsset.id).where(ImageAsset.excluded))))

    @precondition(lambda self: self.are_missing)
    @rule(pick=picks)
    def prune(self, pick: int) -> None:
        missing = assets_of(self.one(pick, *SessionStatus), ImageAsset.missing_since.is_not(None))
        _, vectors = in_transaction(partial(remove_assets, asset_ids=missing))
        if vectors:
            self.messages.append(vectors)

    @precondition(lambda self: not self.among(SessionStatus.RUNNING))
    @rule()
    def relocate(self) -> None:
        old, self.root = self.root, self.folder / f"root {next(self.numbers)}"
        old.rename(self.root)
        roots = {"old_root": str(old), "new_root": str(self.root)}
        in_transaction(partial(relocation.relocate, **roots))

    @precondition(lambda self: self.among(*AT_REST))
    @rule(pick=picks, spec=specs)
    def switch(self, pick: int, spec: str) -> None:
        session_id = self.one(pick, *AT_REST)
        with suppress(AppError):  # pictures are in work
            in_transaction(partial(switch_model, session_id=session_id, spec=spec))

    @rule(spec=specs)
    def replace_weights(self, spec: str) -> None:
        """Whoever loads the model from now on finds them."""
        self.weights[spec] += 1

    @precondition(lambda self: self.store.collections())
    @rule(pick=picks)
    def remove_an_index(self, pick: int) -> None:
        if there := models():
            with suppress(AppError):  # it is in use
                remove_index(RemoveIndexRequest(model_id=pick_of(pick, there).id))

    # --- workers --------------------------------------------------------------------------------

    @precondition(lambda self: self.among(SessionStatus.RUNNING) and self.idle())
    @rule(pick=picks, which=picks)
    def open_run(self, pick: int, which: int) -> None:
        worker = pick_of(which, self.idle())
        worker.open(session_of(self.one(pick, SessionStatus.RUNNING)))

    @precondition(lambda self: any(len(worker.batches) < 2 for worker in self.busy()))
    @rule(which=picks, limit=st.integers(1, 3), poison=st.booleans())
    def claim(self, which: int, limit: int, poison: bool) -> None:
        worker = pick_of(which, [one for one in self.busy() if len(one.batches) < 2])
        worker.claim(limit, poison=poison and not worker.batches)

    @precondition(lambda self: any(worker.batches for worker in self.busy()))
    @rule(which=picks, steps=st.sampled_from([1, 1, 2, 4]))
    def go_on(self, which: int, steps: int) -> None:
        worker = pick_of(which, [one for one in self.busy() if one.batches])
        for _ in range(steps):
            if worker.batches:
                worker.go_on()

    @precondition(lambda self: any(len(worker.batches) > 1 for worker in self.busy()))
    @rule(which=picks)
    def embed_the_next(self, which: int) -> None:
        worker = pick_of(which, [one for one in self.busy() if len(one.batches) > 1])
        if not worker.batches[1].is_begun:
            worker.go_on(1)

    @precondition(lambda self: self.busy())
    @rule(which=picks)
    def end_run(self, which: int) -> None:
        pick_of(which, self.busy()).leave()

    @precondition(lambda self: self.busy())
    @rule(which=picks, how=st.sampled_from(["seen", "unseen", "on purpose"]))
    def die(self, which: int, how: str) -> None:
        name = self._die(pick_of(which, self.busy()))
        if how == "seen":
            reconcile_ledger([name])
        elif how == "on purpose":
            release(name)

    @rule(awake=st.sets(st.sampled_from(WORKERS)))
    def sleep(self, awake: set[int]) -> None:
        """A minute goes by, in which only some workers renew their leases."""
        self.asleep += jobs.LEASE + timedelta(seconds=1)

        def look(conn: Connection) -> None:
            for which in awake:
                jobs.renew_leases(conn, self.workers[which].name)
            expire_leases(conn)

        in_transaction(look)

    @rule(which=st.sampled_from(WORKERS))
    def take_over(self, which: int) -> None:
        """A worker finds itself alone with the store."""
        for worker in self.workers:
            if worker is not self.workers[which]:
                self._die(worker)
        take_over(self.workers[which].name)

    @rule()
    def reconcile(self) -> None:
        reconcile_ledger()

    # --- what the worker does beside its runs ---------------------------------------------------

    @precondition(lambda self: self.messages)
    @rule()
    def forget_what_was_pruned(self) -> None:
        remove_vectors(RemoveVectorsRequest(vectors=self.messages.pop(0)))

    @precondition(lambda self: self.are_missing)
    @rule()
    def forget_moved(self) -> None:
        forget_moved()

    @rule()
    def undo_broken_stores(self) -> None:
        undo_broken_stores()

    @rule()
    def refresh_payloads(self) -> None:
        refresh_payloads()

    @rule()
    def repair(self) -> None:
        repair_ledger(self.store)

    # --- what holds -----------------------------------------------------------------------------

    @invariant()
    def check(self) -> None:
        unknown = self.orphans.union(*(worker.holds() for worker in self.workers))
        unknown.update(*(ids for message in self.messages for ids in message.values()))
        check_ledger(self.store, unknown)
        self.status_of = moved(TrainingSession, self.status_of, SESSION_MOVES)
        self.status_of_job = moved(TrainingJob, self.status_of_job, JOB_MOVES)
        with get_sync_engine().connect() as conn:
            assets = conn.execute(select(ImageAsset.missing_since, ImageAsset.excluded)).all()
        self.are_missing = any(asset.missing_since for asset in assets)
        self.are_excluded = any(asset.excluded for asset in assets)

    # --- the end --------------------------------------------------------------------------------

    def come_to_rest(self) -> None:
        """A new worker does all that is left; then every file has what it ought to have."""
        worker = self._new_worker()
        take_over(worker.name)
        while self.messages:
            remove_vectors(RemoveVectorsRequest(vectors=self.messages.pop()))
        undo_broken_stores()
        ids = self.among(*STARTED)
        for session_id in ids:
            self._finish(session_id, worker)
        reconcile_ledger()
        for session_id in ids:
            check_files(session_of(session_id), self.files())
        repair_ledger(self.store)
        assert verify_ledger(self.store).problems == []
        refresh_payloads()
        check_filters(self.store)

    def _finish(self, session_id: int, worker: Worker) -> None:
        """As a person would: start it, update it, and start it again where that found work."""
        for _ in range(2):
            self._start(session_id)
            SessionRun(session_id, worker).run()  # type: ignore[arg-type]
            _move(session_id, SessionStatus.PAUSED)  # it waits, as none of its pictures is there
            if session_of(session_id).status in AT_REST:
                _walk(SessionWalk(session_id, UPDATED))
        self._start(session_id)
        SessionRun(session_id, worker).run()  # type: ignore[arg-type]

    # --- small things ---------------------------------------------------------------------------

    def files(self) -> list[Path]:
        return [path for name in NAMES if (path := self.root / name).exists()]

    def among(self, *statuses: str) -> list[int]:
        """The sessions in one of these."""
        return [number for number, status in self.status_of.items() if status in statuses]

    def one(self, pick: int, *statuses: str) -> int:
        return pick_of(pick, self.among(*statuses))

    def idle(self) -> list[Worker]:
        return [worker for worker in self.workers if worker.run is None]

    def busy(self) -> list[Worker]:
        return [worker for worker in self.workers if worker.run is not None]

    def _die(self, worker: Worker) -> str:
        """Another process takes its place; the name of the dead one."""
        self.orphans |= worker.holds()
        worker.die()
        self.workers[self.workers.index(worker)] = self._new_worker()
        return worker.name

    def _start(self, session_id: int) -> None:
        if session_of(session_id).discovered_at is None:
            _walk(SessionWalk(session_id, STARTED))
            return

        def run(conn: Connection) -> None:
            if not sessions.move_session(conn, session_id, SessionStatus.RUNNING):
                sessions.start_clock(conn, session_id)

        in_transaction(run)


def pick_of(pick: int, some: Sequence[T]) -> T:
    return some[pick % len(some)]


def _move(session_id: int, target: SessionStatus) -> bool:
    return in_transaction(partial(sessions.move_session, session_id=session_id, target=target))


def _walk(walk: SessionWalk, parts: int = MANY, broken_off: bool = False) -> None:
    looked = 0
    steps = walk.steps(stop=lambda: looked >= parts and not broken_off)
    with closing(steps), suppress(AppError):  # there is no picture, or no folder
        for looked, _ in enumerate(steps, 1):
            if broken_off and looked >= parts:
                break


def _begin_with_an_empty_ledger() -> None:
    get_sync_engine().dispose()  # and kept, with the statements that it has compiled
    ledger = get_settings().ledger_file
    for ending in ("", "-wal", "-shm"):
        ledger.with_name(ledger.name + ending).unlink(missing_ok=True)
    fresh_ledger()


@pytest.mark.early
def test_the_ledger_is_true_after_any_sequence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    for size in ("FIRST_CHUNK", "CHUNK"):
        monkeypatch.setattr(file_walk, size, 2)
    monkeypatch.setattr(context(), "_decoders", DecodersHere())
    run_state_machine_as_test(
        partial(AnySequence, tmp_path / "library", monkeypatch),
        settings=settings(
            stateful_step_count=30,
            suppress_health_check=list(HealthCheck),
        ),
    )
