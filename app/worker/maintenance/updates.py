"""Updates that nobody clicked on, and the worker's share of removing pictures."""

from __future__ import annotations

import logging
from typing import Any

from sqlalchemy import select

from app.db.engine import get_sync_engine
from app.db.jobs import chunks
from app.db.models import EmbeddingModel, ImageAsset
from app.db.schedule import due_sessions
from app.logs import log_context
from app.queue.enqueue import enqueue_session_if_possible
from app.queue.questions import RemoveVectorsRequest
from app.scan.missing_files import forget, moved_files
from app.scan.session_walk import UPDATED, SessionWalk
from app.worker.context import context

log = logging.getLogger(__name__)


def update_session(session_id: int) -> dict[str, Any] | None:
    """The job: walk a session that is due; its ``UpdateSummary`` as a dict.

    What was due when it was enqueued may have been updated meanwhile: then this does nothing.
    """
    with log_context(session=session_id):
        if session_id not in due_sessions():
            return None
        walk, stop = SessionWalk(session_id, UPDATED), context().stop
        for _ in walk.steps():
            if stop.is_set():  # left as it is, so that the next worker does it again
                return None
        enqueue_session_if_possible(session_id)
        log.info("updated: %s", walk.summary.model_dump_json(exclude={"at"}))
        return walk.summary.model_dump(mode="json")


def forget_moved() -> int:
    """The job: remove the missing pictures that have only moved; how many.

    The ledger forgets them first: vectors that a power cut leaves are found at the next start.
    """
    removed, vectors = forget(moved_files(), moved=True)
    if vectors:
        remove_vectors(RemoveVectorsRequest(vectors=vectors))
    if removed:
        log.info("%d pictures were moved or renamed", removed)
    return removed


def remove_vectors(request: RemoveVectorsRequest) -> int:
    """Forget the vectors of pictures that the ledger has removed.

    An id that the ledger has again belongs to another picture by now, and is left alone.

    Returns:
        how many ids were handed to the store.
    """
    store, removed = context().store, 0
    there = set(store.collections())
    with get_sync_engine().connect() as conn:
        collections = dict(conn.execute(select(EmbeddingModel.id, EmbeddingModel.collection)).all())
        for model_id, asset_ids in request.vectors.items():
            collection = collections.get(model_id, "")
            for ids in chunks(asset_ids, 10_000) if collection in there else ():
                known = conn.execute(select(ImageAsset.id).where(ImageAsset.id.in_(ids))).scalars()
                gone = sorted(set(ids) - set(known))
                store.delete(collection, gone)
                removed += len(gone)
    return removed
