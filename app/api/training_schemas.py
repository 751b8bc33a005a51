"""What windows, scripts and services exchange, as ``docs/training-system.md`` names it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

from app.api import exclude_patterns
from app.api.update_schemas import UpdateSummary
from app.config import get_settings
from app.file_types import DEFAULT_EXTENSIONS, FORMER_DEFAULT_EXTENSIONS


class SessionConfig(BaseModel):
    """How a session walks and batches."""

    model_config = ConfigDict(extra="forbid")

    recursive: bool = True
    extensions: list[str] = Field(default_factory=lambda: list(DEFAULT_EXTENSIONS))
    """Without the dot, lower case."""
    exclude: list[str] = Field(default_factory=list)
    """Patterns of files and folders to leave out, from the root on: ``*.png``, ``Exports/``."""
    batch_size: Annotated[int, Field(ge=1, le=1024)] = Field(
        default_factory=lambda: get_settings().training_batch_size
    )
    device: Annotated[str, Field(pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")] = "auto"
    watch: bool = False
    """Tell of new pictures in its folders while the window is open."""
    update_every_hours: Annotated[int, Field(ge=0)] = 0
    """Have the worker update it by itself; 0: never."""

    @field_validator("extensions")
    @classmethod
    def _clean(cls, value: list[str]) -> list[str]:
        cleaned = list(dict.fromkeys(item.strip().lstrip(".").lower() for item in value))
        if not cleaned or not all(cleaned):
            raise ValueError("must name at least one file type, such as jpg")
        return list(DEFAULT_EXTENSIONS) if set(cleaned) == FORMER_DEFAULT_EXTENSIONS else cleaned

    @field_validator("exclude")
    @classmethod
    def _clean_patterns(cls, value: list[str]) -> list[str]:
        return exclude_patterns.clean(value)


class TrainingSessionCreate(BaseModel):
    """A session to be created; paths are checked by ``TrainingService.create_session``."""

    name: str = ""
    """Empty: named after the root folder."""
    rootPath: str
    subdirectories: list[str] = Field(default_factory=list)
    """Folders inside the root; empty: the root itself."""
    config: SessionConfig = Field(default_factory=SessionConfig)
    model: str | None = None
    """``builtin``, ``name/pretrained`` or a checkpoint folder; None: the one in the settings."""


class Progress(BaseModel):
    """How far a session is."""

    current: int
    """Pictures that need no more work: completed, failed and cancelled."""
    total: int
    """Pictures found so far; see ``TrainingProgress.discovering``."""
    percentage: float
    """0 to 100, one decimal."""
    etaSeconds: int | None
    """None: not known yet, or nothing left."""
    imagesPerMinute: float | None
    """Over the last minute; None: not known yet."""


class JobsSummary(BaseModel):
    """Pictures by status; they add up to ``Progress.total``."""

    pending: int
    running: int
    completed: int
    failed: int
    cancelled: int
    reused: int
    """Of the completed ones, those whose vector was already there."""


class StageTimes(BaseModel):
    """How long each stage of a session was busy, in milliseconds; the longest sets the pace."""

    readMs: int
    decodeMs: int
    embedMs: int
    storeMs: int


class TrainingProgress(BaseModel):
    """One poll of a session; costs the same for ten pictures and for a million."""

    sessionId: int
    name: str
    status: str
    progress: Progress
    jobsSummary: JobsSummary
    stageTimes: StageTimes
    discovering: bool
    """The walk over the folders is still going on."""
    stalled: bool
    """Running, but nothing was finished for a while, and nobody knows why."""
    waitingFor: str | None = None
    """Why a running session stands still for the moment, in a sentence; it goes on by itself."""
    model: str
    """As chosen: ``builtin``, ``name/pretrained`` or a folder."""
    device: str | None
    precision: str | None
    errorMessage: str | None
    """Why the session failed, in a sentence."""
    errorKind: str | None = None
    """``model``: its model could not be downloaded or loaded; another one can take its place."""
    skipped: dict[str, int]
    """Files left out by the walk, by reason."""
    totalBytes: int
    activeSeconds: float
    """Time spent running, pauses left out."""
    rootPath: str
    createdAt: datetime
    startedAt: datetime | None
    finishedAt: datetime | None
    lastUpdate: UpdateSummary | None = None
    """What the last update found; None before the first, and while one goes on."""


class StartResponse(BaseModel):
    """The answer to a start; see ``docs/training-system.md``."""

    sessionId: int
    rqJobId: str
    status: str
    message: str


class JobRow(BaseModel):
    """One line of the pictures table."""

    jobId: int
    assetId: int
    sessionId: int
    path: str
    status: str
    reused: bool
    attempts: int
    errorKind: str | None
    errorMessage: str | None
    finishedAt: datetime | None
    size: int
    width: int | None
    height: int | None


class EvidenceRow(BaseModel):
    """What one attempt at a picture did."""

    attempt: int
    modelName: str
    modelVersion: str
    weightsDigest: str
    device: str
    precision: str
    processingTimeMs: int
    embeddingChecksum: str | None
    note: str
    errorMessage: str | None
    createdAt: datetime


class FailureGroup(BaseModel):
    """Failed pictures that share a cause."""

    errorKind: str
    count: int


class FolderCount(BaseModel):
    """What a look at a folder found, without entering anything in the ledger."""

    pictures: int
    bytes: int


class WorkerStatus(BaseModel):
    """A worker as its heartbeat shows it."""

    name: str
    host: str
    pid: int
    queues: list[str]
    device: str
    model: str
    state: str
    notice: str
    startedAt: datetime
    beatAt: datetime
    alive: bool


class QueueStatus(BaseModel):
    name: str
    waiting: int
    started: int
    failed: int


class SystemStatus(BaseModel):
    """Everything on the System page."""

    workers: list[WorkerStatus]
    redisUrl: str
    """Without its password."""
    redisPingMs: float | None
    """None: no answer."""
    queues: list[QueueStatus]
    ledger: str
    """Where the ledger is, without a password."""
    vectorStore: str
    dataDir: str
    version: str


class LedgerReport(BaseModel):
    """What ``verify_ledger`` found; without problems the invariants I1 to I3 hold."""

    problems: list[str]
    sessions: int
    jobs: int
    evidence: int
    vectors: int
    sampled: int = 0
    """Pictures that were looked at anew."""
    repaired: int = 0
