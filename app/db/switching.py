"""A session changes to another model, or its model to other weights: all is indexed again.

The vectors of before stay as they are; after a change of model, searches go on with them meanwhile.
"""

from __future__ import annotations

from sqlalchemy import Connection, select, update

from app.db.models import JobStatus, SessionStatus, TrainingJob, TrainingSession
from app.db.sessions import count, move_session, reopen_session
from app.errors import AppError


def switch_model(conn: Connection, session_id: int, spec: str) -> bool:
    """Give a session that stands still another model, and set it running if it ever ran.

    Args:
        spec: what the model is loaded by, as ``check_model`` returns it.

    Returns:
        whether anything changed; False where the session has that model already.

    Raises:
        AppError: there is no such session, it is cancelled, or pictures of it are in work.
    """
    # Held until the end of the transaction: no worker claims a job of this session meanwhile.
    session = conn.execute(
        select(TrainingSession.name, TrainingSession.status, TrainingSession.model)
        .where(TrainingSession.id == session_id)
        .with_for_update()
    ).one_or_none()
    if session is None:
        raise AppError(f"There is no session {session_id}.")
    if session.model == spec:
        return False
    if session.status == SessionStatus.CANCELLED:
        raise AppError(
            f"The session “{session.name}” was cancelled, so its model cannot be changed.",
            "Create a new session for its folder.",
        )
    if session.status == SessionStatus.RUNNING or _in_work(conn, session_id):
        raise AppError(
            f"The session “{session.name}” is being indexed.",
            "Pause it, wait until its current pictures are done, and try again.",
        )
    conn.execute(
        update(TrainingSession)
        .where(TrainingSession.id == session_id, TrainingSession.status == session.status)
        .values(model=spec, model_id=None)
    )
    _reopen(conn, session_id)
    if session.status != SessionStatus.PENDING:
        move_session(conn, session_id, SessionStatus.RUNNING)
    return True


def adopt_weights(conn: Connection, spec: str, model_id: int, *, only_newer: bool) -> int:
    """Have every session of a model indexed with the weights that its name stands for now.

    What was complete goes on; what a person paused or cancelled stays so.

    Args:
        spec: what the model is loaded by.
        model_id: of the weights that were just loaded.
        only_newer: refuse weights that came into the ledger before those of a session.

    Returns:
        how many sessions change.

    Raises:
        AppError: ``only_newer``, and the weights are older.
    """
    others = conn.execute(
        select(TrainingSession.id, TrainingSession.model_id)
        .where(
            TrainingSession.model == spec,
            TrainingSession.model_id.is_not(None),
            TrainingSession.model_id != model_id,
            TrainingSession.status != SessionStatus.CANCELLED,
        )
        .order_by(TrainingSession.id)
        .with_for_update()
    ).all()
    if only_newer and any(session.model_id > model_id for session in others):
        raise AppError(
            f"Another computer indexes with newer weights of “{spec}”.",
            "Install the same weights, or the same version of Afterimage, on this computer.",
        )
    for session in others:
        conn.execute(
            update(TrainingSession)
            .where(TrainingSession.id == session.id)
            .values(model_id=model_id)
        )
        _reopen(conn, session.id)
        reopen_session(conn, session.id)
    return len(others)


def _in_work(conn: Connection, session_id: int) -> bool:
    held = select(TrainingJob.id).where(
        TrainingJob.session_id == session_id, TrainingJob.status == JobStatus.RUNNING
    )
    return conn.execute(held.limit(1)).first() is not None


def _reopen(conn: Connection, session_id: int) -> None:
    for reused in (False, True):
        number = conn.execute(
            update(TrainingJob)
            .where(
                TrainingJob.session_id == session_id,
                TrainingJob.status == JobStatus.COMPLETED,
                TrainingJob.reused.is_(reused),
            )
            .values(status=JobStatus.PENDING.value, reused=False, crashes=0, finished_at=None)
        ).rowcount
        count(
            conn,
            session_id,
            completed_images=-number,
            reused_images=-number if reused else 0,
        )
