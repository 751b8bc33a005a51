"""What workers may be asked to do, and jobs that can ask for nothing else.

Whoever can write to the Redis server can put a job there. So nothing in Redis is ever unpickled,
and a job has one of the names listed here, or it is refused before anything is imported. What is
called for each is in the worker's table, :mod:`app.worker.functions`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum
from importlib import import_module
from typing import Any

from redis import Redis
from rq import serializers
from rq.exceptions import DeserializationError, NoSuchJobError
from rq.job import Job


class JobName(StrEnum):
    """What a job may ask for. Arguments and results are what JSON can hold."""

    # as RQ names functions that are enqueued themselves: those of app.queue.training_jobs
    TRAIN_SESSION = "app.queue.training_jobs.train_session"
    TRAIN_BATCH = "app.queue.training_jobs.train_batch"
    TRAIN_SINGLE_ASSET = "app.queue.training_jobs.train_single_asset"
    UPDATE_SESSION = "update_session"
    MAKE_THUMBNAILS = "make_thumbnails"
    CLEAN_THUMBNAILS = "clean_thumbnails"
    FORGET_MOVED = "forget_moved"
    REFRESH_PAYLOADS = "refresh_payloads"
    UNDO_BROKEN_STORES = "undo_broken_stores"
    FIND_NEAR_DUPLICATES = "find_near_duplicates"
    ANSWER = "answer"
    """To one of :data:`app.queue.questions.QUESTIONS`."""


_WORKER_FUNCTIONS = "app.worker.functions"
"""Loaded by a worker only, with the first job: no other process has the worker's modules."""

# RQ unpickles wherever it is not told otherwise, and in some places it cannot be told.
serializers.PickleSerializer = serializers.DefaultSerializer = serializers.JSONSerializer  # type: ignore[misc,assignment]


class UnknownFunctionError(LookupError):
    """A job or a question asks for something that is not on the list."""


def function_of(name: object) -> Callable[..., Any]:
    """What a worker calls for a job of this name.

    Raises:
        UnknownFunctionError: it is not on the list; nothing was imported.
    """
    try:
        job = JobName(name)  # type: ignore[arg-type]
    except ValueError as error:
        raise UnknownFunctionError(f"workers cannot be asked for {name!r}") from error
    found: Callable[..., Any] = import_module(_WORKER_FUNCTIONS).FUNCTIONS[job]
    return found


class KnownJob(Job):
    """A job of ours: a listed name with JSON for arguments, no callbacks and no webhooks."""

    success_callback = failure_callback = stopped_callback = None

    @property
    def func(self) -> Callable[..., Any]:
        """What its name stands for."""
        return function_of(self.func_name)

    def send_webhooks(self, *args: object, **kwargs: object) -> None:
        """Never: an address in Redis may be anybody's."""

    def restore(self, raw_data: Any) -> None:
        try:
            super().restore(raw_data)
        except NoSuchJobError:
            raise
        except Exception as error:  # RQ raises whatever a field of another shape leads to
            raise NoSuchJobError("what is stored is no job") from error

    @classmethod
    def fetch_many(
        cls, job_ids: Iterable[str], connection: Redis, serializer: Any = None
    ) -> list[Job | None]:
        """The jobs of these ids; None for each that is not there, or is no job."""
        ids = list(job_ids)
        try:
            return super().fetch_many(ids, connection, serializer)
        except NoSuchJobError:
            return [cls._fetch_if_job(job_id, connection, serializer) for job_id in ids]

    @classmethod
    def _fetch_if_job(cls, job_id: str, connection: Redis, serializer: Any) -> Job | None:
        try:
            return cls.fetch(job_id, connection, serializer)
        except NoSuchJobError:
            return None

    def _deserialize_data(self) -> None:
        super()._deserialize_data()  # type: ignore[no-untyped-call]
        if not isinstance(self._args, list) or not isinstance(self._kwargs, dict):
            raise DeserializationError
