"""Duplicates put into the trash: one of each group is kept, by a rule.

What was planned and seen is what is done, and nothing else: a plan names its files, and each one is
looked at once more right before it goes.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from app.api.file_schemas import ActProgress, ActResult, ChosenFile
from app.api.library_schemas import (
    CleanUpPlan,
    DuplicateKind,
    KeepRule,
    KnownFile,
    LibraryPicture,
)
from app.pictures.file_times import storable_ns
from app.scan.file_walk import is_below
from app.services.duplicate_service import DuplicateService, members, rank
from app.services.file_service import CHANGED, FileService
from app.services.library_listing import ids_of, pictures_by_id

GROUPS_AT_ONCE = 200
KEPT_IS_GONE = "The one that is to be kept is not there any more."
KEPT_CHANGED = "The one that is to be kept was changed since."
THE_SAME = "It is the same file as the one that is to be kept."


class CleanUpService:
    """Plans what would go, and has it go."""

    def __init__(self) -> None:
        self._duplicates, self._files = DuplicateService(), FileService()

    async def plan(
        self,
        db: AsyncSession,
        model_id: int | None,
        kind: DuplicateKind,
        rule: KeepRule,
        folder: str = "",
    ) -> CleanUpPlan:
        """What would go of all groups.

        Args:
            folder: with the rule ``folder``, where the one that is kept lies.
        """
        listing = await self._duplicates.groups(db, model_id, kind)
        groups: list[tuple[KnownFile, ...]] = []
        untouched = 0
        for start in range(0, listing.count, GROUPS_AT_ONCE):
            numbers = ids_of(listing, start, GROUPS_AT_ONCE)
            found = await members(db, model_id, kind, numbers)
            for pictures in (found[number] for number in numbers):
                kept = _kept(pictures, rule, folder)
                if kept is None:
                    untouched += 1
                elif len(pictures) > 1:
                    others = (picture for picture in pictures if picture is not kept)
                    groups.append(tuple(_known(picture) for picture in (kept, *others)))
        return CleanUpPlan(tuple(groups), untouched)

    async def page(
        self, db: AsyncSession, model_id: int | None, files: Sequence[KnownFile]
    ) -> list[LibraryPicture]:
        """Some pictures of a plan, to be shown."""
        await db.commit()
        return await pictures_by_id(db, model_id, [file.asset_id for file in files])

    async def carry_out(
        self, db: AsyncSession, plan: CleanUpPlan, progress: ActProgress
    ) -> ActResult:
        """Put into the trash what was planned to go, unless it or the one that is kept has changed
        since, or both are one file."""
        keeper = {file.asset_id: (file, group[0]) for group in plan.groups for file in group[1:]}
        files = [ChosenFile(file.asset_id, file.path) for file, _ in keeper.values()]

        def check(file: ChosenFile) -> str:
            return objection(*keeper[file.asset_id])

        return await self._files.trash(db, files, progress, check)


def objection(going: KnownFile, kept: KnownFile) -> str:
    """Why a file may not go after all, as a sentence; empty where it may."""
    try:
        one = os.stat(going.path)
    except OSError:
        return "It is no longer there."
    try:
        other = os.stat(kept.path)
    except OSError:
        return KEPT_IS_GONE
    if os.path.samestat(one, other):  # by a link, or a folder that is known by two names
        return THE_SAME
    if (one.st_size, storable_ns(one.st_mtime_ns)) != (going.size, going.mtime_ns):
        return CHANGED
    if (other.st_size, storable_ns(other.st_mtime_ns)) != (kept.size, kept.mtime_ns):
        return KEPT_CHANGED
    return ""


def _known(picture: LibraryPicture) -> KnownFile:
    return KnownFile(picture.assetId, picture.path, picture.size, picture.modifiedNs)


def _kept(pictures: Sequence[LibraryPicture], rule: KeepRule, folder: str) -> LibraryPicture | None:
    """The one that a rule keeps, of the pictures of a group with the best first."""
    if rule == "folder":
        return next((picture for picture in pictures if is_below(picture.path, folder)), None)
    if rule == "largest":
        return min(pictures, key=lambda picture: (-picture.size, rank(picture)), default=None)
    if rule == "oldest":
        return min(pictures, key=lambda picture: (_time(picture), rank(picture)), default=None)
    return pictures[0] if pictures else None


def _time(picture: LibraryPicture) -> int:
    """When it was taken, or else written; in nanoseconds since 1970."""
    taken = picture.takenAt
    return int(taken.timestamp()) * 10**9 if taken else picture.modifiedNs
