"""Models: which there are, getting them, removing them, and changing from one to another.

Nothing here loads a model: the worker does that, and is asked where it has to.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.api.model_schemas import ModelDownload, ModelIndex, ModelRow, ModelSpeed
from app.config import BUILTIN_MODEL, get_settings, save_setting, set_by
from app.db.engine import write_transaction
from app.db.models import EmbeddingModel, SessionStatus, TrainingSession
from app.db.switching import switch_model
from app.embedding import weights as stored
from app.embedding.catalogue import (
    CURATED,
    ModelChoice,
    check_model,
    model_folder,
    model_title,
    recommended,
    weights_file,
)
from app.embedding.download import download
from app.errors import AppError
from app.private_files import replace_file
from app.queue import questions
from app.queue.questions import ModelRequest, RemoveIndexRequest
from app.services.model_download import RunningDownload
from app.services.search_service import SearchService
from app.services.training_service import TrainingService

_CURATED = {choice.spec: choice for choice in CURATED}
_OTHER = "An OpenCLIP model that is not among the recommended ones."


class ModelService:
    """Every action on models. Keep one for the process: it knows the downloads under way."""

    def __init__(self) -> None:
        self._downloads: dict[str, RunningDownload] = {}
        self._one_at_a_time = asyncio.Lock()

    # What there is

    async def list(self, db: AsyncSession, language: str = "en") -> list[ModelRow]:
        """The models worth choosing, then every other one that the ledger or the person knows.

        Args:
            language: the person's, for what is recommended.
        """
        indexes = await _indexes(db)
        usage = (
            await db.execute(
                select(
                    TrainingSession.model,
                    TrainingSession.status,
                    func.count().label("sessions"),
                    func.coalesce(func.sum(TrainingSession.total_images), 0).label("pictures"),
                ).group_by(TrainingSession.model, TrainingSession.status)
            )
        ).all()
        await db.commit()
        own = await asyncio.to_thread(_own_folders)
        specs = [*_CURATED, *own, *indexes, *(row.model for row in usage), get_settings().model]
        rows = await asyncio.to_thread(lambda: [_row(spec) for spec in dict.fromkeys(specs)])
        for row in rows:
            row.indexes = indexes.get(row.spec, [])
            row.inUse = row.spec == get_settings().model
            row.recommended = row.spec == recommended(language).spec
            used = [use for use in usage if use.model == row.spec]
            row.indexing = any(use.status == SessionStatus.RUNNING for use in used)
            used = [use for use in used if use.status != SessionStatus.CANCELLED]
            row.sessions = sum(use.sessions for use in used)
            row.pictures = sum(use.pictures for use in used)
        return rows

    async def on_disk(self, spec: str) -> bool:
        """Whether a model can be loaded without a download."""
        row = await asyncio.to_thread(_row, spec)
        return row.state == "ready"

    # Downloads

    def downloads(self) -> dict[str, ModelDownload]:
        """Every download of this process that is under way, waits or failed, by model."""
        return {spec: running.state() for spec, running in self._downloads.items()}

    async def download(self, spec: str) -> ModelDownload:
        """Download a model, or what is missing of it; one at a time, so it may wait first.

        A cancelled task stops the download. What is there already is kept for the next time.

        Returns:
            how it ended: ``done``, ``stopped`` or ``failed`` with the reason.
        """
        before = self._downloads.get(spec)
        if before is not None and before.state().active:
            return before.state()
        choice = _CURATED.get(spec)
        running = RunningDownload(expected=choice.download_mb * 1_000_000 if choice else 0)
        self._downloads[spec] = running
        try:
            async with self._one_at_a_time:
                await asyncio.to_thread(
                    running.run, lambda note, stop: download(spec, _hub_path(spec), note, stop)
                )
        finally:
            running.stop.set()
            if self._downloads.get(spec) is running and not running.failed:
                del self._downloads[spec]
        return running.state()

    def stop_download(self, spec: str) -> None:
        """End a download, within seconds if it runs; it goes on from there the next time."""
        if running := self._downloads.get(spec):
            running.stop.set()
            if not running.begun or running.failed:
                del self._downloads[spec]

    async def remove(self, spec: str) -> int:
        """Delete downloaded weights; the bytes that this sets free.

        A person's own folder is only taken off the list; its files are left alone.

        Raises:
            AppError: they are built in, were downloaded by another program, or are in work.
        """
        self._downloads.pop(spec, None)
        return await asyncio.to_thread(_remove, spec)

    # Choosing

    async def add_folder(self, folder: str) -> str:
        """Put a checkpoint folder of one's own on the list; its spec.

        Raises:
            AppError: it holds no model that OpenCLIP can load.
        """

        def add() -> str:
            spec = check_model(str(Path(folder).expanduser().absolute()))
            if spec not in (own := _own_folders()):
                _write_own_folders([*own, spec])
            return spec

        return await asyncio.to_thread(add)

    async def use(self, spec: str) -> None:
        """Give this model to the sessions to come.

        Raises:
            AppError: there is no such model, or the environment says which one it is.
        """
        if name := set_by("model"):
            raise AppError(
                f"The model is set by the variable {name} in the environment.",
                "Change it there, or unset it.",
            )
        await asyncio.to_thread(lambda: save_setting("model", check_model(spec)))

    async def measure(self, spec: str) -> ModelSpeed:
        """Have the worker load a model and measure how fast it is on this computer.

        Raises:
            WorkerAwayError: no worker answered.
            AppError: something is being indexed, or the model cannot be had.
        """
        return await asyncio.to_thread(questions.measure, ModelRequest(spec=spec))

    async def switch_sessions(
        self, db: AsyncSession, spec: str, session_ids: Sequence[int] | None = None
    ) -> int:
        """Index sessions again with another model; searches use the old one until that is done.

        Args:
            session_ids: which; None: all that have another model and are not cancelled.

        Returns:
            how many sessions were changed.

        Raises:
            AppError: one is cancelled or being indexed; then none is changed.
        """
        spec = await asyncio.to_thread(check_model, spec)
        if session_ids is None:
            session_ids = await _with_another_model(db, spec)
        await db.commit()
        started = await asyncio.to_thread(_switch, spec, session_ids)
        for session_id in started:
            session = await db.get(TrainingSession, session_id, populate_existing=True)
            if session is not None and session.status == SessionStatus.RUNNING:
                await TrainingService().enqueue_training(db, session_id)
        return len(started)

    async def remove_index(self, model_id: int) -> int:
        """Have the worker forget what was indexed with a model; how many pictures that was.

        Raises:
            WorkerAwayError: no worker answered.
            AppError: a session uses it, or there is no other one to search in.
        """
        request = RemoveIndexRequest(model_id=model_id)
        return await asyncio.to_thread(questions.remove_index, request)


async def _indexes(db: AsyncSession) -> dict[str, list[ModelIndex]]:
    """What is indexed, by spec, the newest first."""
    searchable = {model.modelId: model for model in await SearchService().models(db)}
    used = await db.execute(
        select(TrainingSession.model_id, func.count().label("number")).group_by(
            TrainingSession.model_id
        )
    )
    sessions = {row.model_id: row.number for row in used}
    found: dict[str, list[ModelIndex]] = defaultdict(list)
    models = await db.execute(select(EmbeddingModel).order_by(EmbeddingModel.id.desc()))
    for model in models.scalars():
        known = searchable.get(model.id)
        found[model.spec].append(
            ModelIndex(
                modelId=model.id,
                vectors=known.vectors if known else 0,
                sessions=sessions.get(model.id, 0),
                inSearch=known is not None and known.inUse,
                only=known is not None and len(searchable) == 1,
                picturesPerSecond=model.pictures_per_second,
                measuredOn=model.measured_on,
            )
        )
    return dict(found)


async def _with_another_model(db: AsyncSession, spec: str) -> Sequence[int]:
    rows = await db.execute(
        select(TrainingSession.id)
        .where(TrainingSession.model != spec, TrainingSession.status != SessionStatus.CANCELLED)
        .order_by(TrainingSession.id)
    )
    return rows.scalars().all()


def _switch(spec: str, session_ids: Sequence[int]) -> list[int]:
    """One transaction for all: either every session changes or none does."""
    with write_transaction() as conn:
        return [number for number in session_ids if switch_model(conn, number, spec)]


# --- one model, as the disk has it --------------------------------------------------------------


def _row(spec: str) -> ModelRow:
    choice = _CURATED.get(spec) or _unlisted(spec)
    folder = model_folder(spec)
    row = ModelRow(
        spec=spec,
        kind="builtin" if spec == BUILTIN_MODEL else "folder" if folder else "hub",
        title=choice.title,
        description=choice.description,
        languages=choice.languages,
        downloadMb=choice.download_mb,
        dimension=choice.dimension or None,
        parametersM=choice.parameters_m,
        pixels=choice.pixels,
        figures=choice.figures,
        licence=choice.licence,
        recommended=False,
        state="absent",
    )
    try:
        check_model(spec)
    except AppError as error:
        row.state, row.reason = "unavailable", str(error)
    if folder:
        weights = weights_file(folder)
    else:
        known = choice.hub_path
        weights = stored.find_weights(spec, known) if known else stored.downloaded(spec)
        row.diskBytes = stored.partly_downloaded(spec)
        row.removable = bool(row.diskBytes or stored.downloaded(spec))
    if weights:
        row.folder, row.diskBytes = str(weights.parent), row.diskBytes + weights.stat().st_size
    if row.state != "unavailable":
        row.state = "ready" if weights else "partial" if row.diskBytes else "absent"
    return row


def _unlisted(spec: str) -> ModelChoice:
    own = model_folder(spec) is not None
    description = "A model of your own." if own else _OTHER
    return ModelChoice(spec, model_title(spec), description, 0, 0, "")


def _hub_path(spec: str) -> str:
    """Where the hub has a model; what is not recommended, only OpenCLIP knows."""
    if choice := _CURATED.get(spec):
        return choice.hub_path
    return questions.hub_path(ModelRequest(spec=spec))


def _remove(spec: str) -> int:
    if spec == BUILTIN_MODEL:
        raise AppError("The built-in model is a part of the program.", "It takes only 44 MB.")
    if model_folder(spec):
        _write_own_folders([folder for folder in _own_folders() if folder != spec])
        return 0
    row = _row(spec)
    if row.folder and not row.removable:
        raise AppError(
            f"The weights of {row.title} were downloaded by another program, which may need them.",
            f"If nothing else uses them, delete the folder {row.folder}.",
        )
    return stored.remove(spec)


# --- the person's own folders -------------------------------------------------------------------


def _list_file() -> Path:
    return stored.models_folder() / "folders.json"


def _own_folders() -> list[str]:
    with suppress(OSError, ValueError):  # not there, or not ours: nothing is listed
        return [str(folder) for folder in json.loads(_list_file().read_text(encoding="utf-8"))]
    return []


def _write_own_folders(folders: Sequence[str]) -> None:
    path = _list_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, json.dumps(folders, indent=2) + "\n")
    except OSError as error:
        raise AppError(
            f"The list of models {path} could not be written: {error.strerror}.",
            "Check that the folder is writable and the disk is not full.",
        ) from error
