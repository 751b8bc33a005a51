"""From folders to the ledger: the first walk of a session and every update, chunk by chunk.

What the ledger knows of a chunk is fetched with one question, and where nothing changed nothing is
written, so an update costs little more than listing the folders. No picture is opened here.

What a power cut leaves: the first chunk with work sets ``discovered_at`` to None in the commit that
creates its jobs, and the end of the walk sets it again. A session without it is walked again when
it goes on, and what was entered already is found there.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Text,
    and_,
    bindparam,
    case,
    cast,
    func,
    select,
    type_coerce,
    update,
)
from sqlalchemy.sql.functions import aggregate_strings

from app.api.error_kinds import ErrorKind
from app.api.training_schemas import SessionConfig
from app.api.update_schemas import UpdateSummary
from app.db.clock import ledger_now
from app.db.engine import get_sync_engine, write_transaction
from app.db.files import STATE, FoundFile, among_paths, register_files, states_of
from app.db.jobs import chunks, create_jobs_for_new, create_jobs_for_paths, reopen_jobs
from app.db.models import (
    AssetVector,
    ImageAsset,
    JobStatus,
    SessionStatus,
    TrainingJob,
    TrainingSession,
)
from app.db.sessions import count, move_session, start_clock
from app.db.types import text_to_path, utc_now
from app.errors import AppError
from app.queue.enqueue import (
    enqueue_cleanup,
    enqueue_forgetting_of_moved,
    enqueue_session_if_possible,
)
from app.scan.exclusions import EXCLUDED, Exclusions
from app.scan.file_walk import (
    CHUNK,
    WalkReport,
    check_folder,
    in_chunks,
    is_below,
    no_pictures,
    walk,
)
from app.scan.missing_files import MissingFiles, mark_left_out, mark_missing, mark_of

STARTED = frozenset(SessionStatus) - {SessionStatus.CANCELLED}
"""The statuses that a person's start leads out of."""
UPDATED = frozenset({SessionStatus.COMPLETED, SessionStatus.FAILED})
"""The statuses that an update with work leads out of; a pause stays a pause."""
STOPPED = "Stopped before the end; the rest of the folder was not checked."

_COMPLETED, _FAILED = JobStatus.COMPLETED.value, JobStatus.FAILED.value
_CANCELLED = JobStatus.CANCELLED.value
_IS_JOB = and_(
    TrainingJob.asset_id == ImageAsset.id, TrainingJob.session_id == bindparam("session")
)
_IS_VECTOR = and_(AssetVector.asset_id == ImageAsset.id, AssetVector.model_id == bindparam("model"))
_KNOWN = (
    select(
        ImageAsset.id,
        type_coerce(ImageAsset.path, Text),  # as files have it
        ImageAsset.size,
        ImageAsset.mtime_ns,
        ImageAsset.missing_since,
        ImageAsset.excluded,
        TrainingJob.status,
        TrainingJob.error_kind,
        AssetVector.size,
        AssetVector.mtime_ns,
    )
    .outerjoin(TrainingJob, _IS_JOB)
    .outerjoin(AssetVector, _IS_VECTOR)
)
_UNCHANGED = and_(
    ImageAsset.missing_since.is_(None),
    ImageAsset.excluded.is_(False),
    TrainingJob.status == _COMPLETED,
    AssetVector.size == ImageAsset.size,
    AssetVector.mtime_ns == ImageAsset.mtime_ns,
)
"""Of a file in the state that the ledger has: there is nothing to be done."""


@dataclass(slots=True)
class _Work:
    """What a chunk of files asks for."""

    files: list[FoundFile] = field(default_factory=list)
    """Rows of ``image_assets`` to be written."""
    new: list[FoundFile] = field(default_factory=list)
    """Those that the ledger does not have, or that were not looked up."""
    without_job: list[str] = field(default_factory=list)
    reopened: list[int] = field(default_factory=list)
    more_bytes: int = 0

    @property
    def has_jobs(self) -> bool:
        return bool(self.without_job or self.reopened)


class SessionWalk:
    """One look over a session's folders; :meth:`steps` does it.

    Args:
        may_start: the statuses from which the first work sets the session running, and
            wakes a worker.
        extensions: file types without the dot; None takes the session's own.
    """

    def __init__(
        self,
        session_id: int,
        may_start: Collection[str] = (),
        extensions: Sequence[str] | None = None,
    ) -> None:
        self.session_id = session_id
        self.found = 0
        self.summary = UpdateSummary()
        self._may_start = may_start
        self._extensions = extensions
        self._report = WalkReport()
        self._is_walk = True
        self._begun = False
        self._new: Counter[int] = Counter()
        """What is new of an update, by :func:`mark_of` each file."""

    def steps(self, stop: Callable[[], bool] = lambda: False) -> Iterator[int]:
        """Walk, and yield after each part how many pictures were looked at so far.

        Args:
            stop: asked after each part; a walk that is stopped keeps what it found.

        Raises:
            AppError: on a first walk: its folder cannot be read or holds no pictures. An update
                says so in its summary instead.
        """
        session = self._open()
        try:
            check_folder(session.root_path)
        except AppError as error:
            if not self._is_update:
                raise
            self._close(f"{error} Nothing was changed.", whole=False)
            return
        for chunk in in_chunks(self._files()):
            if not self._take(chunk):
                return  # cancelled meanwhile
            self.found += len(chunk)
            yield self.found
            if stop():
                self._close(STOPPED, whole=False)
                return
        if not self.found and not self._is_update:
            raise no_pictures(session.root_path, self._report)
        if self._is_update:
            unreadable = self._report.unreadable
            missing = MissingFiles(self.session_id, self._seen, unreadable, self._is_left_out)
            for _ in missing.look():
                yield self.found
                if stop():
                    self._close(STOPPED, whole=False)
                    return
            nothing_left = not self.summary.new and not self.summary.changed
            message = missing.objection(session.root_path, self.found, nothing_left)
            if not missing.refused:
                if marked := mark_missing(missing.gone):
                    enqueue_cleanup()
                self.summary.moved = min((missing.marks & self._new).total(), marked)
                self.summary.new -= self.summary.moved
                self.summary.missing = marked - self.summary.moved
                self.summary.left_out = mark_left_out(self.session_id, missing.left_out)
            lost = self.summary.missing + self.summary.moved
            self.summary.gone = missing.known_missing + lost
            self._close(message)
            if self.summary.gone:  # the run that indexes what is new looks for them, too
                enqueue_forgetting_of_moved()
        else:
            self._close()

    def enter(self, files: Iterable[FoundFile]) -> None:
        """Instead of a walk: take in these files, so far as they are the session's.

        The session's last update stays as it is, as nobody has looked at the rest of its folders.
        """
        self._is_walk = False
        self._open()
        mine = [file for file in files if self._takes_in(text_to_path(file.path))]
        for chunk in chunks(mine, CHUNK):
            self._take(chunk)

    def _open(self) -> TrainingSession:
        """Read the session, and what an earlier walk over it left unfinished."""
        with get_sync_engine().connect() as conn:
            session: Any = conn.execute(
                select(TrainingSession).where(TrainingSession.id == self.session_id)
            ).one()
            greatest = conn.scalar(select(func.max(ImageAsset.id))) or 0
            excluded = conn.scalar(select(ImageAsset.id).where(ImageAsset.excluded).limit(1))
        self._whose = {"session": self.session_id, "model": session.model_id}
        self._config = SessionConfig.model_validate(session.config)
        self._folders = [text_to_path(text) for text in session.subdirectories]
        self._folders = self._folders or [session.root_path]
        self._exclusions = Exclusions(session.root_path, self._config.exclude)
        self._noted = session.discovered_at is None
        self._is_update = not self._noted or session.last_update is not None
        # a first walk enters everything, unless it has to tell what it may not enter
        self._must_ask = self._is_update or excluded is not None
        if self._noted and self._is_update:
            self.summary = UpdateSummary.model_validate(session.last_update)
        # one byte for each asset, 1 MB for a million; newer assets have their jobs from this walk
        self._seen = bytearray(greatest + 1 if self._is_update else 0)
        return session  # type: ignore[no-any-return]

    def _files(self) -> Iterator[FoundFile]:
        extensions = self._extensions or self._config.extensions
        for folder in self._folders:
            yield from walk(
                folder, extensions, self._config.recursive, self._report, self._exclusions
            )

    def _is_left_out(self, path: str) -> bool:
        """Whether a file below the session's folders is one that this walk passes over."""
        begin = next((folder for folder in self._folders if is_below(path, folder)), None)
        return begin is not None and self._exclusions.of_path(path, begin) is not None

    def _takes_in(self, path: str) -> bool:
        """Whether a walk would come to a file and enter it, by its path."""
        extension = path.rpartition(".")[2].lower()
        return extension in (self._extensions or self._config.extensions) and any(
            is_below(path, folder)
            and (self._config.recursive or os.path.dirname(path) == folder)
            and self._exclusions.of_path(path, folder) is None
            for folder in self._folders
        )

    # --- one chunk ------------------------------------------------------------------------------

    def _take(self, chunk: Sequence[FoundFile]) -> bool:
        """Bring the ledger up to date with some files; False where the session was cancelled."""
        with get_sync_engine().connect() as conn:
            status = conn.scalar(
                select(TrainingSession.status).where(TrainingSession.id == self.session_id)
            )
            unchanged = self._is_update and self._is_unchanged(conn, chunk)
            rows = self._known(conn, chunk) if self._must_ask and not unchanged else []
        if status in (None, SessionStatus.CANCELLED):
            return False
        work = _Work() if unchanged else self._compare(chunk, rows)
        if not (self._noted or work.files or work.has_jobs):
            return True
        with write_transaction() as conn:
            if (self._noted or work.has_jobs) and not self._note(conn):
                return False
            new = register_files(conn, work.files)
            if new.number == len(work.without_job):
                size = sum(file.size for file in work.new)
                create_jobs_for_new(conn, self.session_id, new, size)
            else:  # some are known from another session
                create_jobs_for_paths(conn, self.session_id, work.without_job)
            reopen_jobs(conn, self.session_id, work.reopened)
            count(conn, self.session_id, total_bytes=work.more_bytes)
        if self._begun and self._may_start:
            enqueue_session_if_possible(self.session_id)
            self._may_start = ()
        return True

    def _is_unchanged(self, conn: Connection, chunk: Sequence[FoundFile]) -> bool:
        """Whether nothing is to be done for any of these files; then they are seen.

        The answer of the usual case is one text of ids: rows for Python would cost more than all
        the rest of an update.
        """
        files = states_of(conn, chunk)
        as_before = and_(files.c.state == STATE, _UNCHANGED)
        ids = aggregate_strings(case((as_before, cast(ImageAsset.id, Text))), ",")
        # outer joins keep SQLite from beginning with all pictures of the session
        joined = files.outerjoin(ImageAsset, ImageAsset.path == files.c.path)
        joined = joined.outerjoin(TrainingJob, _IS_JOB).outerjoin(AssetVector, _IS_VECTOR)
        found = conn.scalar(select(ids).select_from(joined), self._whose) or ""
        assets = list(map(int, found.split(","))) if found else []
        if len(assets) < len(chunk):
            return False
        for asset_id in assets:
            if asset_id < len(self._seen):
                self._seen[asset_id] = 1
        return True

    def _known(self, conn: Connection, chunk: Sequence[FoundFile]) -> Sequence[Any]:
        """What the ledger has of these files."""
        known = _KNOWN.where(among_paths(conn, [file.path for file in chunk]))
        return conn.execute(known, self._whose).all()

    def _compare(self, chunk: Sequence[FoundFile], rows: Sequence[Any]) -> _Work:
        """Tell what is new, changed, back or unchanged."""
        work, summary = _Work(), self.summary
        files = {file.path: file for file in chunk}
        for (
            asset_id, path, size, mtime_ns, missing_since, excluded, status, error_kind,
            vector_size, vector_mtime_ns,
        ) in rows:  # fmt: skip
            file = files.pop(path)
            if asset_id < len(self._seen) and not (excluded and status is None):
                self._seen[asset_id] = 1  # it has a job, or gets one here
            there = file.size, file.mtime_ns
            changed = there != (size, mtime_ns)
            # another session's walk may have noted the change before this one
            stale = there != (vector_size, vector_mtime_ns) if status == _COMPLETED else changed
            if changed or missing_since is not None:
                work.files.append(file)
            if excluded:
                self._report.skipped[EXCLUDED] += 1
                continue
            if status is None:
                work.without_job.append(path)
                summary.new += 1
                self._new[mark_of(*there)] += self._is_update
                continue
            work.more_bytes += file.size - size
            failed = status == _FAILED
            back = missing_since is not None or (failed and error_kind == ErrorKind.MISSING)
            included = status == _CANCELLED  # excluded once: sessions that are cancelled end here
            if stale or included or (back and failed):
                work.reopened.append(asset_id)
            if stale:
                summary.changed += 1
            elif back or included:
                summary.back += 1
        work.new = list(files.values())
        work.files += work.new
        work.without_job += files
        summary.new += len(files)
        if self._is_update:
            self._new.update(mark_of(file.size, file.mtime_ns) for file in work.new)
        return work

    def _note(self, conn: Connection) -> bool:
        """Note that a walk with work is going on; the first time, set the session running."""
        values: dict[str, Any] = {"discovery_beat_at": ledger_now(conn)}
        if self._is_walk:
            values["discovered_at"] = None
        if self._is_walk and self._is_update:
            values["last_update"] = self.summary.model_dump(mode="json")
        alive = conn.execute(update(TrainingSession).where(*self._alive()).values(values)).rowcount
        if alive and not self._begun:
            status = conn.scalar(
                select(TrainingSession.status).where(TrainingSession.id == self.session_id)
            )
            if status in self._may_start and not move_session(
                conn, self.session_id, SessionStatus.RUNNING
            ):
                start_clock(conn, self.session_id)
            self._begun = self._noted = True
        return bool(alive)

    # --- the end --------------------------------------------------------------------------------

    def _close(self, message: str = "", *, whole: bool = True) -> None:
        """Note the end of the walk; one that was not ``whole`` only ends what it began."""
        now = utc_now()
        summary = self.summary
        summary.message, summary.at = message, now
        others = summary.new + summary.moved + summary.changed + summary.back
        summary.unchanged = max(self.found - others, 0)
        values: dict[str, Any] = {}
        if whole:
            values["skipped"] = dict(self._report.skipped.most_common(30))
        if whole or self._noted:
            values["discovered_at"] = now
        if self._is_update:
            values["last_update"] = summary.model_dump(mode="json")
        with write_transaction() as conn:
            conn.execute(update(TrainingSession).where(*self._alive()).values(values))

    def _alive(self) -> tuple[ColumnElement[bool], ...]:
        return (
            TrainingSession.id == self.session_id,
            TrainingSession.status != SessionStatus.CANCELLED,
        )
