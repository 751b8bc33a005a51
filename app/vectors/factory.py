"""The choice between the two vector stores that the program has."""

from __future__ import annotations

from app.config import Settings
from app.vectors.protocol import VectorStore


def open_store(settings: Settings) -> VectorStore:
    """The store on the Qdrant server of ``AFTERIMAGE_QDRANT_URL``, or else the embedded one.

    Raises:
        AppError: the embedded store is in use by another process, or its folder is unusable.
    """
    if settings.qdrant_url:
        from app.vectors.server import ServerStore  # loads an engine, like the other

        return ServerStore(settings.qdrant_url)
    from app.vectors.embedded import EmbeddedStore

    return EmbeddedStore(settings.vector_dir)
