"""All services in one value: what a window or a command line is handed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncSession

from app.db.engine import open_db
from app.queue.thumbnail_requests import ThumbnailRequests
from app.services.clean_up import CleanUpService
from app.services.engine_service import EngineService
from app.services.file_service import FileService
from app.services.library_service import LibraryService
from app.services.model_service import ModelService
from app.services.picture_service import PictureService
from app.services.search_service import SearchService
from app.services.session_service import SessionService
from app.services.system_service import SystemService
from app.services.training_service import TrainingService
from app.services.update_service import UpdateService


@dataclass(frozen=True, slots=True)
class Backend:
    """The services, and ``db`` to open a ledger session for one call to them::

    async with backend.db() as db:
        progress = await backend.training.get_session_progress(db, session_id)
    """

    db: Callable[[], AbstractAsyncContextManager[AsyncSession]] = open_db
    training: TrainingService = field(default_factory=TrainingService)
    pictures: PictureService = field(default_factory=PictureService)
    files: FileService = field(default_factory=FileService)
    clean_up: CleanUpService = field(default_factory=CleanUpService)
    library: LibraryService = field(default_factory=LibraryService)
    search: SearchService = field(default_factory=SearchService)
    system: SystemService = field(default_factory=SystemService)
    models: ModelService = field(default_factory=ModelService)
    engine: EngineService = field(default_factory=EngineService)
    updates: UpdateService = field(default_factory=UpdateService)
    sessions: SessionService = field(default_factory=SessionService)
    thumbnails: ThumbnailRequests = field(default_factory=ThumbnailRequests)
