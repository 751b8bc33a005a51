"""One worker's share of a session: claim, decode ahead, embed, store, settle, to the end."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain
from typing import Any

from rq.timeouts import JobTimeoutException
from sqlalchemy import Connection, bindparam, func, select, update

from app.api.training_schemas import SessionConfig
from app.db import jobs, sessions
from app.db.clock import ledger_now
from app.db.engine import get_sync_engine, get_sync_session, in_transaction, write_transaction
from app.db.errors import DATABASE_ERRORS, ledger_error
from app.db.jobs import Claim
from app.db.models import JobStatus, SessionStatus, TrainingJob, TrainingSession
from app.db.progress import ProgressTracker
from app.db.settle import settle, settle_unchanged
from app.db.statuses import SessionErrorKind
from app.db.types import utc_now
from app.embedding.catalogue import ModelError
from app.errors import AppError, first_line
from app.pictures.fork_server import Stopped
from app.worker.context import IDLE, WorkerContext, register_model
from app.worker.indexing.picture import Batch, Picture
from app.worker.indexing.reachability import Places
from app.worker.indexing.stages import Stages
from app.worker.maintenance.payloads import refresh_payloads
from app.worker.maintenance.updates import forget_moved

log = logging.getLogger(__name__)

FIRST_BATCH = 4
"""Pictures of a run's first batch; each next one has twice as many, up to the session's own number,
so that the first pictures are found at once."""
LOOK_AHEAD = 2
"""Batches, at least, that are decoded while another one is in the model."""
WALK_SILENT_AFTER_S = 30
WAIT_FOR_WALK_S = 0.2
TIDY_AGAIN_S = 1.0
UNCHANGED_AT_ONCE = 5_000
_NEXT_JOBS = select(
    func.max(
        select(TrainingJob.id)
        .where(TrainingJob.session_id == bindparam("session"), TrainingJob.id > bindparam("after"))
        .order_by(TrainingJob.id)
        .limit(UNCHANGED_AT_ONCE)
        .subquery()
        .c.id
    )
)


class SessionRun:
    """Works on one session until it is done, paused, cancelled, or the time is up.

    Args:
        seconds: after this time no more is claimed; the caller enqueues a successor.
    """

    def __init__(self, session_id: int, worker: WorkerContext, seconds: float = 3600) -> None:
        self.session_id = session_id
        self.worker = worker
        self.out_of_time = False
        self._deadline = time.monotonic() + seconds
        self._batch_size = FIRST_BATCH
        self._checked_up_to = 0
        self._waits = False
        self._counts = {"processed": 0, "failed": 0, "reused": 0, "batches": 0}

    # --- the three ways in ----------------------------------------------------------------------

    def run(self) -> dict[str, int]:
        """Work through the session; what was done, as counts.

        What stops it and passes is waited for: the session stays as it is, says why, and is tried
        again, at once where something was done since the last time, else by ``reconcile``.
        """
        before: dict[str, int] | None = None
        while (problem := self._try()) is not None and before != self._counts:
            before = dict(self._counts)
        if problem is not None:
            self._note_waiting(str(problem))
        return self._counts

    def _try(self) -> AppError | None:
        """Work to the end, or until something stops it: that, where it passes."""
        self.worker.state = f"session {self.session_id}"
        try:
            session = self._session()
            if session is None or session.status != SessionStatus.RUNNING:
                return None
            self._waits = session.waiting_for is not None
            self._open(session)
            with self._stages.threads() as self._decoders:
                self._work()
            forget_moved()
            refresh_payloads()
            self.worker.store.flush()
            if in_transaction(self._finish):
                log.info("session %d is complete", self.session_id)
        except JobTimeoutException:  # a batch took longer than what was left of the time
            self.out_of_time = True
        except Stopped:  # pictures were being decoded; whoever claims them next begins anew
            log.info("session %d is left as it is", self.session_id)
        except Exception as error:
            reason = _plain(error)
            if reason.transient:
                log.warning("session %d waits: %s", self.session_id, reason, exc_info=error)
                return reason
            self._give_up(error, reason)
        finally:
            self._tidy()
        return None

    def _finish(self, conn: Connection) -> bool:
        sessions.note_waiting(conn, self.session_id, None)
        return sessions.finish_session(conn, self.session_id)

    def run_batch(self, asset_ids: Sequence[int]) -> dict[str, int]:
        """Work on these assets only, as one batch."""
        session = self._session()
        if session is None or session.status != SessionStatus.RUNNING:
            return self._counts
        self.worker.state = f"session {self.session_id}"
        try:
            self._open(session)
            with self._stages.threads() as self._decoders:
                self._finish_batch(self._claim(len(asset_ids), asset_ids=asset_ids))
        except Stopped:
            log.info("session %d is left as it is", self.session_id)
        finally:
            self._tidy()
        return self._counts

    # --- set up ---------------------------------------------------------------------------------

    def _session(self) -> TrainingSession | None:
        with get_sync_session() as db:
            return db.get(TrainingSession, self.session_id)

    def _open(self, session: TrainingSession) -> None:
        """Load the model, make its collection, and note on the session what is used."""
        self._places = Places(session)
        self._places.require()
        self._config = SessionConfig.model_validate(session.config)
        encoder = self.worker.encoder(session.model, self._config.device)
        store = self.worker.store
        store.ensure_collection(encoder.collection, encoder.dimension)
        self._stages = Stages(encoder, store, register_model(encoder, session.model))
        self._model = session.model
        with write_transaction() as conn:
            conn.execute(
                update(TrainingSession)
                .where(TrainingSession.id == self.session_id, TrainingSession.model == self._model)
                .values(
                    model_id=self._stages.model_id,
                    device=encoder.device_label,
                    precision=encoder.precision,
                    last_progress_at=utc_now(),
                )
            )

    # --- the loop -------------------------------------------------------------------------------

    def _work(self) -> None:
        ahead: deque[Batch] = deque()
        with ThreadPoolExecutor(1, thread_name_prefix="store") as writer:
            stored: Future[None] | None = None
            try:
                while self._may_go_on():
                    self._fill(ahead)
                    if ahead:
                        batches = self._next_batches(ahead)
                        for batch, embedded in zip(batches, self._embed(batches), strict=True):
                            if stored is not None:
                                stored.result()
                            stored = writer.submit(self._store, batch.claim, *embedded)
                        continue
                    if stored is not None:
                        stored.result()
                        stored = None
                    if not self._one_poison() and not self._wait_for_walk():
                        break
                if stored is not None:
                    stored.result()
            finally:
                for batch in ahead:
                    self._release(batch)

    def _fill(self, ahead: deque[Batch]) -> None:
        pictures = sum(len(batch.pictures) for batch in ahead)
        while len(ahead) < 1 + LOOK_AHEAD or pictures < self._stages.in_flight:
            batch = self._claim(min(self._batch_size, self._config.batch_size))
            if not batch.claim.jobs:
                return
            self._batch_size *= 2
            ahead.append(batch)
            pictures += len(batch.pictures)

    def _next_batches(self, ahead: deque[Batch]) -> list[Batch]:
        """The oldest; with it those that are ready, as many as the model takes together."""
        batches = [ahead.popleft()]
        pictures = len(batches[0].pictures)
        while ahead and ahead[0].is_ready():
            pictures += len(ahead[0].pictures)
            if pictures > self._stages.encoder.together:
                break
            batches.append(ahead.popleft())
        return batches

    def _claim(self, limit: int, **which: Any) -> Batch:
        """Claim a batch and begin to decode it; what is unchanged on disk is settled before."""
        up_to = self._settle_unchanged()
        with write_transaction() as conn:
            if not self._same_model(conn):
                return Batch(Claim(self.session_id, "", ()), [])
            claim = jobs.claim(conn, self.session_id, self.worker.name, limit, up_to, **which)
        return Batch(claim, [self._decoders.submit(self._stages.read, job) for job in claim.jobs])

    def _settle_unchanged(self) -> int:
        """Complete what needs no work among the jobs that are new; the newest job's id."""
        while (up_to := self._next_unchecked()) is not None:
            with write_transaction() as conn:
                if not self._same_model(conn):
                    break
                settled = settle_unchanged(
                    conn, self.session_id, self._stages.model_id, self._checked_up_to, up_to
                )
            self._counts["processed"] += settled
            self._counts["reused"] += settled
            self._checked_up_to = up_to
        return self._checked_up_to

    def _next_unchecked(self) -> int | None:
        """The id up to which to check next; None where no job is new."""
        with get_sync_engine().connect() as conn:
            found = {"session": self.session_id, "after": self._checked_up_to}
            newest: int | None = conn.scalar(_NEXT_JOBS, found)
        return newest

    def _same_model(self, conn: Connection) -> bool:
        """Whether the session still has the model of this run; if not, the run hands over."""
        same = sessions.has_model(conn, self.session_id, self._model, self._stages.model_id)
        self.out_of_time = self.out_of_time or not same
        return same

    def _one_poison(self) -> bool:
        """Try one picture that was there when a worker died, with nothing else at risk."""
        batch = self._claim(1, poison=True)
        self._finish_batch(batch)
        return bool(batch.claim.jobs)

    def _finish_batch(self, batch: Batch) -> None:
        self._store(batch.claim, *self._embed([batch])[0])

    def _may_go_on(self) -> bool:
        if self._waits and self._counts["batches"]:
            self._note_waiting(None)
        self.out_of_time = self.out_of_time or time.monotonic() > self._deadline
        if self.out_of_time or self.worker.stop.is_set():
            return False
        with get_sync_session() as db:
            return not ProgressTracker(self.session_id).should_stop(db)

    def _wait_for_walk(self) -> bool:
        """True while more pictures may still come from a walk that is alive."""
        session = self._session()
        if session is None:
            return False
        if session.discovered_at is not None or session.discovery_beat_at is None:
            # the walk may have ended between the last claim and this look
            return session.total_images > 0 and self._unclaimed()
        with get_sync_engine().connect() as conn:
            silent_for = ledger_now(conn) - session.discovery_beat_at
        if silent_for.total_seconds() > WALK_SILENT_AFTER_S:
            return False
        self.worker.stop.wait(WAIT_FOR_WALK_S)
        return True

    def _unclaimed(self) -> bool:
        of_session = TrainingJob.session_id == self.session_id
        pending = select(TrainingJob.id).where(of_session, TrainingJob.status == JobStatus.PENDING)
        with get_sync_session() as db:
            return db.scalar(pending.limit(1)) is not None

    # --- the stages -----------------------------------------------------------------------------

    def _embed(self, batches: Sequence[Batch]) -> list[tuple[list[Picture], float, dict[str, str]]]:
        """For each batch its pictures, how long the model took for them, in milliseconds, and what
        its evidence rows share."""
        read = [[future.result() for future in batch.pictures] for batch in batches]
        pictures = [self._places.judged(some, self._stages.read) for some in read]
        together = list(chain.from_iterable(pictures))
        each_ms = self._stages.embed(together) / max(len(together), 1)
        evidence = self._stages.evidence()  # now: the next batch may have another precision
        for some in pictures:
            self._places.excused(some)  # some were read once more: a vector to reuse was gone
        return [(some, each_ms * len(some), evidence) for some in pictures]

    def _store(
        self, claim: Claim, pictures: list[Picture], embed_ms: float, evidence: dict[str, str]
    ) -> None:
        """Vectors first, the ledger once they are safe: a kill in between costs a repeat."""
        if not claim.jobs:
            return
        begin = time.perf_counter()
        fence = self._stages.begin_store(claim, pictures)
        self._stages.put(pictures)
        with write_transaction() as conn:
            settled = settle(
                conn,
                claim,
                [picture.outcome for picture in pictures],
                model_id=self._stages.model_id,
                fence=fence,
                evidence=evidence,
                stage_ms=self._stages.stage_ms(
                    pictures, embed_ms, (time.perf_counter() - begin) * 1000
                ),
            )
        if refused := [p for p in pictures if p.job.job_id not in settled]:
            self._stages.take_back(refused)
        outcomes = [p.outcome for p in pictures if p.job.job_id in settled]
        self._counts["processed"] += len(outcomes)
        self._counts["failed"] += sum(o.error_kind is not None for o in outcomes)
        self._counts["reused"] += sum(o.reused for o in outcomes)
        self._counts["batches"] += 1

    def _release(self, batch: Batch) -> None:
        for future in batch.pictures:
            future.cancel()
        with write_transaction() as conn:
            jobs.release(conn, batch.claim)

    # --- the end --------------------------------------------------------------------------------

    def _note_waiting(self, sentence: str | None) -> None:
        """Note why the session stands still; not where the ledger itself is why."""
        self._waits = sentence is not None
        try:
            with write_transaction() as conn:
                sessions.note_waiting(conn, self.session_id, sentence)
        except DATABASE_ERRORS as error:
            log.warning("the reason cannot be recorded: %s", first_line(error))

    def _give_up(self, error: Exception, reason: AppError) -> None:
        """The session cannot go on: say why on it; what is done is kept."""
        log.error("session %d stops", self.session_id, exc_info=error)
        kind = SessionErrorKind.MODEL if isinstance(reason, ModelError) else None
        with write_transaction() as conn:
            sessions.fail_session(conn, self.session_id, str(reason), kind)

    def _tidy(self) -> None:
        """Hold nothing any more, however long the ledger is away: nobody else would notice."""
        try:
            while not self._has_let_go():
                if self.worker.stop.wait(TIDY_AGAIN_S):
                    return  # the next worker takes back what this one held
        finally:
            self.worker.state = IDLE

    def _has_let_go(self) -> bool:
        try:
            in_transaction(self._let_go)
        except JobTimeoutException:
            self.out_of_time = True
            return False
        except DATABASE_ERRORS as error:
            if not _plain(error).transient:
                raise
            log.warning("the ledger does not answer: %s", first_line(error))
            return False
        return True

    def _let_go(self, conn: Connection) -> None:
        """Hand back everything; a pause or cancel that somebody wrote also stops the clock."""
        jobs.release_all(conn, self.session_id, self.worker.name)
        status = conn.scalar(
            select(TrainingSession.status).where(TrainingSession.id == self.session_id)
        )
        if status is not None and status != SessionStatus.RUNNING:
            sessions.stop_clock(conn, self.session_id)
        if status == SessionStatus.CANCELLED:
            jobs.cancel_pending(conn, self.session_id)


def _plain(error: Exception) -> AppError:
    """The sentence for whatever stops a session."""
    if isinstance(error, AppError):
        return error
    return ledger_error(error) or AppError(
        f"Something unexpected happened: {first_line(error)}.", "See the log."
    )
