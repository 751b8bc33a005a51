"""Jobs on their way out: settled by the worker that holds them, or taken back from a dead one."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, insert, select, update

from app.api.error_kinds import ErrorKind
from app.db.clock import ledger_now
from app.db.jobs import Claim, ClaimedJob, reopen_jobs
from app.db.models import (
    IS_HELD,
    AssetVector,
    ImageAsset,
    JobStatus,
    SessionStatus,
    TrainingEvidence,
    TrainingJob,
    TrainingSession,
)
from app.db.sessions import count, lock_sessions
from app.db.types import utc_now
from app.db.vectors import settle_store

CRASHES_TO_QUARANTINE = 4
"""A first death in company or alone, and three alone that nobody saw; one that was seen is as much
as those three."""


@dataclass(slots=True)
class Outcome:
    """How one attempt ended; without ``error_kind`` the picture has its vector."""

    job: ClaimedJob
    error_kind: ErrorKind | None = None
    error_message: str | None = None
    reused: bool = False
    checksum: str | None = None
    processing_time_ms: int = 0
    note: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    """Columns of ``image_assets`` learnt from the file; with size, mtime_ns, sha256 once read."""


def settle_unchanged(
    conn: Connection, session_id: int, model_id: int, after: int, up_to: int
) -> int:
    """Complete pending jobs whose file still is as it was when its vector was stored.

    Args:
        after: only jobs with a greater id.
        up_to: only jobs with an id up to this one.
    """
    unchanged = (
        select(TrainingJob.id)
        .join(ImageAsset, ImageAsset.id == TrainingJob.asset_id)
        .join(AssetVector, AssetVector.asset_id == TrainingJob.asset_id)
        .where(
            TrainingJob.session_id == session_id,
            TrainingJob.id > after,
            TrainingJob.id <= up_to,
            TrainingJob.status == JobStatus.PENDING,
            AssetVector.model_id == model_id,
            AssetVector.size == ImageAsset.size,
            AssetVector.mtime_ns == ImageAsset.mtime_ns,
        )
    )
    now = utc_now()
    settled = conn.execute(
        update(TrainingJob)
        .where(
            TrainingJob.id.in_(unchanged.scalar_subquery()),
            TrainingJob.status == JobStatus.PENDING,
        )
        .values(status=JobStatus.COMPLETED.value, reused=True, finished_at=now)
    ).rowcount
    if settled:
        count(conn, session_id, completed_images=settled, reused_images=settled)
        fresh = select(TrainingJob.asset_id).where(
            TrainingJob.session_id == session_id,
            TrainingJob.id > after,
            TrainingJob.id <= up_to,
            TrainingJob.finished_at == now,
        )
        conn.execute(  # they belong to one session more, which their payloads do not say yet
            update(AssetVector)
            .where(AssetVector.model_id == model_id, AssetVector.asset_id.in_(fresh))
            .values(payload_stale=True)
        )
    return settled


def settle(
    conn: Connection,
    claim: Claim,
    outcomes: Iterable[Outcome],
    *,
    model_id: int,
    fence: int,
    evidence: dict[str, str],
    stage_ms: dict[str, int] | None = None,
) -> set[int]:
    """Write evidence, statuses, facts and counters of finished attempts, in one transaction.

    Only jobs whose lease is still this claim's are touched: a worker that was presumed dead and
    wakes up settles nothing. Where the session is to be indexed with other weights by now, what
    succeeded waits for those.

    Args:
        fence: number of the store of these pictures, as :func:`app.db.vectors.begin_store` gave it.
        evidence: what all these attempts share: model_name, model_version, weights_digest,
            device, precision.
        stage_ms: time spent by stage, added to the session: read_ms, decode_ms, embed_ms,
            store_ms.

    Returns:
        the ids of the jobs that were settled.
    """
    lock_sessions(conn, [claim.session_id])
    held = select(TrainingJob.id).where(TrainingJob.lease_token == claim.token, IS_HELD)
    mine = set(conn.execute(held.with_for_update()).scalars())
    settled = [outcome for outcome in outcomes if outcome.job.job_id in mine]
    if not settled:
        return set()
    now = utc_now()
    _settle_jobs(conn, settled, now)
    conn.execute(
        insert(TrainingEvidence),
        [_evidence_row(claim.session_id, outcome, evidence, now) for outcome in settled],
    )
    _settle_assets(conn, settled)
    settle_store(
        conn,
        model_id,
        fence,
        [
            {"asset_id": outcome.job.asset_id, "checksum": outcome.checksum, **outcome.facts}
            for outcome in settled
            if outcome.error_kind is None
        ],
    )
    failed = sum(outcome.error_kind is not None for outcome in settled)
    count(
        conn,
        claim.session_id,
        running_images=-len(settled),
        completed_images=len(settled) - failed,
        failed_images=failed,
        reused_images=sum(outcome.reused for outcome in settled),
        **(stage_ms or {}),
    )
    conn.execute(
        update(TrainingSession)
        .where(TrainingSession.id == claim.session_id)
        .values(last_progress_at=now)
    )
    wanted = select(TrainingSession.model_id).where(TrainingSession.id == claim.session_id)
    if conn.scalar(wanted) not in (None, model_id):
        done = [outcome.job.asset_id for outcome in settled if outcome.error_kind is None]
        reopen_jobs(conn, claim.session_id, done)
    return {outcome.job.job_id for outcome in settled}


def _settle_jobs(conn: Connection, outcomes: Sequence[Outcome], now: datetime) -> None:
    conn.execute(
        update(TrainingJob)
        .where(TrainingJob.id == bindparam("job"), TrainingJob.status == JobStatus.RUNNING.value)
        .values(
            status=bindparam("to"),
            reused=bindparam("was_reused"),
            error_kind=bindparam("kind"),
            error_message=bindparam("message"),
            worker=None,
            lease_token=None,
            lease_expires_at=None,
            finished_at=now,
        ),
        [
            {
                "job": outcome.job.job_id,
                "to": JobStatus.FAILED.value if outcome.error_kind else JobStatus.COMPLETED.value,
                "was_reused": outcome.reused,
                "kind": outcome.error_kind and outcome.error_kind.value,
                "message": outcome.error_message,
            }
            for outcome in outcomes
        ],
    )


def _evidence_row(
    session_id: int, outcome: Outcome, shared: dict[str, str], now: datetime
) -> dict[str, Any]:
    return shared | {
        "job_id": outcome.job.job_id,
        "asset_id": outcome.job.asset_id,
        "session_id": session_id,
        "attempt": outcome.job.attempt,
        "processing_time_ms": outcome.processing_time_ms,
        "embedding_checksum": outcome.checksum,
        "note": outcome.note,
        "error_message": outcome.error_message,
        "created_at": now,
    }


def _settle_assets(conn: Connection, outcomes: Sequence[Outcome]) -> None:
    """What was learnt of each file."""
    learnt: dict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
    for outcome in outcomes:
        if outcome.facts:
            learnt[tuple(outcome.facts)].append(outcome.facts | {"asset": outcome.job.asset_id})
    for names, rows in learnt.items():
        conn.execute(
            update(ImageAsset)
            .where(ImageAsset.id == bindparam("asset"))
            .values({name: bindparam(name) for name in names}),
            rows,
        )


def expire_leases(
    conn: Connection,
    *,
    dead_workers: Sequence[str] = (),
    by_time: bool = True,
) -> int:
    """Take back what dead workers held; each such attempt gets its evidence row.

    A job goes back to pending, or to cancelled where its session is. What was there at a death is
    perhaps poison from then on, and tried alone. Only a death while it was alone speaks against it,
    and it takes several, as a worker may be killed from outside at any time. Then it is set aside
    as failed.

    Args:
        dead_workers: workers that are gone.
        by_time: also what is held under a lease that has run out.
    """
    gone: ColumnElement[bool] = TrainingJob.worker.in_(dead_workers)
    if by_time:
        gone |= TrainingJob.lease_expires_at < ledger_now(conn)
    sessions = set(conn.scalars(select(TrainingJob.session_id).where(IS_HELD, gone)))
    if not sessions:
        return 0
    lock_sessions(conn, sessions)
    lost = conn.execute(
        select(TrainingJob, TrainingSession.status.label("session_status"))
        .join(TrainingSession, TrainingSession.id == TrainingJob.session_id)
        .where(IS_HELD, gone, TrainingJob.session_id.in_(sessions))
        .order_by(TrainingJob.id)
        .with_for_update(skip_locked=True, of=TrainingJob)
    ).all()
    held = _numbers_held(conn, {row.worker for row in lost})
    for row in lost:
        crashes = row.crashes + 1 if row.crashes and held[row.worker] == 1 else max(row.crashes, 1)
        _take_back(conn, row, crashes, utc_now())
    return len(lost)


def _numbers_held(conn: Connection, workers: Collection[str]) -> Counter[str | None]:
    """How many jobs each of these workers holds."""
    held = select(TrainingJob.worker).where(IS_HELD, TrainingJob.worker.in_(workers))
    return Counter(conn.scalars(held))


def _take_back(conn: Connection, row: Any, crashes: int, now: datetime) -> None:
    values: dict[str, Any] = {"status": JobStatus.PENDING.value}
    counts = {"running_images": -1}
    if row.session_status == SessionStatus.CANCELLED:
        values = {"status": JobStatus.CANCELLED.value, "finished_at": now}
        counts["cancelled_images"] = 1
    elif crashes >= CRASHES_TO_QUARANTINE:
        values = {
            "status": JobStatus.FAILED.value,
            "error_kind": ErrorKind.WORKER_DIED.value,
            "error_message": "Indexing stopped at this file whenever it was tried alone.",
            "finished_at": now,
        }
        counts["failed_images"] = 1
    conn.execute(
        update(TrainingJob)
        .where(TrainingJob.id == row.id, TrainingJob.status == JobStatus.RUNNING)
        .values(crashes=crashes, worker=None, lease_token=None, lease_expires_at=None, **values)
    )
    job = ClaimedJob(row.id, row.asset_id, row.attempts, "")
    outcome = Outcome(
        job, error_message="The worker process ended while it was processing this batch."
    )
    conn.execute(insert(TrainingEvidence), _evidence_row(row.session_id, outcome, {}, now))
    count(conn, row.session_id, **counts)
