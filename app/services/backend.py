"""All services in one value: what a window or a command line is handed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncSession

from app.db.engine import open_db
from app.services.asset_discovery import AssetDiscoveryService
from app.services.picture_service import PictureService
from app.services.system_service import SystemService
from app.services.training_service import TrainingService


@dataclass(frozen=True, slots=True)
class Backend:
    """The services, and ``db`` to open a ledger session for one call to them::

    async with backend.db() as db:
        progress = await backend.training.get_session_progress(db, session_id)
    """

    db: Callable[[], AbstractAsyncContextManager[AsyncSession]] = open_db
    training: TrainingService = field(default_factory=TrainingService)
    pictures: PictureService = field(default_factory=PictureService)
    discovery: AssetDiscoveryService = field(default_factory=AssetDiscoveryService)
    system: SystemService = field(default_factory=SystemService)
