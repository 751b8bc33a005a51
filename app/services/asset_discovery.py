"""From folders to the ledger: every picture file becomes an asset, streamed in chunks."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.api.training_schemas import FolderCount, SessionConfig
from app.config import DEFAULT_EXTENSIONS
from app.db.engine import write_transaction
from app.db.jobs import FoundFile, create_jobs_for_paths, register_files
from app.db.models import ImageAsset, SessionStatus, TrainingJob, TrainingSession
from app.db.types import normal_path, text_to_path, utc_now
from app.errors import AppError
from app.services.file_walk import WalkReport, walk

FIRST_CHUNK = 256  # small, so that the first pictures are worked on within moments
CHUNK = 2_000


class AssetDiscoveryService:
    """Finds the pictures of a session, or counts them without entering anything.

    Args:
        extensions: file types without the dot; None takes each session's own.
    """

    def __init__(self, extensions: Sequence[str] | None = None) -> None:
        self._extensions = extensions and [item.lower().lstrip(".") for item in extensions]

    async def discover_assets(self, db: AsyncSession, session_id: int) -> list[ImageAsset]:
        """Walk a session's folders, create its jobs, and return all its assets.

        Raises:
            AppError: there is no such session, or its root folder cannot be read.
        """
        await db.commit()
        session = await find_session(db, session_id)
        await self.enter_all(session)
        await db.refresh(session)
        rows = await db.execute(
            select(ImageAsset)
            .join(TrainingJob, TrainingJob.asset_id == ImageAsset.id)
            .where(TrainingJob.session_id == session_id)
            .order_by(ImageAsset.id)
        )
        return list(rows.scalars())

    async def enter_all(
        self, session: TrainingSession, on_chunk: Callable[[], None] | None = None
    ) -> int:
        """Walk a session's folders and create its jobs, chunk by chunk.

        A walk that ends early is simply done again: what is there already stays as it is.

        Args:
            on_chunk: called in a thread after each chunk that was committed.

        Returns:
            how many pictures were found.
        """
        session_id = session.id
        report = WalkReport()
        chunks = _chunks(self._walk(session, report))
        found = 0
        while chunk := await asyncio.to_thread(next, chunks, None):
            if not await asyncio.to_thread(_enter, session_id, chunk):
                return found  # cancelled meanwhile
            found += len(chunk)
            if on_chunk is not None:
                await asyncio.to_thread(on_chunk)
        if found:
            await asyncio.to_thread(_close, session_id, report)
        elif not os.path.isdir(session.root_path):
            raise missing_folder(session.root_path)
        else:
            raise no_pictures(session.root_path, report)
        return found

    async def count_images_in_directory(self, directory: str, recursive: bool = True) -> int:
        """How many pictures a folder holds.

        Raises:
            AppError: the folder does not exist or cannot be read.
        """
        return (await self.measure(directory, recursive)).pictures

    async def measure(
        self, directory: str, recursive: bool = True, stop: Callable[[], bool] = lambda: False
    ) -> FolderCount:
        """Pictures of a folder and their size; ``stop`` is asked every few files."""
        return await asyncio.to_thread(self._measure, normal_path(directory), recursive, stop)

    def _measure(self, directory: str, recursive: bool, stop: Callable[[], bool]) -> FolderCount:
        check_folder(directory)
        pictures = size = 0
        extensions = self._extensions or DEFAULT_EXTENSIONS
        for file in walk(directory, extensions, recursive, WalkReport()):
            pictures += 1
            size += file.size
            if pictures % 256 == 0 and stop():
                break
        return FolderCount(pictures=pictures, bytes=size)

    def _walk(self, session: TrainingSession, report: WalkReport) -> Iterator[FoundFile]:
        config = SessionConfig.model_validate(session.config)
        check_folder(session.root_path)
        folders = [text_to_path(text) for text in session.subdirectories] or [session.root_path]
        for folder in folders:
            yield from walk(folder, self._extensions or config.extensions, config.recursive, report)


def check_folder(path: str) -> None:
    """Raise an AppError unless ``path`` is a folder that can be read."""
    try:
        os.scandir(path).close()
    except FileNotFoundError as error:
        raise missing_folder(path) from error
    except NotADirectoryError as error:
        raise AppError(
            f"{printable(path)} is a file, not a folder.", "Choose the folder that holds it."
        ) from error
    except PermissionError as error:
        raise AppError(
            f"The folder {printable(path)} may not be read by this user.",
            "Ask its owner for access, or choose another folder.",
        ) from error
    except OSError as error:
        raise AppError(
            f"The folder {printable(path)} cannot be read: {error.strerror}.",
            "Check the disk or the network and try again.",
        ) from error


def missing_folder(path: str) -> AppError:
    return AppError(
        f"The folder {printable(path)} does not exist.",
        "It may have been moved, or its disk is not connected.",
    )


def no_pictures(path: str, report: WalkReport) -> AppError:
    left_out = ", ".join(f"{count:,} × {reason}" for reason, count in report.skipped.most_common(5))
    return AppError(
        f"There are no pictures in {printable(path)}.",
        f"Left out: {left_out}." if left_out else "The folder is empty.",
    )


def printable(path: str) -> str:
    """A path that any terminal and window can show."""
    return os.fsencode(path).decode("utf-8", "replace").replace("\n", "⏎")


async def find_session(db: AsyncSession, session_id: int) -> TrainingSession:
    """The session with this id, read afresh.

    Raises:
        AppError: there is none.
    """
    session = await db.get(TrainingSession, session_id, populate_existing=True)
    if session is None:
        raise AppError(f"There is no session {session_id}.", "List them with: sessions")
    return session


def _chunks(files: Iterator[FoundFile]) -> Iterator[list[FoundFile]]:
    size = FIRST_CHUNK
    while chunk := list(islice(files, size)):
        yield chunk
        size = CHUNK


def _enter(session_id: int, chunk: Sequence[FoundFile]) -> bool:
    """Commit one chunk; False where the session was cancelled."""
    with write_transaction() as conn:
        alive = conn.execute(
            update(TrainingSession)
            .where(
                TrainingSession.id == session_id,
                TrainingSession.status != SessionStatus.CANCELLED,
            )
            .values(discovery_beat_at=utc_now())
        ).rowcount
        if alive:
            register_files(conn, chunk)
            create_jobs_for_paths(conn, session_id, [file.path for file in chunk])
    return bool(alive)


def _close(session_id: int, report: WalkReport) -> None:
    with write_transaction() as conn:
        conn.execute(
            update(TrainingSession)
            .where(TrainingSession.id == session_id)
            .values(discovered_at=utc_now(), skipped=dict(report.skipped.most_common(30)))
        )
