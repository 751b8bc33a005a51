"""What the window is told of the processes, for tests."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from app.api.training_schemas import QueueStatus, SystemStatus, WorkerStatus

NOW = datetime.now(UTC)


def worker(**changes: object) -> WorkerStatus:
    values: dict[str, Any] = {
        "name": "studio-1",
        "host": "studio",
        "pid": 1,
        "queues": ["training-high"],
        "device": "cuda:0",
        "model": "builtin",
        "state": "idle",
        "notice": "",
        "startedAt": NOW,
        "beatAt": NOW,
        "alive": True,
    }
    return WorkerStatus(**(values | changes))


def system(*workers: WorkerStatus, **changes: object) -> SystemStatus:
    values: dict[str, Any] = {
        "workers": list(workers),
        "redisUrl": "unix:///run/redis.sock",
        "redisPingMs": 0.2,
        "queues": [QueueStatus(name="training-high", waiting=0, started=0, failed=0)],
        "ledger": "sqlite:///ledger",
        "vectorStore": "/data/vectors",
        "dataDir": "/data",
        "version": "0.1.0",
    }
    return SystemStatus(**(values | changes))
