"""The statuses of sessions, jobs, duplicate scans and file acts, and the moves that are allowed."""

from __future__ import annotations

from enum import StrEnum


class SessionStatus(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class SessionErrorKind(StrEnum):
    """What a session failed for, where a person has a choice."""

    MODEL = "model"
    """Its model could not be downloaded or loaded."""


class JobStatus(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


SESSION_MOVES: dict[str, frozenset[str]] = {
    SessionStatus.PENDING: frozenset({SessionStatus.RUNNING, SessionStatus.CANCELLED}),
    SessionStatus.RUNNING: frozenset(
        {
            SessionStatus.PAUSED,
            SessionStatus.COMPLETED,
            SessionStatus.FAILED,
            SessionStatus.CANCELLED,
        }
    ),
    SessionStatus.PAUSED: frozenset({SessionStatus.RUNNING, SessionStatus.CANCELLED}),
    SessionStatus.FAILED: frozenset({SessionStatus.RUNNING, SessionStatus.CANCELLED}),
    SessionStatus.COMPLETED: frozenset({SessionStatus.RUNNING}),
    SessionStatus.CANCELLED: frozenset(),
}
"""From each session status, the statuses that it may move to."""

JOB_MOVES: dict[str, frozenset[str]] = {
    # pending → completed: the file is unchanged and has its vector, so it is not opened again
    JobStatus.PENDING: frozenset({JobStatus.RUNNING, JobStatus.COMPLETED, JobStatus.CANCELLED}),
    # running → pending: claimed ahead and released, or its worker died
    JobStatus.RUNNING: frozenset(
        {JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.PENDING, JobStatus.CANCELLED}
    ),
    JobStatus.FAILED: frozenset({JobStatus.PENDING, JobStatus.CANCELLED}),
    # completed → pending: its file changed, its vector was lost, or another model is wanted
    # completed → cancelled: its folder is one that walks leave out by now
    JobStatus.COMPLETED: frozenset({JobStatus.PENDING, JobStatus.CANCELLED}),
    # cancelled → pending: the picture was excluded, and is included again
    JobStatus.CANCELLED: frozenset({JobStatus.PENDING}),
}
"""From each job status, the statuses that it may move to."""


def sources_of(moves: dict[str, frozenset[str]], target: str) -> list[str]:
    """The statuses from which ``target`` may be reached."""
    return [source for source, targets in moves.items() if target in targets]


class ScanState(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"


class ActKind(StrEnum):
    """What was done to a file because a person asked for it."""

    COPY = "copy"
    MOVE = "move"
    TRASH = "trash"
    RESTORE = "restore"
    """Out of the trash, to where it was."""


class ActState(StrEnum):
    BEGUN = "begun"
    """Written before the file is touched: what a power cut leaves."""
    DONE = "done"
    FAILED = "failed"
    """The file is where it was."""
    UNDONE = "undone"
    """It was done, and another act has undone it."""
