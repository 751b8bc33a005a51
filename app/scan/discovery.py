"""Looks at folders from an event loop: a session's walk in steps, and counting pictures."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence

from app.api.training_schemas import FolderCount
from app.db.types import normal_path
from app.file_types import DEFAULT_EXTENSIONS
from app.scan.exclusions import Exclusions
from app.scan.file_walk import WalkReport, check_folder, walk
from app.scan.session_walk import SessionWalk


async def take_steps(
    session_walk: SessionWalk,
    on_step: Callable[[int], None] = lambda _: None,
    stop: Callable[[], bool] = lambda: False,
) -> None:
    """Do a walk, each of its parts in a thread, so that a program that ends waits for one only.

    A walk that ends early is simply done again: what is there already stays as it is.

    Args:
        on_step: called after each part with how many pictures were looked at.
        stop: asked after each part.
    """
    steps = session_walk.steps(stop)
    while (found := await asyncio.to_thread(next, steps, None)) is not None:
        on_step(found)


class PictureCounter:
    """Counts pictures and enters nothing into the ledger.

    Args:
        extensions: file types without the dot; None takes all that are supported.
        root: where ``exclude`` is left out, patterns as ``SessionConfig`` has them.
    """

    def __init__(
        self,
        extensions: Sequence[str] | None = None,
        root: str = os.sep,
        exclude: Sequence[str] = (),
    ) -> None:
        chosen = extensions or DEFAULT_EXTENSIONS
        self._extensions = [item.lower().lstrip(".") for item in chosen]
        self._exclusions = Exclusions(root, exclude)

    async def count(
        self, directory: str, recursive: bool = True, stop: Callable[[], bool] = lambda: False
    ) -> FolderCount:
        """Pictures of a folder and their size; ``stop`` is asked every few files.

        Raises:
            AppError: the folder does not exist or cannot be read.
        """
        return await asyncio.to_thread(self._count, normal_path(directory), recursive, stop)

    def _count(self, directory: str, recursive: bool, stop: Callable[[], bool]) -> FolderCount:
        check_folder(directory)
        pictures = size = 0
        for file in walk(directory, self._extensions, recursive, WalkReport(), self._exclusions):
            pictures += 1
            size += file.size
            if pictures % 256 == 0 and stop():
                break
        return FolderCount(pictures=pictures, bytes=size)
