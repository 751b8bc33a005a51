"""The ledger's tables.

Every count that a window polls stands on the session's row, so a poll costs the same for ten
pictures and for a million. :mod:`app.worker.maintenance.ledger_check` checks the invariants.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    ColumnElement,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
    case,
    literal_column,
    select,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, validates

# docs/training-system.md has these here
from app.db.statuses import JOB_MOVES as JOB_MOVES
from app.db.statuses import SESSION_MOVES as SESSION_MOVES
from app.db.statuses import ActKind, ActState
from app.db.statuses import JobStatus as JobStatus
from app.db.statuses import SessionStatus as SessionStatus
from app.db.types import PathText, UtcDateTime, utc_now
from app.errors import AppError


class Base(DeclarativeBase):
    pass


IDS_ARE_NEVER_USED_TWICE = {"sqlite_autoincrement": True}
"""Without it, SQLite gives the greatest id of a removed row to the next one, and with it whatever
still bears that number: a stored vector, a queue job."""


class ImageAsset(Base):
    """One picture file."""

    __tablename__ = "image_assets"
    __table_args__ = (
        # partial: a picture that was only just found costs no entry in them
        *(
            Index(f"ix_image_assets_{column}", column, sqlite_where=where, postgresql_where=where)
            for column, where in (
                ("sha256", text("sha256 IS NOT NULL")),
                ("missing_since", text("missing_since IS NOT NULL")),
            )
        ),
        Index(
            "ix_image_assets_excluded",
            "id",
            sqlite_where=text("excluded = 1"),
            postgresql_where=text("excluded"),
        ),
        IDS_ARE_NEVER_USED_TWICE,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    path: Mapped[str] = mapped_column(PathText, unique=True)
    folder: Mapped[str] = mapped_column(PathText, index=True)
    """The path of the folder that the file lies in."""
    size: Mapped[int] = mapped_column(BigInteger)
    mtime_ns: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str | None] = mapped_column(String(64))
    width: Mapped[int | None]
    height: Mapped[int | None]
    format: Mapped[str | None] = mapped_column(String(16))
    taken_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When the camera says it was taken; cameras know no time zone, so this is read as UTC."""
    missing_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """Since when the file is gone; searches hide it, its vector is kept until it is pruned."""
    excluded: Mapped[bool] = mapped_column(default=False)
    """The person asked to leave this file out of every session."""


def is_present(asset: Any = ImageAsset) -> ColumnElement[bool]:
    """That the file was there at the last look; written such that SQLite, which knows nothing of
    how many are missing, does not take the index on it and goes through nearly all pictures.

    Args:
        asset: the table, or an alias of it.
    """
    return case((asset.missing_since.is_(None), 1), else_=0) == 1


class EmbeddingModel(Base):
    """One set of weights that vectors were computed with; it owns one collection of vectors."""

    __tablename__ = "embedding_models"
    __table_args__ = (
        UniqueConstraint("name", "version", "weights_digest"),
        IDS_ARE_NEVER_USED_TWICE,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    version: Mapped[str] = mapped_column(Text)
    weights_digest: Mapped[str] = mapped_column(String(64))
    dimension: Mapped[int]
    collection: Mapped[str] = mapped_column(String(200), unique=True)
    spec: Mapped[str] = mapped_column(Text)
    """What it is loaded by: ``builtin``, ``name/pretrained`` or a checkpoint folder."""
    pictures_per_second: Mapped[float | None]
    """Speed of the model alone when it was loaded last, and on which device."""
    measured_on: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


class AssetVector(Base):
    """That a picture's vector is stored, and of which state of its file.

    For one model, the asset ids here and the point ids in its collection are the same set (I2),
    apart from rows whose store was begun and is not settled: see :data:`IS_UNSETTLED`.
    """

    __tablename__ = "asset_vectors"
    __table_args__ = (
        Index("ix_asset_vectors_content", "model_id", "sha256"),
        Index(
            "ix_asset_vectors_unsettled",
            "model_id",
            "asset_id",
            sqlite_where=text("size < 0"),
            postgresql_where=text("size < 0"),
        ),
        Index(
            "ix_asset_vectors_stale",
            "model_id",
            "asset_id",
            sqlite_where=text("payload_stale = 1"),
            postgresql_where=text("payload_stale"),
        ),
    )

    asset_id: Mapped[int] = mapped_column(ForeignKey("image_assets.id"), primary_key=True)
    model_id: Mapped[int] = mapped_column(ForeignKey("embedding_models.id"), primary_key=True)
    size: Mapped[int] = mapped_column(BigInteger)
    """Of the file, in bytes; -1 while a store is begun and not settled, like no file's."""
    mtime_ns: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64))
    """Of the file's content; empty while a store is begun and not settled."""
    checksum: Mapped[str | None] = mapped_column(String(64))
    """SHA-256 of the vector, as in the evidence: a vector of another content has another one."""
    fence: Mapped[int] = mapped_column(BigInteger, default=0)
    """Number of the last store that was begun; the point has it too, and no lesser one overwrites
    it."""
    payload_stale: Mapped[bool] = mapped_column(default=False)
    """The picture's path or sessions changed, and the store's payload does not show it yet."""


UNSETTLED = -1
IS_UNSETTLED = AssetVector.size < literal_column("0")
"""That a store was begun and not settled: what the store holds of the picture is not known."""


class NearDuplicate(Base):
    """A picture that looks like others, as found by the last scan for near duplicates."""

    __tablename__ = "near_duplicates"

    model_id: Mapped[int] = mapped_column(ForeignKey("embedding_models.id"), primary_key=True)
    asset_id: Mapped[int] = mapped_column(ForeignKey("image_assets.id"), primary_key=True)
    group_id: Mapped[int] = mapped_column(index=True)
    """The least asset id of those that look alike."""
    score: Mapped[float]
    """The highest cosine similarity to another one of the group."""


class DuplicateScan(Base):
    """The last scan of a model's pictures for near duplicates, as a person asked for it."""

    __tablename__ = "duplicate_scans"

    model_id: Mapped[int] = mapped_column(ForeignKey("embedding_models.id"), primary_key=True)
    state: Mapped[str] = mapped_column(String(16))
    """A :class:`ScanState`; :mod:`app.db.duplicate_scans` has the moves."""
    threshold: Mapped[float]
    """The least cosine similarity, in (0, 1]; 0: it is measured."""
    share: Mapped[float]
    """How much of it is done, 0 to 1."""
    error: Mapped[str] = mapped_column(Text)
    """Why it failed, or why it waits; empty where nothing went wrong."""
    requested_at: Mapped[datetime] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    worker: Mapped[str | None] = mapped_column(String(64))
    token: Mapped[str | None] = mapped_column(String(32))
    """Whoever runs it has this; it writes nothing once another one does."""
    beat_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class TrainingSession(Base):
    """One run over a folder, as a person started it."""

    __tablename__ = "training_sessions"
    __table_args__ = IDS_ARE_NEVER_USED_TWICE

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    root_path: Mapped[str] = mapped_column(PathText)
    subdirectories: Mapped[list[str]] = mapped_column(JSON, default=list)
    """Absolute, escaped like every stored path; read them with ``text_to_path``."""
    config: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    status: Mapped[str] = mapped_column(String(16), default=SessionStatus.PENDING.value)
    error_message: Mapped[str | None] = mapped_column(Text)
    error_kind: Mapped[str | None] = mapped_column(String(16))
    """A :class:`SessionErrorKind`; None: another one."""
    waiting_for: Mapped[str | None] = mapped_column(Text)
    """Why a running session stands still for the moment, as a sentence; it goes on by itself."""

    model: Mapped[str] = mapped_column(Text)
    """What was asked for: ``builtin``, ``name/pretrained`` or a checkpoint folder."""
    model_id: Mapped[int | None] = mapped_column(ForeignKey("embedding_models.id"))
    device: Mapped[str | None] = mapped_column(String(64))
    precision: Mapped[str | None] = mapped_column(String(8))

    total_images: Mapped[int] = mapped_column(default=0)
    total_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    running_images: Mapped[int] = mapped_column(default=0)
    completed_images: Mapped[int] = mapped_column(default=0)
    reused_images: Mapped[int] = mapped_column(default=0)
    """Of the completed ones, those whose vector was already there."""
    failed_images: Mapped[int] = mapped_column(default=0)
    cancelled_images: Mapped[int] = mapped_column(default=0)
    skipped: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """What the walk left out: ``{reason: count}``."""
    last_update: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    """What the last walk over an indexed folder changed; None before the first."""

    read_ms: Mapped[int] = mapped_column(BigInteger, default=0)
    decode_ms: Mapped[int] = mapped_column(BigInteger, default=0)
    embed_ms: Mapped[int] = mapped_column(BigInteger, default=0)
    store_ms: Mapped[int] = mapped_column(BigInteger, default=0)
    active_ms: Mapped[int] = mapped_column(BigInteger, default=0)
    """Time spent running, pauses left out, up to the last stop."""

    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    running_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_progress_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    discovered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When the walk over the folders ended; until then more pictures may come."""
    discovery_beat_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    # Every UPDATE that the ORM writes says which status it comes from (WHERE … AND status = …),
    # so a status set on an object that is out of date raises StaleDataError, and writes nothing.
    __mapper_args__ = {"version_id_col": status, "version_id_generator": False}  # noqa: RUF012

    @validates("status")
    def _allowed_move(self, _key: str, target: str) -> str:
        source = self.__dict__.get("status")
        if source is not None and source != target and target not in SESSION_MOVES[source]:
            raise AppError(f"A {source} session cannot become {target}.")
        return SessionStatus(target).value


class TrainingJob(Base):
    """One picture of one session."""

    __tablename__ = "training_jobs"
    __table_args__ = (
        UniqueConstraint("session_id", "asset_id"),
        # what is claimed next, what a table shows, what workers hold, what failed
        Index("ix_training_jobs_claim", "session_id", "status", "crashes", "id"),
        Index("ix_training_jobs_page", "session_id", "id"),
        Index(
            "ix_training_jobs_running",
            "lease_token",
            sqlite_where=text("status = 'running'"),
            postgresql_where=text("status = 'running'"),
        ),
        Index(
            "ix_training_jobs_failed",
            *("finished_at", "id", "session_id", "error_kind", "status"),
            sqlite_where=text("status = 'failed'"),
            postgresql_where=text("status = 'failed'"),
        ),
        Index("ix_training_jobs_asset", "asset_id"),
        IDS_ARE_NEVER_USED_TWICE,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    session_id: Mapped[int] = mapped_column(ForeignKey("training_sessions.id"))
    asset_id: Mapped[int] = mapped_column(ForeignKey("image_assets.id"))
    status: Mapped[str] = mapped_column(String(16), default=JobStatus.PENDING.value)
    reused: Mapped[bool] = mapped_column(default=False)
    attempts: Mapped[int] = mapped_column(default=0)
    crashes: Mapped[int] = mapped_column(default=0)
    """Attempts that ended with the death of the worker; two are enough to set the file aside."""
    error_kind: Mapped[str | None] = mapped_column(String(24))
    error_message: Mapped[str | None] = mapped_column(Text)
    worker: Mapped[str | None] = mapped_column(String(64))
    lease_token: Mapped[str | None] = mapped_column(String(32))
    lease_expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


# Spelled out, as a parameter would keep SQLite from the indexes on these few rows.
IS_HELD = TrainingJob.status == literal_column("'running'")
"""That a worker holds a job."""
HAS_FAILED = TrainingJob.status == literal_column("'failed'")


class TrainingEvidence(Base):
    """What one attempt at one picture did; exactly one row an attempt (I3)."""

    __tablename__ = "training_evidence"
    __table_args__ = (
        UniqueConstraint("job_id", "attempt"),
        Index("ix_training_evidence_session", "session_id", "created_at"),
        Index("ix_training_evidence_asset", "asset_id"),
    )

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("training_jobs.id"))
    asset_id: Mapped[int] = mapped_column(ForeignKey("image_assets.id"))
    session_id: Mapped[int] = mapped_column(ForeignKey("training_sessions.id"))
    attempt: Mapped[int]
    model_name: Mapped[str] = mapped_column(Text, default="")
    model_version: Mapped[str] = mapped_column(Text, default="")
    weights_digest: Mapped[str] = mapped_column(String(64), default="")
    device: Mapped[str] = mapped_column(String(64), default="")
    precision: Mapped[str] = mapped_column(String(8), default="")
    processing_time_ms: Mapped[int] = mapped_column(default=0)
    embedding_checksum: Mapped[str | None] = mapped_column(String(64))
    """SHA-256 of the stored vector's little-endian float32 bytes."""
    note: Mapped[str] = mapped_column(Text, default="")
    error_message: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


class FileAct(Base):
    """What was done to one file because a person asked for it: the log of invariant I4.

    A row is committed before its file is touched, and settled afterwards. Rows are never removed.
    """

    __tablename__ = "file_acts"
    __table_args__ = (
        Index("ix_file_acts_act", "act"),
        Index(
            "ix_file_acts_begun",
            "machine",
            sqlite_where=text("state = 'begun'"),
            postgresql_where=text("state = 'begun'"),
        ),
        Index(
            "ix_file_acts_trashed",
            "asset_id",
            sqlite_where=text("kind = 'trash' AND state = 'done'"),
            postgresql_where=text("kind = 'trash' AND state = 'done'"),
        ),
        IDS_ARE_NEVER_USED_TWICE,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    act: Mapped[str] = mapped_column(String(32))
    """The same for all files of one request."""
    machine: Mapped[str] = mapped_column(Text)
    """Whose paths these are."""
    kind: Mapped[str] = mapped_column(String(8))
    """An :class:`ActKind`."""
    state: Mapped[str] = mapped_column(String(8), default=ActState.BEGUN.value)
    """An :class:`ActState`."""
    asset_id: Mapped[int]
    """No foreign key: the log stays when a picture leaves the ledger."""
    source: Mapped[str] = mapped_column(PathText)
    target: Mapped[str | None] = mapped_column(PathText)
    """Where the file, or its copy, is to be; in the trash, where that is known."""
    size: Mapped[int] = mapped_column(BigInteger)
    """Of the file before the act, in bytes, and its time; -1 where it could not be looked at."""
    mtime_ns: Mapped[int] = mapped_column(BigInteger)
    message: Mapped[str] = mapped_column(Text, default="")
    """Why it failed, as a sentence; of a row that was begun, how far it came."""
    at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


# Spelled out, so that the partial index on these rows is taken.
IS_TRASHED = (FileAct.kind == literal_column(f"'{ActKind.TRASH.value}'")) & (
    FileAct.state == literal_column(f"'{ActState.DONE.value}'")
)
"""That a file was put into the trash here, and not taken out again here."""


def in_trash() -> ColumnElement[bool]:
    """That a picture's file was put into the trash here and is not back."""
    gone = ImageAsset.missing_since.is_not(None)
    return gone & ImageAsset.id.in_(select(FileAct.asset_id).where(IS_TRASHED))


class WorkerRecord(Base):
    """A worker process and when it was last alive; Redis does not know this reliably."""

    __tablename__ = "workers"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    host: Mapped[str] = mapped_column(Text)
    pid: Mapped[int]
    queues: Mapped[list[str]] = mapped_column(JSON, default=list)
    device: Mapped[str] = mapped_column(String(64), default="")
    model: Mapped[str] = mapped_column(Text, default="")
    state: Mapped[str] = mapped_column(Text, default="starting")
    """``starting``, ``idle``, ``loading model`` or ``session N``."""
    notice: Mapped[str] = mapped_column(Text, default="")
    """A sentence that people should know, such as a fall-back to the CPU."""
    started_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    beat_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    stopped_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
