"""What people do with sessions: create, start, pause, resume, cancel, retry, watch.

Database work that writes runs in a thread on the sync engine, through the same guarded moves that
the worker uses; the caller's async session is only read from and brought up to date.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Sequence
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.api import exclude_patterns
from app.api.error_kinds import ErrorKind
from app.api.training_schemas import (
    SessionConfig,
    StartResponse,
    TrainingProgress,
    TrainingSessionCreate,
)
from app.config import get_settings
from app.db import jobs, sessions
from app.db.engine import in_transaction
from app.db.models import JobStatus, SessionStatus, TrainingJob, TrainingSession
from app.db.progress import session_progress
from app.db.sessions import find_session
from app.db.types import normal_path, path_to_text
from app.embedding.catalogue import check_model
from app.errors import AppError, first_refused
from app.logs import log_unforeseen
from app.printable import printable
from app.queue.enqueue import enqueue_session
from app.scan.discovery import take_steps
from app.scan.file_walk import check_folder, is_below
from app.scan.session_walk import STARTED, SessionWalk

_log = logging.getLogger(__name__)


class TrainingService:
    """Every action on sessions; stateless, one for the whole process is enough."""

    async def create_session(
        self, db: AsyncSession, data: TrainingSessionCreate
    ) -> TrainingSession:
        """Create a pending session.

        What the configuration leaves open of exclusions and updates is as the settings have it.

        Raises:
            AppError: the root or a subfolder cannot be read, a subfolder lies outside the root,
                or there is no such model.
        """
        root = normal_path(data.rootPath)
        folders = [normal_path(folder) for folder in data.subdirectories]
        await asyncio.to_thread(_check_folders, root, folders)
        if data.config.recursive:
            folders = _without_nested(folders)
        config = data.config.model_copy(update=_not_chosen(data.config))
        exclude = exclude_patterns.from_root(config.exclude, root)  # the root may move
        session = TrainingSession(
            name=printable(data.name.strip() or os.path.basename(root) or root),
            root_path=root,
            subdirectories=[path_to_text(folder) for folder in dict.fromkeys(folders)],
            config=config.model_dump() | {"exclude": exclude},
            model=await asyncio.to_thread(check_model, data.model or get_settings().model),
            status=SessionStatus.PENDING.value,
        )
        db.add(session)
        await db.commit()
        return session

    async def list_sessions(self, db: AsyncSession) -> list[TrainingProgress]:
        """Every session, the newest first."""
        await db.commit()  # what was read before is out of date
        rows = await db.execute(
            select(TrainingSession)
            .order_by(TrainingSession.id.desc())
            .execution_options(populate_existing=True)
        )
        listed = []
        for session in rows.scalars().all():
            listed.append(await db.run_sync(session_progress, session))
            await asyncio.sleep(0)  # with a thousand sessions, others take their turn
        return listed

    async def enqueue_training(self, db: AsyncSession, session_id: int) -> str:
        """Find the session's pictures, set it running and call the worker.

        The session runs as soon as the first pictures are in the ledger; this returns when all
        folders are walked. Asking again for a running session changes nothing.

        Returns:
            the id of the queue job.

        Raises:
            AppError: the session cannot run any more, its folder cannot be read or holds no
                pictures, or the queue does not answer.
        """
        await db.commit()
        session = await find_session(db, session_id)
        _refuse_cancelled(session)
        await db.commit()  # no read stays open during the walk
        if session.discovered_at is None:
            job_id = await self._start_while_walking(session)
        else:
            job_id = await asyncio.to_thread(_run, session_id)
        await db.refresh(session)
        return job_id

    async def _start_while_walking(self, session: TrainingSession) -> str:
        """Run from the first chunk on; a pause or cancel that comes meanwhile is respected."""
        await take_steps(SessionWalk(session.id, STARTED))
        # The worker may have found nothing left to do just before the walk ended.
        return await asyncio.to_thread(enqueue_session, session.id) or ""

    async def start(self, db: AsyncSession, session_id: int) -> StartResponse:
        """Start or resume a session; the answer is that of ``docs/training-system.md``."""
        job_id = await self.enqueue_training(db, session_id)
        session = await find_session(db, session_id)
        return StartResponse(
            sessionId=session_id,
            rqJobId=job_id,
            status=session.status,
            message="Training started successfully",
        )

    async def pause(self, db: AsyncSession, session_id: int) -> None:
        """Stop after the current batch; it can be resumed later."""
        await self._move(db, session_id, SessionStatus.PAUSED)

    async def cancel(self, db: AsyncSession, session_id: int) -> None:
        """Stop after the current batch, for good; what was indexed is kept."""
        await self._move(db, session_id, SessionStatus.CANCELLED)
        await _write(jobs.cancel_pending, session_id)

    async def _move(self, db: AsyncSession, session_id: int, target: SessionStatus) -> None:
        await db.commit()
        session = await find_session(db, session_id)
        moved = await _write(sessions.move_session, session_id, target)
        await db.refresh(session)
        if not moved and session.status != target:
            raise AppError(f"This session is {session.status}; it cannot become {target.value}.")

    async def retry_failed(
        self,
        db: AsyncSession,
        session_id: int,
        *,
        asset_ids: Sequence[int] | None = None,
        error_kind: ErrorKind | str | None = None,
        batch_size: int | None = None,
        device: str | None = None,
    ) -> int:
        """Give failed pictures another try.

        Args:
            asset_ids: only these; None: all.
            error_kind: only those that failed for this reason.
            batch_size: from now on, for this session.
            device: from now on, for this session; ``cpu`` avoids a lack of GPU memory.

        Returns:
            how many pictures are tried again.
        """
        await db.commit()
        session = await find_session(db, session_id)
        _refuse_cancelled(session)
        failed = select(TrainingJob.asset_id).where(
            TrainingJob.session_id == session_id, TrainingJob.status == JobStatus.FAILED
        )
        if error_kind is not None:
            failed = failed.where(TrainingJob.error_kind == str(error_kind))
        chosen = list((await db.execute(failed)).scalars())
        if asset_ids is not None:
            chosen = list(set(chosen) & set(asset_ids))
        if not chosen:
            return 0
        if batch_size is not None or device is not None:
            session.config = _changed(session.config, batch_size=batch_size, device=device)
            await db.commit()
        retried = await self.create_training_jobs(db, session_id, chosen)
        await self.enqueue_training(db, session_id)
        return retried

    async def get_pending_assets(self, db: AsyncSession, session_id: int) -> list[int]:
        """Ids of the assets that still have no vector: the pending and the failed ones."""
        rows = await db.execute(
            select(TrainingJob.asset_id)
            .where(
                TrainingJob.session_id == session_id,
                TrainingJob.status.in_([JobStatus.PENDING, JobStatus.FAILED]),
            )
            .order_by(TrainingJob.asset_id)
        )
        return list(rows.scalars())

    async def create_training_jobs(
        self, db: AsyncSession, session_id: int, asset_ids: Sequence[int]
    ) -> int:
        """Make these assets pending: new ones get a job, failed ones another try.

        Returns:
            how many jobs became pending.
        """
        await db.commit()
        created: int = await _write(jobs.create_jobs, session_id, asset_ids)
        return created

    async def get_session_progress(self, db: AsyncSession, session_id: int) -> TrainingProgress:
        """How far a session is; cheap enough to ask twice a second."""
        await db.commit()  # ends the last read, so that this one sees what is new
        session = await find_session(db, session_id)
        return await db.run_sync(session_progress, session)

    async def resume_interrupted(self, db: AsyncSession) -> list[int]:
        """Go on with running sessions whose walk or doorbell was lost; their ids.

        One that cannot go on now, because its folder is away, keeps no other from doing so: it
        stays as it is and says why in ``waiting_for``.
        """
        await db.commit()
        rows = await db.execute(
            select(TrainingSession.id).where(TrainingSession.status == SessionStatus.RUNNING)
        )
        resumed = []
        for session_id in list(rows.scalars()):
            reason: AppError | None = None
            try:
                await self.enqueue_training(db, session_id)
                resumed.append(session_id)
            except AppError as error:
                _log.warning("session %d waits: %s", session_id, error, exc_info=error.__cause__)
                reason = error
            except Exception as error:  # noqa: BLE001 — the other sessions go on whatever it was
                reason = log_unforeseen(error)
            await _write(
                sessions.note_waiting, session_id, str(reason) if reason is not None else None
            )
        return resumed


def _not_chosen(config: SessionConfig) -> dict[str, Any]:
    """What the settings have for new sessions, where nobody chose otherwise."""
    settings, found = get_settings(), dict[str, Any]()
    if "update_every_hours" not in config.model_fields_set:
        found["update_every_hours"] = settings.update_every_hours
    if "exclude" not in config.model_fields_set:
        try:
            found["exclude"] = exclude_patterns.clean(settings.exclude.split(","))
        except ValueError as error:
            message = f"“Exclude” in the settings {error}."
            raise AppError(message, "Change it, or name what to exclude.") from error
    return found


def _refuse_cancelled(session: TrainingSession) -> None:
    if session.status == SessionStatus.CANCELLED:
        raise AppError("This session was cancelled.", "Create a new one; what was indexed is kept.")


def _set_running(session_id: int) -> None:
    def work(conn: Connection) -> None:
        if not sessions.move_session(conn, session_id, SessionStatus.RUNNING):
            sessions.start_clock(conn, session_id)

    in_transaction(work)


def _run(session_id: int) -> str:
    """Set a session running where that is allowed, then call the worker."""
    _set_running(session_id)
    return enqueue_session(session_id) or ""


async def _write(function: Callable[..., Any], *arguments: Any) -> Any:
    return await asyncio.to_thread(in_transaction, lambda conn: function(conn, *arguments))


def _check_folders(root: str, folders: Sequence[str]) -> None:
    check_folder(root)
    for folder in folders:
        if folder != root and not is_below(folder, root):
            raise AppError(
                f"The folder {printable(folder)} is not inside {printable(root)}.",
                "Choose subfolders of the root folder.",
            )
        check_folder(folder)


def _without_nested(folders: Sequence[str]) -> list[str]:
    """Leave out folders that lie in another one of the list: they are walked with it."""
    kept: list[str] = []
    for folder in sorted(set(folders), key=lambda path: path.split(os.sep)):
        if not kept or not (folder + os.sep).startswith(kept[-1].rstrip(os.sep) + os.sep):
            kept.append(folder)
    return kept


def _changed(config: dict[str, Any], **changes: Any) -> dict[str, Any]:
    wanted = config | {name: value for name, value in changes.items() if value is not None}
    try:
        return SessionConfig.model_validate(wanted).model_dump()
    except ValidationError as error:
        name, message = first_refused(error)
        raise AppError(f"{name} {message}.") from error
