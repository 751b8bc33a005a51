"""The queues, in the order in which workers look at them, and the worker's main loop."""

from __future__ import annotations

from rq import Queue

from app.queue.connection import get_redis

QUEUE_HIGH = "training-high"
"""Work that a person asked for."""
QUEUE_NORMAL = "training-normal"
"""Scheduled work."""
QUEUE_LOW = "training-low"
"""Thumbnails and cleaning up."""
QUEUE_DEFAULT = "default"
QUEUE_SEARCH = "search"
"""Questions that are answered at once, by a thread of their own beside the training queues."""

QUEUES = (QUEUE_HIGH, QUEUE_NORMAL, QUEUE_LOW, QUEUE_DEFAULT)


def get_queue(name: str = QUEUE_DEFAULT) -> Queue:
    """A queue by its name; cheap, nothing is sent.

    Raises:
        AppError: no queue server is known.
    """
    return Queue(name, connection=get_redis())
