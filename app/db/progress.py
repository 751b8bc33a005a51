"""How far a session is, from its row and its newest evidence: the same cost at any size."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.api.training_schemas import JobsSummary, Progress, StageTimes, TrainingProgress
from app.api.update_schemas import UpdateSummary
from app.db.models import SessionStatus, TrainingEvidence, TrainingSession
from app.db.types import utc_now

RATE_WINDOW = timedelta(seconds=60)
RATE_SAMPLES = 600
"""Evidence rows looked at; at a higher rate the window is simply shorter."""
STALLED_AFTER = timedelta(seconds=45)
ESTIMATE_AFTER_S = 3.0
"""A rate over less time than this says too little to promise a time left."""


def session_progress(db: Session, session: TrainingSession) -> TrainingProgress:
    """One poll of a session that was just read."""
    now = utc_now()
    done = session.completed_images + session.failed_images + session.cancelled_images
    left = session.total_images - done
    discovering = session.discovered_at is None and session.status == SessionStatus.RUNNING
    running = session.status == SessionStatus.RUNNING
    per_second = _rolling_rate(db, session, now) if running else _average_rate(session)
    eta = round(left / per_second) if running and left and per_second and not discovering else None
    progress = Progress(
        current=done,
        total=session.total_images,
        percentage=_percentage(done, session.total_images, discovering),
        etaSeconds=eta,
        imagesPerMinute=round(per_second * 60, 1) if per_second else None,
    )
    return TrainingProgress(
        sessionId=session.id,
        name=session.name,
        status=session.status,
        progress=progress,
        jobsSummary=JobsSummary(
            pending=left - session.running_images,
            running=session.running_images,
            completed=session.completed_images,
            failed=session.failed_images,
            cancelled=session.cancelled_images,
            reused=session.reused_images,
        ),
        stageTimes=StageTimes(
            readMs=session.read_ms,
            decodeMs=session.decode_ms,
            embedMs=session.embed_ms,
            storeMs=session.store_ms,
        ),
        discovering=discovering,
        stalled=running
        and session.waiting_for is None
        and _since(session.last_progress_at, now) > STALLED_AFTER,
        waitingFor=session.waiting_for if running else None,
        model=session.model,
        device=session.device,
        precision=session.precision,
        errorMessage=session.error_message,
        errorKind=session.error_kind,
        skipped=session.skipped,
        totalBytes=session.total_bytes,
        activeSeconds=session.active_ms / 1000 + _since(session.running_since, now).total_seconds(),
        rootPath=session.root_path,
        createdAt=session.created_at,
        startedAt=session.started_at,
        finishedAt=session.finished_at,
        lastUpdate=_last_update(session),
    )


def _last_update(session: TrainingSession) -> UpdateSummary | None:
    summary = session.last_update and UpdateSummary.model_validate(session.last_update)
    return summary if summary and summary.at else None


def _since(moment: datetime | None, now: datetime) -> timedelta:
    return timedelta(0) if moment is None else max(now - moment, timedelta(0))


def _percentage(done: int, total: int, discovering: bool) -> float:
    """Rounded down, so that 100 is only shown when all is done."""
    if not total or (discovering and done == total):
        return 0.0
    return (done * 1000 // total) / 10


def _rolling_rate(db: Session, session: TrainingSession, now: datetime) -> float | None:
    """Pictures per second over the last minute, or since the start where that is later."""
    since = max(now - RATE_WINDOW, session.running_since or session.created_at)
    moments = db.scalars(
        select(TrainingEvidence.created_at)
        .where(TrainingEvidence.session_id == session.id, TrainingEvidence.created_at >= since)
        .order_by(TrainingEvidence.created_at.desc())
        .limit(RATE_SAMPLES)
    ).all()
    if len(moments) == RATE_SAMPLES:
        since = moments[-1]
    seconds = (now - since).total_seconds()
    if not moments or (seconds < ESTIMATE_AFTER_S and len(moments) < RATE_SAMPLES):
        return None
    return len(moments) / max(seconds, 0.001)


def _average_rate(session: TrainingSession) -> float | None:
    """Over the whole session, once it stands still."""
    worked = session.completed_images + session.failed_images - session.reused_images
    return worked * 1000 / session.active_ms if worked and session.active_ms else None


class ProgressTracker:
    """A session's progress for code in a worker; see ``docs/training-system.md``."""

    def __init__(self, session_id: int) -> None:
        self.session_id = session_id

    def update_progress(self, db: Session, processed: int, failed: int) -> None:
        """Set the counters to absolute values; settling a batch does this by itself.

        Args:
            processed: pictures done, failed ones included.
            failed: pictures that failed.
        """
        db.execute(
            update(TrainingSession)
            .where(TrainingSession.id == self.session_id)
            .values(completed_images=processed - failed, failed_images=failed)
        )
        db.commit()

    def should_stop(self, db: Session) -> bool:
        """The session was paused or cancelled, or is not running for another reason."""
        status = db.scalar(
            select(TrainingSession.status).where(TrainingSession.id == self.session_id)
        )
        db.rollback()  # no transaction stays open between batches
        return status != SessionStatus.RUNNING

    def get_current_progress(self, db: Session) -> dict[str, Any]:
        """``percentage``, ``current``, ``total``, ``etaSeconds``, ``imagesPerMinute``, ``status``.

        Raises:
            LookupError: there is no such session.
        """
        session = db.get(TrainingSession, self.session_id, populate_existing=True)
        if session is None:
            raise LookupError(f"no session {self.session_id}")
        answer = session_progress(db, session)
        db.rollback()
        return answer.progress.model_dump() | {"status": answer.status}

    @staticmethod
    def calculate_rate(start_time: datetime, processed: int) -> float:
        """Pictures per minute since ``start_time``; a time without a zone is local time."""
        minutes = (utc_now() - start_time.astimezone()).total_seconds() / 60
        return round(processed / minutes, 1) if minutes > 0 else 0.0

    @classmethod
    def calculate_eta(cls, start_time: datetime, processed: int, total: int) -> timedelta | None:
        """Time left at the rate since ``start_time``; None while nothing is processed."""
        rate = cls.calculate_rate(start_time, processed)
        left = max(total - processed, 0)
        return timedelta(seconds=round(left / rate * 60)) if rate else None
