"""Which known pictures of a session are gone, and whether that can be believed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from sqlalchemy import select, update

from app.db.engine import get_sync_engine, write_transaction
from app.db.jobs import chunks
from app.db.models import ImageAsset, TrainingJob
from app.db.types import utc_now
from app.errors import AppError
from app.queue.file_walk import check_folder, is_gone

JOBS_AT_ONCE = 10_000
MARKED_AT_ONCE = 5_000


class MissingFiles:
    """The pictures of a session that a whole walk did not see.

    Args:
        seen: by asset id, whether the walk saw it.
        unreadable: folders that could not be read; what lies below them is not judged.
    """

    def __init__(self, session_id: int, seen: bytearray, unreadable: Sequence[str]) -> None:
        self.gone: list[int] = []
        """Assets whose file is not there, and that are not marked as missing yet."""
        self.known = 0
        """Pictures of the session that were thought to be there."""
        self.known_missing = 0
        self.refused = False
        self._session_id = session_id
        self._seen = seen
        self._unreadable = frozenset(unreadable)

    def look(self) -> Iterator[int]:
        """Look for each unseen file where it was; yields how many jobs were gone through."""
        after = number = 0
        while page := self._page(after):
            after = page[-1][0]
            number += len(page)
            unseen = [
                asset for _, asset in page if asset < len(self._seen) and not self._seen[asset]
            ]
            self.known += len(page)
            if unseen:
                self._judge(unseen)
            yield number

    def objection(self, root: str, found: int, nothing_new: bool) -> str:
        """Why nothing is to be marked, or only a part, as a sentence; empty where all is well."""
        lost = f"{len(self.gone):,} of {self.known:,} pictures are not there."
        left = "Nothing was changed." if nothing_new else "They were left as they are."
        try:
            check_folder(root)
        except AppError as error:
            self.refused = True
            return f"{error} Nothing was marked as missing."
        if self.gone and (not found or len(self.gone) > self.known / 2):
            self.refused = True
            return f"{lost} Is a disk not connected? {left}"
        if self._unreadable:
            number = len(self._unreadable)
            folders = "1 folder" if number == 1 else f"{number:,} folders"
            return f"{folders} could not be read; the pictures in there were left as they are."
        return ""

    def _page(self, after: int) -> Sequence[tuple[int, int]]:
        with get_sync_engine().connect() as conn:
            rows = conn.execute(
                select(TrainingJob.id, TrainingJob.asset_id)
                .where(TrainingJob.session_id == self._session_id, TrainingJob.id > after)
                .order_by(TrainingJob.id)
                .limit(JOBS_AT_ONCE)
            )
            return [(row[0], row[1]) for row in rows]

    def _judge(self, unseen: Sequence[int]) -> None:
        with get_sync_engine().connect() as conn:
            rows = conn.execute(
                select(ImageAsset.id, ImageAsset.path, ImageAsset.missing_since).where(
                    ImageAsset.id.in_(unseen)
                )
            ).all()
        for asset_id, path, missing_since in rows:
            if missing_since is not None:
                self.known_missing += 1
                self.known -= 1
            elif not self._is_spared(path) and is_gone(path):
                self.gone.append(asset_id)

    def _is_spared(self, path: str) -> bool:
        while self._unreadable and path != (path := os.path.dirname(path)):
            if path in self._unreadable:
                return True
        return False


def mark_missing(asset_ids: Sequence[int]) -> int:
    """Note that these files are gone; their rows and vectors stay. Returns how many were marked."""
    marked = 0
    for ids in chunks(asset_ids, MARKED_AT_ONCE):
        with write_transaction() as conn:
            marked += conn.execute(
                update(ImageAsset)
                .where(ImageAsset.id.in_(ids), ImageAsset.missing_since.is_(None))
                .values(missing_since=utc_now())
            ).rowcount
    return marked
