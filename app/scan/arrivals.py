"""Files that the program itself put into folders: their sessions know them at once."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress

from sqlalchemy import select

from app.db.engine import get_sync_engine
from app.db.files import FoundFile
from app.db.models import SessionStatus, TrainingSession
from app.db.types import path_to_text
from app.pictures.file_times import storable_ns
from app.scan.session_walk import UPDATED, SessionWalk


def take_in(paths: Iterable[str]) -> None:
    """Have each session index those of these files that lie in its folders.

    One whose folders are being walked is left to that; a paused one stays paused.
    """
    found = []
    for path in paths:
        with suppress(OSError):  # it is somewhere else already
            found.append(_found(path))
    for session_id in _walked_sessions() if found else ():
        SessionWalk(session_id, UPDATED).enter(found)


def _found(path: str) -> FoundFile:
    status = os.lstat(path)
    folder = path_to_text(os.path.dirname(path))
    return FoundFile(path_to_text(path), folder, status.st_size, storable_ns(status.st_mtime_ns))


def _walked_sessions() -> list[int]:
    walked = TrainingSession.discovered_at.is_not(None)
    query = select(TrainingSession.id).where(
        walked, TrainingSession.status.not_in([SessionStatus.PENDING, SessionStatus.CANCELLED])
    )
    with get_sync_engine().connect() as conn:
        return list(conn.scalars(query.order_by(TrainingSession.id)))
