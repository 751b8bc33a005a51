"""What everything that shows pictures works with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.services.backend import Backend
    from app.ui.parts.actions import ActionRunner
    from app.ui.parts.poller import Poller
    from app.ui.pictures.thumbnails import ThumbnailLoader


@dataclass(frozen=True, slots=True)
class PictureContext:
    """The services, and what runs, watches and reads in the window's background."""

    backend: Backend
    runner: ActionRunner
    poller: Poller
    thumbnails: ThumbnailLoader
