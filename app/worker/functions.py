"""What is called for each job that a worker can be given."""

from __future__ import annotations

from collections.abc import Callable

from app.queue.jobs import JobName
from app.worker.answers import answer
from app.worker.indexing.jobs import train_batch, train_session, train_single_asset
from app.worker.maintenance.ledger_repair import undo_broken_stores
from app.worker.maintenance.payloads import refresh_payloads
from app.worker.maintenance.thumbnail_cleanup import clean_thumbnails
from app.worker.maintenance.updates import forget_moved, update_session
from app.worker.near_duplicates import find_near_duplicates
from app.worker.thumbnails import make_thumbnails

FUNCTIONS: dict[JobName, Callable[..., object]] = {
    JobName.TRAIN_SESSION: train_session,
    JobName.TRAIN_BATCH: train_batch,
    JobName.TRAIN_SINGLE_ASSET: train_single_asset,
    JobName.UPDATE_SESSION: update_session,
    JobName.MAKE_THUMBNAILS: make_thumbnails,
    JobName.CLEAN_THUMBNAILS: clean_thumbnails,
    JobName.FORGET_MOVED: forget_moved,
    JobName.REFRESH_PAYLOADS: refresh_payloads,
    JobName.UNDO_BROKEN_STORES: undo_broken_stores,
    JobName.FIND_NEAR_DUPLICATES: find_near_duplicates,
    JobName.ANSWER: answer,
}
