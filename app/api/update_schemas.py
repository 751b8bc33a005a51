"""What updates, missing pictures and a moved root folder look like to windows and scripts."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field


class UpdateSummary(BaseModel):
    """What one walk over an indexed folder found; every count is of pictures."""

    new: int = 0
    changed: int = 0
    """Of another size or time than when they were indexed."""
    moved: int = 0
    """Gone since the last look, while a file of the same size and time came under another name."""
    missing: int = 0
    """Gone since the last look, and not moved."""
    back: int = 0
    """Missing before, there again and as they were."""
    left_out: int = 0
    """Indexed before, and in folders of other programs, or matching a pattern."""
    unchanged: int = 0
    gone: int = 0
    """All that are missing in this session, those of earlier updates included."""
    at: datetime | None = None
    """When the walk ended; None while it goes on, or where it broke off."""
    message: str = ""
    """What a person should know: why nothing was looked at, or nothing marked as missing."""


class MissingPreview(BaseModel):
    """What removing the missing pictures of a session would remove."""

    missing: int
    moved: int
    """Of the missing ones, those whose content is still there under another name."""
    total: int
    """Pictures of the session."""
    root_reachable: bool


class RemovalPreview(BaseModel):
    """What removing a session would remove."""

    pictures: int
    """Pictures of the session."""
    kept: int
    """Of them, those that stay in the index, because another session has them."""


class RelocationPreview(BaseModel):
    """How well a folder fits as the new place of a session's root."""

    old_root: str
    new_root: str
    found: int
    """Of the sample, those that are in the new place with the same size."""
    sampled: int
    pictures: int
    """Pictures of the session."""
    sessions: list[str]
    """Names of all sessions that move with it."""


class FolderSettings(BaseModel):
    """How a session's index is kept true."""

    watch: bool
    update_every_hours: int
    """0: only when a person asks."""


class WatchedFolder(BaseModel):
    """A session whose folders are watched for new pictures."""

    session_id: int
    folders: list[str]
    extensions: list[str]
    recursive: bool
    root: str = ""
    """Where ``exclude``, as ``SessionConfig`` has it, counts from."""
    exclude: list[str] = Field(default_factory=list)
