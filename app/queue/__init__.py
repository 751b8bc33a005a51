"""The broker and nothing else: connection, queues, jobs, and questions to a worker.

What ``docs/training-system.md`` names can be imported from here.
"""

from app.db.progress import ProgressTracker
from app.queue.queues import QUEUE_DEFAULT, QUEUE_HIGH, QUEUE_LOW, QUEUE_NORMAL, get_queue
from app.queue.training_jobs import train_batch, train_session, train_single_asset

__all__ = [
    "QUEUE_DEFAULT",
    "QUEUE_HIGH",
    "QUEUE_LOW",
    "QUEUE_NORMAL",
    "ProgressTracker",
    "get_queue",
    "train_batch",
    "train_session",
    "train_single_asset",
]
