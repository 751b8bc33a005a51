"""Removes thumbnails of pictures whose files are gone, on the queue ``training-low``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Row, select

from app.config import get_settings
from app.db.engine import get_sync_session
from app.db.models import ImageAsset, TrainingJob, TrainingSession
from app.db.types import utc_now
from app.pictures.thumbnail_paths import remove_thumbnails
from app.queue.enqueue import enqueue_cleanup

CHUNK = 1000
"""Pictures that one job looks at, so that thumbnails need not wait long for it."""
LOOK_BACK = timedelta(hours=1)
"""A transaction that noted missing files may have been committed after the last cleaning began."""


def clean_thumbnails(after: int = 0, begun: str = "") -> int:
    """Remove thumbnails of files that are noted as missing, and are.

    Looks at those noted since the last cleaning, some at a time; what is left is another job.

    Args:
        after: the asset that the last job came to.
        begun: when its first job began, in ISO format.

    Returns:
        how many files were removed.
    """
    since = datetime.fromisoformat(begun) if begun else utc_now()
    rows = _missing_since(_last_cleaning(), after)
    removed = remove_thumbnails(_gone(rows))
    if len({row.id for row in rows}) == CHUNK:
        enqueue_cleanup(rows[-1].id, since)
    else:
        _note_cleaning(since)
    return removed


def _missing_since(last: datetime | None, after: int) -> Sequence[Row[int, str, str | None]]:
    """Asset, path and folder of a session for each missing picture of a chunk, by asset."""
    chunk = (
        select(ImageAsset.id, ImageAsset.path)
        .where(ImageAsset.missing_since.is_not(None), ImageAsset.id > after)
        .order_by(ImageAsset.id)
        .limit(CHUNK)
    )
    if last is not None:
        chunk = chunk.where(ImageAsset.missing_since >= last - LOOK_BACK)
    missing = chunk.subquery()
    with get_sync_session() as db:
        return db.execute(
            select(missing.c.id, missing.c.path, TrainingSession.root_path)
            .outerjoin(TrainingJob, TrainingJob.asset_id == missing.c.id)
            .outerjoin(TrainingSession, TrainingSession.id == TrainingJob.session_id)
            .order_by(missing.c.id)
        ).all()


def _gone(rows: Sequence[Row[int, str, str | None]]) -> set[str]:
    """The files that are not there, although a folder that they belonged to is."""
    there = {root: root is None or os.path.isdir(root) for _id, _path, root in rows}
    return {path for _id, path, root in rows if there[root] and not os.path.lexists(path)}


def _marker() -> Path:
    return get_settings().data_dir / "thumbnails-cleaned"


def _last_cleaning() -> datetime | None:
    """When the last complete cleaning began; None: all missing files are looked at."""
    try:
        return datetime.fromisoformat(_marker().read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def _note_cleaning(begun: datetime) -> None:
    _marker().write_text(begun.isoformat(), encoding="ascii")
