"""What the queue's server holds at the moment."""

from __future__ import annotations

import time

from redis.exceptions import RedisError

from app.api.training_schemas import QueueStatus
from app.errors import AppError
from app.masking import hide_in_address
from app.queue.connection import get_redis, redis_url
from app.queue.queues import QUEUE_SEARCH, QUEUES, get_queue


def queue_status() -> tuple[str, float | None, list[QueueStatus]]:
    """Address without password, milliseconds of an answer, and the queues.

    Where the server does not answer: its address, or why there is none; None; and nothing.
    """
    try:
        url = hide_in_address(redis_url())
        begin = time.perf_counter()
        get_redis().ping()
        ping = round((time.perf_counter() - begin) * 1000, 2)
        names = (*QUEUES, QUEUE_SEARCH)
        with get_redis().pipeline(transaction=False) as pipe:  # one question, not three a queue
            for queue in map(get_queue, names):
                pipe.llen(queue.key)
                pipe.zcard(queue.started_job_registry.key)
                pipe.zcard(queue.failed_job_registry.key)
            counts = iter(pipe.execute())
        # zip takes from the one iterator three times for each queue
        rows = zip(names, counts, counts, counts, strict=True)
        return (
            url,
            ping,
            [QueueStatus(name=n, waiting=w, started=s, failed=f) for n, w, s, f in rows],
        )
    except AppError as error:
        return error.message, None, []
    except RedisError:
        return hide_in_address(redis_url()), None, []
