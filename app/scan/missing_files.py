"""Which known pictures a walk did not see: gone, if that can be believed, or left out by now; and
the end of those that are gone: on a person's word, or because they have only moved."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Row, Select, exists, func, select, update
from sqlalchemy.orm import aliased

from app.db.engine import get_sync_engine, in_transaction, write_transaction
from app.db.jobs import chunks, leave_out
from app.db.models import (
    AssetVector,
    ImageAsset,
    JobStatus,
    SessionStatus,
    TrainingJob,
    TrainingSession,
    in_trash,
)
from app.db.removal import remove_assets
from app.db.types import utc_now
from app.errors import AppError
from app.pictures.thumbnail_paths import remove_thumbnails
from app.scan.file_walk import check_folder, is_gone

JOBS_AT_ONCE = 10_000
MARKED_AT_ONCE = 5_000
REMOVED_AT_ONCE = 500


class MissingFiles:
    """The pictures of a session that a whole walk did not see.

    Args:
        seen: by asset id, whether the walk saw it; only of pictures of the session.
        unreadable: folders that could not be read; what lies below them is not judged.
        is_left_out: whether the walk leaves out a file, by its path.
    """

    def __init__(
        self,
        session_id: int,
        seen: bytearray,
        unreadable: Sequence[str],
        is_left_out: Callable[[str], bool],
    ) -> None:
        self.gone: list[int] = []
        """Assets whose file is not there, and that are not marked as missing yet."""
        self.marks: Counter[int] = Counter()
        """:func:`mark_of` each of these files, as it was at the last look."""
        self.left_out: list[int] = []
        """Assets that are there, were indexed or are to be, and that the walk leaves out."""
        self.known = 0
        """Pictures of the session that were thought to be there."""
        self.known_missing = 0
        self.refused = False
        self._session_id = session_id
        self._seen = seen
        self._unreadable = frozenset(unreadable)
        self._is_left_out = is_left_out

    def look(self) -> Iterator[int]:
        """Look for each unseen file where it was; yields how many jobs were gone through."""
        if self._seen.count(1) == self._jobs():
            return  # the walk saw them all
        after = number = 0
        while page := self._page(after):
            after = page[-1][0]
            number += len(page)
            unseen = {
                asset: status
                for _, asset, status in page
                if asset < len(self._seen) and not self._seen[asset]
            }
            self.known += len(page)
            if unseen:
                wanted = {asset for asset in unseen if unseen[asset] != JobStatus.CANCELLED}
                self._judge(list(unseen), wanted)
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
            return f"{lost} Perhaps a disk is not connected. {left}"
        if self._unreadable:
            number = len(self._unreadable)
            folders = "1 folder" if number == 1 else f"{number:,} folders"
            return f"{folders} could not be read; the pictures in them were left as they are."
        return ""

    def _jobs(self) -> int:
        """Pictures of the session that were known when the walk began."""
        with get_sync_engine().connect() as conn:
            number = select(func.count()).where(
                TrainingJob.session_id == self._session_id, TrainingJob.asset_id < len(self._seen)
            )
            return conn.scalar(number) or 0

    def _page(self, after: int) -> Sequence[Row[int, int, str]]:
        with get_sync_engine().connect() as conn:
            rows = conn.execute(
                select(TrainingJob.id, TrainingJob.asset_id, TrainingJob.status)
                .where(TrainingJob.session_id == self._session_id, TrainingJob.id > after)
                .order_by(TrainingJob.id)
                .limit(JOBS_AT_ONCE)
            )
            return rows.all()

    def _judge(self, unseen: Sequence[int], wanted: Collection[int]) -> None:
        """Args: assets that were not seen, and those of them that the session did not give up."""
        with get_sync_engine().connect() as conn:
            rows = conn.execute(
                select(
                    ImageAsset.id,
                    ImageAsset.path,
                    ImageAsset.missing_since,
                    ImageAsset.size,
                    ImageAsset.mtime_ns,
                ).where(ImageAsset.id.in_(unseen))
            ).all()
        for asset_id, path, missing_since, size, mtime_ns in rows:
            if missing_since is not None:
                self.known_missing += 1
                self.known -= 1
            elif self._is_spared(path):
                continue
            elif is_gone(path):
                self.gone.append(asset_id)
                self.marks[mark_of(size, mtime_ns)] += 1
            elif asset_id in wanted and self._is_left_out(path):
                self.left_out.append(asset_id)
                self.known -= 1

    def _is_spared(self, path: str) -> bool:
        while self._unreadable and path != (path := os.path.dirname(path)):
            if path in self._unreadable:
                return True
        return False


def mark_of(size: int, mtime_ns: int) -> int:
    """What a file keeps when it is moved or renamed, as a number: for a million files, too."""
    return hash((size, mtime_ns))


def mark_left_out(session_id: int, asset_ids: Sequence[int]) -> int:
    """Give up pictures that were indexed before they were left out; how many."""
    marked = 0
    for ids in chunks(asset_ids, MARKED_AT_ONCE):
        with write_transaction() as conn:
            marked += leave_out(conn, session_id, ids)
    return marked


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


def missing_in(session_id: int) -> Select[int, str]:
    """The pictures of a session that are marked as missing."""
    return (
        select(ImageAsset.id, ImageAsset.path)
        .join(TrainingJob, TrainingJob.asset_id == ImageAsset.id)
        .where(TrainingJob.session_id == session_id, ImageAsset.missing_since.is_not(None))
    )


def moved_files() -> Sequence[Row[int, str]]:
    """Missing pictures that have only moved: a file that is there came into the ledger later and
    has the same content, also in the index of each model that one of their sessions has.

    A copy that came later than the one that is there is no such picture: its disk may be away. Nor
    is what a person excluded, or what *Undo* would take out of the trash.
    """
    there, vector, other = aliased(ImageAsset), aliased(AssetVector), aliased(AssetVector)
    later = exists().where(
        there.sha256 == ImageAsset.sha256,
        there.id > ImageAsset.id,
        there.missing_since.is_(None),
    )
    indexed = exists().where(
        other.model_id == vector.model_id,
        other.sha256 == vector.sha256,
        other.asset_id > vector.asset_id,
        there.id == other.asset_id,
        there.missing_since.is_(None),
    )
    models = (
        select(TrainingSession.model_id)
        .join(TrainingJob, TrainingJob.session_id == TrainingSession.id)
        .where(
            TrainingJob.asset_id == vector.asset_id,
            TrainingSession.status != SessionStatus.CANCELLED,
        )
    )
    only_here = exists().where(
        vector.asset_id == ImageAsset.id, vector.model_id.in_(models), ~indexed
    )
    moved = select(ImageAsset.id, ImageAsset.path).where(
        ImageAsset.missing_since.is_not(None),
        ImageAsset.excluded.is_(False),
        ~in_trash(),
        later,
        ~only_here,
    )
    with get_sync_engine().connect() as conn:
        return conn.execute(moved).all()  # to sort them, SQLite would go through all pictures


def forget(
    marked: Sequence[Row[int, str]], *, moved: bool = False
) -> tuple[int, dict[int, list[int]]]:
    """Remove missing pictures from the ledger; each is looked for once more.

    Args:
        moved: they are somewhere else, so that their sessions' last updates did not lose them.

    Returns:
        how many were removed; and by model, the assets whose vectors the store is to forget.
    """
    removed = 0
    vectors: dict[int, list[int]] = defaultdict(list)
    sessions: set[int] = set()
    for rows in chunks(marked, REMOVED_AT_ONCE):
        gone = {row.id: row.path for row in rows if is_gone(row.path)}
        with get_sync_engine().connect() as conn:
            having = select(TrainingJob.session_id).where(TrainingJob.asset_id.in_(gone))
            sessions.update(conn.scalars(having.distinct()))
        number, by_model = in_transaction(partial(remove_assets, asset_ids=list(gone)))
        remove_thumbnails(gone.values())
        removed += number
        for model_id, asset_ids in by_model.items():
            vectors[model_id] += asset_ids
    for session_id in sorted(sessions):
        _correct_update(session_id, moved)
    return removed, dict(vectors)


def _correct_update(session_id: int, moved: bool) -> None:
    """Have a session's last update say how many are missing by now."""
    with write_transaction() as conn:
        left = conn.scalar(missing_in(session_id).with_only_columns(func.count())) or 0
        which = TrainingSession.id == session_id
        last: dict[str, Any] | None = conn.scalar(select(TrainingSession.last_update).where(which))
        if not last:
            return
        changed = {"gone": left}
        if moved and last["missing"] > left:
            changed |= {"missing": left, "moved": last["moved"] + last["missing"] - left}
        conn.execute(update(TrainingSession).where(which).values(last_update=last | changed))
